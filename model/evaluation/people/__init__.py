"""People asked what models are asked: the ceiling beside which models are read, and how many keys are wrong.

sheet     a page on which a sample of questions is answered by hand, which saves a file
sheet.html  its frame
answers   that file, read and checked; a person as what is measured
summary   all people of a sheet together: accuracy, agreement, the share of wrong keys, with intervals
job       writes a sheet; takes in a file
"""
