"""Masks as outlines over a photograph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from partonomy_data import masks
from partonomy_data.errors import MaskError
from partonomy_data.ids import image_prefix

Row = dict[str, Any]

#: Sorts after every hex digit.
_AFTER = "g"
_OBJECTS = (
    "SELECT object_id, object_category, bbox, area, mask_origin, merged, n_parts, source_category, mask.size AS size, "
    "mask.counts AS counts FROM objects WHERE object_id >= ? AND object_id < ? AND image_id = ? ORDER BY object_id"
)
_PARTS = (
    "SELECT part_id, object_id, part_category, side, position, ordinal, bbox, area, match_method, source_category, "
    "mask.size AS size, mask.counts AS counts FROM parts WHERE part_id >= ? AND part_id < ? AND image_id = ? "
    "ORDER BY part_category, part_id"
)


class Asked(Protocol):
    """A version that is open, whatever opened it."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of a SELECT as dictionaries."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A mask to draw."""

    key: str
    """What lights up together: `part:<category>`, `object:<id>`."""
    label: str
    path: str
    """The `d` of an SVG path; empty where there is no mask that can be drawn."""
    hue: int
    """Number of its color; -1 draws the outline alone."""
    id: str = ""


def objects_of(opened: Asked, image_id: str) -> list[Row]:
    """The objects of a photograph, by id; their ids begin with the photograph's prefix."""
    prefix = image_prefix(image_id)
    return opened.rows(_OBJECTS, [f"obj_{prefix}", f"obj_{prefix}{_AFTER}", image_id])


def parts_of(opened: Asked, image_id: str) -> list[Row]:
    """The parts of a photograph, by name."""
    prefix = image_prefix(image_id)
    return opened.rows(_PARTS, [f"prt_{prefix}", f"prt_{prefix}{_AFTER}", image_id])


def path_of(size: Sequence[int] | None, counts: str | None) -> str:
    """The outline of a mask as rows hold it; empty where there is none, or it can't be read."""
    if size is None or counts is None or len(size) != 2:
        return ""
    try:
        return masks.to_svg_path(masks.from_compressed(counts, size, size[0], size[1]))
    except MaskError:  # of a model's answer, say: the page says that there is none
        return ""


def hues_of(names: Iterable[str]) -> dict[str, int]:
    """A color's number for each name, in the order of the names."""
    return {name: place for place, name in enumerate(sorted(set(names)))}


def part_shapes(parts: Sequence[Row], hues: dict[str, int] | None = None) -> list[Shape]:
    """The parts' masks, the largest first, so that small ones lie on top and can be pointed at."""
    hues = hues or hues_of(part["part_category"] for part in parts)
    return [
        Shape(
            f"part:{part['part_category']}",
            named(part),
            path_of(part["size"], part["counts"]),
            hues.get(part["part_category"], 0),
            part["part_id"],
        )
        for part in sorted(parts, key=lambda part: -part["area"])
    ]


def object_shapes(objects: Sequence[Row]) -> list[Shape]:
    """The objects' outlines."""
    return [
        Shape(
            f"object:{one['object_id']}",
            one["object_category"],
            path_of(one["size"], one["counts"]),
            -1,
            one["object_id"],
        )
        for one in objects
    ]


def named(part: Row) -> str:
    """A part with its side, position and number: `wheel (left, front, 2)`."""
    told: list[Any] = [part[name] for name in ("side", "position", "ordinal") if part.get(name) is not None]
    return f"{part['part_category']} ({', '.join(map(str, told))})" if told else str(part["part_category"])
