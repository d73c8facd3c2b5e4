"""Photographs: their files checked as they are read in, found again later, and cut to what a question asks about."""
