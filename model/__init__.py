"""PLUM: the model, its training and its evaluation, on top of the published store."""
