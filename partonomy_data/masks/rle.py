"""What a mask is: COCO's compressed run lengths, as bytes, and how one is made, checked, decoded and written as JSON.

A mask's runs go down the columns, left to right, background first. COCO writes them as text: from the fourth on, each
run as its difference from the run two before it; each number in groups of five bits, lowest first, one character a group
('0' to 'o'), where a sixth bit says that more groups follow, and the top bit of the last group is the sign.

All masks here are canonical: no run but the first is empty and no number is longer than it need be. So equal masks of
one size are equal bytes, and pycocotools, which stops early where two empty runs meet, can be relied on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from partonomy_data.errors import MaskError
from partonomy_data.masks.runs import run_lengths

#: Pixels of the largest image whose masks are taken: decoded, such a mask fills 256 MiB.
MAX_PIXELS = 1 << 28
#: Longest side of such an image. Coordinates stay far below what pycocotools' 32-bit integers hold.
MAX_SIDE = 1 << 24


class Rle(msgspec.Struct, frozen=True, gc=False):
    """A checked, canonical mask, as `encode` and the functions whose names begin with `from_` make it."""

    height: int
    width: int
    counts: bytes
    """COCO's compressed run lengths, column-major, starting with background; ASCII."""


class RleJson(msgspec.Struct, frozen=True, gc=False):
    """`{"size": [h, w], "counts": …}` as written in COCO-like JSON; not yet checked."""

    size: tuple[int, ...]
    counts: str | list[int]


#: Rings of polygons ([[x, y, x, y, …], …], in pixels), a run-length mask as JSON holds it, or one that is checked.
Segmentation = list[list[float]] | RleJson | Rle


def from_bitmap(bitmap: NDArray[np.bool_] | NDArray[np.uint8]) -> Rle:
    """Mask of the non-zero pixels of an (h, w) array. Raises MaskError `mask_too_large`."""
    height, width = bitmap.shape
    check_image(height, width)
    encoded = coco_mask.encode(np.asfortranarray(bitmap != 0, dtype=np.uint8))
    return Rle(int(height), int(width), encoded["counts"])


def decode(rle: Rle) -> NDArray[np.uint8]:
    """The mask as a uint8 array of 0 and 1, shape (h, w), column-major.

    Raises MaskError `rle_wrong_total` for a mask that was never checked and has too few pixels, or too many.
    """
    runs = run_lengths(rle.counts)
    if int(runs.sum()) != rle.height * rle.width:
        raise MaskError("rle_wrong_total", f"the run lengths don't add up to {rle.height} x {rle.width}")
    # Not by pycocotools, which is slower here, and under NumPy 2 warns each time that __array__ lacks `copy`.
    values = (np.arange(len(runs)) & 1).astype(np.uint8)
    return np.repeat(values, runs).reshape(rle.width, rle.height).T


def from_counts(counts: Sequence[int] | NDArray[np.integer[Any]], height: int, width: int) -> Rle:
    """Mask of an (h, w) image from uncompressed run lengths in pixels, background first.

    Empty runs inside are legal, and joined. Raises MaskError: `rle_not_integers`, `rle_negative_run`,
    `rle_wrong_total`, `mask_too_large`.
    """
    check_image(height, width)
    try:
        runs = np.asarray(counts)
    except ValueError as error:
        raise MaskError("rle_not_integers", "the run lengths are lists of different lengths") from error
    if runs.size and (runs.ndim != 1 or runs.dtype.kind not in "iu"):
        raise MaskError("rle_not_integers", "the run lengths are not one list of integers")
    if runs.size and int(runs.min()) < 0:
        raise MaskError("rle_negative_run", f"a run has length {int(runs.min())}")
    # A run above MAX_PIXELS is wrong by itself; looked for first, since the sum of such runs could overflow.
    if (runs.size and int(runs.max()) > MAX_PIXELS) or int(runs.sum(dtype=np.int64)) != height * width:
        raise MaskError("rle_wrong_total", f"the run lengths don't add up to {height} x {width}")
    return from_runs(runs.astype(np.int64), height, width)


def from_runs(runs: NDArray[np.int64], height: int, width: int) -> Rle:
    """Mask from checked run lengths: int64 (runs,), none negative, h·w in all. Empty ones inside are joined."""
    canonical = join_empty_runs(runs).astype(np.uint32)
    encoded = coco_mask.frPyObjects({"size": [height, width], "counts": canonical}, height, width)
    return Rle(int(height), int(width), encoded["counts"])


def join_empty_runs(runs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same pixels in runs, int64 (runs,), none of which is empty but perhaps the first."""
    value = np.arange(len(runs)) & 1
    kept = runs > 0
    runs, value = runs[kept], value[kept]
    # Where an empty run fell out, its neighbours have the same value and become one run.
    first = np.flatnonzero(np.diff(value, prepend=1 - value[:1]))
    joined: NDArray[np.int64] = np.add.reduceat(runs, first)
    return np.concatenate([np.zeros(1, np.int64), joined]) if value[0] else joined


def to_json(rle: Rle) -> dict[str, Any]:
    """`{"size": [h, w], "counts": str}`, as COCO's JSON files hold a mask."""
    return {"size": [rle.height, rle.width], "counts": rle.counts.decode("ascii")}


def to_coco(rle: Rle) -> dict[str, Any]:
    """`{"size": [h, w], "counts": bytes}`, as pycocotools takes a mask."""
    return {"size": [rle.height, rle.width], "counts": rle.counts}


def check_image(height: int, width: int) -> None:
    """Raises MaskError `mask_too_large` unless masks of an (h, w) image can be held at all."""
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE and height * width <= MAX_PIXELS):
        raise too_large(height, width)


def usable_sizes(heights: NDArray[np.int64], widths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of n images, those that `check_image` lets pass, bool (n,)."""
    sides = (heights > 0) & (widths > 0) & (heights <= MAX_SIDE) & (widths <= MAX_SIDE)
    return sides & (np.where(sides, heights, 0) * np.where(sides, widths, 0) <= MAX_PIXELS)


def too_large(height: int, width: int) -> MaskError:
    """The error of an image whose masks can't be held."""
    return MaskError("mask_too_large", f"an image of {height} x {width} pixels is empty or too large for masks")
