"""PLUM (arXiv 2505.20759): a language model whose text is tagged for part names, each of which prompts a mask.

errors          what can be wrong with a text, a photograph, or a model on disk
config          the settings of a model

rendering       question and answer → token ids, and each token's characters
bio             spans of characters ↔ tags of tokens; the best valid sequence of tags
pretrained      models of transformers from disk, without noise
adapters        low-rank adapters on the language model
backbone        any image-text-to-text model of transformers behind one interface
span_extractor  states of an answer's tokens → tags
patches         a photograph's patches say the names of what they show
sharing         the language model sees SAM's embeddings too
queries         states of a span's tokens → the query that prompts the mask decoder
marking         how an answer shows where its parts are named: by tags, or by a [SEG] token
sam             segment-anything's models, its official checkpoints
cutting         which pixels of a mask's probabilities are inside
pictures        photographs and masks in SAM's coordinates, and back
segmenter       queries of many photographs → masks, in one batch
embedding_cache SAM's embeddings of photographs, kept on disk
film            feature-wise linear modulation
mask_feedback   earlier masks of an answer → the dense prompt of its next
batch           answers with their photographs, spans and masks, as tensors
losses          the losses, as sums
decoding        the masks of answers, step by step
reading         what is the same for all texts about a photograph is read once
scoring         the likelihood of answers
renaming        other words in the place of names, to learn tags from
rewording       other sentences around names, to learn tags from
model           the whole: a step of training
grounding       a choice held against the photograph, by the masks of its parts
answering       the whole: an answer generated, choices scored, spans segmented
saving          to disk and back
"""
