"""Making, decoding and writing masks one at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mask_oracle import bitmap_of_runs, bitmaps, patient, runs_of_bitmap, text_of_runs
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from partonomy_data import masks
from partonomy_data.errors import MaskError


@patient
@given(bitmaps)
def test_a_bitmap_comes_back_from_its_mask(bitmap: NDArray[np.bool_]) -> None:
    rle = masks.from_bitmap(bitmap)
    assert (rle.height, rle.width) == bitmap.shape
    assert rle.counts == text_of_runs(runs_of_bitmap(bitmap))
    decoded = masks.decode(rle)
    assert decoded.dtype == np.uint8
    assert (decoded == bitmap).all()


def test_any_non_zero_pixel_is_foreground() -> None:
    bitmap = np.array([[0, 7], [255, 0]], np.uint8)
    assert masks.decode(masks.from_bitmap(bitmap)).tolist() == [[0, 1], [1, 0]]


def test_a_mask_that_was_never_checked_is_not_decoded_to_chance_pixels() -> None:
    with pytest.raises(MaskError, match="rle_wrong_total"):
        masks.decode(masks.Rle(200_000, 200_000, b"1"))


@patient
@given(bitmaps, st.data())
def test_uncompressed_runs_give_the_canonical_mask_wherever_they_are_split(
    bitmap: NDArray[np.bool_], data: st.DataObject
) -> None:
    runs = runs_of_bitmap(bitmap)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(runs) - 1))
        cut = data.draw(st.integers(0, runs[at]))
        runs[at : at + 1] = [cut, 0, runs[at] - cut]
    assert (bitmap_of_runs(runs, *bitmap.shape) == bitmap).all()
    assert masks.from_counts(runs, *bitmap.shape) == masks.from_bitmap(bitmap)


@pytest.mark.parametrize(
    ("counts", "rule"),
    [
        ([5, -1, 2], "rle_negative_run"),
        ([5, 2], "rle_wrong_total"),
        ([5, 0], "rle_wrong_total"),
        ([], "rle_wrong_total"),
        ([2**62, 2**62, 2**62, 2**62, 6], "rle_wrong_total"),
        ([5.0, 1.0], "rle_not_integers"),
        ([5, None, 1], "rle_not_integers"),
        (["5", "1"], "rle_not_integers"),
        ([True, True, True, True, True, True], "rle_not_integers"),
        ([[5, 1]], "rle_not_integers"),
        ([[5], [1, 2]], "rle_not_integers"),
        ([10**30], "rle_not_integers"),
        ([2**63], "rle_wrong_total"),
    ],
)
def test_uncompressed_runs_that_are_no_mask_are_refused(counts: list[Any], rule: str) -> None:
    with pytest.raises(MaskError) as caught:
        masks.from_counts(counts, 2, 3)
    assert caught.value.rule == rule


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5), (200_000, 200_000), (1, 2**24 + 1), (2**15, 2**14)])
def test_images_that_are_empty_or_huge_have_no_masks(size: tuple[int, int]) -> None:
    with pytest.raises(MaskError) as caught:
        masks.from_counts([abs(size[0] * size[1])], *size)
    assert caught.value.rule == "mask_too_large"


def test_the_largest_images_have_masks() -> None:
    for height, width in [(2**14, 2**14), (16, 2**24), (2**24, 16)]:
        assert masks.area(masks.from_counts([0, height * width], height, width)) == height * width


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
@patient
@given(bitmaps)
def test_json_is_what_pycocotools_reads(bitmap: NDArray[np.bool_]) -> None:
    written = masks.to_json(masks.from_bitmap(bitmap))
    assert written["size"] == list(bitmap.shape)
    assert isinstance(written["counts"], str)
    assert (coco_mask.decode(written) == bitmap).all()
