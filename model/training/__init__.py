"""Fine-tuning on a published version: on one processor, on several processes, on GPUs, by the same code.

config       the settings of a run
feeding      the passes of each step, made in threads ahead of the model
loop         steps, their losses, and what is done between them
measuring    how good the model is, on samples that it doesn't learn from
checkpoints  what a killed run goes on from
records      what a run tells: a line for each step, TensorBoard, a progress bar
job          the whole: from a store and settings to a model in the store
"""
