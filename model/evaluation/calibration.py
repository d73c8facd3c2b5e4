"""Expected calibration error (Guo et al., ICML 2017): is a model right as often as it is sure?

Its certainty is the largest probability in the softmax over the choices' summed scores. Questions are put into ten bins of equal
width by it; the error is the mean, over questions, of the distance between a bin's accuracy and its mean certainty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from model.evaluation.checking import Checked
from model.evaluation.choices import probabilities, taken
from model.evaluation.marks import Floats

BINS: Final = 10


def bins(checked: Sequence[Checked]) -> Floats:
    """What each question adds to each bin, float64 (n, 3 · BINS): its number, its hits, its certainty, all bins of each in turn.

    A question without scores has no certainty, and adds nothing.
    """
    added = np.zeros((len(checked), 3, BINS))
    for row, one in zip(added, checked, strict=True):
        if one.prediction.scores is not None:
            certainty = float(probabilities(one.prediction.scores).max())
            # A bin takes its upper end, so that a certainty of 1 is in the last.
            place = min(max(int(np.ceil(certainty * BINS)) - 1, 0), BINS - 1)
            row[:, place] = 1.0, taken(one) == one.truth.correct, certainty
    return added.reshape(len(checked), 3 * BINS)


def calibration_error(sums: Floats) -> Floats:
    """The error from sums of `bins`, float64 (…, 3 · BINS) to (…); NaN where no question had scores."""
    number, hits, certainty = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, BINS), -2, 0)
    total = number.sum(axis=-1)
    gap = np.abs(hits - certainty).sum(axis=-1)
    return np.asarray(np.where(total > 0, gap / np.where(total > 0, total, 1), np.nan))
