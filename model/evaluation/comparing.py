"""Two models on the same questions: the difference of each metric, with an interval from draws that both share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from model.evaluation import intervals
from model.evaluation.answers import EvaluationError
from model.evaluation.intervals import Interval, bounds
from model.evaluation.slices import Slice
from model.evaluation.streaming import Stream


@dataclass(frozen=True, slots=True)
class Difference:
    """The first model's metric less the second's, on one slice."""

    slice: Slice
    metric: str
    interval: Interval
    higher: float
    """Share of the replicates in which the first is higher, those in which both are equal counted half."""
    units: int


def compare(
    first: Stream,
    second: Stream,
    replicates: int = intervals.REPLICATES,
    seed: int = 0,
    *,
    of: Iterable[Slice] | None = None,
) -> list[Difference]:
    """The differences of the metrics that both have, in all slices or in those of `of`, sorted by slice.

    Most of what a score varies by is how hard the drawn questions are, which both models share: so the interval of the difference
    is narrower than those of the two scores let one think. Raises EvaluationError if the two were not asked the same.
    """
    if first.unit != second.unit or first.wanted.conditioning != second.wanted.conditioning:
        raise _not_the_same("the two models were not measured in the same way")
    if first.asked != second.asked:
        counts = f"the one {first.asked[0]}, the other {second.asked[0]}"
        raise _not_the_same(f"the two models were not asked the same questions ({counts})")
    slices = sorted(first.tallies if of is None else of)
    return [one for each in slices if each in second.tallies for one in _within(first, second, each, replicates, seed)]


def _within(first: Stream, second: Stream, of: Slice, replicates: int, seed: int) -> Iterator[Difference]:
    """The differences in a slice; not of a metric of which either has nothing to say there."""
    keys, sums = _sorted(first, of)
    other_keys, other_sums = _sorted(second, of)
    if not np.array_equal(keys, other_keys):
        raise _not_the_same(f"the two models were not asked the same questions in {of.label} of {of.split}")
    drawn = intervals.resampled(keys, np.hstack([sums, other_sums]), replicates, seed)
    mine, its = drawn[:, : first.columns], drawn[:, first.columns :]
    for number, metric in enumerate(first.metrics):
        if metric not in second.metrics:
            continue
        value = float(first.value(metric, sums.sum(axis=0)) - second.value(metric, other_sums.sum(axis=0)))
        if np.isnan(value):
            continue
        gap = first.value(metric, mine) - second.value(metric, its)
        there = gap[~np.isnan(gap)]
        higher = float((there > 0).mean() + (there == 0).mean() / 2) if len(there) else float("nan")
        place = second.metrics.index(metric)
        units = int(((sums[:, 2 * number + 1] > 0) | (other_sums[:, 2 * place + 1] > 0)).sum())
        yield Difference(of, metric, bounds(value, gap, units, share=False), higher, units)


def _sorted(stream: Stream, of: Slice) -> tuple[intervals.Keys, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    keys, sums = stream.tallies[of].sums()
    order = np.argsort(keys)
    return keys[order], sums[order]


def _not_the_same(what: str) -> EvaluationError:
    return EvaluationError(what, mend="Evaluate both on the same questions, with the same settings")
