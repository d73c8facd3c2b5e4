"""Area, box, union, intersection, containment and IoU of masks, computed on their runs; no mask is made dense.

Masks are taken to be checked and canonical, as all makers of `Rle` leave them. For the areas and boxes of many
masks, see `guard.measure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from partonomy_data.errors import MaskError
from partonomy_data.masks.rle import Rle, to_coco

#: pycocotools' `area` overflows above this under NumPy 2.
_MOST_AREAS: Final = 255


def area(rle: Rle) -> int:
    """Pixels of the mask."""
    return int(coco_mask.area(to_coco(rle)))


def areas(masks: Sequence[Rle]) -> NDArray[np.int64]:
    """Pixels of each of n masks, of any sizes: int64 (n,)."""
    found = np.zeros(len(masks), np.int64)
    for start in range(0, len(masks), _MOST_AREAS):
        some = masks[start : start + _MOST_AREAS]
        found[start : start + len(some)] = coco_mask.area([to_coco(rle) for rle in some])
    return found


def box(rle: Rle) -> tuple[int, int, int, int]:
    """Bounding box (x, y, w, h) in whole pixels; zeros for an empty mask."""
    x, y, w, h = coco_mask.toBbox(to_coco(rle)).tolist()
    return int(x), int(y), int(w), int(h)


def union(masks: Sequence[Rle]) -> Rle:
    """The pixels of any of the masks. Raises MaskError: `mask_missing` if there is none, `mask_size_mismatch`."""
    return _merged(masks, intersect=False)


def intersection(masks: Sequence[Rle]) -> Rle:
    """The pixels that all the masks share. Raises MaskError: `mask_missing` if there is none, `mask_size_mismatch`."""
    return _merged(masks, intersect=True)


def iou(first: Sequence[Rle], second: Sequence[Rle]) -> NDArray[np.float64]:
    """Intersection over union of each of n masks with each of m: float64 (n, m). 0 where both are empty.

    Raises MaskError `mask_size_mismatch`.
    """
    return _overlaps(first, second, of_first=False)


def containment(parts: Sequence[Rle], objects: Sequence[Rle]) -> NDArray[np.float64]:
    """Share of each of n parts that lies inside each of m objects: float64 (n, m). 0 where the part is empty.

    This is COCO's IoU with a crowd region. Raises MaskError `mask_size_mismatch`.
    """
    return _overlaps(parts, objects, of_first=True)


def equal(first: Rle, second: Rle) -> bool:
    """True if both masks have one size and the same pixels."""
    return first == second


def _merged(masks: Sequence[Rle], *, intersect: bool) -> Rle:
    if not masks:
        raise MaskError("mask_missing", "there is no mask to merge")
    _check_sizes(masks)
    if len(masks) == 1:
        return masks[0]
    merged = coco_mask.merge([to_coco(rle) for rle in masks], intersect=intersect)
    return Rle(masks[0].height, masks[0].width, merged["counts"])


def _overlaps(first: Sequence[Rle], second: Sequence[Rle], *, of_first: bool) -> NDArray[np.float64]:
    _check_sizes([*first, *second])
    if not first or not second:
        return np.zeros((len(first), len(second)))
    crowd = [of_first] * len(second)
    overlaps: NDArray[np.float64] = coco_mask.iou(
        [to_coco(rle) for rle in first], [to_coco(rle) for rle in second], crowd
    )
    return np.ascontiguousarray(overlaps)


def _check_sizes(masks: Sequence[Rle]) -> None:
    sizes = sorted({(rle.height, rle.width) for rle in masks})
    if len(sizes) > 1:
        found = ", ".join(f"{height} x {width}" for height, width in sizes)
        raise MaskError("mask_size_mismatch", f"masks of one image have different sizes: {found}")
