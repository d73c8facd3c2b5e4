"""What the layouts have in common: a stream of sightings ("this mask shows this part in this photograph").

A layout yields sightings in the order of its files. They are spooled to one file per shard, so that a source of any
size is split by photograph without being held in memory; a worker turns one spool into photographs (`assembly`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, BinaryIO, Protocol

import msgspec

from partonomy_data.sources.base import SourceFile
from partonomy_data.sources.partonomy.graph import Concepts
from partonomy_data.sources.partonomy.photographs import Gallery
from partonomy_data.sources.records import Rejected, RleJson

#: An integer that JSON can be made of again.
Integer = Annotated[int, msgspec.Meta(ge=-(1 << 62), le=1 << 62)]


class Sighting(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One mask of a photograph; or, without a mask, that the photograph shows the object.

    Or else that it has a mask of the part which can't be used (`refused`).
    """

    image: str
    """The photograph's name in its gallery."""
    object: str
    """`ObjectName.key`"""
    part: str | None
    """`PartName.key`, or None for a mask of the whole object."""
    key: str
    """Names the mask within the photograph; empty for a sighting without one."""
    segmentation: RleJson | list[list[float]] | None = None
    size: tuple[int, int] | None = None
    """(height, width) that the mask is said to be of, in pixels."""
    group: str = ""
    """What tells instances of one category in one photograph apart, where the source does (a copy with a red box)."""
    repairs: tuple[str, ...] = ()
    refused: bool = False
    """True for a part whose mask is in quarantine; its `part` may be empty, where its label is none."""


@dataclass(slots=True)
class Tally:
    """What was met while looking at a source, apart from its photographs."""

    rejected: list[Rejected] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)
    files: list[SourceFile] = field(default_factory=list)


class Layout(Protocol):
    """One way in which PARTONOMY lies on disk."""

    expected: str
    """What such a source holds, in a clause for an error's remedy."""
    images_root: Path | None
    """The folder of images; None if there is none."""
    keep_all: bool
    """True if every photograph of the folder belongs to the source, whether or not a mask names it."""
    converted: bool
    """True in sets converted from COCO, where an object without mask may stand for several (set by `concepts`)."""

    def concepts(self, tally: Tally) -> tuple[Concepts, bool]:
        """The objects and parts that the source declares, and whether its authors chose the pairs."""
        ...

    def image_paths(self) -> Iterable[tuple[str, str]]:
        """The `image_path` of every usable row, as the source has it, and the object's label; before `sightings`."""
        ...

    def sightings(self, gallery: Gallery, concepts: Concepts, tally: Tally) -> Iterable[Sighting]:
        """The masks; labels that are new are added to `concepts`, rows without a photograph go to the tally."""
        ...


def content_key(label: str, segmentation: RleJson | list[list[float]]) -> str:
    """A key for a mask that has no name: its label and a digest of its content, so that no other mask affects it."""
    return f"{label}#{blake2b(msgspec.json.encode(segmentation), digest_size=6).hexdigest()}"


#: The longest JSON text, in bytes, that a rejected row is kept as.
LONGEST_ROW = 1 << 20


def row_of(text: bytes) -> str | None:
    """A rejected row's JSON text as it is; None if it is too long to be kept, or no JSON."""
    if len(text) > LONGEST_ROW:
        return None
    try:
        msgspec.json.decode(text)
        return text.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class Spools:
    """The files in `work`, one per shard, that sightings are written to as lines of JSON."""

    def __init__(self, folder: Path, count: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.paths = [folder / f"partonomy-{number:03d}.jsonl" for number in range(count)]
        self._files: list[BinaryIO] = [path.open("wb") for path in self.paths]
        self._digests: list[list[bytes]] = [[] for _ in self.paths]
        self._encoder = msgspec.json.Encoder()

    def write(self, shard: int, sighting: Sighting) -> None:
        """Adds a sighting to a shard's file."""
        line = self._encoder.encode(sighting)
        self._digests[shard].append(blake2b(line, digest_size=16).digest())
        self._files[shard].write(line)
        self._files[shard].write(b"\n")

    def close(self) -> list[str]:
        """Closes the files. Returns a digest of each one's lines, whatever their order."""
        for file in self._files:
            file.close()
        return [blake2b(b"".join(sorted(lines)), digest_size=16).hexdigest() for lines in self._digests]


def read_spool(path: str | Path) -> list[Sighting]:
    """All sightings of a shard."""
    decoder = msgspec.json.Decoder(Sighting)
    return decoder.decode_lines(Path(path).read_bytes())
