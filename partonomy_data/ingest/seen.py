"""What a shard's photographs were when it was done: so that an unchanged shard is known as such without being read.

A file is taken to be what it was if its size, time of change and inode are; else its content decides. The time must lie
some way back, as a file may change twice within one tick of the clock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec

from partonomy_data.sources import files
from partonomy_data.sources.listing import SETTLED_NS

#: Of files that tell what is known of a shard.
SUFFIX: Final = ".known"


class Seen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file as it was when its content was hashed."""

    path: str
    """Relative to the folder of photographs."""
    size: int
    mtime_ns: int
    """Nanoseconds; 0 where the file had only just changed."""
    inode: int
    sha256: str


class Known(msgspec.Struct, frozen=True):
    """A finished shard."""

    key: str
    photographs: list[Seen]
    missing: int
    """Photographs that were not on disk."""
    names: str
    """Digest of the names of all files in the folder of photographs: whether a missing one can have come."""


def look(root: Path, path: str, before: Seen | None = None) -> Seen:
    """A file as it is; hashed, unless it is as it was `before`. Raises OSError if it can't be read."""
    full = root / path
    stat = os.stat(full)
    if before is not None and (stat.st_size, stat.st_mtime_ns, stat.st_ino) == (
        before.size,
        before.mtime_ns,
        before.inode,
    ):
        return before
    settled = time.time_ns() - stat.st_mtime_ns > SETTLED_NS
    return Seen(path, stat.st_size, stat.st_mtime_ns if settled else 0, stat.st_ino, files.sha256(full))


def changed(root: Path, photographs: Iterable[Seen]) -> str | None:
    """A file that isn't as it was when it was hashed, or that changed and changed back; None if there is none."""
    for one in photographs:
        try:
            now = look(root, one.path, one)
        except OSError:
            return one.path
        if now != one and not (one.mtime_ns == 0 and now.sha256 == one.sha256):
            return one.path
    return None


def now(known: Known, root: Path | None, names: str, *, verify: bool) -> Known | None:
    """What is known of a shard with its photographs as they are; None if any has gone or come.

    With `verify` all are hashed again. `names` is the digest of the names of all files in the folder of photographs.
    """
    if (known.missing and known.names != names) or (root is None and known.photographs):
        return None
    try:
        seen = [] if root is None else [look(root, one.path, None if verify else one) for one in known.photographs]
    except OSError:
        return None
    return Known(known.key, seen, known.missing, names)


def note(folder: Path, name: str, known: Known) -> None:
    """Writes down what is known of a shard under the digest of what its annotations are."""
    aside = folder / f"{name}.{uuid4().hex}.tmp"  # a name that no process of another machine has
    aside.write_bytes(msgspec.json.encode(known))
    aside.rename(folder / f"{name}{SUFFIX}")


def recall(folder: Path, name: str) -> Known | None:
    """What was written down, if anything was."""
    try:
        return msgspec.json.decode((folder / f"{name}{SUFFIX}").read_bytes(), type=Known)
    except (OSError, msgspec.MsgspecError):
        return None  # it is a hint: without it the shard is read


def key_of(path: Path) -> str:
    """The key of the finished shard that a file with SUFFIX tells of; empty if it can't be read."""
    known = recall(path.parent, path.stem)
    return known.key if known else ""
