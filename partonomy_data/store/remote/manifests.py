"""The manifests of the versions in a bucket, and whether the versions' files are as these say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from partonomy_data.errors import StoreError
from partonomy_data.store import manifest
from partonomy_data.store.layout import MANIFEST, check_version_name
from partonomy_data.store.manifest import FileEntry, Manifest
from partonomy_data.store.remote.bucket import Bucket, Listed, together
from partonomy_data.store.remote.saying import Missing, damaged


@dataclass(frozen=True, slots=True)
class Published:
    """A version's manifest as it lies in the bucket."""

    manifest: Manifest
    text: bytes
    etag: str


def folder(version: str) -> str:
    """The folder of a version. Raises StoreError if `version` can't be one's name."""
    return f"versions/{check_version_name(version)}"


def find(bucket: Bucket, version: str) -> Published | None:
    """A version's manifest; None if there is no such version, since what has no manifest is none.

    Raises StoreError if it is damaged, or was written by a newer tool.
    """
    try:
        found = bucket.get(f"{folder(version)}/{MANIFEST}")
    except Missing:
        return None
    return Published(manifest.parse(found.body, version, bucket.address), found.body, found.etag)


def require(bucket: Bucket, version: str) -> Published:
    """A version's manifest. Raises StoreError as `find`, and if there is no such version."""
    found = find(bucket, version)
    if found is None:
        raise StoreError(
            f"there is no version {version}", where=str(bucket.address), mend="`partonomy versions` lists what there is"
        )
    return found


def whole(bucket: Bucket, version: str) -> Published:
    """The same of a version all of whose files are there in their size. Raises saying.Damaged if one isn't."""
    found = require(bucket, version)
    wrong = sizes(found.manifest.files, bucket.listing(folder(version)))
    if wrong:
        path, how = next(iter(wrong.items()))
        raise damaged(version, bucket.address, f"{path} {how}")
    return found


def sizes(entries: Sequence[FileEntry], there: Mapping[str, Listed]) -> dict[str, str]:
    """Path → what is wrong with its size; nothing if nothing is. Paths are relative to the version's folder."""
    wrong = {}
    for entry in entries:
        found = there.get(entry.path)
        if found is None:
            wrong[entry.path] = "is missing"
        elif found.size != entry.bytes:
            wrong[entry.path] = f"has {found.size} bytes, not {entry.bytes}"
    return wrong


def damages(bucket: Bucket, version: str, entries: Sequence[FileEntry]) -> dict[str, str]:
    """Path → what is wrong with a file of a version; nothing if every byte is as published.

    The server tells the SHA-256 that it knows of an object; what it knows none of is read.
    """
    wrong = sizes(entries, bucket.listing(folder(version)))
    rest = [entry for entry in entries if entry.path not in wrong]
    for entry, digest in zip(rest, together(lambda one: _digest(bucket, version, one), rest), strict=True):
        if digest is None:
            wrong[entry.path] = "is missing"
        elif digest != entry.sha256:
            wrong[entry.path] = "has another content than published"
    return wrong


def _digest(bucket: Bucket, version: str, entry: FileEntry) -> str | None:
    path = f"{folder(version)}/{entry.path}"
    try:
        return bucket.checksum(path) or bucket.download(path)[1]
    except Missing:
        return None
