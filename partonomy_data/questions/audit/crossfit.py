"""What the answers of *other* groups and photographs teach: how often a kind of object has a part, or how many parts.

The questions are dealt into folds, all of a unit (group, block or photograph) into one. What is used to answer a
question is counted on the other folds only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from partonomy_data.questions.audit.encode import hash_of, mixed
from partonomy_data.questions.audit.table import Answers, AuditTable, Bools, Codes, Floats, Ints, Metadata, Questions

#: What the wider context's rate counts for, in questions.
_PRIOR: Final = 4.0
#: Bins of the objects' sizes.
_SIZE_BINS: Final = 4


def folds(table: AuditTable, number: int, seed: int) -> Ints:
    """(n,): the fold of each question, drawn by its unit's hash."""
    drawn = mixed(table.unit_hash + np.uint64(hash_of(f"folds {seed}"))) % np.uint64(number)
    return np.asarray(drawn.astype(np.int64)[table.unit])


def distinct(*columns: Codes | Ints) -> Ints:
    """int64 codes of the combinations of values, 0 and up."""
    code = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        low = int(column.min(initial=0))
        code = code * (int(column.max(initial=0)) - low + 1) + (column - low)
        code = np.unique(code, return_inverse=True)[1].astype(np.int64)
    return code


@dataclass(frozen=True, slots=True)
class Rates:
    """By context and fold: how many right answers there are, and how many of them have each part."""

    key: Ints
    """Sorted `context * parts + part` of what occurs."""
    having: Ints
    """(keys, folds)"""
    total: Ints
    """(contexts, folds)"""
    parts: int

    @classmethod
    def of(
        cls, questions: Questions, answers: Answers, context: Ints, fold: Ints, rows: Bools, contexts: int = 0
    ) -> Rates:
        """Counts the right answers of the questions `rows`; `contexts` is how many there are, if more than occur here."""
        number = int(fold.max(initial=0)) + 1
        contexts = max(contexts, int(context.max(initial=0)) + 1)
        chosen = np.flatnonzero(rows)
        right = chosen * questions.width + answers.correct[chosen]
        first, size = questions.part_start[right], np.diff(questions.part_start)[right]
        begin = np.concatenate([np.zeros(1, np.int64), np.cumsum(size)[:-1]]) if len(size) else size
        part = questions.part[np.repeat(first - begin, size) + np.arange(int(size.sum()))].astype(np.int64)
        owner = np.repeat(chosen, size)
        key, place = np.unique(context[owner] * len(questions.parts) + part, return_inverse=True)
        having = np.bincount(place * number + fold[owner], minlength=len(key) * number).reshape(-1, number)
        total = np.bincount(context[chosen] * number + fold[chosen], minlength=contexts * number)
        return cls(key, having, total.reshape(-1, number), len(questions.parts))

    def counts(self, context: Ints, part: Ints, fold: Ints) -> tuple[Ints, Ints]:
        """Elementwise: answers with the part, and answers, in the context, outside the fold."""
        wanted = context * self.parts + part
        all_others = self.total.sum(axis=1)[context] - self.total[context, fold]
        if not len(self.key):
            return np.zeros(len(wanted), np.int64), all_others
        place = np.searchsorted(self.key, wanted).clip(max=len(self.key) - 1)
        having = self.having.sum(axis=1)[place] - self.having[place, fold]
        return np.where(self.key[place] == wanted, having, 0), all_others

    def rate(self, context: Ints, part: Ints, fold: Ints, prior: Floats | float = 0.5, weight: float = 2.0) -> Floats:
        """Share of the context's answers, outside the fold, that have the part; drawn to `prior` with `weight`."""
        having, all_others = self.counts(context, part, fold)
        return np.asarray((having + weight * prior) / (all_others + weight))


@dataclass(frozen=True, slots=True)
class Learnt:
    """What cross-fitting found, for all questions of a table."""

    fold: Ints
    wide: Ints
    """(n,): context by type, source, and the object's category where the question names it."""
    narrow: Ints
    """(n,): context by the question's text, which names the object, or the categories it is compared with."""
    wide_rates: Rates
    narrow_rates: Rates
    sized: Ints | None
    """(n,): the wide context with the object's size and truncation; None where nothing is known of these."""
    sized_rates: Rates | None
    expected_size: Floats | None
    """(n,): number of parts that is to be expected of an object of this size."""

    def typical(self, start: int, stop: int, questions: Questions) -> tuple[Floats, Floats]:
        """(mentions,) each: rates of the parts that `questions` (rows start to stop) name, given the question; given size too."""
        choice, part = questions.mentions()
        row = choice // questions.width
        fold = self.fold[start:stop][row]
        wide = self.wide_rates.rate(self.wide[start:stop][row], part, fold)
        narrow = self.narrow_rates.rate(self.narrow[start:stop][row], part, fold, wide, _PRIOR)
        if self.sized is None or self.sized_rates is None:
            return narrow, narrow
        return narrow, self.sized_rates.rate(self.sized[start:stop][row], part, fold, narrow, _PRIOR)


def learn(questions: Questions, answers: Answers, fold: Ints) -> Learnt:
    """Counts and fits on all questions what each fold's questions may be answered with."""
    every = np.ones(len(questions), bool)
    source = questions.source.astype(np.int64)
    wide = distinct(questions.type, source, questions.category)
    narrow = distinct(questions.text, source)
    sized = rates = expected = None
    if questions.metadata.known:
        sized = distinct(wide, size_bin(questions.metadata))
        rates = Rates.of(questions, answers, sized, fold, every)
        size = questions.set_size[np.arange(len(questions)), answers.correct].astype(np.float64)
        expected = expect(size, narrow, distinct(questions.type), questions.metadata, fold)
    return Learnt(
        fold,
        wide,
        narrow,
        Rates.of(questions, answers, wide, fold, every),
        Rates.of(questions, answers, narrow, fold, every),
        sized,
        rates,
        expected,
    )


def size_bin(metadata: Metadata) -> Ints:
    """(n,): quarter of the objects' sizes, twice as many for truncated ones; 0 where unknown."""
    known = np.isfinite(metadata.log_area)
    edges = np.quantile(metadata.log_area[known], np.linspace(0, 1, _SIZE_BINS + 1)[1:-1])
    place = np.searchsorted(edges, np.where(known, metadata.log_area, -np.inf))
    return np.asarray(np.where(known, place + _SIZE_BINS * (metadata.truncated == 1), 0), np.int64)


def expect(size: Floats, context: Ints, kind: Ints, metadata: Metadata, fold: Ints) -> Floats:
    """(n,): expected number of parts: the context's mean, and a slope on size, truncation and region for each kind.

    Least squares on what is left of both after taking off the context's mean; means and slopes come from other folds.
    """
    columns = [metadata.log_area, metadata.truncated, metadata.log_region]
    features = np.stack([np.nan_to_num(column.astype(np.float64)) for column in columns], axis=1)
    expected = np.zeros(len(size))
    contexts, kinds = int(context.max()) + 1, int(kind.max()) + 1
    for one in range(int(fold.max()) + 1):
        away, here = fold != one, fold == one
        n = np.bincount(context[away], minlength=contexts)
        mean_size = _means(size, context, away, n)
        mean_features = np.stack([_means(column, context, away, n) for column in features.T], axis=1)
        centred = features - mean_features[context]
        for code in range(kinds):
            rows = away & (kind == code) & (n[context] > 1)
            x, y = centred[rows], (size - mean_size[context])[rows]
            slope = np.linalg.solve(x.T @ x + np.eye(3), x.T @ y)
            target = here & (kind == code)
            expected[target] = mean_size[context[target]] + centred[target] @ slope
    return expected


def _means(values: Floats, context: Ints, rows: Bools, n: Ints) -> Floats:
    total = np.bincount(context[rows], values[rows], len(n))
    overall = values[rows].mean() if rows.any() else 0.0
    return np.asarray((total + overall) / (n + 1.0))


def log_odds(questions: Questions, rate: Floats) -> Floats:
    """(q, K): sum of the log-odds of a choice's parts: its log-likelihood, but for a constant of the question."""
    choice, _ = questions.mentions()
    summed = np.bincount(choice, np.log(rate) - np.log1p(-rate), len(questions) * questions.width)
    return np.asarray(summed.reshape(len(questions), questions.width))


def best_position(correct: Ints, count: Ints, stratum: Ints, fold: Ints, width: int) -> Floats:
    """(n, width): 1 at the position that is right most often in the stratum's other folds (all of the equally good)."""
    strata, number = int(stratum.max(initial=0)) + 1, int(fold.max(initial=0)) + 1
    key = (stratum * number + fold) * width + correct
    tally = np.bincount(key, minlength=strata * number * width).reshape(strata, number, width)
    elsewhere = (tally.sum(axis=1, keepdims=True) - tally)[stratum, fold].astype(np.float64)
    elsewhere[np.arange(width) >= count[:, None]] = -1.0
    return np.asarray(elsewhere == elsewhere.max(axis=1, keepdims=True), np.float64)
