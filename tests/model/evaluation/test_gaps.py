"""Gaps between splits: the difference of two plain means, with an interval from draws of both."""

from __future__ import annotations

import numpy as np
import pytest

from model.evaluation import gaps
from model.evaluation.answers import EvaluationError
from model.evaluation.scoring import Wanted
from model.evaluation.streaming import Stream
from tests.model.evaluation import made_up


def streamed(seed: int, split: str, n: int = 60, unit: str = "group", right: float | None = None) -> Stream:
    """Questions of a split in groups of three; `right`, if given: the share that is answered right."""
    generator = np.random.default_rng(seed)
    stream = Stream(Wanted(frozenset({"choices", "masks"})), unit=unit)
    for number in range(n):
        truth = made_up.truth(generator, seed * 1000 + number, split=split, group=f"{split} {seed} {number // 3}")
        said = made_up.prediction(generator, truth)
        if right is not None:
            chosen = truth.correct if generator.random() < right else (truth.correct + 1) % len(truth.choices)
            said = made_up.replace(said, scores=None, chosen=chosen)
        stream.add([truth], [said])
    return stream


def found(inside: Stream, outside: Stream, **more: int) -> dict[str, gaps.Gap]:
    return {gap.metric: gap for gap in gaps.gaps(inside, outside, **more)}


def test_a_gap_is_the_difference_of_what_each_split_says_of_itself() -> None:
    inside, outside = streamed(1, "test"), streamed(2, "test_unseen_part")
    own, other = (
        {row.metric: row for row in one.rows(200) if row.slice.label == "all" and row.slice.question_type == "all"}
        for one in (inside, outside)
    )
    gap = found(inside, outside, replicates=200)
    assert {"accuracy", "giou_micro_oracle", "strict_giou_oracle"} <= gap.keys()
    for metric, one in gap.items():
        if metric in own and metric in other and not np.isnan(own[metric].interval.value):
            assert one.inside == pytest.approx(own[metric].interval.value)
            assert one.interval.value == pytest.approx(other[metric].interval.value - own[metric].interval.value)
            assert (one.n_inside, one.n_outside) == (own[metric].n, other[metric].n)
        if not np.isnan(one.interval.low):
            assert one.interval.low <= one.interval.value <= one.interval.high


def test_a_model_that_fails_on_what_it_has_not_seen_is_told_apart_and_one_that_does_not_is_not() -> None:
    good = streamed(1, "test", 150, right=0.9)
    assert found(good, streamed(2, "test_unseen_part", 150, right=0.3))["accuracy"].interval.high < 0
    same = found(good, streamed(3, "test_unseen_part", 150, right=0.9))["accuracy"].interval
    assert same.low < 0 < same.high


def test_the_interval_is_as_wide_as_both_splits_together_make_it() -> None:
    """The variance of a difference of independent means is the sum of theirs."""
    inside, outside = streamed(1, "test", 240, right=0.6), streamed(2, "test_unseen_part", 90, right=0.5)
    gap = found(inside, outside)["accuracy"].interval
    (one,), (other,) = (
        [
            row.interval
            for row in stream.rows()
            if row.metric == "accuracy" and row.slice.label == "all" and row.slice.question_type == "all"
        ]
        for stream in (inside, outside)
    )
    expected = np.hypot(one.high - one.low, other.high - other.low)
    assert gap.high - gap.low == pytest.approx(expected, rel=0.15)


def test_splits_that_were_measured_otherwise_are_refused() -> None:
    with pytest.raises(EvaluationError, match="not measured in the same way"):
        gaps.gaps(streamed(1, "test", 9), streamed(2, "test_unseen_part", 9, unit="block"))
    mixed = streamed(1, "test", 9)
    truth = made_up.truth(np.random.default_rng(0), 9999, split="val")
    mixed.add([truth], [])
    with pytest.raises(EvaluationError, match="2 splits"):
        gaps.gaps(mixed, streamed(2, "test_unseen_part", 9))
