"""What was found out about single files, kept from one build to the next: a file that hasn't changed isn't gone through again.

Findings are kept under the digests of the files that they follow from, and of the code; so are records of the contents that
were validated, and what came of it. They are for builds; a published version is always looked at anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.feather as feather

from partonomy_data.sources.files import digest
from partonomy_data.store.files import sha256_of_all

#: What a file's content is taken to be as long as it stays the same: path, inode, size, time.
_Seen: TypeAlias = tuple[Path, int, int, int]


class Record(msgspec.Struct, frozen=True):
    """That a content was validated, by the same code, and found fit to be published."""

    given: str
    """Digest of what rules went by beside the files (`changes.summed`)."""
    broken: list[tuple[str, str]]
    """(suite, rule) of those that some row breaks all the same."""


@dataclass(slots=True)
class Cache:
    """Findings in a folder. `code` is the digest of the code that makes them; with `anew` earlier ones are not looked at."""

    folder: Path
    code: str
    anew: bool = False
    _digests: dict[_Seen, str] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def of(self, name: str, inputs: Sequence[Path], find: Callable[[], tuple[pa.Table, bool]]) -> pa.Table:
        """What `find` gives for these files, kept if it says so: that it follows from them alone."""
        path = self._place(digest(name, self.code, *self.digests(inputs)), "arrow")
        try:
            if not self.anew:
                return feather.read_table(path, memory_map=False)
        except (OSError, pa.ArrowException):
            pass  # there is none that is whole: it is made
        found, lasting = find()
        if lasting:
            aside = self._aside(path)
            feather.write_feather(found, aside, compression="uncompressed")
            aside.rename(path)
        return found

    def digests(self, paths: Sequence[Path]) -> list[str]:
        """Hex SHA-256 of files, in the order given; each is hashed once. Raises OSError for one that can't be read."""
        seen = [_seen(path) for path in paths]
        unknown = [one for one in seen if one not in self._digests]
        hashed = sha256_of_all([one[0] for one in unknown])
        self._digests.update(zip(unknown, hashed, strict=True))
        return [self._digests[one] for one in seen]

    def note(self, content: str, record: Record) -> None:
        """Keeps a record of a content, given as a digest."""
        path = self._place(digest("record", self.code, content), "json")
        aside = self._aside(path)
        aside.write_bytes(msgspec.json.encode(record))
        aside.rename(path)

    def recall(self, content: str) -> Record | None:
        """The record of a content, if there is one by this code."""
        path = self._place(digest("record", self.code, content), "json")
        try:
            return None if self.anew else msgspec.json.decode(path.read_bytes(), type=Record)
        except (OSError, msgspec.MsgspecError):
            return None

    def keep_used(self) -> None:
        """Removes what this build had no use for."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.name not in self._used:
                path.unlink(missing_ok=True)

    def _place(self, key: str, ending: str) -> Path:
        name = f"{key}.{ending}"
        self._used.add(name)
        return self.folder / name

    def _aside(self, path: Path) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        return path.with_suffix(f".{os.getpid()}.tmp")


def _seen(path: Path) -> _Seen:
    told = path.stat()
    return path, told.st_ino, told.st_size, told.st_mtime_ns
