"""The files of a source with what tells whether they changed: size, time of change, inode and, where known, content.

A listing is what a build saw. Held against the files as they are, it says in a second or two whether anything changed,
however much there is: only files whose size, time or inode differ are hashed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from partonomy_data.sources import files

#: A file that changed more recently than this, in nanoseconds, is not known by its time: clocks have ticks.
SETTLED_NS: Final = 2_000_000_000

LISTING: Final = pa.schema(
    [
        pa.field(
            "path", pa.string(), nullable=False
        ),  # relative to the folder that was listed, as `files.shown` has it
        pa.field("size", pa.int64(), nullable=False),  # bytes
        pa.field("mtime_ns", pa.int64(), nullable=False),  # 0 where the file had only just changed (`settled`)
        pa.field("inode", pa.uint64(), nullable=False),
        pa.field("sha256", pa.string()),  # null where nobody has hashed it
    ]
)


@dataclass(frozen=True, slots=True)
class Change:
    """How a folder differs from its listing."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    now: pa.Table
    """The listing as it is now, with what is known of contents."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def walk(root: Path) -> Iterator[os.DirEntry[str]]:
    """All files under a folder, each folder once. A folder that can't be read raises OSError.

    The folder may be a link, and links within it are followed. Those that lead out of it, to nothing, or in circles are not.
    """
    waiting, entered = [str(root)], set[tuple[int, int]]()
    home = os.path.realpath(root)
    while waiting:
        folder = waiting.pop()
        stat = os.stat(folder)
        if (stat.st_dev, stat.st_ino) in entered:
            continue  # a link leads back here
        entered.add((stat.st_dev, stat.st_ino))
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink() and not _within(entry.path, home):
                    continue
                if entry.is_dir():
                    waiting.append(entry.path)
                elif entry.is_file():
                    yield entry


def _within(link: str, home: str) -> bool:
    """Whether a link leads to something that is there, and in a folder."""
    return os.path.exists(link) and Path(os.path.realpath(link)).is_relative_to(home)


def listing(root: Path, contents: Mapping[str, str] | None = None, named: Iterable[str] = ()) -> pa.Table:
    """The files under a folder, or the one file, sorted by path; `contents` gives the SHA-256 of some of them.

    Of those `named`, relative to the folder, it holds the ones too that only a link out of the folder leads to.
    """
    start = len(str(root)) + 1
    rows = []
    for entry in walk(root) if root.is_dir() else ():
        stat = entry.stat()
        rows.append((files.shown(entry.path[start:]), stat.st_size, stat.st_mtime_ns, stat.st_ino))
    listed = {row[0] for row in rows}
    for name in sorted(set(named) - listed):
        if os.path.isfile(root / name):
            stat = os.stat(root / name)
            rows.append((name, stat.st_size, stat.st_mtime_ns, stat.st_ino))
    if root.is_file():
        stat = root.stat()
        rows.append((files.shown(root.name), stat.st_size, stat.st_mtime_ns, stat.st_ino))
    rows.sort()
    path, size, mtime, inode = zip(*rows, strict=True) if rows else ((), (), (), ())
    known = contents or {}
    columns = [path, size, mtime, inode, [known.get(one) for one in path]]
    return pa.Table.from_arrays(
        [pa.array(one, f.type) for one, f in zip(columns, LISTING, strict=True)], schema=LISTING
    )


def settled(listed: pa.Table, since_ns: int) -> pa.Table:
    """The listing without the times of files that could change again with no new time: those that changed lately.

    That is: files whose content is known, and that changed shortly before `since_ns`, or later. Their content decides.
    """
    lately = pc.greater(listed["mtime_ns"], since_ns - SETTLED_NS)
    times = pc.if_else(pc.and_(lately, pc.is_valid(listed["sha256"])), 0, listed["mtime_ns"])
    return listed.set_column(2, LISTING.field("mtime_ns"), times)


def joined(listed: pa.Table, root: Path, named: Mapping[str, str]) -> pa.Table:
    """The listing of a folder with further files of it, path → SHA-256, those that are there.

    Their times are left out, as they may have changed since they were hashed: their content decides.
    """
    rows = []
    for path, sha256 in named.items():
        if os.path.isfile(root / path):
            stat = os.stat(root / path)
            rows.append({"path": path, "size": stat.st_size, "mtime_ns": 0, "inode": stat.st_ino, "sha256": sha256})
    return pa.concat_tables([listed, pa.Table.from_pylist(rows, LISTING)]).sort_by("path")


def names_digest(root: Path | None) -> str:
    """Digest of the names of all files under a folder; empty for no folder."""
    if root is None or not root.is_dir():
        return ""
    start = len(str(root)) + 1
    return files.digest(*sorted(files.shown(entry.path[start:]) for entry in walk(root)))


def compare(root: Path, before: pa.Table, *, verify: bool = False) -> Change:
    """Holds a folder against its listing. A file whose content is known is changed only if its content is.

    With `verify` all files whose content is known are hashed again.
    """
    now = listing(root, named=before["path"].to_pylist())
    place = np.asarray(pc.fill_null(pc.index_in(now["path"], value_set=before["path"].combine_chunks()), -1))
    back = pc.is_in(before["path"], value_set=now["path"].combine_chunks())
    removed = before["path"].filter(pc.invert(back)).to_pylist()
    added = now["path"].filter(pa.array(place < 0)).to_pylist()
    both = np.flatnonzero(place >= 0)
    same = np.ones(len(both), bool)
    for name in ("size", "mtime_ns", "inode"):
        same &= np.asarray(now[name])[both] == np.asarray(before[name])[place[both]]
    known = before["sha256"].take(pa.array(place, mask=place < 0)).to_pylist()
    paths, changed = now["path"].to_pylist(), []
    for row in (both if verify else both[~same]).tolist():
        if known[row] is not None:
            found = files.sha256(_path(root, paths[row]))
            if found != known[row]:
                changed.append(paths[row])
                known[row] = found
        elif not same[np.searchsorted(both, row)]:
            changed.append(paths[row])
    with_contents = now.set_column(4, LISTING.field("sha256"), pa.array(known, pa.string()))
    return Change(tuple(added), tuple(removed), tuple(changed), with_contents)


def _path(root: Path, relative: str) -> Path:
    return root if root.is_file() else root / relative


def some(paths: Iterable[str], most: int = 3) -> str:
    """A few paths in words."""
    listed = list(paths)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most:,} more" if len(listed) > most else "")
