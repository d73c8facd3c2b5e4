"""A version of the bucket on this disk: what the next build compares with, and what must be read to its last byte."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from partonomy_data.errors import StoreError
from partonomy_data.store import files, manifest
from partonomy_data.store.layout import CARD, CROISSANT, MANIFEST, PREVIEW, VERSION_NAME, Layout
from partonomy_data.store.manifest import FileEntry
from partonomy_data.store.remote import manifests
from partonomy_data.store.remote.bucket import Bucket, together
from partonomy_data.store.remote.manifests import Published
from partonomy_data.store.remote.saying import Missing, damaged


def fetched(bucket: Bucket, version: str, root: Path) -> Path:
    """The folder of a version in the store's folder `root`, whole; what isn't there is fetched.

    Files that another version there has are shared, not fetched. Raises StoreError if there is no such version in the
    bucket, and saying.Damaged if it isn't as its manifest says.
    """
    folder, published = Layout(root).version(version), manifests.require(bucket, version)
    if _is(folder / MANIFEST, published.text) and not manifest.damages(root, version):
        return folder
    with files.folder_aside(folder, MANIFEST) as aside:
        wrong = copy(bucket, published, aside, known(root, published.manifest.files))
        if wrong:
            path, how = next(iter(sorted(wrong.items())))
            raise damaged(version, bucket.address, f"{path} {how}")
        files.make_read_only(files.files_under(aside))
        if folder.exists():  # damaged, or published here too, with other facts of the run
            files.remove_tree(folder, aside=Layout(root).work / f"damaged-{version}-{os.getpid()}")
    return folder


def _is(path: Path, text: bytes) -> bool:
    """Whether a file is there and holds that text."""
    try:
        return path.read_bytes() == text
    except OSError:
        return False


def copy(bucket: Bucket, published: Published, target: Path, here: dict[str, Path]) -> dict[str, str]:
    """Copies a version, as it is, into the folder `target`; returns path → what is wrong, for files that aren't as published.

    `here` are files on this disk by SHA-256, which stand for those in the bucket that have it.
    """
    version, entries = published.manifest.version, published.manifest.files
    for entry in entries:
        (target / entry.path).parent.mkdir(parents=True, exist_ok=True)
    found = together(partial(_copy, bucket, version, target, here), entries)
    for name in (CARD, CROISSANT, *([PREVIEW] if published.manifest.content.get("preview") else [])):
        with suppress(Missing):
            bucket.download(f"{manifests.folder(version)}/{name}", target / name)
    (target / MANIFEST).write_bytes(published.text)
    return {entry.path: how for entry, how in zip(entries, found, strict=True) if how}


def _copy(bucket: Bucket, version: str, target: Path, here: dict[str, Path], entry: FileEntry) -> str:
    """What is wrong with a file that was copied; empty if nothing is."""
    path = f"{manifests.folder(version)}/{entry.path}"
    local = here.get(entry.sha256)
    try:
        if local is not None and bucket.checksum(path) == entry.sha256 and files.sha256(local) == entry.sha256:
            files.link_or_copy(local, target / entry.path)
            return ""
        size, digest = bucket.download(path, target / entry.path)
    except Missing:
        (target / entry.path).unlink(missing_ok=True)
        return "is missing"
    if size != entry.bytes:
        return f"has {size} bytes, not {entry.bytes}"
    return "" if digest == entry.sha256 else "has another content than published"


def known(root: Path, entries: Sequence[FileEntry]) -> dict[str, Path]:
    """SHA-256 → a file of some version in `root` that should have it, for those among `entries`."""
    wanted = {entry.sha256 for entry in entries}
    found: dict[str, Path] = {}
    for version in _versions(root):
        with suppress(StoreError):  # a damaged one has nothing to share
            for entry in manifest.read(root, version).files:
                if entry.sha256 in wanted:
                    found.setdefault(entry.sha256, Layout(root).version(version) / entry.path)
    return found


def _versions(root: Path) -> Iterator[str]:
    folder = Layout(root).versions
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if VERSION_NAME.fullmatch(path.name):
            yield path.name


def sweep(root: Path) -> None:
    """Removes what a fetch that was killed left in `versions/`. Call it with the build lock held."""
    for path in Layout(root).versions.glob("*.tmp"):
        shutil.rmtree(path, ignore_errors=True)
