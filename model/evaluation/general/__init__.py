"""What fine-tuning costs: a model's answers to general vision-language sets, each scored by its own metric, before and after.

config       the settings
json_items   items of a large JSON file, one at a time
reading      questions of POPE, TextVQA and GQA in their official files; rows that can't be used are told and counted
normalizing  when two answers are the same, as each set's own code has it
scoring      what an answer is worth in each metric of its set
asking       a model asked the questions, a few at a time
measuring    sums by photograph, values with intervals, and the paired difference of two models
saying       tables for a terminal and a page
job          all of it: one or two models on a file
"""
