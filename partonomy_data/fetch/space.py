"""Room on the disk: looked at before, and what is said where it gives out all the same."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from partonomy_data.errors import PartonomyError

#: The disk, the user's quota, or the longest file that is allowed.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: Left free, so that whatever else uses the disk goes on.
_SPARE = 64 << 20
TAR = (".tar", ".tar.gz", ".tgz")
#: Larger archives hold photographs, which don't shrink; smaller ones annotations, which do.
_PHOTOGRAPHS = 500 * 10**6


class FetchError(PartonomyError):
    """A file that couldn't be had as it should be. The command line prints the one line and ends with status 1."""


def megabytes(size: int) -> str:
    """A size in bytes as people say it: `1.4 GB`, `78 MB`, `3 kB`."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.{1 if size < 10 * unit else 0}f} {name}"
    return f"{size} bytes"


def require(folder: Path, needed: int, what: str) -> None:
    """Raises FetchError unless the disk of `folder` has so many bytes free, and some to spare."""
    free = shutil.disk_usage(folder).free
    if needed and free < needed + _SPARE:
        raise FetchError(
            f"{folder}: {what} needs {megabytes(needed)}, and {megabytes(free)} are free."
            f" Free {megabytes(needed + _SPARE - free)}, or name a folder on another disk with --to."
        )


def failed(error: OSError, path: Path, kept: str) -> FetchError:
    """The error to raise for one of the system's in writing; `kept` says what became of what was there."""
    if error.errno in _FULL:
        return FetchError(f"{path}: the disk is full ({error.strerror}). {kept} Free some room, and run it again.")
    return FetchError(f"{path}: can't be written ({error.strerror}). {kept}")


def is_archive(name: str) -> bool:
    """Whether a file of that name is unpacked."""
    return name.lower().endswith((".zip", *TAR))


def unpacked(name: str, size: int) -> int:
    """Bytes that a file of that name and size will take in its place, guessed before it is there."""
    return size if size > _PHOTOGRAPHS or not is_archive(name) else 4 * size
