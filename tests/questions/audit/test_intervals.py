"""Intervals cover what they should, know blocks, and don't cry wolf."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from partonomy_data.questions.audit.intervals import Bootstrap, Interval, contains, intervals
from tests.questions.audit.test_against_loops import table_of

SETS = [frozenset({"part 1"}), frozenset({"part 2"})]


def bootstrap(units: int, seed: int = 0) -> Bootstrap:
    return Bootstrap.of(table_of([SETS] * units), 1_000, seed)


def of(won: NDArray[np.float64], unit: NDArray[np.int64], chance: float = 0.2, family: int = 1) -> Interval:
    units = int(unit.max()) + 1
    weights = bootstrap(units)
    return intervals(won[:, None], np.full(len(won), chance), unit, weights, 0.95, family)[0]


def test_intervals_of_independent_questions_are_those_of_a_share() -> None:
    generator = np.random.default_rng(1)
    won = (generator.random(3_000) < 0.3).astype(float)
    found = of(won, np.arange(3_000))
    error = np.sqrt(won.mean() * (1 - won.mean()) / 3_000)
    assert found.accuracy == pytest.approx(won.mean())
    assert found.low == pytest.approx(won.mean() - 1.96 * error, abs=0.004)
    assert found.high == pytest.approx(won.mean() + 1.96 * error, abs=0.004)
    assert not contains(found, 0.2)


def test_questions_of_a_unit_count_once() -> None:
    generator = np.random.default_rng(2)
    won = (generator.random(100) < 0.3).astype(float)
    alone, together = of(won, np.arange(100)), of(np.repeat(won, 9), np.repeat(np.arange(100), 9))
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.05)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    generator = np.random.default_rng(3)
    weights = bootstrap(150)
    unit = np.repeat(np.arange(150), 4)
    won = (generator.random((150, 300)) < 0.2).repeat(4, axis=0).astype(float)
    found = intervals(won, np.full(600, 0.2), unit, weights, 0.95, 1)
    covered = sum(one.low <= 0.2 <= one.high for one in found) / len(found)
    wider = sum(contains(one, 0.2) for one in found) / len(found)
    assert 0.9 <= covered <= 0.99
    assert 0.91 <= wider <= 0.99


def test_a_family_of_attackers_is_rarely_beyond_chance_together() -> None:
    generator = np.random.default_rng(4)
    weights = bootstrap(200)
    alarms = 0
    for _ in range(60):
        won = (generator.random((200, 50)) < 0.2).astype(float)
        found = intervals(won, np.full(200, 0.2), np.arange(200), weights, 0.95, 50)
        alarms += any(not contains(one, 0.2) for one in found)
    assert alarms <= 8


def test_blocks_that_are_always_worth_chance_have_a_point() -> None:
    for k in (3, 4, 5):
        unit = np.repeat(np.arange(40), k)
        won = np.tile([1.0] + [0.0] * (k - 1), 40)
        found = of(won, unit, 1 / k)
        assert found.low == found.high == found.family_low == pytest.approx(1 / k)
        assert contains(found, 1 / k)


def test_blocks_of_several_sizes_are_worth_chance_all_together() -> None:
    won = np.concatenate([[1, 0, 0], [0, 1, 0, 0], [0.5, 0.5, 0, 0, 0]])
    chance = np.repeat([1 / 3, 1 / 4, 1 / 5], [3, 4, 5])
    unit = np.repeat([0, 1, 2], [3, 4, 5])
    (found,) = intervals(won[:, None], chance, unit, bootstrap(3), 0.95, 100)
    assert found.low == found.high == pytest.approx(0.25)
    assert contains(found, float(chance.mean()))


def test_few_units_without_variation_are_not_taken_for_certain() -> None:
    found = of(np.zeros(3), np.arange(3))
    assert (found.low, found.accuracy) == (0.0, 0.0)
    assert contains(found, 0.2)
    assert not contains(of(np.zeros(300), np.arange(300)), 0.2)
    assert contains(of(np.ones(1), np.zeros(1, np.int64)), 0.2)


def test_many_units_are_binned_without_changing_the_interval_much() -> None:
    generator = np.random.default_rng(5)
    won = (generator.random(20_000) < 0.2).astype(float)
    found = of(won, np.arange(20_000))
    error = np.sqrt(0.16 / 20_000)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.12)
