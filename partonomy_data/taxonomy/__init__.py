"""The part taxonomy: canonical names, the graphs over them, and how part names relate.

words       one name → its canonical form
names       the vocabularies of all sources → canonical names, with nothing merged that differs
relations   part names → same, broader, narrower, distinct
graph       counts of shards + vocabularies → the taxonomy tables
algebra     intersection and difference of part sets under the relations
overrides   the one editable file that wins over all of these
"""
