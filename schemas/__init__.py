"""What a row is: Arrow schemas of the tables, expectation suites, JSON schemas. No logic beyond look-up."""
