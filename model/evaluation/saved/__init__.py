"""Predictions that were made elsewhere, in a file: read into the store, and measured like any other.

lines      a line of a file of predictions, as it is written and read
reference  the file of predictions that the code of the PARTONOMY paper writes, as such lines
taking     lines into the store; what is missing, surplus, doubled or malformed is counted, and told
writing    predictions of the store as lines
"""
