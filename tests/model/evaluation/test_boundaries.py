"""Boundary IoU on crops, against erosion one pixel at a time on whole photographs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from model.evaluation import boundaries
from model.evaluation.answers import PartMask, Prediction
from model.evaluation.checking import check
from model.evaluation.overlaps import overlap
from partonomy_data import masks
from tests.model.evaluation import made_up
from tests.model.evaluation.made_up import Bitmap, seeds


def rim(bitmap: Bitmap, distance: int) -> Bitmap:
    """Eroded by a 3 x 3 square as many times as the rim is wide; beyond the photograph nothing is in the mask."""
    left = bitmap
    for _ in range(distance):
        padded = np.pad(left, 1)
        height, width = left.shape
        left = np.all([padded[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)
    return bitmap & ~left


@given(seeds)
def test_the_boundary_iou_is_that_of_rims_in_the_whole_photograph(seed: int) -> None:
    generator = np.random.default_rng(seed)
    size = int(generator.integers(2, 130)), int(generator.integers(2, 130))
    true, predicted = made_up.blob(generator, size), made_up.blob(generator, size, empty=True)
    if generator.random() < 0.5:
        predicted = true & np.roll(true, 1, axis=0)
    distance = max(1, round(0.02 * (size[0] ** 2 + size[1] ** 2) ** 0.5))
    wanted = made_up.iou(rim(true, distance), rim(predicted, distance))
    given_mask = masks.from_bitmap(predicted) if predicted.any() else None
    value, interior = boundaries.boundary_iou(given_mask, masks.from_bitmap(true))
    assert value == pytest.approx(wanted)
    assert interior == bool((true & ~rim(true, distance)).any())


def test_a_crop_is_what_the_whole_mask_has_there() -> None:
    generator = np.random.default_rng(3)
    for _ in range(200):
        pixels = made_up.blob(generator, (17, 23))
        left, right = sorted(generator.choice(24, 2, replace=False).tolist())
        top, bottom = sorted(generator.choice(18, 2, replace=False).tolist())
        found = boundaries.crop(masks.from_bitmap(pixels), left, top, right, bottom)
        assert np.array_equal(found, pixels[top:bottom, left:right])


def test_the_rim_of_a_photograph_of_480_by_640_is_16_pixels_wide() -> None:
    assert boundaries.rim_width(480, 640) == 16
    assert boundaries.rim_width(3, 4) == 1


def test_parts_without_an_interior_are_counted_apart() -> None:
    square, dot = np.zeros((9, 9), np.bool_), np.zeros((9, 9), np.bool_)
    square[1:7, 1:7], dot[8, 8] = True, True
    parts = (PartMask("wing", made_up.rle(square)), PartMask("bolt", made_up.rle(dot)))
    truth = made_up.truth(np.random.default_rng(0), size=(9, 9), masks=parts)
    checked = check([truth], [Prediction("qst_0", masks=(PartMask("wing", made_up.rle(square)),))])
    marks = boundaries.boundary(checked, [overlap(one) for one in checked])
    assert (marks["boundary_iou"].top.tolist(), marks["boundary_iou"].bottom.tolist()) == ([1], [1])
    assert marks["no_interior"].value == 0.5


def test_a_filled_hole_costs_the_boundary_more_than_the_mask() -> None:
    true = np.zeros((60, 60), np.bool_)
    true[5:55, 5:55] = True
    dented = true.copy()
    dented[5:55, 5:8] = False
    value, _ = boundaries.boundary_iou(masks.from_bitmap(dented), masks.from_bitmap(true))
    assert value < 0.7 < made_up.iou(true, dented)
