"""Wilson's interval: that of scipy and of the textbook, around the share that it is of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from partonomy_data.llm.purposes.intervals import Z80, Z95, wilson

COUNTS = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_both_ends_are_those_of_scipy(counts: tuple[int, int]) -> None:
    for level, z in ((0.8, Z80), (0.95, Z95)):
        interval = binomtest(*counts).proportion_ci(confidence_level=level, method="wilson")
        assert wilson(*counts, z) == pytest.approx((interval.low, interval.high), abs=1e-9)


@pytest.mark.parametrize(
    ("yes", "of", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0), (0, 0, 0.0, 1.0)],
)
def test_intervals_are_those_of_the_textbook(yes: int, of: int, low: float, high: float) -> None:
    assert wilson(yes, of, Z95) == pytest.approx((low, high), abs=5e-5)


@given(COUNTS)
def test_an_interval_holds_its_share_and_the_narrower_one(counts: tuple[int, int]) -> None:
    (low, high), (inner_low, inner_high) = wilson(*counts, Z95), wilson(*counts, Z80)
    share = counts[0] / counts[1]
    assert 0 <= low <= inner_low + 1e-12
    assert inner_low <= share + 1e-12
    assert share <= inner_high + 1e-12
    assert inner_high <= high + 1e-12 <= 1 + 1e-12
