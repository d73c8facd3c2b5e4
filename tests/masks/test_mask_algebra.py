"""Area, box, union, intersection, IoU and containment on runs, against the same on pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mask_oracle import bitmaps, box_of, patient, sizes
from numpy.typing import NDArray

from partonomy_data import masks
from partonomy_data.errors import MaskError

Bitmaps = NDArray[np.bool_]
#: Some bitmaps of one size, (n, h, w).
stacks = st.tuples(st.integers(1, 5), sizes).flatmap(lambda n: hnp.arrays(np.bool_, (n[0], *n[1])))
#: Two lots of bitmaps of one size.
pairs = st.tuples(st.integers(0, 4), st.integers(0, 4), sizes).flatmap(
    lambda n: st.tuples(hnp.arrays(np.bool_, (n[0], *n[2])), hnp.arrays(np.bool_, (n[1], *n[2])))
)


def ratios(above: Bitmaps, below: Bitmaps) -> NDArray[np.float64]:
    """Pixels of `above` for each of `below`, summed over the last two axes; 0 where there are none."""
    numerator, denominator = above.sum(axis=(-2, -1)), below.sum(axis=(-2, -1))
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0)


@patient
@given(bitmaps)
def test_area_and_box_are_those_of_the_pixels(bitmap: Bitmaps) -> None:
    rle = masks.from_bitmap(bitmap)
    assert masks.area(rle) == bitmap.sum()
    assert list(masks.box(rle)) == box_of(bitmap)


def test_areas_of_many_masks_of_any_sizes_are_those_of_each() -> None:
    generator = np.random.default_rng(0)
    stack = [generator.random((3 + at % 4, 5)) < 0.5 for at in range(600)]
    found = masks.areas([masks.from_bitmap(bitmap) for bitmap in stack])
    assert found.dtype == np.int64
    assert found.tolist() == [int(bitmap.sum()) for bitmap in stack]
    assert masks.areas([]).tolist() == []


def test_a_run_that_goes_on_in_the_next_column_makes_the_box_as_high_as_the_image() -> None:
    bitmap = np.zeros((5, 4), np.bool_)
    bitmap[4, 1] = bitmap[0, 2] = True
    assert masks.box(masks.from_bitmap(bitmap)) == (1, 0, 2, 5)


@patient
@given(stacks)
def test_union_and_intersection_are_those_of_the_pixels_in_canonical_bytes(stack: Bitmaps) -> None:
    found = [masks.from_bitmap(bitmap) for bitmap in stack]
    assert masks.union(found) == masks.from_bitmap(stack.any(axis=0))
    assert masks.intersection(found) == masks.from_bitmap(stack.all(axis=0))


@patient
@given(pairs)
def test_iou_and_containment_are_those_of_the_pixels(pair: tuple[Bitmaps, Bitmaps]) -> None:
    first, second = ([masks.from_bitmap(bitmap) for bitmap in lot] for lot in pair)
    shared, either = pair[0][:, None] & pair[1][None], pair[0][:, None] | pair[1][None]
    iou, containment = masks.iou(first, second), masks.containment(first, second)
    assert iou.shape == containment.shape == (len(first), len(second))
    assert iou.dtype == containment.dtype == np.float64
    assert iou == pytest.approx(ratios(shared, either))
    assert containment == pytest.approx(ratios(shared, np.broadcast_to(pair[0][:, None], shared.shape)))


@patient
@given(stacks)
def test_masks_are_equal_where_their_pixels_are(stack: Bitmaps) -> None:
    for bitmap in stack:
        assert masks.equal(masks.from_bitmap(stack[0]), masks.from_bitmap(bitmap)) == (stack[0] == bitmap).all()


def test_masks_of_different_sizes_are_not_equal() -> None:
    assert not masks.equal(masks.from_counts([0, 6], 2, 3), masks.from_counts([0, 6], 3, 2))


def test_more_masks_than_a_byte_counts_are_combined() -> None:
    bitmaps = np.eye(300, dtype=np.bool_).reshape(300, 15, 20)
    found = [masks.from_bitmap(bitmap) for bitmap in bitmaps]
    assert masks.area(masks.union(found)) == 300
    assert masks.iou(found, found).tolist() == np.eye(300).tolist()


def test_masks_of_different_sizes_are_not_combined() -> None:
    tall, wide = masks.from_counts([0, 6], 3, 2), masks.from_counts([0, 6], 2, 3)
    for combine in (
        lambda: masks.union([tall, wide]),
        lambda: masks.intersection([tall, wide]),
        lambda: masks.iou([tall], [wide]),
        lambda: masks.containment([tall], [tall, wide]),
    ):
        with pytest.raises(MaskError) as caught:
            combine()
        assert caught.value.rule == "mask_size_mismatch"


def test_the_union_of_no_masks_is_no_mask() -> None:
    for combine in (masks.union, masks.intersection):
        with pytest.raises(MaskError) as caught:
            combine([])
        assert caught.value.rule == "mask_missing"
