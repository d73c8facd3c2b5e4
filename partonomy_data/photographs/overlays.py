"""Photographs made small, with masks drawn over them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Color = tuple[int, int, int]

#: One for each part, in the order of their names.
COLORS: Final[tuple[Color, ...]] = (
    (230, 85, 13), (49, 130, 189), (49, 163, 84), (117, 107, 177), (214, 39, 120), (190, 160, 20),
)  # fmt: skip


def small(image: Image.Image, side: int) -> Image.Image:
    """An RGB image whose longer side has at most `side` pixels, without what cameras write into files."""
    made = image.copy()
    made.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    made.info.clear()  # a comment of the file would be written into the small one as well
    return made


def jpeg(image: Image.Image, quality: int = 82) -> bytes:
    """An image as a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def shrunk(mask: NDArray[np.uint8], image: Image.Image) -> NDArray[np.bool_]:
    """A mask (h, w) of a photograph on the grid of its small `image`: pixels that it covers by half or more, (rows, columns)."""
    size = (image.width, image.height)
    return np.asarray(Image.fromarray((mask != 0) * np.uint8(255)).resize(size, Image.Resampling.BOX)) >= 128


def overlaid(image: Image.Image, drawn: Sequence[tuple[Color, NDArray[np.generic]]]) -> Image.Image:
    """An image with masks (h, w) in their colors, each opaque at its rim."""
    shown = np.asarray(image.convert("RGB"), np.float64).copy()
    for color, mask in drawn:
        whole = mask != 0
        down, across = np.flatnonzero(whole.any(1)), np.flatnonzero(whole.any(0))
        if not len(down):
            continue
        box = np.s_[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
        inside, place = whole[box], shown[box]
        padded = np.pad(inside, 1)
        core = inside & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        place[inside] = 0.5 * place[inside] + 0.5 * np.asarray(color)
        place[inside & ~core] = color
    return Image.fromarray(shown.round().astype(np.uint8))
