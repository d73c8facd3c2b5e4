"""Hints that one annotated object stands for several, from parts that there are too many of.

PartImageNet annotates parts of "the" object of a photograph and doesn't say which belong together. Two heads are two
animals; but a body behind a fence may be in two pieces, too, so this is a hint and no count: an object with such a hint
is marked as possibly merged, and nothing else is done about it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: How many of a part one object has at most, by the part's name, whatever the super-category.
MOST = {
    "head": 1,
    "body": 1,
    "tail": 1,
    "mouth": 1,
    "seat": 1,
    "hand": 2,
    "wing": 2,
    "side mirror": 2,
    "foot": 4,
}
#: Super-categories on two feet.
_TWO_FEET = frozenset({"biped", "bird"})
#: A region counts beside the largest one of its label if it has at least this share of its pixels.
_SHARE = 0.1


def most(part: str, supercategory: str) -> int | None:
    """How many of the part one object of the super-category has at most; None where that is not known (tires, say)."""
    if part == "foot" and supercategory.lower() in _TWO_FEET:
        return 2
    return MOST.get(part)


def may_be_several(counts: Mapping[str, int], supercategory: str) -> bool:
    """Whether the number of annotations of each part (by its name) is more than one object can have of any."""
    limits = ((most(part, supercategory), count) for part, count in counts.items())
    return any(limit is not None and count > limit for limit, count in limits)


def large_regions(bitmap: NDArray[np.bool_]) -> int:
    """How many connected regions (8 neighbors) of an (h, w) bitmap are at least a tenth as large as the largest."""
    from scipy import ndimage

    rows, columns = np.flatnonzero(bitmap.any(axis=1)), np.flatnonzero(bitmap.any(axis=0))
    if not len(rows):
        return 0
    cut = bitmap[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    labels, _ = ndimage.label(cut, structure=np.ones((3, 3), dtype=bool))
    sizes = np.bincount(labels.ravel())[1:]
    return int((sizes >= _SHARE * sizes.max()).sum())
