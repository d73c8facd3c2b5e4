"""Tiny parts that are pre-trained from nothing on one machine's processor: a language model that sees, and a SAM.

PLUM fine-tunes pre-trained parts; so does its tiny form. They learn from scenes of invented objects: shapes put together at
random, with invented names. No category, name, photograph or question of the demo world is among them.

scenes      invented objects, drawn by the demo world's renderer, with their masks
captions    what is said of a scene: which parts, and where
parts       the tokenizer, the language model and the SAM: their sizes, from random weights
masks       SAM learns masks without classes, from points and boxes
language    the language model learns captions
pointing    where names point: its attention, and what its states tell
speaking    patches learn to say the names of what they show
choosing    of several lists of parts, the one that says what shows
learning    the loop: steps, rates, a log, a state to go on from
job         all of it, and the checkpoints in the ordinary layouts
"""
