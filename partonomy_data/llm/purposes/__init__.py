"""What a language model is asked for: a module for each purpose, with its brief, and what its answers may change."""
