"""Polygons drawn by COCO's rules, and what is done about those that pycocotools can't draw."""

from __future__ import annotations

import tracemalloc
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from partonomy_data import masks
from partonomy_data.errors import MaskError
from partonomy_data.masks import polygons

Rings = list[list[float]]

SQUARE = [2.0, 2.0, 8.0, 2.0, 8.0, 8.0, 2.0, 8.0]
OTHER = [10.0, 10.0, 14.0, 10.0, 12.0, 15.0]
INFINITE, NOT_A_NUMBER = float("inf"), float("nan")


def drawn_by_pycocotools(rings: Rings, height: int, width: int) -> bytes:
    counts: bytes = coco_mask.merge(coco_mask.frPyObjects(rings, height, width))["counts"]
    return counts


@st.composite
def drawable(draw: st.DrawFn) -> tuple[Rings, int, int]:
    """Rings that reach as far out of their image as is let pass."""
    height, width = draw(st.integers(1, 30)), draw(st.integers(1, 30))
    x, y = st.floats(-width, 2 * width), st.floats(-height, 2 * height)
    points = st.lists(st.tuples(x, y), min_size=3, max_size=8)
    rings = draw(st.lists(points, min_size=1, max_size=3))
    return [[number for point in ring for number in point] for ring in rings], height, width


@settings(deadline=None)
@given(drawable())
def test_a_polygon_is_drawn_as_pycocotools_draws_it(polygon: tuple[Rings, int, int]) -> None:
    rings, height, width = polygon
    expected = masks.Rle(height, width, drawn_by_pycocotools(rings, height, width))
    if masks.area(expected) == 0:
        with pytest.raises(MaskError) as caught:
            masks.from_polygons(rings, height, width)
        assert caught.value.rule == "mask_empty"
    else:
        assert masks.from_polygons(rings, height, width) == (expected, [])
        assert masks.from_bitmap(masks.decode(expected)) == expected


@settings(deadline=None)
@given(st.lists(drawable(), max_size=8), st.sampled_from([1, 20, polygons.BLOCK_NUMBERS]))
def test_many_polygons_are_drawn_as_each_alone(found: list[tuple[Rings, int, int]], block_numbers: int) -> None:
    with mock.patch.object(polygons, "BLOCK_NUMBERS", block_numbers):
        drawn = polygons.draw([f[0] for f in found], [f[1] for f in found], [f[2] for f in found])
    assert drawn.counts == [drawn_by_pycocotools(*polygon) for polygon in found]
    assert not drawn.errors
    assert not drawn.repairs


@pytest.mark.parametrize(
    "short", [[], [5.0], [5.0, 5.0], [3.0, 3.0, 9.0, 9.0], [1.0, 2.0, 3.0, 4.0, 5.0], [NOT_A_NUMBER]]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_degenerate_ring_is_left_out_and_counted(short: list[float], place: int) -> None:
    rings = [SQUARE, OTHER]
    rings.insert(place, short)
    rle, repairs = masks.from_polygons(rings, 20, 20)
    assert repairs == ["degenerate_ring"]
    assert rle.counts == drawn_by_pycocotools([SQUARE, OTHER], 20, 20)


def test_a_first_ring_of_four_numbers_is_what_pycocotools_fails_on() -> None:
    with pytest.raises(TypeError):
        coco_mask.frPyObjects([[3.0, 3.0, 9.0, 9.0], SQUARE], 20, 20)


def test_each_degenerate_ring_is_counted() -> None:
    assert masks.from_polygons([[], SQUARE, [1.0, 1.0]], 20, 20)[1] == ["degenerate_ring"] * 2


@pytest.mark.parametrize(
    ("rings", "rule"),
    [
        ([], "mask_missing"),
        ([[]], "polygon_degenerate"),
        ([[3.0, 3.0, 9.0, 9.0]], "polygon_degenerate"),
        ([[3.0, 3.0], [1.0, 2.0, 3.0, 4.0, 5.0]], "polygon_degenerate"),
        ([[*SQUARE, 3.0]], "polygon_odd_length"),
        ([SQUARE, [*OTHER, 3.0]], "polygon_odd_length"),
        ([[*SQUARE, 3.0, NOT_A_NUMBER]], "polygon_not_finite"),
        ([SQUARE, [*OTHER, INFINITE, 3.0]], "polygon_not_finite"),
        ([[*SQUARE, -INFINITE, INFINITE]], "polygon_not_finite"),
        ([[*SQUARE, None, 3.0]], "polygon_not_finite"),
        ([[*SQUARE, "x", 3.0]], "polygon_not_finite"),
        ([[*SQUARE, [1.0], 3.0]], "polygon_not_finite"),
        ([[*SQUARE, 10**400, 3.0]], "polygon_not_finite"),
        ([[*SQUARE, 1e9, 3.0]], "polygon_out_of_range"),
        ([[*SQUARE, 3.0, -1e300]], "polygon_out_of_range"),
        ([[*SQUARE, 1.7e308, -1.7e308, -1.7e308, 1.7e308]], "polygon_out_of_range"),
        ([SQUARE, [*OTHER, 40.5, 3.0]], "polygon_out_of_range"),
        ([[*OTHER, 40.5, 3.0], [*OTHER, INFINITE, 3.0]], "polygon_out_of_range"),
        ([SQUARE, [*OTHER, 3.0, -20.5]], "polygon_out_of_range"),
        ([SQUARE, [*OTHER, -20.5, 3.0]], "polygon_out_of_range"),
        ([SQUARE, [*OTHER, 3.0, 40.5]], "polygon_out_of_range"),
        ([[25.0, 25.0, 35.0, 25.0, 35.0, 35.0, 25.0, 35.0]], "mask_empty"),
        ([[3.0, 3.0, 9.0, 9.0, 3.0, 3.0]], "mask_empty"),
    ],
)
def test_a_polygon_that_cannot_be_drawn_is_refused_by_its_name(rings: list[Any], rule: str) -> None:
    with pytest.raises(MaskError) as caught:
        masks.from_polygons(rings, 20, 20)
    assert caught.value.rule == rule
    assert caught.value.reason


def test_a_refused_polygon_takes_no_other_with_it() -> None:
    found = [
        [SQUARE],
        [],
        [[*SQUARE, NOT_A_NUMBER, 1.0]],
        [OTHER, SQUARE],
        [[1.0]],
        [SQUARE, [*OTHER, 1e12, 0.0]],
        [OTHER],
    ]
    drawn = polygons.draw(found, [20] * 7, [20, 20, 20, 30, 20, 20, 20])
    assert {i: error.rule for i, error in drawn.errors.items()} == {
        1: "mask_missing",
        2: "polygon_not_finite",
        4: "polygon_degenerate",
        5: "polygon_out_of_range",
    }
    assert drawn.counts[0] == drawn_by_pycocotools([SQUARE], 20, 20)
    assert drawn.counts[3] == drawn_by_pycocotools([OTHER, SQUARE], 20, 30)
    assert drawn.counts[6] == drawn_by_pycocotools([OTHER], 20, 20)
    assert [drawn.counts[i] for i in drawn.errors] == [None] * 4


@pytest.mark.parametrize("block_numbers", [1, 8, polygons.BLOCK_NUMBERS])
def test_the_first_bad_ring_names_the_rule_wherever_blocks_begin(block_numbers: int) -> None:
    far, infinite = [*OTHER, 1e12, 0.0], [*OTHER, INFINITE, 0.0]
    with mock.patch.object(polygons, "BLOCK_NUMBERS", block_numbers):
        drawn = polygons.draw([[SQUARE, far, infinite], [infinite, far]], [20, 20], [20, 20])
    assert [drawn.errors[i].rule for i in (0, 1)] == ["polygon_out_of_range", "polygon_not_finite"]


def test_an_image_too_large_for_masks_has_no_polygons() -> None:
    with pytest.raises(MaskError) as caught:
        masks.from_polygons([SQUARE], 200_000, 200_000)
    assert caught.value.rule == "mask_too_large"


def test_a_ring_of_a_million_points_is_drawn() -> None:
    angle = np.linspace(0, 2 * np.pi, 1_000_000, endpoint=False)
    ring = np.stack([320 + 300 * np.cos(angle), 240 + 200 * np.sin(angle)], axis=1).ravel().tolist()
    rle, repairs = masks.from_polygons([ring], 480, 640)
    assert repairs == []
    assert masks.area(rle) == pytest.approx(np.pi * 300 * 200, rel=0.001)
    assert rle.counts == drawn_by_pycocotools([ring], 480, 640)


def test_a_ring_that_would_take_gigabytes_to_walk_is_refused_cheaply() -> None:
    # From one side of the image to the other and back, 20,000 times.
    ring = [0.0, 0.0, 640.0, 480.0] * 20_000
    tracemalloc.start()
    try:
        with pytest.raises(MaskError) as caught:
            masks.from_polygons([ring], 480, 640)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.rule == "polygon_too_long"
    assert peak < 20 << 20
