"""Metrics over several trainings of a model, with intervals that hold both what was drawn: questions, and seeds.

A replicate draws units of questions, the same for all models, and seeds of the training with replacement. Variants are
compared on the same draws of both. With few seeds the spread between them is known but roughly: each is told as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation import intervals
from model.evaluation.answers import EvaluationError
from model.evaluation.intervals import Interval, bounds
from model.evaluation.marks import Floats
from model.evaluation.slices import ALL, Slice
from model.evaluation.streaming import SIGNED, Stream


@dataclass(frozen=True, slots=True)
class Pooled:
    """A metric of a variant."""

    interval: Interval
    """Its value is the mean over the seeds."""
    by_seed: tuple[float, ...]
    n: int
    """Questions."""


def whole(split: str) -> Slice:
    """The slice of all questions of a split."""
    return Slice(split, ALL, ALL, ALL)


def pooled(streams: Sequence[Stream], metric: str, of: Slice, replicates: int = intervals.REPLICATES) -> Pooled | None:
    """A metric over seeds; None where the model has no such metric, or nothing to say of it."""
    if any(metric not in one.metrics for one in streams):
        return None
    number = streams[0].metrics.index(metric)
    n = int(streams[0].tallies[of].questions[number])
    if not n:
        return None
    values, drawn, units = _drawn(streams, metric, of, replicates)
    value = float(np.mean(values))
    return Pooled(bounds(value, _mean(drawn, replicates), units, share=metric not in SIGNED), values, n)


def gap(
    first: Sequence[Stream], second: Sequence[Stream], metric: str, of: Slice, replicates: int = intervals.REPLICATES
) -> Interval | None:
    """How much higher the first is than the second. Raises EvaluationError if they weren't asked the same, as often."""
    if len(first) != len(second):
        raise EvaluationError("the two were not trained with the same seeds")
    if any(metric not in one.metrics for one in (*first, *second)):
        return None
    for mine, other in zip(first, second, strict=True):
        _check(mine, other, of)
    values, drawn, units = _drawn(first, metric, of, replicates)
    others, other_drawn, _ = _drawn(second, metric, of, replicates)
    if np.isnan([*values, *others]).any():
        return None
    value = float(np.mean(values) - np.mean(others))
    return bounds(value, _mean(drawn - other_drawn, replicates), units, share=False)


def apart(
    inside: Sequence[Stream],
    outside: Sequence[Stream],
    metric: str,
    splits: tuple[str, str],
    replicates: int = intervals.REPLICATES,
) -> Interval | None:
    """How much higher the same models are on the second of two splits, which have no question in common; None where nothing is.

    The units of each split are drawn apart, seeds together.
    """
    if any(metric not in one.metrics for one in (*inside, *outside)):
        return None
    values, drawn, units = _drawn(inside, metric, whole(splits[0]), replicates)
    others, other_drawn, other_units = _drawn(outside, metric, whole(splits[1]), replicates)
    if np.isnan([*values, *others]).any():
        return None
    value = float(np.mean(others) - np.mean(values))
    return bounds(value, _mean(other_drawn - drawn, replicates), min(units, other_units), share=False)


def _drawn(streams: Sequence[Stream], metric: str, of: Slice, replicates: int) -> tuple[tuple[float, ...], Floats, int]:
    """The value with each seed, the values of each seed's replicates (seeds, replicates), and the number of units."""
    values, drawn, units = [], [], 0
    for stream in streams:
        keys, sums = stream.tallies[of].sums()
        values.append(float(stream.value(metric, sums.sum(axis=0))))
        drawn.append(stream.value(metric, intervals.resampled(keys, sums, replicates)))
        units = int((sums[:, 2 * stream.metrics.index(metric) + 1] > 0).sum())
    return tuple(values), np.stack(drawn), units


def _mean(drawn: Floats, replicates: int) -> Floats:
    """Of each replicate, the mean over the seeds that it draws."""
    seeds = len(drawn)
    picked: NDArray[np.int64] = np.random.default_rng(0).integers(seeds, size=(seeds, replicates))
    return np.asarray(np.take_along_axis(drawn, picked, 0).mean(axis=0))


def _check(first: Stream, second: Stream, of: Slice) -> None:
    keys, others = (np.sort(one.tallies[of].sums()[0]) if of in one.tallies else np.zeros(0) for one in (first, second))
    if not np.array_equal(keys, others):
        raise EvaluationError(
            "two variants were not asked the same questions", mend="Evaluate all with the same settings"
        )
