"""Small real files that several tests make: in the sources' own formats, written to disk."""
