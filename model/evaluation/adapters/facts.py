"""What baselines know that no model is told: the object that a question is about, and what the photographs of `train` showed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from partonomy_data import masks
from partonomy_data.masks import Rle
from partonomy_data.store.reader import Store

Bitmap = NDArray[np.bool_]

#: Cells of a grid over an object's box, each way.
GRID: Final = 32
_QUESTIONS: Final = """
SELECT q.question_id, q.question, q.choices, o.object_category, o.bbox, o.mask.counts AS counts, i.height, i.width
FROM questions q JOIN objects o USING (object_id) JOIN images i ON i.image_id = q.image_id
WHERE q.question_id IN (SELECT unnest($ids))
"""
_OBJECTS: Final = """
WITH shown AS (SELECT DISTINCT object_id FROM questions WHERE split = 'train'),
drawn AS (SELECT object_id FROM shown ORDER BY md5(concat($seed, '/', object_id)) LIMIT $most)
SELECT o.object_id, any_value(o.object_category) AS object_category, any_value(o.bbox) AS bbox, any_value(i.source) AS source,
    any_value(i.uri) AS uri, any_value(i.height) AS height, any_value(i.width) AS width,
    any_value(list_contains(i.repairs, 'exif_transposed')) AS transposed,
    list(struct_pack(part := p.part_category, counts := p.mask.counts) ORDER BY p.part_id) AS parts
FROM drawn d JOIN objects o ON o.object_id = d.object_id JOIN images i ON i.image_id = o.image_id
    JOIN parts p ON p.object_id = d.object_id
GROUP BY o.object_id ORDER BY o.object_id
"""


@dataclass(frozen=True)
class Fact:
    """A question, its choices as they are in the store, and the object that it is about."""

    question: str
    choices: dict[str, tuple[tuple[int, int, str], ...]]
    """A choice's text → the characters [start, end) of the phrases that name a part, and the part."""
    object_category: str
    box: tuple[int, int, int, int]
    """Of the object in the photograph: left, top, right, bottom in whole pixels, with some pixel inside."""
    mask: Bitmap
    """(h, w) of the photograph: the object, or its box where it has no mask."""


@dataclass(frozen=True)
class Seen:
    """An object of `train`."""

    row: dict[str, Any]
    box: tuple[int, int, int, int]
    parts: dict[str, Bitmap]
    """Part category → its mask (h, w) in the photograph."""


def facts(store: Store, ids: Sequence[str]) -> dict[str, Fact]:
    """What is known of some questions, by id."""
    rows = store.sql(_QUESTIONS, {"ids": list(ids)}).to_arrow_table().to_pylist()
    return {row["question_id"]: _fact(row) for row in rows}


def seen(store: Store, most: int, seed: int) -> Iterator[Seen]:
    """At most so many objects of `train`, drawn by their ids."""
    for batch in store.sql(_OBJECTS, {"most": most, "seed": seed}).to_arrow_reader(64):
        for row in batch.to_pylist():
            size = int(row["height"]), int(row["width"])
            lots: dict[str, list[Rle]] = {}
            for one in row["parts"]:
                lots.setdefault(one["part"], []).append(masks.from_compressed(one["counts"], size, *size))
            parts = {name: masks.decode(masks.union(lot)).astype(bool) for name, lot in lots.items()}
            yield Seen(row, _box(row["bbox"], *size), parts)


def to_grid(bitmap: Bitmap, box: tuple[int, int, int, int], cells: int = GRID) -> Bitmap:
    """What of a mask (h, w) lies in a box, on a grid (cells, cells): each cell's middle."""
    left, top, right, bottom = box
    middles = 2 * np.arange(cells) + 1
    rows, columns = (start + middles * (end - start) // (2 * cells) for start, end in ((top, bottom), (left, right)))
    return np.asarray(bitmap[np.ix_(rows, columns)])


def from_grid(grid: Bitmap, box: tuple[int, int, int, int], height: int, width: int) -> Bitmap:
    """The mask (h, w) that has a grid in its box, and nothing outside."""
    left, top, right, bottom = box
    sides = (bottom - top, grid.shape[0]), (right - left, grid.shape[1])
    rows, columns = ((2 * np.arange(side) + 1) * cells // (2 * side) for side, cells in sides)
    whole = np.zeros((height, width), bool)
    whole[top:bottom, left:right] = grid[np.ix_(rows, columns)]
    return whole


def _fact(row: dict[str, Any]) -> Fact:
    size = int(row["height"]), int(row["width"])
    box = _box(row["bbox"], *size)
    if row["counts"]:
        mask = masks.decode(masks.from_compressed(row["counts"], size, *size)).astype(bool)
    else:
        mask = from_grid(np.ones((1, 1), bool), box, *size)
    choices = {
        one["text"]: tuple(sorted((span["start"], span["end"], span["part"]) for span in one["spans"]))
        for one in row["choices"]
    }
    return Fact(row["question"], choices, row["object_category"], box, mask)


def _box(xywh: Sequence[float], height: int, width: int) -> tuple[int, int, int, int]:
    left, top = min(max(int(xywh[0]), 0), width - 1), min(max(int(xywh[1]), 0), height - 1)
    right = min(max(int(np.ceil(xywh[0] + xywh[2])), left + 1), width)
    return left, top, right, min(max(int(np.ceil(xywh[1] + xywh[3])), top + 1), height)
