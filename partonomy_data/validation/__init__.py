"""Does a version keep all rules? Asked of what is staged before it is published, and of what is published at any time.

suites         the expectation suites in `schemas/expectations/`: what must hold, and how much it matters
subject        a version's folder as DuckDB sees it
rules          how each rule is checked
reach          how far each rule looks
changes        what a version has otherwise than the one before
touched        the rows that must be judged for it
cache          what earlier builds found out about files, and which versions they validated
running        runs the checks
quarantining   questions that break a rule leave, with their block
report         what came of it, for machines and in words
data_docs      the same through Great Expectations, as pages to read
job            a staged version, or a published one
"""
