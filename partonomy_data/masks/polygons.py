"""Polygons to masks by COCO's rules: pycocotools draws each ring, and a mask is the union of its rings.

pycocotools takes a first ring of four numbers for a box, raises on shorter ones, and walks a ring's outline in steps
of a fifth of a pixel, however far out it lies. So rings are checked first, many at a time; those that pass are drawn as
they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pycocotools import mask as coco_mask

from partonomy_data.errors import MaskError
from partonomy_data.masks.rle import Rle, to_coco, too_large, usable_sizes

Rings = list[list[float]]
Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]

#: Numbers of the shortest ring that encloses an area: three corners.
MIN_NUMBERS = 6
#: Coordinates that are converted and checked at a time.
BLOCK_NUMBERS = 1 << 17
#: Longest outline of a ring in the fifths of a pixel that pycocotools walks it in; its work space is then some 300 MB.
MAX_OUTLINE = 1 << 24


def from_polygons(rings: Rings, height: int, width: int) -> tuple[Rle, list[str]]:
    """Mask of an (h, w) image from rings of x, y, x, y, … in pixels, and the names of the rules that were applied.

    A ring of fewer than 6 numbers is left out if others remain. Raises MaskError: `mask_missing`, `mask_empty`,
    `mask_too_large`, `polygon_degenerate`, `polygon_odd_length`, `polygon_not_finite`, `polygon_out_of_range`,
    `polygon_too_long`.
    """
    drawn = draw([rings], [height], [width])
    if drawn.errors:
        raise drawn.errors[0]
    counts = drawn.counts[0]
    assert counts is not None
    rle = Rle(int(height), int(width), counts)
    if not coco_mask.area(to_coco(rle)):
        raise empty_mask()
    return rle, [rule for _, rule in drawn.repairs]


def empty_mask() -> MaskError:
    """The error of a mask that covers no pixel."""
    return MaskError("mask_empty", "the mask covers no pixel of the image")


@dataclass(frozen=True, slots=True)
class Drawn:
    """What `draw` made of n masks, by position."""

    counts: list[bytes | None]
    """COCO's compressed counts; None where a mask was refused."""
    errors: dict[int, MaskError] = field(default_factory=dict)
    repairs: list[tuple[int, str]] = field(default_factory=list)
    """(position, rule), one for each ring that was left out, of refused masks too."""


def draw(masks: Sequence[Rings], heights: ArrayLike, widths: ArrayLike) -> Drawn:
    """Draws the polygons of n masks, each in an image of its own size: `heights` and `widths` are integers (n,).

    A mask that covers no pixel is not an error here. Nothing is raised for a mask: see `Drawn`.
    """
    height, width = np.asarray(heights, np.int64), np.asarray(widths, np.int64)
    drawn = Drawn([None] * len(masks))
    rings, owners = _sound_rings(masks, height, width, drawn)
    pieces: list[bytes | None] = []
    lengths = np.fromiter(map(len, rings), np.int64, len(rings))
    total = np.cumsum(lengths)
    cuts = np.searchsorted(total, np.arange(BLOCK_NUMBERS, total[-1] if len(total) else 0, BLOCK_NUMBERS))
    bounds = [0, *np.unique(cuts[cuts > 0]).tolist(), len(rings)]
    for start, stop in pairwise(bounds):
        part = slice(start, stop)
        pieces += _draw_block(rings[part], lengths[part], owners[part], height, width, drawn)
    _unite(pieces, owners, height, width, drawn)
    return drawn


def _sound_rings(
    masks: Sequence[Rings], height: Int64s, width: Int64s, drawn: Drawn
) -> tuple[list[list[float]], Int64s]:
    """The rings that have three corners or more, of masks without an error so far, and the position of each one's mask."""
    n = len(masks)
    n_rings = np.fromiter(map(len, masks), np.int64, n)
    rings = list(chain.from_iterable(masks))
    owners = np.repeat(np.arange(n), n_rings)
    lengths = np.fromiter(map(len, rings), np.int64, len(rings))
    short = lengths < MIN_NUMBERS
    odd = ~short & ((lengths & 1) == 1)
    sound = np.bincount(owners[~short], minlength=n) > 0
    for i in np.flatnonzero(~usable_sizes(height, width)).tolist():
        drawn.errors[i] = too_large(height[i], width[i])
    for i in np.flatnonzero(n_rings == 0).tolist():
        drawn.errors.setdefault(i, MaskError("mask_missing", "the annotation has no polygon"))
    for i in np.flatnonzero(~sound).tolist():
        drawn.errors.setdefault(i, MaskError("polygon_degenerate", "no ring has three corners"))
    for ring in np.flatnonzero(odd).tolist():
        reason = f"a ring has {lengths[ring]} numbers, which don't pair into points"
        drawn.errors.setdefault(int(owners[ring]), MaskError("polygon_odd_length", reason))
    kept = ~short
    if drawn.errors:
        refused = np.zeros(n, np.bool_)
        refused[list(drawn.errors)] = True
        kept &= ~refused[owners]
    drawn.repairs.extend((i, "degenerate_ring") for i in owners[short].tolist())
    return (rings if kept.all() else list(compress(rings, kept.tolist()))), owners[kept]


def _draw_block(
    rings: list[list[float]], lengths: Int64s, owners: Int64s, height: Int64s, width: Int64s, drawn: Drawn
) -> list[bytes | None]:
    """The compressed counts of some rings, each drawn alone; None for those that are refused."""
    if not rings:
        return []
    numbers = _as_floats(rings, int(lengths.sum()))
    stops = np.cumsum(lengths)
    starts = stops - lengths
    high, wide = height[owners], width[owners]
    errors = _ring_errors(numbers, starts, lengths, high, wide)
    # The first bad ring speaks for its mask, wherever blocks happen to begin.
    for ring in sorted(errors):
        drawn.errors.setdefault(int(owners[ring]), errors[ring])
    counts: list[bytes | None] = [None] * len(rings)
    # pycocotools draws any number of rings in one call if their images have one size. Sorted, those stand together.
    order = np.lexsort((wide, high))
    if errors:
        order = order[~np.isin(order, list(errors))]
    changes = np.flatnonzero((np.diff(high[order]) != 0) | (np.diff(wide[order]) != 0)) + 1
    first, last = starts.tolist(), stops.tolist()
    for group in np.split(order, changes):
        members = group.tolist()
        if members:
            arrays = [numbers[first[i] : last[i]] for i in members]
            made = coco_mask.frPyObjects(arrays, int(high[members[0]]), int(wide[members[0]]))
            for i, one in zip(members, made, strict=True):
                counts[i] = one["counts"]
    return counts


def _as_floats(rings: list[list[float]], total: int) -> Floats:
    """All numbers of the rings, float64 (total,). What isn't a number becomes NaN."""
    try:
        return np.fromiter(chain.from_iterable(rings), np.float64, total)
    except (TypeError, ValueError, OverflowError):
        return np.fromiter(map(_as_float, chain.from_iterable(rings)), np.float64, total)


def _as_float(number: object) -> float:
    try:
        return float(number)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _ring_errors(
    numbers: Floats, starts: Int64s, lengths: Int64s, height: Int64s, width: Int64s
) -> dict[int, MaskError]:
    """Why rings can't be drawn, by their position. `starts`, `lengths`, `height`, `width` are of each ring."""
    errors: dict[int, MaskError] = {}
    finite = np.isfinite(numbers)
    if not finite.all():
        for ring in np.flatnonzero(~np.logical_and.reduceat(finite, starts)).tolist():
            errors[ring] = MaskError("polygon_not_finite", "a coordinate is not a finite number")
        numbers = np.where(finite, numbers, 0.0)
    x, y, first = numbers[0::2], numbers[1::2], starts >> 1
    left, right = np.minimum.reduceat(x, first), np.maximum.reduceat(x, first)
    top, bottom = np.minimum.reduceat(y, first), np.maximum.reduceat(y, first)
    outside = (left < -width) | (right > 2 * width) | (top < -height) | (bottom > 2 * height)
    for ring in np.flatnonzero(outside).tolist():
        reason = f"a corner is further than the image's own size from an image of {height[ring]} x {width[ring]} pixels"
        errors.setdefault(ring, MaskError("polygon_out_of_range", reason))
    # No edge is longer than the ring is wide or high, so most rings need no walk along their edges.
    with np.errstate(over="ignore"):
        at_most = (lengths >> 1) * _steps(np.maximum(right - left, bottom - top))
    for ring in np.flatnonzero((at_most > MAX_OUTLINE) & ~outside).tolist():
        points = numbers[starts[ring] : starts[ring] + lengths[ring]].reshape(-1, 2)
        edges = np.abs(points - np.roll(points, 1, axis=0)).max(axis=1)
        if _steps(edges).sum() > MAX_OUTLINE:
            reason = f"its outline is longer than {MAX_OUTLINE // 5} pixels"
            errors.setdefault(ring, MaskError("polygon_too_long", reason))
    return errors


def _steps(edges: Floats) -> Floats:
    """Points that pycocotools walks through, at most, along edges that are so many pixels wide or high, if higher."""
    return edges * 5 + 2


def _unite(pieces: list[bytes | None], owners: Int64s, height: Int64s, width: Int64s, drawn: Drawn) -> None:
    """Puts the union of each mask's rings into `drawn`. Rings of one mask stand together."""
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    stops = np.append(starts, len(owners))[1:]
    for owner, start, stop in zip(owners[starts].tolist(), starts.tolist(), stops.tolist(), strict=True):
        if owner in drawn.errors:
            continue
        if stop - start == 1:
            drawn.counts[owner] = pieces[start]
        else:
            size = [int(height[owner]), int(width[owner])]
            parts = [{"size": size, "counts": counts} for counts in pieces[start:stop]]
            drawn.counts[owner] = coco_mask.merge(parts)["counts"]
