"""Where a store is that lies in a bucket: `s3://bucket/prefix`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from partonomy_data.errors import StoreError

#: A path that went through `pathlib` has one slash left.
_SCHEME: Final = re.compile(r"s3:/{1,2}(?!/)")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
#: What S3 advises to keep to, and `=`, of which the folders of partitions are made.
_PREFIX: Final = re.compile(r"[A-Za-z0-9!_.*'()=-]+(/[A-Za-z0-9!_.*'()=-]+)*")


@dataclass(frozen=True, slots=True)
class Address:
    """A store's place in a bucket; `prefix` has no slash at its ends, and is empty for the bucket's top."""

    bucket: str
    prefix: str

    def key(self, path: str) -> str:
        """The key of what has this path relative to the store's root."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def address_of(root: str | Path | Address) -> Address | None:
    """The address that `root` is; None if it is a folder. Raises StoreError for one that can't be a store's."""
    if isinstance(root, Address):
        return root
    found = _SCHEME.match(str(root))
    if found is None:
        return None
    bucket, _, prefix = str(root)[found.end() :].partition("/")
    prefix = prefix.strip("/")
    plain = not prefix or (_PREFIX.fullmatch(prefix) and not {".", ".."} & set(prefix.split("/")))
    if not _BUCKET.fullmatch(bucket) or not plain:
        raise StoreError(f"{str(root)!r} is no address of a store", mend="Write s3://bucket or s3://bucket/prefix")
    return Address(bucket, prefix)
