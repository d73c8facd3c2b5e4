"""How the masks of a question overlap, by name and each with each, computed on their runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.evaluation.checking import Checked
from model.evaluation.marks import Floats, Ints
from partonomy_data import masks
from partonomy_data.masks import Rle


@dataclass(frozen=True, slots=True)
class Overlap:
    """One question, with T true parts and P predicted masks."""

    each: Floats
    """IoU of each predicted mask with each true one, float64 (P, T); 0 where there is no mask."""
    found: tuple[Rle | None, ...]
    """What was predicted under the name of each true part, T: masks under one name united; None if there is nothing."""
    iou: Floats
    """IoU of each true part with it, float64 (T,)."""
    shared: Ints
    """Pixels that the two share, int64 (T,)."""
    either: Ints
    """Pixels in either, int64 (T,)."""
    surplus: int
    """Predicted masks whose name is not true, and repetitions of a name that is: P less the true names among them."""


def overlap(checked: Checked) -> Overlap:
    """The overlaps of a question's masks."""
    each = _each(checked)
    named: dict[str, list[int]] = {}
    for place, part in enumerate(checked.named):
        named.setdefault(part, []).append(place)
    found: list[Rle | None] = []
    areas: list[int] = []
    values: list[float] = []
    # Lists, as NumPy takes longer for so few numbers.
    known, sizes = each.tolist(), checked.predicted_areas.tolist()
    for place, part in enumerate(checked.parts):
        given = named.get(part, [])
        if len(given) == 1:
            mask, area, value = checked.predicted[given[0]], sizes[given[0]], known[given[0]][place]
        else:
            mask, area, value = _united(checked, given), 0, 0.0
            if mask is not None:
                area, value = masks.area(mask), float(masks.iou([mask], [checked.true[place]])[0, 0])
        found.append(mask)
        areas.append(area)
        values.append(value)
    iou = np.array(values, np.float64)
    total = np.array(areas, np.int64) + checked.true_areas
    # i / u is known, and i + u; both are whole numbers far below what a float64 tells apart.
    shared = np.rint(total * iou / (1 + iou)).astype(np.int64)
    surplus = len(checked.named) - sum([part in named for part in checked.parts])
    return Overlap(each, tuple(found), iou, shared, total - shared, surplus)


def _each(checked: Checked) -> Floats:
    there = [mask for mask in checked.predicted if mask is not None]
    if len(there) == len(checked.predicted):
        return masks.iou(there, checked.true)
    each = np.zeros((len(checked.predicted), len(checked.true)))
    each[[mask is not None for mask in checked.predicted]] = masks.iou(there, checked.true)
    return each


def _united(checked: Checked, places: list[int]) -> Rle | None:
    there = [mask for place in places if (mask := checked.predicted[place]) is not None]
    return masks.union(there) if there else None
