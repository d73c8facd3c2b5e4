"""One reader per dataset behind one small protocol (`base.Reader`); a package of one's own can add others.

base       the protocol, and how readers are found
records    what a reader yields: photographs with objects and parts, in the source's own words
buckets    which shard a photograph belongs to
files      safe names, fingerprints, ids of photographs
coco_json  COCO-like JSON of any size, split by photograph without building it in memory
paco, partimagenet, pascal_part, partonomy   the four datasets
"""
