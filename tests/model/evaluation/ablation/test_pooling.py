"""Several trainings of a model: their mean, an interval that holds questions and seeds, and differences on the same draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.evaluation import gaps, intervals
from model.evaluation.ablation import pooling
from model.evaluation.answers import EvaluationError, Prediction
from model.evaluation.scoring import Wanted
from model.evaluation.slices import Slice
from model.evaluation.streaming import Stream
from tests.model.evaluation import made_up

METRICS = ("accuracy", "span_f1", "strict_giou_oracle")
REPLICATES = 400
ALL = Slice("test", "all", "all", "all")


def streams(seeds: int, n: int = 40, split: str = "test") -> list[Stream]:
    """The same questions, answered by so many models."""
    truths, _ = made_up.world(5 if split == "test" else 6, n, split=split)
    found = []
    for seed in range(seeds):
        generator = np.random.default_rng((9, seed))
        stream = Stream(Wanted())
        stream.add(truths, [made_up.prediction(generator, of) for of in truths])
        found.append(stream)
    return found


@pytest.mark.parametrize("metric", METRICS)
def test_one_training_has_the_interval_that_it_has_alone(metric: str) -> None:
    (stream,) = streams(1)
    alone = next(row for row in stream.rows(REPLICATES) if (row.slice, row.metric) == (ALL, metric))
    found = pooling.pooled([stream], metric, ALL, REPLICATES)
    assert found is not None
    assert found.interval == alone.interval
    assert (found.by_seed, found.n) == ((alone.interval.value,), alone.n)


@pytest.mark.parametrize("metric", METRICS)
def test_several_have_their_mean_and_an_interval_of_draws_of_both(metric: str) -> None:
    several = streams(3)
    found = pooling.pooled(several, metric, ALL, REPLICATES)
    assert found is not None
    alone = [pooling.pooled([one], metric, ALL, REPLICATES) for one in several]
    assert found.by_seed == tuple(one.interval.value for one in alone if one is not None)
    assert found.interval.value == pytest.approx(np.mean(found.by_seed))
    picked = np.random.default_rng(0).integers(3, size=(3, REPLICATES))
    means = []
    for replicate in range(REPLICATES):
        values = []
        for seed in picked[:, replicate]:
            keys, sums = several[seed].tallies[ALL].sums()
            weights = intervals.weights(keys, REPLICATES, 0)[replicate].astype(float)
            values.append(float(several[seed].value(metric, weights @ sums)))
        means.append(np.mean(values))
    units = len(several[0].tallies[ALL].sums()[0])
    wanted = intervals.bounds(found.interval.value, np.array(means), units, share=False)
    assert (found.interval.low, found.interval.high) == pytest.approx((wanted.low, wanted.high))


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_share_of_nothing_or_all_has_the_binomial_interval_with_any_number_of_seeds(seeds: int) -> None:
    truths, _ = made_up.world(5, 12, split="test")
    truths = [replace(one, group=f"{number // 2}") for number, one in enumerate(truths)]
    for right, ends in ((True, (0.025 ** (1 / 6), 1.0)), (False, (0.0, 1 - 0.025 ** (1 / 6)))):
        stream = Stream(Wanted(frozenset({"choices"})))
        stream.add(truths, [Prediction(one.question_id, chosen=one.correct if right else None) for one in truths])
        found = pooling.pooled([stream] * seeds, "accuracy", ALL, REPLICATES)
        assert found is not None
        assert (found.interval.value, found.interval.low, found.interval.high) == pytest.approx((float(right), *ends))


def test_a_difference_from_oneself_is_nothing_and_from_another_is_of_the_same_draws() -> None:
    several = streams(4)
    itself = pooling.gap(several[:2], several[:2], "accuracy", ALL, REPLICATES)
    assert itself is not None
    assert (itself.value, itself.low, itself.high) == (0, 0, 0)
    first, second = (pooling.pooled(some, "accuracy", ALL, REPLICATES) for some in (several[:2], several[2:]))
    assert first is not None
    assert second is not None
    there, back = (
        pooling.gap(*some, "accuracy", ALL, REPLICATES)
        for some in ((several[:2], several[2:]), (several[2:], several[:2]))
    )
    assert there is not None
    assert back is not None
    assert there.value == pytest.approx(first.interval.value - second.interval.value)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_two_splits_are_drawn_apart_with_the_seeds_together() -> None:
    inside, outside = streams(2), streams(2, split="test_unseen_part")
    splits = ("test", "test_unseen_part")
    found = pooling.apart(inside, outside, "accuracy", splits, REPLICATES)
    back = pooling.apart(outside, inside, "accuracy", (splits[1], splits[0]), REPLICATES)
    assert found is not None
    assert back is not None
    means = []
    for several, split in ((inside, splits[0]), (outside, splits[1])):
        value = pooling.pooled(several, "accuracy", pooling.whole(split), REPLICATES)
        assert value is not None
        means.append(value.interval.value)
    assert found.value == pytest.approx(means[1] - means[0])
    assert found.low < found.value < found.high
    assert (found.low, found.high) == pytest.approx((-back.high, -back.low))
    # One training's gap is that which its own report tells.
    (alone,) = (one for one in gaps.gaps(inside[0], outside[0], REPLICATES) if one.metric == "accuracy")
    single = pooling.apart(inside[:1], outside[:1], "accuracy", splits, REPLICATES)
    assert single is not None
    assert (single.value, single.low, single.high) == pytest.approx(
        (alone.interval.value, alone.interval.low, alone.interval.high)
    )


def test_what_a_model_does_not_have_is_left_out() -> None:
    blind = Stream(Wanted(frozenset({"choices"})))
    truths, predictions = made_up.world(1, 12, split="test")
    blind.add(truths, predictions)
    assert pooling.pooled([blind], "span_f1", ALL) is None
    assert pooling.gap([blind], streams(1), "span_f1", ALL) is None


def test_models_that_were_asked_other_questions_are_not_compared() -> None:
    (mine,), other = streams(1), Stream(Wanted())
    truths, predictions = made_up.world(5, 40, split="test")
    truths = [replace(one, photograph="another") for one in truths]
    other.add(truths, predictions)
    with pytest.raises(EvaluationError, match="not asked the same questions"):
        pooling.gap([mine], [other], "accuracy", ALL)
    with pytest.raises(EvaluationError, match="same seeds"):
        pooling.gap([mine], [mine, mine], "accuracy", ALL)
