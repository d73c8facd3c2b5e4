"""Sums of one slice by unit, in bounded memory: by each unit while they are few, by a fixed number of bins beyond."""

from __future__ import annotations

from typing import Final

import numpy as np

from model.evaluation.average_precision import Ranking
from model.evaluation.intervals import Keys
from model.evaluation.marks import Floats, Ints

#: Beyond so many units, those whose keys leave the same remainder are one unit.
MOST_UNITS: Final = 8192
#: The same in slices of some of the questions, of which there are hundreds at a time.
MOST_UNITS_IN_PART: Final = 512
#: The same in slices by object, of which there are thousands at a time.
MOST_UNITS_BY_OBJECT: Final = 64


class Tally:
    """The sums of one slice."""

    def __init__(self, columns: int, metrics: int, most_units: int = MOST_UNITS) -> None:
        self._most = most_units
        self._rows: dict[int, int] = {}
        self._sums = np.zeros((8, columns))
        self._folded = False
        self.units = 0
        """Units that were seen, while they are few; then the bins in use."""
        self.questions = np.zeros(metrics, np.int64)
        """Questions with a say in each metric."""
        self.unusable = np.zeros(metrics, np.int64)
        """Those of them to which nothing came from the model that could be scored."""
        self.ranking: Ranking | None = None
        """Of the slices that have an AP50."""

    def add(self, keys: list[int], values: Floats) -> None:
        """Adds questions: the keys of their units (n,), and their columns, float64 (n, columns)."""
        if self._folded:
            keys = [key % self._most for key in keys]
        for key in keys:
            self._rows.setdefault(key, len(self._rows))
        while len(self._rows) > len(self._sums):
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
        np.add.at(self._sums, [self._rows[key] for key in keys], values)
        if not self._folded and len(self._rows) > self._most:
            self._fold()
        self.units = len(self._rows)

    def _fold(self) -> None:
        keys, sums = self.sums()
        self._folded, self._rows = True, {}
        self._sums = np.zeros((self._most, sums.shape[1]))
        self.add(keys.tolist(), sums)

    def sums(self) -> tuple[Keys, Floats]:
        """Keys, uint64 (units,), and sums, float64 (units, columns), of the units or bins."""
        return np.array(list(self._rows), np.uint64), self._sums[: len(self._rows)]

    def count(self, questions: Ints, unusable: Ints) -> None:
        """Adds to `questions` and `unusable`; int64 (metrics,) both."""
        self.questions += questions
        self.unusable += unusable
