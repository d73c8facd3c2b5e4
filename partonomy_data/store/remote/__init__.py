"""A store whose versions lie in a bucket of S3, or of a server that speaks its protocol.

The bucket has what others read: `versions/`, `CURRENT`, `models/` and `evaluations/`. What belongs to a machine (work,
runs, answers, the catalog) is in a state folder on its disk, which is a store's folder like any other: builds run there.

address   s3://bucket/prefix
bucket    requests to the server
saying    its errors, as lines for users
pointer   CURRENT, moved on condition
manifests the versions' manifests, and whether their files are as published
upload    a version of the state folder into the bucket
fetch     a version of the bucket into the state folder
state     the state folder: which store it belongs to, and following what others publish
copies    a version on disk as it is in the bucket, for who must read all of it
history   listing, rolling back, pruning
reading   queries over Arrow datasets
sides     two versions to be compared

Importing this costs nothing, and needs no library: botocore and pyarrow's S3 are imported with the first request.
"""
