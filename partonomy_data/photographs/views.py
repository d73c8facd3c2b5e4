"""The view of a photograph that a question asks about: whole, cut to a box, or with a box drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from partonomy_data.errors import UsageError

#: The drawn box: its color and width, and its distance from the object, in pixels, as in the PARTONOMY paper's training data.
_RED: Final = (255, 0, 0)
_LINE: Final = 3
_MARGIN: Final = 5

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class View:
    """What of a photograph is shown."""

    image: Image.Image
    """RGB."""
    left: int
    top: int
    """Where its upper left pixel lies in the photograph."""
    size: tuple[int, int]
    """(h, w) of the photograph."""

    def of(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A mask (h, w) of the photograph, cut to the view."""
        return mask[self.top : self.top + self.image.height, self.left : self.left + self.image.width]

    def back(self, mask: NDArray[np.generic]) -> NDArray[np.uint8]:
        """A mask (h, w) of the view as one of the photograph, 0 outside of the view."""
        whole = np.zeros(self.size, np.uint8)
        self.of(whole)[:] = mask != 0
        return whole


def view_of(photograph: Image.Image, referent: str, region: Sequence[float] | None, where: str = "") -> View:
    """The view that a question asks about.

    `region` is its box, x, y, width, height in pixels; `where` says in an error which photograph it is. Raises UsageError for a
    region that is not on the photograph.
    """
    size = (photograph.height, photograph.width)
    if region is None or referent == "unique":
        return View(photograph, 0, 0, size)
    left, top, right, bottom = box_of(region, photograph.width, photograph.height, where)
    if referent == "crop":
        return View(photograph.crop((left, top, right, bottom)), left, top, size)
    drawn = photograph.copy()
    around = (left - _MARGIN, top - _MARGIN, right + _MARGIN, bottom + _MARGIN)
    ImageDraw.Draw(drawn).rectangle(around, outline=_RED, width=_LINE)
    return View(drawn, 0, 0, size)


def box_of(region: Sequence[float], width: int, height: int, where: str = "") -> Box:
    """A region (x, y, width, height in pixels) as left, top, right, bottom within its photograph, right and bottom exclusive.

    Raises UsageError if nothing of it is within.
    """
    x, y, w, h = region
    left, top = max(0, math.floor(x)), max(0, math.floor(y))
    right, bottom = min(width, math.ceil(x + w)), min(height, math.ceil(y + h))
    if right <= left or bottom <= top:
        raise UsageError(f"the region {list(region)} is outside of its photograph", where=where, mend="Build again")
    return left, top, right, bottom
