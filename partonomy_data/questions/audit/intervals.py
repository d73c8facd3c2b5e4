"""Confidence intervals of accuracies by a bootstrap of whole units (groups, blocks or photographs)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from partonomy_data.questions.audit.encode import hash_of, mixed
from partonomy_data.questions.audit.table import AuditTable, Floats, Ints

#: Beyond so many units, they are dealt into so many bins, which are resampled in their stead.
MOST_BINS: Final = 1024
_EXACT: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The weights of all replicates, and the keyed rank of each unit that deals it into a bin."""

    weights: NDArray[np.float32]
    """(replicates, MOST_BINS): Poisson(1) draws, as in a bootstrap with independent weights."""
    rank: Ints
    """(units,)"""

    @classmethod
    def of(cls, table: AuditTable, replicates: int, seed: int) -> Bootstrap:
        """Draws the weights once, for all intervals of a report."""
        generator = np.random.default_rng([seed, hash_of("bootstrap") & 0xFFFFFFFF])
        weights = generator.poisson(1.0, (replicates, MOST_BINS)).astype(np.float32)
        key = mixed(table.unit_hash + np.uint64(hash_of(f"bins {seed}")))
        return cls(weights, np.argsort(np.argsort(key, kind="stable"), kind="stable"))

    def bins(self, unit: Ints) -> tuple[Ints, int, int]:
        """The bin of each row, the number of bins, and the number of units that the rows are of."""
        present, place = np.unique(self.rank[unit], return_inverse=True)
        return place % MOST_BINS, min(len(present), MOST_BINS), len(present)


@dataclass(frozen=True, slots=True)
class Interval:
    """An accuracy with its 95 % interval and the wider one that holds for all accuracies of a family together."""

    accuracy: float
    low: float
    high: float
    family_low: float
    family_high: float


def intervals(
    won: Floats, chance: Floats, unit: Ints, bootstrap: Bootstrap, level: float, family: int
) -> list[Interval]:
    """An interval for each column of `won` (rows, attackers), the expected accuracy on each question.

    `chance` and `unit` are (rows,). What is resampled is the excess over chance, since the number of choices may vary;
    the mean chance is added. `low` and `high` are percentiles of the replicates. The family's interval is the accuracy
    plus and minus the bootstrap's standard error times a quantile of Student's t, with as many degrees of freedom as
    units less one, at the level `level ** (1 / family)` (Šidák 1967). Where the excess is nothing in every unit, as in
    blocks of k questions that share k choices, both are the point itself. Where it is not nothing, but doesn't vary at
    all, both are the exact binomial interval on units (Clopper and Pearson 1934).
    """
    bins, n_bins, units = bootstrap.bins(unit)
    sizes = np.bincount(bins, minlength=n_bins).astype(np.float64)
    base, expected = np.bincount(bins, chance, n_bins), float(chance.mean())
    excess = np.stack([np.bincount(bins, column, n_bins) for column in won.T], axis=1) - base[:, None]
    mean = excess.sum(axis=0) / sizes.sum()
    weights = bootstrap.weights[:, :n_bins]
    drawn = (weights @ excess.astype(np.float32)) / np.maximum(weights @ sizes.astype(np.float32), 1e-9)[:, None]
    spread = drawn.std(axis=0, ddof=1)
    tail = (1 - level) / 2
    family_tail = (1 - level ** (1 / max(family, 1))) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0) + expected
    wide = _student(family_tail, units - 1) * spread
    nothing = np.abs(excess).max(axis=0) < _EXACT * sizes.max()
    constant = np.abs(excess - mean * sizes[:, None]).max(axis=0) < _EXACT * sizes.max()
    found = []
    for place, value in enumerate((mean + expected).tolist()):
        if nothing[place]:
            found.append(Interval(value, value, value, value, value))
        elif constant[place] or units < 2:
            found.append(Interval(value, *_binomial(value, units, tail), *_binomial(value, units, family_tail)))
        else:
            bounds = max(0.0, value - float(wide[place])), min(1.0, value + float(wide[place]))
            found.append(Interval(value, max(0.0, float(low[place])), min(1.0, float(high[place])), *bounds))
    return found


def _student(tail: float, degrees: int) -> float:
    from scipy.special import stdtrit

    return float(-stdtrit(max(degrees, 1), tail))


def _binomial(value: float, n: int, tail: float) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share, `value` of `n` units."""
    from scipy.special import betaincinv

    hits = value * n
    low = 0.0 if hits <= 0 else float(betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if hits >= n else float(betaincinv(hits + 1, n - hits, 1 - tail))
    return low, high


def contains(interval: Interval, chance: float) -> bool:
    """Whether chance lies in the family's interval."""
    return interval.family_low - _EXACT <= chance <= interval.family_high + _EXACT
