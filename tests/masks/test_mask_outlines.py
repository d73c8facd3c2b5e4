"""Outlines of masks, filled again by a plain even-odd fill, are the masks."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from partonomy_data import masks

bitmaps = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14))


def filled(path: str, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels inside a path of M, H, V and Z by the even-odd rule: each vertical edge turns over all that is right of it."""
    inside = np.zeros((height, width), np.bool_)
    x = y = 0
    for command, first, second in re.findall(r"([MHV])(\d+)(?: (\d+))?", path):
        if command == "M":
            x, y = int(first), int(second)
        elif command == "H":
            x = int(first)
        else:
            inside[min(y, int(first)) : max(y, int(first)), x:] ^= True
            y = int(first)
    return inside


@given(bitmaps)
def test_the_outline_encloses_exactly_the_pixels_of_the_mask(bitmap: NDArray[np.bool_]) -> None:
    path = masks.to_svg_path(masks.from_bitmap(bitmap))
    assert (filled(path, *bitmap.shape) == bitmap).all()


@given(bitmaps, st.integers(1, 4))
def test_it_turns_at_every_corner_and_nowhere_else(bitmap: NDArray[np.bool_], scale: int) -> None:
    small = masks.to_svg_path(masks.from_bitmap(bitmap))
    large = masks.to_svg_path(masks.from_bitmap(np.kron(bitmap, np.ones((scale, scale), np.bool_))))
    assert large == re.sub(r"\d+", lambda number: str(scale * int(number[0])), small)


@given(bitmaps)
def test_every_ring_ends_where_it_began(bitmap: NDArray[np.bool_]) -> None:
    for ring in masks.to_svg_path(masks.from_bitmap(bitmap)).split("Z")[:-1]:
        numbers = [(command, int(value)) for command, value in re.findall(r"([HV])(\d+)", ring)]
        start = re.match(r"M(\d+) (\d+)", ring)
        assert start is not None
        assert numbers[-2:] != []
        assert (numbers[-2][0], numbers[-1][0]) == ("H", "V")
        assert (numbers[-2][1], numbers[-1][1]) == (int(start[1]), int(start[2]))


@pytest.mark.parametrize(
    ("rows", "path"),
    [
        (["00", "00"], ""),
        (["11", "11"], "M0 0H2V2H0V0Z"),
        (["010"], "M1 0H2V1H1V0Z"),
        (["111", "101", "111"], "M0 0H3V3H0V0ZM1 1H2V2H1V1Z"),
    ],
)
def test_masks_without_pixels_full_ones_and_ones_with_holes(rows: list[str], path: str) -> None:
    bitmap = np.array([[pixel == "1" for pixel in row] for row in rows])
    assert masks.to_svg_path(masks.from_bitmap(bitmap)) == path
