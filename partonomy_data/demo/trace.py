"""Polygons that COCO's rasteriser turns into exactly the mask that they were traced from.

The rings run along the edges between pixels, at whole coordinates, where COCO's fivefold up-sampling does not round
anything off. COCO takes the union of rings, so a mask with holes is first cut into upright strips through its holes.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Bitmap = NDArray[np.bool_]

#: Headings as (dx, dy): right, down, left, up; the next one is a right turn.
_HEADINGS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def _edges(bitmap: Bitmap) -> list[dict[tuple[int, int], tuple[int, int]]]:
    """By heading, the straight edges (start corner → end corner) that have the mask on their right."""
    padded = np.pad(bitmap, 1)
    found: list[dict[tuple[int, int], tuple[int, int]]] = [{}, {}, {}, {}]
    here, above, left = padded[1:, 1:], padded[:-1, 1:], padded[1:, :-1]
    for heading, present in ((0, here & ~above), (2, above & ~here), (3, here & ~left), (1, left & ~here)):
        along = present if heading in (0, 2) else present.T
        steps = np.diff(along.astype(np.int8), axis=1, prepend=0, append=0)
        lines, starts = np.nonzero(steps == 1)
        _, ends = np.nonzero(steps == -1)
        for line, start, end in zip(lines.tolist(), starts.tolist(), ends.tolist(), strict=True):
            a, b = (start, end) if heading in (0, 1) else (end, start)
            if heading in (0, 2):
                found[heading][a, line] = (b, line)
            else:
                found[heading][line, a] = (line, b)
    return found


def _walk(bitmap: Bitmap) -> list[list[tuple[int, int]]]:
    """All rings as lists of corners (x, y); pixels that touch at a corner only are kept apart."""
    edges = _edges(bitmap)
    rings = []
    for first in (0, 2):
        while edges[first]:
            corner, end = next(iter(edges[first].items()))
            del edges[first][corner]
            ring, heading, start = [corner], first, corner
            while end != start:
                ring.append(end)
                turn = (heading + 1) % 4
                if end not in edges[turn]:
                    turn = (heading + 3) % 4
                corner, heading = end, turn
                end = edges[heading].pop(corner)
            rings.append(ring)
    return rings


def _area(ring: list[tuple[int, int]]) -> int:
    """Twice the signed area: positive for an outer ring, negative for a hole."""
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise([*ring, ring[0]]))


def rings(bitmap: Bitmap) -> list[list[float]]:
    """The mask's outlines as COCO polygons [x, y, x, y, …], each of at least four corners; empty for an empty mask."""
    rows, columns = np.flatnonzero(bitmap.any(axis=1)), np.flatnonzero(bitmap.any(axis=0))
    if not len(rows):
        return []
    top, left = int(rows[0]), int(columns[0])
    window = bitmap[top : rows[-1] + 1, left : columns[-1] + 1]
    found = _walk(window)
    cuts = sorted({min(x for x, _ in ring) for ring in found if _area(ring) < 0})
    if cuts:
        found = []
        for start, stop in pairwise([0, *(cut + 1 for cut in cuts), window.shape[1]]):
            found += [[(x + start, y) for x, y in ring] for ring in _walk(window[:, start:stop])]
    return [[float(value) for x, y in ring for value in (x + left, y + top)] for ring in found]
