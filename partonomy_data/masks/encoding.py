"""Any segmentation that a source can write, to a checked mask: one, or tens of thousands with areas and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partonomy_data.errors import MaskError
from partonomy_data.masks.guard import as_bytes, check_size, measure
from partonomy_data.masks.polygons import Rings, draw, empty_mask
from partonomy_data.masks.rle import Rle, RleJson, Segmentation, from_counts


@dataclass(frozen=True, slots=True)
class Encoded:
    """n masks, by position."""

    counts: list[bytes | None]
    """COCO's compressed, canonical counts; None for a mask that was refused."""
    areas: NDArray[np.int64]
    """Pixels, int64 (n,); 0 for a mask that was refused."""
    boxes: NDArray[np.float32]
    """Bounding boxes xywh in whole pixels, float32 (n, 4)."""
    errors: dict[int, MaskError]
    """Why masks were refused, in ascending order of position."""
    repairs: list[tuple[int, str]]
    """(position, rule) for each time that a rule was applied to a mask that wasn't refused, in order of position."""


def encode(segmentation: Segmentation, height: int, width: int) -> tuple[Rle, list[str]]:
    """The mask of an (h, w) image that a source wrote, and the names of the rules that were applied.

    Raises MaskError with one of the rules in `RULES`; `mask_empty` if no pixel is covered.
    """
    encoded = encode_many([segmentation], [height], [width])
    counts = encoded.counts[0]
    if counts is None:
        raise encoded.errors[0]
    return Rle(int(height), int(width), counts), [rule for _, rule in encoded.repairs]


def encode_many(segmentations: Sequence[Segmentation], heights: ArrayLike, widths: ArrayLike) -> Encoded:
    """The masks of n segmentations, each in an image of its own size; `heights` and `widths` are integers (n,).

    Work space is bounded: text is parsed, and polygons are converted, a few hundred kilobytes at a time. Each result is
    independent of the other segmentations. Nothing is raised for a mask: see `Encoded.errors`.
    """
    height, width = np.asarray(heights, np.int64), np.asarray(widths, np.int64)
    counts: list[bytes | None] = [None] * len(segmentations)
    errors: dict[int, MaskError] = {}
    repairs: list[tuple[int, str]] = []
    polygons: list[int] = []
    rings: list[Rings] = []
    sizes = zip(segmentations, height.tolist(), width.tolist(), strict=True)
    for i, (segmentation, h, w) in enumerate(sizes):
        if isinstance(segmentation, list):
            polygons.append(i)
            rings.append(segmentation)
            continue
        try:
            counts[i] = _as_counts(segmentation, h, w)
        except MaskError as error:
            errors[i] = error
            continue
        if isinstance(segmentation, RleJson) and isinstance(segmentation.counts, list) and 0 in segmentation.counts[1:]:
            repairs.append((i, "rle_zero_runs"))
    drawn = draw(rings, height[polygons], width[polygons])
    for i, ring_counts in zip(polygons, drawn.counts, strict=True):
        counts[i] = ring_counts
    errors.update((polygons[i], error) for i, error in drawn.errors.items())
    repairs.extend((polygons[i], rule) for i, rule in drawn.repairs)
    return _measured(counts, height, width, errors, repairs)


def _as_counts(segmentation: RleJson | Rle, height: int, width: int) -> bytes:
    """Compressed counts of a run-length mask: its own, not yet checked, or those of its list. Raises MaskError."""
    if isinstance(segmentation, Rle):
        check_size((segmentation.height, segmentation.width), height, width)
        return segmentation.counts
    if segmentation.size != (height, width):
        check_size(segmentation.size, height, width)
    if isinstance(segmentation.counts, str):
        return as_bytes(segmentation.counts)
    return from_counts(segmentation.counts, height, width).counts


def _measured(
    counts: list[bytes | None],
    height: NDArray[np.int64],
    width: NDArray[np.int64],
    errors: dict[int, MaskError],
    repairs: list[tuple[int, str]],
) -> Encoded:
    """Checks and measures the counts that there are, whoever made them."""
    there = [i for i, text in enumerate(counts) if text is not None]
    measured = measure([text for text in counts if text is not None], height[there], width[there])
    areas, boxes = np.zeros(len(counts), np.int64), np.zeros((len(counts), 4), np.float32)
    areas[there], boxes[there] = measured.areas, measured.boxes
    for i, (text, rules) in measured.canonical.items():
        counts[there[i]] = text
        repairs.extend((there[i], rule) for rule in rules)
    errors.update((there[i], error) for i, error in measured.errors.items())
    for i in np.flatnonzero(areas == 0).tolist():
        errors.setdefault(i, empty_mask())
    for i in errors:
        counts[i] = None
    applied = sorted((i, rule) for i, rule in repairs if i not in errors)
    return Encoded(counts, areas, boxes, dict(sorted(errors.items())), applied)
