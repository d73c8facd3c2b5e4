"""The protocol that a reader keeps: `plan` looks at a source once, `read` turns one shard of it into photographs.

    reader.plan(request, work)  →  Plan: the vocabulary, the files with their fingerprints, the shards
    reader.read(shard)          →  Photograph, Photograph, … (or Rejected, for a photograph that can't be read at all)

A shard holds the photographs of one keyed bucket (see `sources.buckets`), so that a changed photograph changes one
shard, whatever the order of the files. Shards are pickled to worker processes; `read` must depend on nothing but the
shard. Readers are found by entry point (group `partonomy.sources`), so that a package of one's own can add some.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from partonomy_data.errors import SourceError
from partonomy_data.rules import Rule
from partonomy_data.sources.records import Photograph, Rejected, Vocabulary


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """What the user asked to be read."""

    name: str
    path: Path
    """The source's folder (or one annotation file)."""
    images: Path | None = None
    """Where the photographs lie, if not in the places under `path` that the reader knows."""
    limit: int | None = None
    """At most so many photographs (the ones whose keyed hash is smallest, see `sources.buckets.choose`)."""


class SourceFile(msgspec.Struct, frozen=True):
    """A file that was read, for the manifest and the fingerprint."""

    path: str
    """Relative to the source's folder, `/` between folders."""
    sha256: str
    bytes: int


class Shard(msgspec.Struct, frozen=True):
    """A bucket of photographs that is read on its own."""

    source: str
    number: int
    of: int
    fingerprint: str
    """Digest of all that `read` looks at: equal fingerprints give equal photographs."""
    n_images: int
    payload: dict[str, Any]
    """What `read` needs; picklable."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A source that was looked at once, ready to be read in shards."""

    source: str
    vocabulary: Vocabulary
    files: list[SourceFile]
    shards: list[Shard]
    images_root: Path | None
    """The folder that `Photograph.path` is relative to; None if no photographs are there."""
    rejected: list[Rejected] = field(default_factory=list)
    """Rows that belong to no photograph (unparsable ones, say)."""
    repairs: dict[str, int] = field(default_factory=dict)
    """How often each rule was applied in looking at the source."""
    remembered: bool = False
    """Whether it is that of an earlier build: its shards can be told from others, but not be read."""


class Reader(Protocol):
    """One dataset format, or several layouts of one dataset."""

    name: str
    rules: tuple[Rule, ...]

    def plan(self, request: SourceRequest, work: Path) -> Plan:
        """Looks at the source; may write helper files in `work`. Raises SourceError if it isn't this dataset."""
        ...

    def read(self, shard: Shard) -> Iterator[Photograph | Rejected]:
        """The photographs of one shard, one at a time, in the order of their `image_id`'s key."""
        ...


@runtime_checkable
class OfFiles(Protocol):
    """What a reader may be besides: one whose `plan` and `read` look at a few files and at no photograph.

    Then a source whose files are what they were needn't be planned again, nor a shard be read again in which nothing but the
    content of photographs has changed. Whether a photograph is there is no look at it.
    """

    def annotation_files(self, request: SourceRequest) -> list[Path]:
        """All files that it looks at. Raises SourceError if the source isn't this dataset."""
        ...


def reader(name: str) -> Reader:
    """The reader called `name`. Raises SourceError, listing the known names, if there is none."""
    found = _points()
    if name not in found:
        known = ", ".join(sorted(found))
        raise SourceError(f"no reader is called {name!r}", mend=f"Known sources are {known}")
    made: Reader = found[name].load()()
    return made


@cache
def _points() -> dict[str, EntryPoint]:
    """The readers that are installed. Looking through all packages takes 20 ms, and a build asks some twenty times."""
    return {point.name: point for point in entry_points(group="partonomy.sources")}


__all__ = ["OfFiles", "Plan", "Reader", "Rule", "Shard", "SourceFile", "SourceRequest", "reader"]
