"""Parts find their objects by the share of the part inside each, as a dense comparison would have it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from partonomy_data import masks
from partonomy_data.matching import LEAST_IN_BEST, LEAST_IN_ONLY, Candidate, match

BITMAPS = arrays(bool, (7, 9))


def rectangle(x: int, y: int, w: int, h: int) -> masks.Rle:
    bitmap = np.zeros((20, 30), dtype=bool)
    bitmap[y : y + h, x : x + w] = True
    return masks.from_bitmap(bitmap)


@settings(deadline=None)
@given(BITMAPS.filter(np.any), st.lists(BITMAPS.filter(np.any), min_size=1, max_size=4))
def test_agrees_with_a_dense_comparison(part: np.ndarray, objects: list[np.ndarray]) -> None:
    candidates = [Candidate(10 + n, masks.from_bitmap(bitmap), True) for n, bitmap in enumerate(objects)]
    (found,) = match([masks.from_bitmap(part)], candidates)
    shares = [float((part & bitmap).sum() / part.sum()) for bitmap in objects]
    least = LEAST_IN_ONLY if len(objects) == 1 else LEAST_IN_BEST
    if max(shares) < least:
        assert found.index == -1
    else:
        assert abs(shares[found.index - 10] - max(shares)) < 1e-6
        assert found.overlap is not None
        assert abs(found.overlap - max(shares)) < 1e-6


def test_a_tie_goes_to_the_smaller_object() -> None:
    large, small = rectangle(0, 0, 30, 20), rectangle(2, 2, 10, 10)
    (found,) = match([rectangle(4, 4, 3, 3)], [Candidate(0, large, True), Candidate(1, small, True)])
    assert (found.index, found.method, found.overlap) == (1, "overlap", 1.0)


def test_an_overlap_with_a_box_is_not_told_as_one_with_a_mask() -> None:
    (found,) = match([rectangle(4, 4, 3, 3)], [Candidate(0, rectangle(0, 0, 10, 10), False)])
    assert (found.index, found.method, found.overlap) == (0, "only_object", None)


def test_the_only_object_is_not_believed_if_the_part_lies_elsewhere() -> None:
    (found,) = match([rectangle(20, 10, 5, 5)], [Candidate(0, rectangle(0, 0, 10, 10), True)])
    assert found.index == -1


def test_no_parts_need_no_objects() -> None:
    assert match([], []) == []
