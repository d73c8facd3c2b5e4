"""Photographs and questions as the pages show them: masks as outlines, names in their colors, the right choice told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from partonomy_data import masks
from partonomy_data.errors import MaskError
from partonomy_data.explore import drawing
from partonomy_data.explore.spelling import spelled
from partonomy_data.masks.runs import run_lengths
from partonomy_data.report.pictures import Picture, Pictures
from partonomy_data.report.reading import Reading, Row

_IMAGE: Final = (
    "SELECT image_id, i.source, uri, license, width, height, coalesce(list_contains(repairs, 'exif_transposed'), false) AS "
    "transposed, split FROM (SELECT * FROM images WHERE image_id = ?) i "
    "LEFT JOIN (SELECT image_id, split FROM splits WHERE image_id = ?) USING (image_id)"
)
#: One id at a time is held against the statistics of row groups, so that few of them are read.
_QUESTION: Final = "SELECT * FROM questions WHERE question_id = ?"


@dataclass(frozen=True, slots=True)
class Mark:
    """A number on a mask."""

    number: int
    x: float
    """Pixels from the photograph's left."""
    y: float


@dataclass(frozen=True, slots=True)
class Name:
    """A line of the legend: a part, by the number and color of its masks."""

    number: int
    name: str
    hue: int
    n: int
    """How many masks it has."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A photograph with its masks."""

    image_id: str
    source: str
    split: str
    license: str | None
    picture: Picture
    objects: list[str]
    """Categories of the objects shown, by alphabet."""
    shapes: list[drawing.Shape]
    outlines: list[drawing.Shape]
    marks: list[Mark]
    legend: list[Name]

    @property
    def says(self) -> str:
        """What there is to see, for who can't."""
        named = ", ".join(one.name for one in self.legend) or "no part"
        ground = "Photograph" if self.picture.file else "Plain ground in place of a photograph"
        return f"{ground} with outlines of masks: {', '.join(self.objects) or 'no object'}; parts: {named}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its photograph."""

    row: Row
    shown: Shown
    choices: list[dict[str, Any]]
    """`letter`, `pieces` of the text, `right`, and `edits` that tell it from the right one."""


def photograph(reading: Reading, pictures: Pictures, image_id: str, object_id: str | None = None) -> Shown | None:
    """A photograph with the masks of all its objects, or of one; None where it isn't in the version."""
    found = reading.rows(_IMAGE, [image_id, image_id])
    if not found:
        return None
    parts, objects = drawing.parts_of(reading, image_id), drawing.objects_of(reading, image_id)
    if object_id is not None:
        parts = [one for one in parts if one["object_id"] == object_id]
        objects = [one for one in objects if one["object_id"] == object_id]
    hues = drawing.hues_of(one["part_category"] for one in parts)
    return Shown(
        image_id=image_id,
        source=found[0]["source"],
        split=found[0]["split"] or "",
        license=found[0]["license"],
        picture=pictures.of(found[0]),
        objects=sorted({one["object_category"] for one in objects}),
        shapes=drawing.part_shapes(parts, hues),
        outlines=drawing.object_shapes(objects),
        marks=list(_marks(parts, hues)),
        legend=[
            Name(hue + 1, name, hue, sum(one["part_category"] == name for one in parts)) for name, hue in hues.items()
        ],
    )


def question(reading: Reading, pictures: Pictures, question_id: str) -> Asked | None:
    """A question with the masks of its object; None where it, or its photograph, isn't in the version."""
    found = reading.rows(_QUESTION, [question_id])
    shown = photograph(reading, pictures, found[0]["image_id"], found[0]["object_id"]) if found else None
    if shown is None:
        return None
    row = found[0]
    hues = {one.name: one.hue for one in shown.legend}
    choices = [
        {
            "letter": letter(place),
            "pieces": spelled(choice["text"], choice["spans"] or (), hues),
            "right": place == row["correct_index"],
            "edits": [_told(edit) for edit in choice["edits"] or ()],
        }
        for place, choice in enumerate(row["choices"])
    ]
    return Asked(row, shown, choices)


def letter(place: int) -> str:
    """What a choice is called by its place: A, B, …; a number from the 27th on."""
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[place] if 0 <= place < 26 else str(place + 1)


def inside(size: Sequence[int] | None, counts: str | None) -> tuple[float, float] | None:
    """A point of a mask, x and y in pixels; None where there is none, or it can't be read.

    It is the middle of a run: of those at least half as long as the longest, the one nearest to the mask's middle.
    """
    if size is None or counts is None or len(size) != 2:
        return None
    try:
        mask = masks.from_compressed(counts, size, size[0], size[1])
    except MaskError:
        return None
    ends = np.cumsum(run_lengths(mask.counts))
    starts, stops = ends[0::2][: len(ends) // 2], ends[1::2]
    lengths = stops - starts
    if not len(lengths) or not lengths.max():
        return None
    middles = starts + lengths // 2
    x, y = middles // mask.height, middles % mask.height
    weights = lengths / lengths.sum()
    away = (x - (x * weights).sum()) ** 2 + (y - (y * weights).sum()) ** 2
    nearest = int(np.argmin(np.where(lengths * 2 >= lengths.max(), away, np.inf)))
    return float(x[nearest]) + 0.5, float(y[nearest]) + 0.5


def _marks(parts: Iterable[Row], hues: dict[str, int]) -> Iterable[Mark]:
    """A number on the largest mask of each part name."""
    largest: dict[str, Row] = {}
    for part in sorted(parts, key=lambda part: (-(part["area"] or 0), part["part_id"])):
        largest.setdefault(part["part_category"], part)
    for name, part in sorted(largest.items()):
        point = inside(part["size"], part["counts"])
        if point is not None:
            yield Mark(hues[name] + 1, *point)


def _told(edit: Row) -> str:
    """An edit of the right choice in words."""
    if edit["op"] == "replace":
        return f"{edit['replacement']} instead of {edit['part']}"
    return f"{edit['part']} {'added' if edit['op'] == 'add' else 'left out' if edit['op'] == 'delete' else edit['op']}"
