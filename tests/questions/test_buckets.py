"""Buckets: small, fixed by their members' own bits, and little moved by a change."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions import buckets

hashes = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=300, unique=True)


def _homes(numbers: list[int], most: int = 8) -> list[frozenset[int]]:
    found = buckets.cut(buckets.bits_of(numbers), most)
    return [frozenset(numbers[place] for place in bucket.members) for bucket in found]


@given(hashes)
def test_every_instance_is_in_one_bucket_of_bounded_size(numbers: list[int]) -> None:
    homes = _homes(numbers)
    assert sorted(number for home in homes for number in home) == sorted(numbers)
    assert all(0 < len(home) <= 8 for home in homes)


@given(hashes, st.randoms(use_true_random=False))
def test_buckets_do_not_depend_on_the_order(numbers: list[int], random: object) -> None:
    mixed = list(numbers)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert set(_homes(mixed)) == set(_homes(numbers))


@given(hashes)
def test_removing_one_instance_leaves_the_buckets_of_others_alone(numbers: list[int]) -> None:
    before, after = _homes(numbers), _homes(numbers[1:])
    touched = next(home for home in before if numbers[0] in home)
    unmoved = [home for home in before if home in after]
    # What is gone: its own bucket, and those that it merged with, which are now few enough to be one.
    moved = set().union(*(home for home in before if home not in unmoved))
    assert moved >= touched
    assert len(moved) <= 9
    assert len(moved) == len(touched) or len(moved) == 9


def test_strata_part_objects_by_the_border_and_by_half_octaves() -> None:
    size = np.array([-4.0, -3.6, -3.4, -4.0], np.float32)
    strata = buckets.strata(size, np.array([False, False, False, True])).tolist()
    assert strata[0] == strata[1]
    assert len(set(strata)) == 3


def test_instances_that_share_all_bits_stay_together() -> None:
    assert len(list(buckets.cut(buckets.bits_of([5] * 20), 8))) == 1
