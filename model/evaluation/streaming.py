"""All metrics of any number of questions, with intervals, by slice. Questions come a batch at a time, and are forgotten.

What is kept is sums: of each metric, in each slice, by the unit that the bootstrap draws. So memory grows with the slices, and
with the units until they are put into bins, but not with the questions. Sets of paraphrases are remembered by what was chosen,
blocks until they are complete: so questions had better come block by block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from model.evaluation import calibration, intervals
from model.evaluation.answers import EvaluationError, Prediction, Truth
from model.evaluation.average_precision import Ranking, hits
from model.evaluation.checking import Checked, check
from model.evaluation.consistency import Blocks, Paraphrases
from model.evaluation.intervals import Interval, bounds, key_of, ratio
from model.evaluation.marks import Floats, Marks
from model.evaluation.scoring import Scored, Wanted, score
from model.evaluation.slices import ALL, Slice, size_slices, slices_of
from model.evaluation.tallies import MOST_UNITS, MOST_UNITS_BY_OBJECT, MOST_UNITS_IN_PART, Tally

#: Lines about malformed predictions that are kept; all are counted.
MOST_LINES: Final = 100
#: Metrics that can be below 0.
SIGNED: Final = ("chance_corrected",)
UNITS: Final = ("slice", "block", "group", "photograph")


@dataclass(frozen=True, slots=True)
class Row:
    """A metric of a slice, as the table `evaluations` has it."""

    slice: Slice
    metric: str
    interval: Interval
    n: int
    """Questions (of `block_consistent`, blocks; of `paraphrases_agree`, pairs) that it rests on."""
    n_skipped: int
    """Those of them that count 0 because nothing came that could be scored."""
    units: int
    """Units, or bins, that the interval rests on."""


@dataclass(frozen=True, slots=True)
class _Keys:
    """Keys of the units that a question belongs to."""

    over_types: int
    """Where several question types count together."""
    within: int
    """Within its type."""

    def of(self, one: Slice) -> int:
        """The key of the unit that a slice draws."""
        return self.over_types if one.question_type == ALL else self.within


def _key(truth: Truth, unit: str) -> int:
    if unit == "group" and truth.group is not None:
        return key_of(f"group {truth.group}")
    if unit in ("group", "block") and truth.block is not None:
        return key_of(f"block {truth.block}")
    return key_of(f"photograph {truth.photograph}")


class Stream:
    """The sums of one model on one set of questions."""

    def __init__(self, wanted: Wanted, *, unit: str = "slice", most_units: int = MOST_UNITS) -> None:
        """`unit` is what the bootstrap draws: `group`, `block` or `photograph`; the next of these where a question has none.

        `slice`: groups where several types count together, and blocks within one. A photograph is in a block of each type.
        """
        if unit not in UNITS:
            raise EvaluationError(f"there is no unit {unit!r}", mend=f"Choose from {', '.join(UNITS)}")
        self.wanted, self.unit, self._most = wanted, unit, most_units
        self.problems: Counter[str] = Counter()
        """`unanswered`: questions without a prediction. `malformed`: predictions of which something was refused."""
        self.lines: list[str] = []
        """The first of the lines about them."""
        self.asked = (0, 0)
        """How many questions, and a digest of their ids, whatever their order."""
        self.tallies: dict[Slice, Tally] = {}
        self._blocks, self._paraphrases = Blocks(), Paraphrases()
        empty = score([], wanted)
        #: Metrics that are sums over sums, in the order of their columns.
        self.metrics = [*empty.marks, *(("block_consistent", "paraphrases_agree") if self._chooses else ())]
        self.columns = 2 * len(self.metrics) + (3 * calibration.BINS if self._chooses else 0)

    @property
    def _chooses(self) -> bool:
        return "choices" in self.wanted.measures

    @property
    def open_blocks(self) -> int:
        """Blocks of which questions are still to come; a block that is never complete counts nowhere."""
        return len(self._blocks.open)

    def add(self, truths: Sequence[Truth], predictions: Iterable[Prediction]) -> None:
        """Adds a batch of questions and the predictions for them. Raises EvaluationError as `check` does."""
        checked = check(truths, predictions)
        scored = score(checked, self.wanted)
        self._note(checked)
        values, unusable = self._columns(checked, scored)
        keys = [self._keys_of(truth) for truth in truths]
        of_slice: dict[Slice, list[int]] = {}
        for number, truth in enumerate(truths):
            for one in slices_of(truth):
                of_slice.setdefault(one, []).append(number)
        for one, numbers in of_slice.items():
            self._add(one, [keys[number].of(one) for number in numbers], values[numbers], unusable[numbers])
        for size, marks in scored.by_size.items():
            self._add_size(size, marks, checked, keys)
        self._add_sets(checked, keys)
        if "masks" in self.wanted.measures:
            self._rank(checked, scored)

    def _keys_of(self, truth: Truth) -> _Keys:
        if self.unit == "slice":
            return _Keys(_key(truth, "group"), _key(truth, "block"))
        key = _key(truth, self.unit)
        return _Keys(key, key)

    def _note(self, checked: Sequence[Checked]) -> None:
        for one in checked:
            count, digest = self.asked
            self.asked = (count + 1, digest ^ key_of(one.truth.question_id))
            self.problems["unanswered"] += not one.answered
            self.problems["malformed"] += bool(one.problems)
            self.lines.extend(one.problems[: MOST_LINES - len(self.lines)])

    def _columns(self, checked: Sequence[Checked], scored: Scored) -> tuple[Floats, Floats]:
        """Each question's columns, float64 (n, columns), and whether it is unusable for each metric, (n, metrics)."""
        values = np.zeros((len(checked), self.columns))
        unusable = np.zeros((len(checked), len(self.metrics)))
        for number, name in enumerate(self.metrics):
            if name in scored.marks:
                values[:, 2 * number] = scored.marks[name].top
                values[:, 2 * number + 1] = scored.marks[name].bottom
                unusable[:, number] = scored.unusable[name]
        if self._chooses:
            values[:, 2 * len(self.metrics) :] = calibration.bins(checked)
        return values, unusable

    def _add(self, of: Slice, keys: list[int], values: Floats, unusable: Floats | None = None) -> None:
        tally = self.tallies.get(of)
        if tally is None:
            tally = self.tallies[of] = Tally(self.columns, len(self.metrics), self._most_of(of))
        tally.add(keys, values)
        with_say = values[:, 1 : 2 * len(self.metrics) : 2] > 0
        counted = np.zeros_like(with_say) if unusable is None else with_say & (unusable > 0)
        tally.count(with_say.sum(axis=0), counted.sum(axis=0))

    def _most_of(self, of: Slice) -> int:
        """Of how many units a slice keeps the sums."""
        if of.name == ALL:
            return self._most
        return min(self._most, MOST_UNITS_BY_OBJECT if of.name.startswith("object=") else MOST_UNITS_IN_PART)

    def _add_size(self, size: str, marks: dict[str, Marks], checked: Sequence[Checked], keys: list[_Keys]) -> None:
        for number, one in enumerate(checked):
            values = np.zeros((1, self.columns))
            for name, mark in marks.items():
                column = 2 * self.metrics.index(name)
                values[0, column : column + 2] = mark.top[number], mark.bottom[number]
            if values.any():
                refused = np.full((1, len(self.metrics)), float(one.refused or one.prediction.masks is None))
                for each in size_slices(one.truth, size):
                    self._add(each, [keys[number].of(each)], values, refused)

    def _add_sets(self, checked: Sequence[Checked], keys: list[_Keys]) -> None:
        """Adds what blocks and sets of paraphrases say, in which several questions count together."""
        if not self._chooses:
            return
        for one, key in zip(checked, keys, strict=True):
            own = slices_of(one.truth)
            whole = self._blocks.add(one, own)
            if whole is not None:
                right, shared = whole
                for each in shared:
                    self._add_one(each, key.of(each), "block_consistent", float(right), 1.0)
            agreeing, pairs = self._paraphrases.add(one)
            if pairs:
                for each in own:
                    self._add_one(each, key.of(each), "paraphrases_agree", float(agreeing), float(pairs))

    def _add_one(self, of: Slice, key: int, metric: str, top: float, bottom: float) -> None:
        number = self.metrics.index(metric)
        values = np.zeros((1, self.columns))
        values[0, 2 * number : 2 * number + 2] = top, bottom
        tally = self.tallies[of]
        tally.add([key], values)
        tally.questions[number] += int(bottom)

    def _rank(self, checked: Sequence[Checked], scored: Scored) -> None:
        for one, found in zip(checked, scored.overlaps, strict=True):
            hit = hits(one, found)
            for each in slices_of(one.truth):
                # By object it would rest on few masks, and need a curve for each.
                if each.name == ALL:
                    tally = self.tallies[each]
                    tally.ranking = tally.ranking or Ranking()
                    tally.ranking.add(one, hit)

    def rows(
        self, replicates: int = intervals.REPLICATES, seed: int = 0, *, of: Iterable[Slice] | None = None
    ) -> list[Row]:
        """Every metric of every slice (or of those in `of`) that has a say in it, sorted by slice; AP50 has no interval."""
        slices = sorted(self.tallies if of is None else of)
        return [row for one in slices for row in self._rows(one, replicates, seed)]

    def _rows(self, of: Slice, replicates: int, seed: int) -> list[Row]:
        tally = self.tallies[of]
        keys, sums = tally.sums()
        drawn = intervals.resampled(keys, sums, replicates, seed)
        total = sums.sum(axis=0)
        rows = []
        for number, metric in enumerate(self.metrics):
            n, skipped = int(tally.questions[number]), int(tally.unusable[number])
            if n:
                value = float(self.value(metric, total))
                units = int((sums[:, 2 * number + 1] > 0).sum())
                interval = bounds(value, self.value(metric, drawn), units, share=metric not in SIGNED)
                rows.append(Row(of, metric, interval, n, skipped, units))
        if self._chooses and not np.isnan(error := float(self.value("calibration_error", total))):
            interval = bounds(error, self.value("calibration_error", drawn), len(keys), share=False)
            number = self.metrics.index("accuracy")
            n, skipped = int(tally.questions[number]), int(tally.unusable[number])
            rows.append(Row(of, "calibration_error", interval, n, skipped, len(keys)))
        if tally.ranking is not None and tally.ranking.n_true:
            nothing = float("nan")
            number = self.metrics.index(f"giou_micro_{self.wanted.conditioning}")
            n, skipped = int(tally.questions[number]), int(tally.unusable[number])
            name = f"ap50_{self.wanted.conditioning}"
            rows.append(Row(of, name, Interval(tally.ranking.value, nothing, nothing), n, skipped, len(keys)))
        return rows

    def value(self, metric: str, sums: Floats) -> Floats:
        """A metric from sums of the columns, float64 (…, columns) to (…)."""
        if metric == "calibration_error":
            return calibration.calibration_error(sums[..., 2 * len(self.metrics) :])
        number = self.metrics.index(metric)
        return ratio(sums, 2 * number, 2 * number + 1)
