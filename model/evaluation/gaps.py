"""What a model loses on what it has not seen: its metrics on a split out of the distribution, less those within it.

The two splits have no photographs in common, so their replicates are drawn apart: by groups, within which questions draw on each
other's answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from model.evaluation import intervals
from model.evaluation.answers import EvaluationError
from model.evaluation.intervals import Interval, bounds
from model.evaluation.marks import Floats
from model.evaluation.slices import ALL, Slice
from model.evaluation.streaming import Stream

#: The split within the distribution, and those out of it.
INSIDE: Final = "test"
OUTSIDE: Final = ("test_unseen_object", "test_unseen_part", "test_unseen_pair")


@dataclass(frozen=True, slots=True)
class Gap:
    """A metric outside, less the same inside."""

    metric: str
    inside: float
    outside: float
    interval: Interval
    """Of the difference: below 0 where the model does worse on what it hasn't seen."""
    n_inside: int
    n_outside: int


def gaps(inside: Stream, outside: Stream, replicates: int = intervals.REPLICATES, seed: int = 0) -> list[Gap]:
    """The gap of each metric that both have, over all questions of each split. Raises EvaluationError if they differ in units."""
    if inside.unit != outside.unit or inside.wanted.conditioning != outside.wanted.conditioning:
        raise EvaluationError(
            "the two splits were not measured in the same way", mend="Measure both with the same settings"
        )
    (one, drawn), (other, others) = _drawn(inside, replicates, seed), _drawn(outside, replicates, seed)
    found = []
    for metric in inside.metrics:
        if metric not in outside.metrics:
            continue
        number, its = inside.metrics.index(metric), outside.metrics.index(metric)
        n, m = int(inside.tallies[one].questions[number]), int(outside.tallies[other].questions[its])
        if not n or not m:
            continue
        within = float(inside.value(metric, inside.tallies[one].sums()[1].sum(axis=0)))
        without = float(outside.value(metric, outside.tallies[other].sums()[1].sum(axis=0)))
        apart = outside.value(metric, others) - inside.value(metric, drawn)
        units = min(_units(inside, one, number), _units(outside, other, its))
        interval = bounds(without - within, apart, units, share=False)
        found.append(Gap(metric, within, without, interval, n, m))
    return found


def _drawn(stream: Stream, replicates: int, seed: int) -> tuple[Slice, Floats]:
    whole = [of for of in stream.tallies if (of.question_type, of.name, of.evidence) == (ALL, ALL, ALL)]
    if len(whole) != 1:
        raise EvaluationError(
            f"questions of {len(whole)} splits were measured together", mend="Measure one split at a time"
        )
    return whole[0], intervals.resampled(*stream.tallies[whole[0]].sums(), replicates, seed)


def _units(stream: Stream, of: Slice, number: int) -> int:
    return int((stream.tallies[of].sums()[1][:, 2 * number + 1] > 0).sum())
