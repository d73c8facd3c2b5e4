"""Small photographs for the pages: upright as the masks are, without what cameras write into files."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from partonomy_data.errors import UsageError
from partonomy_data.photographs import licences, overlays
from partonomy_data.photographs.places import Photographs, opened
from partonomy_data.report.reading import Row

#: Pixels of the longer side.
SIDE: Final = 480
#: Pixels above which a photograph isn't decoded.
MOST_PIXELS: Final = 60_000_000
FOLDER: Final = "assets/photographs"


@dataclass(frozen=True, slots=True)
class Picture:
    """A photograph as a page shows it."""

    width: int
    """Of the grid that its masks live in, in pixels."""
    height: int
    file: str | None
    """The small photograph, relative to the report; None where there is none."""
    why: str
    """Why there is none."""


class Pictures:
    """Makes small photographs in a folder, each once."""

    def __init__(self, folder: Path, found: Photographs, plain: Collection[str] = ()) -> None:
        """`found`: where photographs lie; `plain`: sources whose photographs are left out."""
        self._folder, self._found, self._plain = folder, found, frozenset(plain)
        self._made: dict[str, Picture] = {}

    def of(self, row: Row) -> Picture:
        """The picture of a photograph: a row with image_id, source, uri, license, width, height, transposed."""
        if row["image_id"] not in self._made:
            self._made[row["image_id"]] = self._make(row)
        return self._made[row["image_id"]]

    def _make(self, row: Row) -> Picture:
        width, height = max(1, int(row["width"])), max(1, int(row["height"]))
        why = self._forbidden(row)
        if why:
            return Picture(width, height, None, why)
        try:
            path = self._found.path(row["source"], row["uri"], row["image_id"])
        except UsageError:
            return Picture(width, height, None, "its file is not here")
        try:
            image = opened(path, width, height, transposed=bool(row["transposed"]))
        except UsageError:
            return Picture(width, height, None, "its file can't be read, or is of another size than its masks")
        name = f"{FOLDER}/{hashlib.sha256(row['image_id'].encode()).hexdigest()[:16]}.jpg"
        (self._folder / FOLDER).mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_bytes(overlays.jpeg(overlays.small(image, SIDE)))
        return Picture(width, height, name, "")

    def _forbidden(self, row: Row) -> str:
        """Why the photograph may not, or can't, be shown; empty if nothing is known against it."""
        if row["source"] in self._plain:
            return f"photographs of {row['source']} were left out"
        if licences.forbids(row["license"]):
            return f"its licence ({licences.name(row['license'])}) allows no changed copies"
        if row["width"] * row["height"] > MOST_PIXELS:
            return "it is too large"
        return ""
