"""Outlines of masks as SVG paths that run along the edges of pixels: exact, and made from the runs alone.

A mask's corners are found column by column. In each column the background and foreground meet at some rows; a corner
lies between two neighbouring columns wherever only one of them has a meeting at a row. The corners of a column of
the grid, from top to bottom, are then pairwise the ends of vertical edges, those of a row of it of horizontal ones. Where two
pixels touch at a corner only, the edges cross, so that a path must be filled by the even-odd rule.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from partonomy_data.masks.rle import Rle
from partonomy_data.masks.runs import run_lengths

Int64s = NDArray[np.int64]


def to_svg_path(rle: Rle) -> str:
    """The outline of a mask as the `d` of an SVG path in pixels, (0, 0) the photograph's upper left corner.

    Fill it with `fill-rule="evenodd"`: the pixels inside are then exactly those of the mask. Empty for an empty mask.
    """
    x, y = corners(rle)
    along, down = _partners(x, y), _partners(y, x)
    xs, ys = x.tolist(), y.tolist()
    pieces: list[str] = []
    seen = bytearray(len(xs))
    for start in range(len(xs)):
        if seen[start]:
            continue
        pieces.append(f"M{xs[start]} {ys[start]}")
        place = start
        while not seen[place]:
            turn = along[place]
            seen[place] = seen[turn] = 1
            place = down[turn]
            pieces.append(f"H{xs[turn]}V{ys[place]}")
        pieces.append("Z")
    return "".join(pieces)


def corners(rle: Rle) -> tuple[Int64s, Int64s]:
    """The corners of a mask's outline in pixels, sorted by x, then y: int64 (corners,) each."""
    height, width = rle.height, rle.width
    changes = np.cumsum(run_lengths(rle.counts))[:-1]
    if not len(changes):  # all background; a full mask begins with an empty run
        empty = np.zeros(0, np.int64)
        return empty, empty
    tops = np.arange(width, dtype=np.int64) * height
    # A pixel is of the mask if an odd number of changes came up to it.
    filled_at_top = np.searchsorted(changes, tops, side="right") % 2 == 1
    filled_at_bottom = np.searchsorted(changes, tops + height - 1, side="right") % 2 == 1
    inner = changes[changes % height != 0]
    column = np.concatenate([inner // height, np.flatnonzero(filled_at_top), np.flatnonzero(filled_at_bottom)])
    bottom = np.full(int(filled_at_bottom.sum()), height)
    row = np.concatenate([inner % height, np.zeros(int(filled_at_top.sum()), np.int64), bottom])
    stride = height + 1
    meetings = column * stride + row
    keys, times = np.unique(np.concatenate([meetings, meetings + stride]), return_counts=True)
    only_one = keys[times == 1]
    return only_one // stride, only_one % stride


def _partners(x: Int64s, y: Int64s) -> list[int]:
    """For each corner the other end of its edge along y (all corners of one y are paired in the order of x)."""
    order = np.lexsort((x, y))
    partner = np.empty(len(x), np.int64)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    found: list[int] = partner.tolist()
    return found
