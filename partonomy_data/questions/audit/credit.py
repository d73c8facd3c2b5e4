"""What an attacker's scores are worth: its expected accuracy on each question, ties divided evenly."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from partonomy_data.questions.audit.table import Bools, Floats, Ints

#: Scores this close, relative to their size, are a tie: sums differ by that much with the order of their terms.
_TOLERANCE: Final = 1e-5
Ties = NDArray[np.uint8]


def ties(scores: Any, valid: Bools, correct: Ints) -> Ties:
    """uint8 (q,): how many choices share the highest score if the right one is among them, else 0. `scores` is (q, K)."""
    scores = np.where(valid, scores.astype(np.float64), -np.inf)
    best = scores.max(axis=1, keepdims=True)
    slack = _TOLERANCE * np.maximum(1.0, np.abs(best))
    tied = scores >= best - slack
    right = tied[np.arange(len(scores)), correct]
    return np.asarray(np.where(right, tied.sum(axis=1), 0), np.uint8)


def credit(tied: Ties) -> Floats:
    """float64 (q,): the accuracy to be expected of an attacker that draws among its best choices.

    No luck is in it, and neither side gains by a tie.
    """
    return np.where(tied > 0, 1.0 / np.maximum(tied, 1), 0.0)
