"""Boundary IoU (Cheng et al., CVPR 2021): the IoU of the masks' rims alone, so that large parts don't forgive bad outlines.

A mask's rim is its pixels less than d + 1 pixels (in the larger of both directions) from a pixel outside, or from the
photograph's border; d is 2 % of the photograph's diagonal. The masks are made dense within their common box only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.evaluation.checking import Checked
from model.evaluation.marks import Marks
from model.evaluation.overlaps import Overlap
from partonomy_data import masks
from partonomy_data.masks import Rle
from partonomy_data.masks.runs import run_lengths

#: Width of the rim, as a share of the photograph's diagonal.
RIM: Final = 0.02

Bitmap = NDArray[np.bool_]


def rim_width(height: int, width: int) -> int:
    """d in whole pixels, at least 1."""
    return max(1, round(RIM * float(np.hypot(height, width))))


def boundary_iou(predicted: Rle | None, true: Rle) -> tuple[float, bool]:
    """Boundary IoU of two masks of one photograph, and whether the true one has an interior.

    A mask without an interior is all rim, so that the number is the common IoU.
    """
    distance = rim_width(true.height, true.width)
    boxes = np.array([masks.box(one) for one in (predicted, true) if one is not None and masks.area(one)])
    left, top = boxes[:, 0].min(), boxes[:, 1].min()
    right, bottom = (boxes[:, 0] + boxes[:, 2]).max(), (boxes[:, 1] + boxes[:, 3]).max()
    corners = int(left), int(top), int(right), int(bottom)
    whole = crop(true, *corners)
    true_rim = rim(whole, distance)
    interior = bool((whole & ~true_rim).any())
    if predicted is None:
        return 0.0, interior
    found = rim(crop(predicted, *corners), distance)
    return int((found & true_rim).sum()) / int((found | true_rim).sum()), interior


def crop(mask: Rle, left: int, top: int, right: int, bottom: int) -> Bitmap:
    """The mask's pixels in a box, bool (bottom - top, right - left)."""
    # A mask's runs go down the columns, so those of the box's columns are together.
    first, last = left * mask.height, right * mask.height
    ends = np.clip(np.cumsum(run_lengths(mask.counts)), first, last)
    values = np.arange(len(ends)) % 2 == 1
    pixels = np.repeat(values, np.diff(ends, prepend=first)).reshape(right - left, mask.height)
    found: Bitmap = pixels.T[top:bottom]
    return found


def rim(bitmap: Bitmap, distance: int) -> Bitmap:
    """The pixels of the mask whose square of 2 · distance + 1 pixels is not all in the mask; what is cut off is outside."""
    side = 2 * distance + 1
    height, width = bitmap.shape
    sums = np.zeros((height + side, width + side), np.int64)
    sums[distance + 1 : distance + 1 + height, distance + 1 : distance + 1 + width] = bitmap
    sums = sums.cumsum(axis=0).cumsum(axis=1)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    edge: Bitmap = bitmap & (inside < side * side)
    return edge


def boundary(checked: Sequence[Checked], overlaps: Sequence[Overlap]) -> dict[str, Marks]:
    """`boundary_iou`, the mean over true parts with an interior; `no_interior`, the share of the parts that have none."""
    rims: list[tuple[float, float]] = []
    without: list[tuple[float, float]] = []
    for one, found in zip(checked, overlaps, strict=True):
        pairs = [boundary_iou(*both) for both in zip(found.found, one.true, strict=True)]
        values = [value for value, interior in pairs if interior]
        rims.append((sum(values), len(values)))
        without.append((len(pairs) - len(values), len(pairs)))
    return {"boundary_iou": Marks.of(rims), "no_interior": Marks.of(without)}
