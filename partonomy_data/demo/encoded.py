"""What a writer hands back for one photograph, and JSON files of long arrays that are never held in memory whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

from partonomy_data.demo.photographs import Drawn


@dataclass(frozen=True, slots=True)
class Encoded:
    """A photograph that is on disk, with what must still be joined with that of the others."""

    source: str
    split: str
    truth: bytes
    """Its line of the truth."""
    rows: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    """JSON rows by the array that they belong to (`images`, `annotations`)."""
    tally: Mapping[str, Any] = field(default_factory=dict)
    """What the source's tables need to know (counts by category, and so on)."""
    n_objects: int = 0
    """Object instances that the source annotates."""
    n_parts: int = 0
    """Rows or masks of parts that are written, the useless ones included."""


def save_photograph(drawn: Drawn, path: Path) -> None:
    """Writes the photograph as JPEG, always with the same settings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.picture.pixels.save(path, "JPEG", quality=91)


class JsonArrays:
    """A JSON object of arrays whose rows come one by one; they wait in temporary files."""

    def __init__(self, names: Sequence[str]) -> None:
        self._spools: dict[str, IO[bytes]] = {
            name: tempfile.SpooledTemporaryFile(max_size=1 << 23)  # noqa: SIM115
            for name in names
        }

    def add(self, rows: Mapping[str, Sequence[bytes]]) -> None:
        """Appends already encoded rows to their arrays."""
        for name, items in rows.items():
            spool = self._spools[name]
            for item in items:
                spool.write(b",\n" if spool.tell() else b"")
                spool.write(item)

    def write(self, path: Path, others: Mapping[str, Any]) -> None:
        """Writes the arrays, then `others`, to `path`, and lets go of the temporary files."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(b"{")
            for name, spool in self._spools.items():
                file.write(b'"%s": [' % name.encode())
                spool.seek(0)
                shutil.copyfileobj(spool, file)
                spool.close()
                file.write(b"],\n")
            tables = [b'"%s": %s' % (name.encode(), msgspec.json.encode(value)) for name, value in others.items()]
            file.write(b",\n".join(tables) + b"}\n")
