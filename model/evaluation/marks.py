"""What a metric keeps of each question: two numbers that add up. The metric is the sum of the one over that of the other.

So means over questions, means over masks, pooled precision and cumulative IoU are all alike to whoever adds them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Marks:
    """A metric of n questions: float64 (n,) each. Where `bottom` is 0 the question has no say in it."""

    top: Floats
    bottom: Floats

    @classmethod
    def of(cls, pairs: Sequence[tuple[float, float]]) -> Marks:
        """From n pairs of top and bottom."""
        both = np.array(pairs, np.float64).reshape(-1, 2)
        return cls(both[:, 0].copy(), both[:, 1].copy())

    @property
    def value(self) -> float:
        """The metric over all n questions; NaN where none has a say."""
        bottom = float(self.bottom.sum())
        return float(self.top.sum()) / bottom if bottom else float("nan")
