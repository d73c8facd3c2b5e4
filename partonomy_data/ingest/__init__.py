"""From one shard's photographs, in the source's own words, to the rows of the tables.

labels    the canonical names that a source's categories get
gather    photographs checked and laid out as flat columns; what can't be used, as rows of quarantine
placing   masks made, parts given to objects, objects made of parts
evidence  what is known of every part in every object
columns   flat columns as Arrow tables
shard     all of it for one shard, named by the content that went in
"""
