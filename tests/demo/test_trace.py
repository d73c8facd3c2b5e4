"""Polygons stand for exactly the mask that they were traced from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from partonomy_data.demo.trace import rings
from tests.demo.conftest import dense

BITMAPS = arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=16))


def rasterised(polygons: list[list[float]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    return dense(coco_mask.merge(coco_mask.frPyObjects(polygons, *shape)))


@given(BITMAPS)
@settings(deadline=None)
def test_coco_rasterises_the_rings_to_the_same_mask(bitmap: NDArray[np.bool_]) -> None:
    found = rings(bitmap)
    assert bool(found) == bool(bitmap.any())
    if found:
        np.testing.assert_array_equal(rasterised(found, (bitmap.shape[0], bitmap.shape[1])), bitmap)


@given(BITMAPS)
@settings(deadline=None)
def test_every_ring_has_at_least_four_corners(bitmap: NDArray[np.bool_]) -> None:
    assert all(len(ring) >= 8 and len(ring) % 2 == 0 for ring in rings(bitmap))


@pytest.mark.parametrize("thickness", [1, 2, 7])
def test_rings_within_rings_keep_their_holes(thickness: int) -> None:
    y, x = np.mgrid[:60, :60]
    distance = np.maximum(abs(x - 30), abs(y - 30))
    bitmap = distance // thickness % 2 == 0
    np.testing.assert_array_equal(rasterised(rings(bitmap), (60, 60)), bitmap)


def test_pixels_that_touch_at_a_corner_are_two_rings() -> None:
    assert len(rings(np.eye(2, dtype=np.bool_))) == 2
