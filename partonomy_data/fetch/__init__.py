"""Gets the sources' files from where their authors put them: resumed, checked, unpacked as the readers want them.

catalogue    what there is to get (catalogue.yaml): addresses, sizes, checksums, licences, what must be done by hand
licences     which licences were accepted, in the folder itself
transport    one request over http or https, and which failures pass
download     a file in `.part`, by ranges, until it is whole
space        room on the disk          meter    progress in megabytes
archives     members of zip and tar files, none of which may do harm
placing      unpacked files into their places
records      what was fetched, beside it
job          all that in order
text         what the command prints

Nothing here reads a dataset: that is for `sources`.
"""
