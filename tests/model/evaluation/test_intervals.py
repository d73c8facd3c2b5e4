"""The bootstrap: its draws, what it covers, and what happens at the ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm, t

from model.evaluation import intervals
from model.evaluation.intervals import bounds, key_of, ratio, resampled, weights

KEYS = np.array([key_of(f"block {number}") for number in range(400)], np.uint64)


def test_a_units_weights_depend_on_no_other_unit_and_no_number_of_replicates() -> None:
    drawn = weights(KEYS, 50, seed=1)
    for place in (0, 7, 399):
        assert np.array_equal(drawn[:, place], weights(KEYS[place : place + 1], 50, seed=1)[:, 0])
    assert np.array_equal(drawn[:20], weights(KEYS, 20, seed=1))
    assert not np.array_equal(drawn, weights(KEYS, 50, seed=2))


def test_the_weights_are_poisson_draws_independent_of_each_other() -> None:
    drawn = weights(KEYS, 1000, seed=0).astype(np.float64)
    shares = np.bincount(drawn.astype(int).ravel(), minlength=5)[:5] / drawn.size
    assert shares == pytest.approx([0.3679, 0.3679, 0.1839, 0.0613, 0.0153], abs=0.003)
    across = np.corrcoef(drawn[:, :100].T)[np.triu_indices(100, 1)]
    along = np.corrcoef(drawn[:100])[np.triu_indices(100, 1)]
    assert abs(across).max() < 0.2
    assert across.std() == pytest.approx(1000**-0.5, rel=0.1)
    assert along.std() == pytest.approx(400**-0.5, rel=0.1)


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 3))
def test_replicates_are_weighted_sums_whatever_the_order_and_the_chunks(seed: int, units: int, columns: int) -> None:
    generator = np.random.default_rng(seed)
    sums, keys = generator.normal(size=(units, columns)), KEYS[:units]
    drawn = resampled(keys, sums, 30, seed=3)
    slow = [
        [sum(int(w) * row[column] for w, row in zip(weight, sums, strict=True)) for column in range(columns)]
        for weight in weights(keys, 30, seed=3)
    ]
    assert drawn == pytest.approx(np.array(slow))
    order = generator.permutation(units)
    assert np.array_equal(resampled(keys[order], sums[order], 30, seed=3), drawn)


def test_units_that_do_not_fit_at_once_are_drawn_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = np.random.default_rng(0).normal(size=(100, 2))
    whole = resampled(KEYS[:100], sums, 30)
    monkeypatch.setattr(intervals, "_AT_ONCE", 30 * 7)
    assert resampled(KEYS[:100], sums, 30) == pytest.approx(whole)


def test_intervals_of_blocks_cover_what_they_should() -> None:
    """Blocks of five questions that stand and fall together: 95 % of the intervals hold the truth, give or take."""
    generator, covered, single = np.random.default_rng(4), 0, 0
    for trial in range(200):
        hard = generator.beta(1.2, 1.2, 60)
        hits = generator.binomial(5, hard).astype(np.float64)
        sums = np.stack([hits, np.full(60, 5.0)], axis=1)
        value = float(hits.sum() / 300)
        found = bounds(value, ratio(resampled(KEYS[:60], sums, 200, seed=trial), 0, 1), 60)
        covered += found.low <= 0.5 <= found.high
        single += abs(value - 0.5) <= 1.96 * np.sqrt(value * (1 - value) / 300)
    assert 0.89 <= covered / 200 <= 0.99
    assert single / 200 < 0.85, "questions alone would promise too much, or this shows nothing"


@pytest.mark.parametrize("units", [2, 10, 100])
def test_all_or_nothing_has_the_binomial_interval_on_units(units: int) -> None:
    none = bounds(0.0, np.zeros(50), units)
    every = bounds(1.0, np.ones(50), units)
    assert (none.low, every.high) == (0, 1)
    assert binom.pmf(0, units, none.high) == pytest.approx(0.025)
    assert binom.pmf(units, units, every.low) == pytest.approx(0.025)


def test_what_can_be_negative_has_no_binomial_interval() -> None:
    assert bounds(0.0, np.linspace(-1, 1, 201), 10**9, share=False).low == pytest.approx(-0.95)


@pytest.mark.parametrize("units", [8, 15])
def test_intervals_of_few_units_cover_what_they_should(units: int) -> None:
    """The plain percentiles of so few would hold the truth far less often than is said."""
    generator, covered, plain = np.random.default_rng(5), 0, 0
    for trial in range(400):
        sums = np.stack([generator.normal(size=units), np.ones(units)], axis=1)
        value, drawn = float(sums[:, 0].mean()), ratio(resampled(KEYS[:units], sums, 300, seed=trial), 0, 1)
        found = bounds(value, drawn, units, share=False)
        covered += found.low <= 0 <= found.high
        low, high = np.nanquantile(drawn, [0.025, 0.975])
        plain += low <= 0 <= high
    assert plain / 400 < 0.93, "or this shows nothing"
    assert covered > plain
    assert 0.90 <= covered / 400 <= 0.99


@pytest.mark.parametrize("units", [2, 5, 30, 1000])
def test_the_expanded_percentiles_make_the_interval_of_a_normal_mean_students(units: int) -> None:
    """Replicates of a mean spread by the root of (n - 1)/n of its standard error."""
    spread = np.sqrt((units - 1) / units)
    normal = norm.ppf((np.arange(1_000_000) + 0.5) / 1_000_000) * spread
    wanted = -t.ppf(0.975, units - 1)
    if wanted > normal[10]:
        assert bounds(0.0, normal, units, share=False).low == pytest.approx(wanted, rel=1e-3)
    else:
        assert bounds(0.0, normal, units, share=False).low == pytest.approx(normal[0])


def test_one_unit_or_none_has_no_interval_and_empty_replicates_are_left_out() -> None:
    assert np.isnan(bounds(0.5, np.full(10, 0.5), 1).low)
    assert np.isnan(bounds(float("nan"), np.full(10, np.nan), 3).high)
    found = bounds(0.5, np.array([np.nan, 0.4, 0.6]), 3)
    assert 0.4 <= found.low < found.high <= 0.6


def test_a_ratio_over_nothing_is_no_number() -> None:
    assert ratio(np.array([[1.0, 2.0], [0.0, 0.0]]), 0, 1) == pytest.approx([0.5, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("low", "high", "where"),
    [(0.4, 0.5, 1), (0.3, 0.4, 0), (0.2, 0.3, -1), (1 / 3 + 1e-12, 0.4, 0), (0.2, 1 / 3 - 1e-12, 0)],
)
def test_an_interval_lies_beside_a_level_only_by_more_than_rounding(low: float, high: float, where: int) -> None:
    assert intervals.side(low, high, 1 / 3) == where
