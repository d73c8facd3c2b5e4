"""Near-duplicate hashes are found without comparing each with each, and no others are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from partonomy_data.splits.alike import informative, near_pairs
from partonomy_data.splits.settings import MOST_BITS


def plain(hashes: NDArray[np.uint64], bits: int) -> list[tuple[int, int]]:
    """The pairs by comparing each with each."""
    values = [int(one) for one in hashes]
    return [
        (i, j)
        for i in range(len(values))
        for j in range(i + 1, len(values))
        if (values[i] ^ values[j]).bit_count() <= bits
    ]


def ascending(values: set[int]) -> NDArray[np.uint64]:
    return np.array(sorted(values), dtype=np.uint64)


@st.composite
def families(draw: st.DrawFn) -> NDArray[np.uint64]:
    """Hashes in clouds: some bits of a few random ones turned."""
    values = set()
    for base in draw(st.lists(st.integers(0, 2**64 - 1), max_size=4)):
        for bits in draw(st.lists(st.sets(st.integers(0, 63), max_size=7), max_size=8)):
            values.add(base ^ sum(1 << bit for bit in bits))
    return ascending(values)


@given(families(), st.integers(0, MOST_BITS))
def test_pairs_are_those_of_comparing_each_with_each(hashes: NDArray[np.uint64], bits: int) -> None:
    assert [tuple(pair) for pair in near_pairs(hashes, bits).tolist()] == plain(hashes, bits)


@pytest.mark.parametrize("bits", [1, 4, 5, 8])
def test_no_pair_is_missed_wherever_the_bits_lie(bits: int) -> None:
    rng = np.random.default_rng(bits)
    base = 0x0123456789ABCDEF
    for _ in range(300):
        turned = rng.choice(64, size=bits, replace=False)
        other = base ^ sum(1 << int(bit) for bit in turned)
        assert len(near_pairs(ascending({base, other}), bits)) == 1
        assert len(near_pairs(ascending({base, other}), bits - 1)) == 0


def test_random_hashes_have_few_neighbors_and_all_are_found() -> None:
    rng = np.random.default_rng(7)
    hashes = np.unique(rng.integers(0, 2**64, 3000, dtype=np.uint64, endpoint=False))
    planted = np.unique(np.concatenate([hashes, hashes[::30] ^ np.uint64(1 << 40 | 1 << 3)]))
    found = near_pairs(planted, 4)
    assert [tuple(pair) for pair in found.tolist()] == plain(planted, 4)
    assert len(found) >= 100


def test_hashes_made_to_agree_cost_a_bounded_number_of_comparisons() -> None:
    agreeing = ascending(set(range(1000)))  # they agree in all bands but the lowest
    bounded = {tuple(pair) for pair in near_pairs(agreeing, 2, window=5).tolist()}
    assert bounded < set(plain(agreeing, 2))
    assert all(pair in bounded for pair in plain(agreeing[:6], 2))


@pytest.mark.parametrize(
    ("one", "says_something"),
    [(0, False), (2**64 - 1, False), (1 << 63, False), (0xFFFF, False), (0x5555555555555555, True)],
)
def test_a_hash_of_ties_says_nothing(one: int, says_something: bool) -> None:
    assert informative(np.array([one], dtype=np.uint64)).tolist() == [says_something]
