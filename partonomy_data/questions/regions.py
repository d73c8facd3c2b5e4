"""What a crop shows: the object's box with a margin, and whether another object is to be seen there as well."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Widening of a crop, as a share of the object's box on each side.
MARGIN: Final = 0.1
#: Another object may be meant as well if this share of its box is inside of the crop, and it has this share of the area.
INSIDE: Final = 0.8
AS_LARGE: Final = 0.5
#: Objects of a photograph that are compared with all others at once.
_AT_ONCE: Final = 256

Bools = NDArray[np.bool_]


def widened(boxes: NDArray[np.float32], width: NDArray[Any], height: NDArray[Any]) -> NDArray[np.float64]:
    """Boxes (n, 4) xywh with a margin of MARGIN on each side, in whole pixels, within images of that size."""
    x, y, w, h = boxes.astype(np.float64).T
    left, top = np.floor(np.maximum(x - MARGIN * w, 0)), np.floor(np.maximum(y - MARGIN * h, 0))
    right = np.ceil(np.minimum(x + w * (1 + MARGIN), width))
    bottom = np.ceil(np.minimum(y + h * (1 + MARGIN), height))
    return np.stack([left, top, right - left, bottom - top], axis=1)


def crowded(
    boxes: NDArray[np.float32], areas: NDArray[Any], photos: NDArray[np.int64], sizes: NDArray[np.int64]
) -> Bools:
    """(n,): whether the crop of an object shows another one of its photograph that the question could mean.

    Boxes (n, 4) xywh, nan where there is none; areas in pixels; `sizes` (n, 2) are width and height of the photographs.
    """
    out = np.zeros(len(boxes), bool)
    there = np.flatnonzero(np.isfinite(boxes).all(axis=1))
    order = there[np.argsort(photos[there], kind="stable")]
    for rows in np.split(order, np.flatnonzero(np.diff(photos[order])) + 1):
        for first in range(0, len(rows) if len(rows) > 1 else 0, _AT_ONCE):
            some = rows[first : first + _AT_ONCE]
            regions = widened(boxes[some], *sizes[some].T)
            rivals = _inside(regions, boxes[rows].astype(np.float64)) & (areas[rows] >= AS_LARGE * areas[some, None])
            rivals[np.arange(len(some)), first + np.arange(len(some))] = False
            out[some] = rivals.any(axis=1)
    return out


def _inside(regions: NDArray[np.float64], boxes: NDArray[np.float64]) -> Bools:
    """(regions, boxes): whether most of a box is inside of a region."""
    low = np.maximum(regions[:, None, :2], boxes[None, :, :2])
    high = np.minimum((regions[:, :2] + regions[:, 2:])[:, None], (boxes[:, :2] + boxes[:, 2:])[None])
    common = np.maximum(high - low, 0).prod(axis=2)
    whole = boxes[:, 2:].prod(axis=1)
    return np.asarray((whole > 0) & (common >= INSIDE * whole))
