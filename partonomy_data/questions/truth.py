"""What is a true answer, and which wrong choices are surely wrong.

An answer is a set of parts: those of the object's visible parts that the question asks for. Arrays of sets have a row
for each instance and a column for each part. The answer of instance j, offered as a choice for instance i, is wrong

    by omission     if a visible part of i is neither in it, nor is one that is the same, broader or narrower
    by commission   if it has a part that no visible part of i, and no part that i may have, is or is related to

Two lists that say the same in other words ("wing", "left wing") so count as one. With `doubt` the parts that an
instance may have: the ones too small to be asked for, and, where it matters, those that nothing is known of.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sets:
    """The visible parts of some instances: `visible` and `doubt` have the shape (instances, parts)."""

    parts: tuple[str, ...]
    visible: Bools
    doubt: Bools
    related: Bools
    """Parts × parts: equal, or related with any confidence."""

    def of(self, rows: NDArray[np.int64]) -> Sets:
        """Some of the instances, and only the parts that one of them shows."""
        keep = np.asarray(self.visible[rows].any(axis=0))
        names = tuple(part for part, kept in zip(self.parts, keep, strict=True) if kept)
        columns = np.flatnonzero(keep)
        return Sets(
            names,
            self.visible[np.ix_(rows, columns)],
            self.doubt[np.ix_(rows, columns)],
            self.related[np.ix_(columns, columns)],
        )


def count(a: Bools, b: Bools) -> NDArray[np.float32]:
    """Of each pair of rows of `a` (…, n, parts) and `b` (…, m, parts), how many parts are in both: (…, n, m)."""
    return np.asarray(a.astype(np.float32) @ np.swapaxes(b, -1, -2).astype(np.float32))


def cover(sets: Bools, related: Bools) -> Bools:
    """The parts that are in the sets, or related to one that is; same shape."""
    return np.asarray((sets.astype(np.float32) @ related.astype(np.float32)) > 0)


def wrong(answers: Bools, doubt: Bools, related: Bools) -> Bools:
    """[…, i, j]: the answer of j is surely a wrong choice for i. `answers` and `doubt`: (…, n, parts)."""
    by_omission = count(answers, ~cover(answers, related)) > 0
    by_commission = np.swapaxes(count(answers, ~cover(answers | doubt, related)) > 0, -1, -2)
    return np.asarray(by_omission | by_commission)


def distinct(answers: Bools, doubt: Bools, related: Bools) -> Bools:
    """[…, i, j]: i and j may be in one block: neither's answer is empty, and each is surely wrong for the other."""
    false = wrong(answers, doubt, related)
    some = np.asarray(answers.any(axis=-1))
    return np.asarray(false & np.swapaxes(false, -1, -2) & some[..., :, None] & some[..., None, :])


def edits(answers: Bools) -> NDArray[np.float32]:
    """[…, i, j]: how many parts must be added, deleted or replaced to make the answer of i that of j."""
    gone = count(answers, ~answers)
    return np.maximum(gone, np.swapaxes(gone, -1, -2))


def most_groups(counts: NDArray[np.int64], k: int) -> int:
    """How many groups of `k` different sets there can be, if they occur so often: the largest m with the sum of
    min(count, m) ≥ k·m."""
    m = int(counts.sum()) // k
    while m and np.minimum(counts, m).sum() < k * m:
        m -= 1
    return m


def counts_of(answers: Bools) -> NDArray[np.int64]:
    """How often each non-empty set occurs. `answers`: (n, parts)."""
    return np.array(list(Counter(codes(answers[answers.any(axis=1)])).values()), np.int64)


def labels(answers: Bools) -> NDArray[np.int64]:
    """A number for each row from 0 on, the same for equal rows. `answers`: (n, parts)."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(code, len(numbers)) for code in codes(answers)], np.int64)


def codes(answers: Bools) -> list[Any]:
    """A value for each row that stands for its set: a number, or bytes where there are many parts."""
    n_parts = answers.shape[1]
    if n_parts <= 62:
        numbers: list[Any] = (answers @ (np.int64(1) << np.arange(n_parts, dtype=np.int64))).tolist()
        return numbers
    return [row.tobytes() for row in np.packbits(answers, axis=1)]
