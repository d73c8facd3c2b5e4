"""Sums of a model's scores by photograph, and what they come to: values with intervals, and the paired difference of two models.

Questions about one photograph are not independent, so intervals draw photographs; POPE asks six about each.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from model.evaluation import intervals
from model.evaluation.answers import EvaluationError
from model.evaluation.general.asking import Answered
from model.evaluation.general.reading import WHYS, Format, LeftOut
from model.evaluation.general.scoring import METRICS, Pairs, score
from model.evaluation.intervals import Interval, Keys
from model.evaluation.marks import Floats
from model.evaluation.tallies import Tally

#: Lines about rows that were left out, or refused by the model, that are kept.
_TOLD: Final = 20


@dataclass(frozen=True, slots=True)
class Row:
    """A metric of a model."""

    metric: str
    interval: Interval
    n: int
    """Questions that have a say in it."""
    n_skipped: int
    """Those of them that the model couldn't be asked; they count as wrong."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first model's metric less the second's."""

    metric: str
    interval: Interval
    higher: float
    """Share of the replicates in which the first is higher, those in which both are equal counted half."""


@dataclass
class Sums:
    """What a model's answers to a set come to so far."""

    form: Format
    rows: int = 0
    """Rows of the file."""
    scored: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """By `Why`."""
    over: int = 0
    """Questions beyond the limit."""
    problems: list[str] = field(default_factory=list)
    """The first lines about rows that were left out."""
    refused: list[str] = field(default_factory=list)
    """The first lines about questions that the model couldn't be asked."""

    def __post_init__(self) -> None:
        self.metrics = METRICS[self.form]
        self.tally = Tally(2 * len(self.metrics), len(self.metrics))

    def add(self, row: Answered | LeftOut) -> Pairs | None:
        """Counts a row; its score, if it has one."""
        self.rows += 1
        if isinstance(row, LeftOut):
            self.left_out[row.why] += 1
            if len(self.problems) < _TOLD:
                self.problems.append(str(row))
            return None
        self.scored += 1
        if row.text is None and len(self.refused) < _TOLD:
            self.refused.append(f"question {row.question.question_id}: {row.refused}")
        found = score(self.form, row.question, row.text)
        pairs = np.asarray(found, np.float64)
        self.tally.add([intervals.key_of(row.question.image.name)], pairs.reshape(1, -1))
        has_say = (pairs[:, 1] > 0).astype(np.int64)
        self.tally.count(has_say, has_say * (row.text is None))
        return found

    def counts(self) -> dict[str, int]:
        """How many rows were left out, by why; those of which there are none too."""
        return {why: self.left_out[why] for why in WHYS}

    def measured(self, seed: int) -> list[Row]:
        """The metrics, with intervals."""
        keys, sums = _sorted(self)
        drawn = intervals.resampled(keys, sums, seed=seed)
        found = []
        for number, metric in enumerate(self.metrics):
            top, bottom = 2 * number, 2 * number + 1
            value = float(intervals.ratio(sums.sum(axis=0), top, bottom))
            units = int((sums[:, bottom] > 0).sum())
            interval = intervals.bounds(value, intervals.ratio(drawn, top, bottom), units)
            n, unusable = int(self.tally.questions[number]), int(self.tally.unusable[number])
            found.append(Row(metric, interval, n, unusable))
        return found


def differences(first: Sums, second: Sums, seed: int) -> list[Difference]:
    """The first model's metrics less the second's, on the same draws of photographs.

    Raises EvaluationError where the two weren't asked the same: the files have changed meanwhile.
    """
    keys, sums = _sorted(first)
    other_keys, other_sums = _sorted(second)
    if first.scored != second.scored or not np.array_equal(keys, other_keys):
        raise EvaluationError("the two models were not asked the same questions", mend="Leave the files as they are")
    columns = sums.shape[1]
    drawn = intervals.resampled(keys, np.hstack([sums, other_sums]), seed=seed)
    found = []
    for number, metric in enumerate(first.metrics):
        top, bottom = 2 * number, 2 * number + 1
        mine, its = intervals.ratio(drawn, top, bottom), intervals.ratio(drawn, columns + top, columns + bottom)
        gap = mine - its
        value = float(
            intervals.ratio(sums.sum(axis=0), top, bottom) - intervals.ratio(other_sums.sum(axis=0), top, bottom)
        )
        there = gap[~np.isnan(gap)]
        higher = float((there > 0).mean() + (there == 0).mean() / 2) if len(there) else float("nan")
        units = int(((sums[:, bottom] > 0) | (other_sums[:, bottom] > 0)).sum())
        found.append(Difference(metric, intervals.bounds(value, gap, units, share=False), higher))
    return found


def _sorted(sums: Sums) -> tuple[Keys, Floats]:
    keys, values = sums.tally.sums()
    order = np.argsort(keys)
    return keys[order], values[order]
