"""Two versions in a bucket, to be compared: the files that they don't share, on this disk for as long as it takes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from partonomy_data.store.diff import Side, unpaired
from partonomy_data.store.manifest import FileEntry
from partonomy_data.store.remote import manifests
from partonomy_data.store.remote.address import Address
from partonomy_data.store.remote.bucket import Bucket, together
from partonomy_data.store.remote.connecting import connect
from partonomy_data.store.remote.saying import Missing, damaged


@contextmanager
def sides(address: Address, old: str, new: str) -> Iterator[tuple[Side, Side]]:
    """The two versions. Raises StoreError if one isn't there, and saying.Damaged if it isn't whole."""
    bucket = connect(address)
    found = [manifests.whole(bucket, name).manifest for name in (old, new)]
    with tempfile.TemporaryDirectory(prefix="partonomy-diff-") as name:
        folders = [Path(name, side) for side in ("old", "new")]
        for one, folder, differing in zip(found, folders, unpaired(found[0].files, found[1].files), strict=True):
            _fetch(bucket, one.version, folder, differing)
        yield Side(folders[0], found[0]), Side(folders[1], found[1])


def _fetch(bucket: Bucket, version: str, folder: Path, entries: list[FileEntry]) -> None:
    for entry in entries:
        (folder / entry.path).parent.mkdir(parents=True, exist_ok=True)

    def one(entry: FileEntry) -> None:
        try:
            _, digest = bucket.download(f"{manifests.folder(version)}/{entry.path}", folder / entry.path)
        except Missing:
            raise damaged(version, bucket.address, f"{entry.path} is missing") from None
        if digest != entry.sha256:
            raise damaged(version, bucket.address, f"{entry.path} has another content than published")

    together(one, entries)
