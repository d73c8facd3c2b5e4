"""From the published store to batches: streaming, shuffled by key, dealt to processes, resumable to the sample.

selection    which questions are trained on, and how often each type comes
rows         a version's questions with their masks, as one memory-mapped file
photographs  where the photographs are, and the view of one that a question asks about
samples      a row as what is shown and what is to be said and segmented
order        which samples each optimiser step takes
collate      samples → a batch
loading      the batches of one process, made in threads while the model computes
"""
