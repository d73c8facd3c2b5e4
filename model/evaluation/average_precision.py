"""AP50: whether a model's certainty of its masks sorts the good from the bad (COCO's average precision at IoU 0.5).

A predicted mask is a hit if its IoU with the true mask of its name is 0.5 or more, and no surer mask of that name in the same
answer was one. Precision is made to fall with recall, and is averaged at 101 recalls, as in COCO. Unlike there, masks that the
model is equally sure of count all at once, so that their order can't matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from model.evaluation.checking import Checked
from model.evaluation.marks import Floats, Ints
from model.evaluation.overlaps import Overlap

THRESHOLD: Final = 0.5
#: Steps that scores are rounded down to where they are counted in a stream.
STEPS: Final = 1000


def hits(checked: Checked, found: Overlap) -> list[bool]:
    """For each predicted mask of a question, whether it is a hit; P."""
    place = {part: number for number, part in enumerate(checked.parts)}
    taken: set[str] = set()
    hit = [False] * len(checked.named)
    # Of masks that are equally sure, the first counts first, as in COCO; which of them is the hit changes nothing.
    for number in sorted(range(len(hit)), key=lambda one: -checked.scores[one]):
        part = checked.named[number]
        if part in place and part not in taken and found.each[number, place[part]] >= THRESHOLD:
            taken.add(part)
            hit[number] = True
    return hit


def average_precision(scores: Floats, hit: Floats, n_true: int) -> float:
    """AP of masks with scores, float64 (n,), and hits, 0 or 1 (n,), where `n_true` parts were there to be found."""
    levels, place = np.unique(-scores, return_inverse=True)
    right, shown = np.bincount(place, hit, len(levels)), np.bincount(place, minlength=len(levels))
    return curve(right.astype(np.float64), shown.astype(np.float64), n_true)


def curve(hit: Floats, shown: Floats, n_true: int) -> float:
    """AP from hits and masks at each level of certainty, surest first; float64 (levels,). NaN if `n_true` is 0."""
    if not n_true:
        return float("nan")
    kept = shown > 0
    true, total = np.cumsum(hit[kept]), np.cumsum(shown[kept])
    precision = np.append(np.maximum.accumulate((true / np.maximum(total, 1))[::-1])[::-1], 0.0)
    return float(precision[np.searchsorted(true / n_true, np.linspace(0, 1, 101))].mean())


def by_part(checked: Sequence[Checked], overlaps: Sequence[Overlap]) -> float:
    """COCO's AP50: the mean over part names of the AP of each; names that are never true are left out."""
    lots: dict[str, list[tuple[float, float]]] = {part: [] for one in checked for part in one.parts}
    n_true = dict.fromkeys(lots, 0)
    for one, found in zip(checked, overlaps, strict=True):
        for part in one.parts:
            n_true[part] += 1
        for part, score, hit in zip(one.named, one.scores, hits(one, found), strict=True):
            if part in lots:
                lots[part].append((score, float(hit)))
    every = []
    for part, lot in lots.items():
        both = np.array(lot, np.float64).reshape(-1, 2)
        every.append(average_precision(both[:, 0], both[:, 1], n_true[part]))
    return float(np.mean(every)) if every else float("nan")


@dataclass
class Ranking:
    """Masks of any number of questions, counted by certainty: the AP50 of all part names together, in fixed memory."""

    hit: Ints = field(default_factory=lambda: np.zeros(STEPS + 1, np.int64))
    shown: Ints = field(default_factory=lambda: np.zeros(STEPS + 1, np.int64))
    n_true: int = 0

    def add(self, checked: Checked, hit: Sequence[bool]) -> None:
        """Counts a question's masks; `hit` is what `hits` says of them."""
        self.n_true += len(checked.parts)
        for score, right in zip(checked.scores, hit, strict=True):
            level = STEPS - int(score * STEPS + 1e-9)
            self.shown[level] += 1
            self.hit[level] += right

    @property
    def value(self) -> float:
        """AP50; NaN if no part was there to be found."""
        return curve(self.hit.astype(np.float64), self.shown.astype(np.float64), self.n_true)
