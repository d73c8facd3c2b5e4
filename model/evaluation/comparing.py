"""Two models on the same questions: the difference of each metric, with an interval from draws that both share."""

from __future__ import annotations

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


def compare(first: Stream, second: Stream, replicates: int = intervals.REPLICATES, seed: int = 0) -> list[Difference]:
    """The differences of all metrics in all slices, sorted by slice.

    Most of what a score varies by is how hard the drawn questions are, which both models share: so the interval of the difference
    is narrower than those of the two scores let one think. Raises EvaluationError if the two were not asked the same.
    """
    if first.metrics != second.metrics or first.unit != second.unit or first.tallies.keys() != second.tallies.keys():
        raise _not_the_same("the two models were not measured in the same way, or not on the same slices")
    found = []
    for of in sorted(first.tallies):
        keys, sums = _sorted(first, of)
        other_keys, other_sums = _sorted(second, of)
        asked = first.tallies[of].questions
        if not np.array_equal(keys, other_keys) or not np.array_equal(asked, second.tallies[of].questions):
            raise _not_the_same(f"the two models were not asked the same questions in {of.label} of {of.split}")
        drawn = intervals.resampled(keys, np.hstack([sums, other_sums]), replicates, seed)
        for number, metric in enumerate(first.metrics):
            if asked[number]:
                mine, others = drawn[:, : first.columns], drawn[:, first.columns :]
                gap = first.value(metric, mine) - second.value(metric, others)
                value = float(first.value(metric, sums.sum(axis=0)) - second.value(metric, other_sums.sum(axis=0)))
                there = gap[~np.isnan(gap)]
                higher = float((there > 0).mean() + (there == 0).mean() / 2) if len(there) else float("nan")
                units = int((sums[:, 2 * number + 1] > 0).sum())
                found.append(Difference(of, metric, bounds(value, gap, units, share=False), higher, units))
    return found


def _sorted(stream: Stream, of: Slice) -> tuple[intervals.Keys, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    keys, sums = stream.tallies[of].sums()
    order = np.argsort(keys)
    return keys[order], sums[order]


def _not_the_same(what: str) -> EvaluationError:
    return EvaluationError(what, mend="Evaluate both on the same questions, with the same settings")
