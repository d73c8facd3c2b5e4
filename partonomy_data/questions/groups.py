"""Groups of instances whose answers differ, formed within a bucket.

All questions of a photograph draw their choices from its group, so a group is the better the more kinds of questions
tell its members apart. The kinds that tell least apart are served first: groups are formed whose members differ under
all of them, then under fewer, at last by all their visible parts alone. In each round the sets that are so frequent
that every further group needs one are taken first (that is what allows the most groups); among the others, those that
are few edits away, and whose objects are of like size, so that neither is a hint.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from partonomy_data.questions import truth
from partonomy_data.questions.truth import Bools

T = TypeVar("T")

#: What a doubling of the object's size costs, in edits.
_SIZE_COST: Final = 3.0
_CRITICAL: Final = 100.0
_CRITICAL_WHOLE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """A bucket's instances, as `form` needs them; arrays have a row for each."""

    sets: truth.Sets
    apart: Bools
    """(n, n): who may be in one group on grounds other than their parts: not two of one photograph."""
    size: NDArray[np.float32]
    rank: NDArray[np.int64]
    """A keyed order of the instances, which decides between equals."""


def form(candidates: Candidates, answers: Sequence[Bools], sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Disjoint groups, as rows of the bucket.

    `answers` are the instances' answers to a question of each kind that the group should serve, (n, parts) each, empty
    where one can't be asked; `sizes` the numbers of members to try, the largest first.
    """
    sets = candidates.sets
    whole = truth.distinct(sets.visible, sets.doubt, sets.related) & candidates.apart
    kinds = [
        (truth.distinct(one, sets.doubt & one.any(axis=0), sets.related), truth.labels(one), one) for one in answers
    ]
    kinds.sort(key=lambda kind: truth.most_groups(truth.counts_of(kind[2]), sizes[0]))
    distance = truth.edits(sets.visible) + np.abs(candidates.size[:, None] - candidates.size[None, :]) * _SIZE_COST
    free = np.ones(len(candidates.rank), bool)
    found: list[tuple[int, ...]] = []
    names = truth.labels(sets.visible)
    for k in sizes:
        for served in _served(kinds):
            allowed = whole.copy()
            for one, _, _ in served:
                allowed &= one
            classes = served[0][1] if served else names
            for group in _rounds(allowed, classes, names, distance, free, candidates.rank, k):
                free[list(group)] = False
                found.append(group)
    return found


def _served(kinds: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """All choices among the kinds, the most first; of equally many, those with the kinds that tell least apart first."""
    for n in range(len(kinds), -1, -1):
        yield from combinations(kinds, n)


def _rounds(
    allowed: Bools,
    classes: NDArray[np.int64],
    whole: NDArray[np.int64],
    distance: NDArray[np.float32],
    free: Bools,
    rank: NDArray[np.int64],
    k: int,
) -> Iterator[tuple[int, ...]]:
    """Groups of k, one after another; `free` says who is left, and is the caller's to change between two groups."""
    hopeless = np.zeros(len(free), bool)
    while True:
        left = free & (allowed[:, free].sum(axis=1) >= k - 1)
        seeds = np.flatnonzero(left & ~hopeless)
        if len(seeds) == 0 or int(left.sum()) < k:
            return
        frequent = _frequent(classes, left, k) * _CRITICAL + _frequent(whole, left, k) * _CRITICAL_WHOLE
        often = np.bincount(classes[left], minlength=classes.max() + 1)[classes]
        seed = int(seeds[np.lexsort((rank[seeds], -often[seeds], -frequent[seeds]))[0]])
        group = _grown(seed, allowed, left, frequent, distance, rank, k)
        if group is None:
            hopeless[seed] = True
        else:
            yield group


def _frequent(classes: NDArray[np.int64], left: Bools, k: int) -> NDArray[np.float64]:
    """1 for each instance whose class every further group needs, if as many groups as can be are to be formed."""
    counts = np.bincount(classes[left], minlength=int(classes.max()) + 1)
    m = int(counts.sum()) // k
    while m and np.minimum(counts, m).sum() < k * m:
        m -= 1
    return np.asarray((counts >= max(m, 1))[classes], np.float64) if m else np.zeros(len(classes))


def _grown(
    seed: int,
    allowed: Bools,
    left: Bools,
    frequent: NDArray[np.float64],
    distance: NDArray[np.float32],
    rank: NDArray[np.int64],
    k: int,
) -> tuple[int, ...] | None:
    """The seed with k - 1 others that all differ from one another, or None if there are none."""
    chosen = [seed]
    fits = allowed[seed] & left
    nearest = distance[seed].astype(np.float64)
    while len(chosen) < k:
        candidates = np.flatnonzero(fits)
        if len(candidates) == 0:
            return None
        cost = nearest[candidates] - frequent[candidates]
        best = int(candidates[np.lexsort((rank[candidates], cost))[0]])
        chosen.append(best)
        fits &= allowed[best]
        nearest = np.minimum(nearest, distance[best]) if len(chosen) < 3 else nearest * 0.5 + distance[best] * 0.5
    return tuple(sorted(chosen))
