"""Uploading a version: its tables first, its manifest last. A version without a manifest is not there.

It may be killed at any moment and begun again: what is there as it should be is left, the rest is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from partonomy_data.errors import StoreError
from partonomy_data.store.layout import MANIFEST
from partonomy_data.store.manifest import FileEntry, Manifest
from partonomy_data.store.remote import manifests
from partonomy_data.store.remote.bucket import Bucket, if_still, together, unless_there
from partonomy_data.store.remote.saying import Missing, NotMet

_ATTEMPTS: Final = 4


def upload(bucket: Bucket, folder: Path, local: Manifest, near: Mapping[str, str]) -> None:
    """Puts the version in `folder`, whole on this disk, into the bucket; one that is there whole is left as it is.

    `near` is where in the bucket files of other versions lie, by SHA-256: the server copies those. When it returns, every
    file was found there in the size and with the content that the manifest says. Raises StoreError if that can't be.
    """
    version = local.version
    for attempt in range(_ATTEMPTS):
        there = manifests.find(bucket, version)
        if there is not None and not manifests.damages(bucket, version, there.manifest.files):
            return
        # Tables of a run (`llm_calls`) differ from one publisher of this version to another; the manifest says whose
        # they are. Where two are at it at once, the one who finds the other's manifest there looks again.
        missing = manifests.damages(bucket, version, local.files)
        copied = near if attempt == 0 else {}
        rest = [entry for entry in local.files if entry.path in missing]
        together(partial(_put, bucket, folder, version, copied), rest)
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.name != MANIFEST:
                bucket.put(f"{manifests.folder(version)}/{path.name}", path)
        condition = unless_there() if there is None else if_still(there.etag)
        try:
            bucket.put(f"{manifests.folder(version)}/{MANIFEST}", folder / MANIFEST, condition=condition)
        except (NotMet, Missing):
            continue
    raise StoreError(
        f"version {version} doesn't stay as it was uploaded",
        where=str(bucket.address),
        mend="Somebody else may be publishing the same: try again",
    )


def _put(bucket: Bucket, folder: Path, version: str, near: Mapping[str, str], entry: FileEntry) -> None:
    target = f"{manifests.folder(version)}/{entry.path}"
    source = near.get(entry.sha256)
    if source is not None and source != target:
        with suppress(Missing):  # a prune took it: it is uploaded
            bucket.copy(source, target)
            return  # whether it is what the manifest says is looked at in the end, with all others
    bucket.put(target, folder / entry.path, sha256=entry.sha256)
