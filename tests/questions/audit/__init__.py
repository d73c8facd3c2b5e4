"""Tests of the audit of questions."""
