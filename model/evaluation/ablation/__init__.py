"""What each piece of the model is good for: one thing changed at a time, several seeds, the same questions.

config   which variants, seeds and splits
drift    how far a language model has moved from what it was: KL and perplexity on text that it didn't train on
notes    what was measured already
pooling  metrics over seeds, with intervals, and differences between variants
job      trains, measures and compares all of them; goes on where it was stopped
saying   the table and the plots
"""
