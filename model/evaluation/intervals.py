"""Intervals by a bootstrap of whole units: the questions of a block share their choices, and stand or fall together.

The weight of a unit in a replicate is a Poisson(1) draw (Hanley and MacGibbon 2006) that depends on the seed, the unit's name and
the replicate's number alone. So intervals don't depend on the order of the questions, two models are compared on the same draws,
and a unit more changes no other unit's weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from math import exp, factorial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from model.evaluation.marks import Floats

Keys = NDArray[np.uint64]

REPLICATES: Final = 1000
LEVEL: Final = 0.95
#: What sums of shares may be rounded by: nearer than that, two values are the same.
SAME: Final = 1e-9
#: Weights that are drawn at a time; 32 MB.
_AT_ONCE: Final = 4_000_000
_POISSON: Final = np.cumsum([exp(-1) / factorial(number) for number in range(18)])
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and its 95 % interval; the ends are NaN where one unit, or none, is all there is."""

    value: float
    low: float
    high: float

    def told(self, sign: str = "") -> str:
        """The value, and its ends if there are any, for a table; `sign`: `+` for a difference, whose sign is always shown."""
        ends = f" [{self.low:{sign}.2f}, {self.high:{sign}.2f}]" if self.low == self.low else ""
        return f"{self.value:{sign}.3f}{ends}"

    def plain(self) -> dict[str, float | None]:
        """Value and ends for JSON, and for tables: None for what there is none of."""
        return {"value": number(self.value), "low": number(self.low), "high": number(self.high)}


def number(value: float) -> float | None:
    """A value as tables and JSON hold it: None where it is none."""
    return None if np.isnan(value) else value


def side(low: float, high: float, level: float) -> int:
    """Where an interval lies beside a level: 1 above it, -1 below it, 0 if the level is in it, but for rounding."""
    return int(low > level + SAME) - int(high < level - SAME)


def key_of(unit: str) -> int:
    """64 bits that stand for a unit's name."""
    return int.from_bytes(blake2b(unit.encode(), digest_size=8, person=b"unit").digest(), "little")


def weights(keys: Keys, replicates: int, seed: int) -> NDArray[np.uint8]:
    """The weight of each unit in each replicate, uint8 (replicates, units); `keys` are `key_of` the units."""
    salt = np.uint64(key_of(f"replicates {seed}"))
    numbers = _mixed(np.arange(replicates, dtype=np.uint64) * _GOLDEN + salt)
    bits = _mixed(keys[None, :] ^ numbers[:, None])
    uniform = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.searchsorted(_POISSON, uniform, side="right").astype(np.uint8)


def resampled(keys: Keys, sums: Floats, replicates: int = REPLICATES, seed: int = 0) -> Floats:
    """What each replicate's units sum up to, float64 (replicates, columns); `sums` is (units, columns)."""
    drawn = np.zeros((replicates, sums.shape[1]))
    step = max(1, _AT_ONCE // max(replicates, 1))
    # In the order of the keys, so that floating-point sums don't depend on the order that the units came in.
    order = np.argsort(keys, kind="stable")
    for start in range(0, len(keys), step):
        some = order[start : start + step]
        drawn += weights(keys[some], replicates, seed).astype(np.float64) @ sums[some]
    return drawn


def bounds(value: float, drawn: Floats, units: int, *, share: bool = True) -> Interval:
    """The interval of a value from its replicates, float64 (replicates,): their percentiles, expanded for few units.

    With few units the plain percentiles are too near: replicates vary less than samples do, and how much these vary is itself
    hardly known. Their tails are those that make the interval of a mean Student's (Hesterberg 2015, *expanded percentiles*).

    A share that is exactly 0 or 1 is so in every replicate as well; its interval is then Clopper and Pearson's on units, the
    binomial one. A replicate that holds no question with a say in it is NaN, and left out.
    """
    there = drawn[~np.isnan(drawn)]
    if units < 2 or np.isnan(value) or not len(there):
        return Interval(value, float("nan"), float("nan"))
    tail = (1 - LEVEL) / 2
    if share and value in (0.0, 1.0):
        far = 1 - tail ** (1 / units)
        return Interval(value, 0.0, far) if value == 0.0 else Interval(value, 1 - far, 1.0)
    tail = _expanded(tail, units)
    low, high = np.quantile(there, [tail, 1 - tail])
    return Interval(value, min(float(low), value), max(float(high), value))


@cache
def _expanded(tail: float, units: int) -> float:
    """The share of replicates beyond an end of the interval, for so many units; near `tail` for many."""
    return float(ndtr(np.sqrt(units / (units - 1)) * stdtrit(units - 1, tail)))


def ratio(sums: Floats, top: int, bottom: int) -> Floats:
    """One column of sums over another, float64 (…, columns) to (…); NaN where the other is 0."""
    below = sums[..., bottom]
    return np.asarray(np.where(below != 0, sums[..., top] / np.where(below != 0, below, 1), np.nan))


def _mixed(bits: Keys) -> Keys:
    """Each of the numbers scrambled to 64 bits that look drawn (the finalizer of SplitMix64)."""
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return np.asarray(bits ^ (bits >> np.uint64(31)))
