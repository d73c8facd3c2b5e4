"""Masks from what a model without pixels can write: a box, or a polygon, in thousandths of the picture's sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from partonomy_data import masks
from partonomy_data.errors import MaskError

#: Coordinates run from 0 to this, from the left and from the top, whatever the picture's size.
SCALE: Final = 1000


def problem(outline: Sequence[int]) -> str | None:
    """What is wrong with an outline, in words that a model can mend it by; nothing is wrong with an empty one."""
    if len(outline) % 2 or len(outline) == 2:
        return "an outline has four numbers (a box) or three and more pairs (a polygon)"
    if not all(0 <= one <= SCALE for one in outline):
        return f"coordinates lie between 0 and {SCALE}"
    return None


def mask_of(outline: Sequence[int], height: int, width: int) -> NDArray[np.bool_]:
    """The mask (h, w) of a box (left, top, right, bottom) or a polygon (x, y, x, y, …); empty for an empty outline."""
    nothing = np.zeros((height, width), bool)
    if not outline:
        return nothing
    corners = list(outline)
    if len(corners) == 4:
        left, right = sorted(corners[::2])
        top, bottom = sorted(corners[1::2])
        corners = [left, top, right, top, right, bottom, left, bottom]
    ring = [one * side / SCALE for one, side in zip(corners, (width, height) * (len(corners) // 2), strict=True)]
    try:
        made, _ = masks.from_polygons([ring], height, width)
    except MaskError:
        return nothing  # it covers no pixel
    return masks.decode(made).astype(bool)
