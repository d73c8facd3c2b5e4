"""Hints of several instances."""

from __future__ import annotations

import numpy as np
import pytest

from partonomy_data.sources.partimagenet.instances import large_regions, may_be_several


@pytest.mark.parametrize(
    ("counts", "supercategory", "several"),
    [
        ({"head": 1, "body": 1, "foot": 4, "tail": 1}, "Quadruped", False),
        ({"head": 2}, "Quadruped", True),
        ({"foot": 5}, "Quadruped", True),
        ({"foot": 3}, "Reptile", False),
        ({"foot": 3}, "Biped", True),
        ({"foot": 3}, "Bird", True),
        ({"hand": 2, "foot": 2}, "Biped", False),
        ({"wing": 3}, "Bird", True),
        ({"tire": 9}, "Car", False),
        ({"sail": 5, "body": 1}, "Boat", False),
        ({}, "Fish", False),
    ],
)
def test_more_of_a_part_than_one_object_has_is_a_hint(
    counts: dict[str, int], supercategory: str, several: bool
) -> None:
    assert may_be_several(counts, supercategory) is several


def test_regions_count_from_a_tenth_of_the_largest_and_touch_at_corners() -> None:
    bitmap = np.zeros((40, 60), dtype=bool)
    assert large_regions(bitmap) == 0
    bitmap[0:10, 0:10] = True
    bitmap[10:12, 10:12] = True  # touches at a corner
    assert large_regions(bitmap) == 1
    bitmap[30, 30:35] = True  # 5 of 104 pixels
    assert large_regions(bitmap) == 1
    bitmap[20:24, 40:44] = True
    assert large_regions(bitmap) == 2
