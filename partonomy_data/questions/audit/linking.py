"""Attackers that read all questions of a photograph together, and the other questions of a block.

The right answers of one photograph fit together: what an object has in common with a dog is among its parts, what it
has that a dog lacks is the rest. So a choice is the likelier the better it agrees, on the parts that two questions both
offer, with some choice of each other question. And where k questions share k choices, each right once, a choice that
fits a sister question better is the less likely here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from partonomy_data.questions.audit import sets as algebra
from partonomy_data.questions.audit.encode import mixed
from partonomy_data.questions.audit.sets import Sets
from partonomy_data.questions.audit.table import Bools, Codes, Floats, Ints, Questions

#: At most so many other questions of a photograph are compared with each.
MOST_LINKED: Final = 24
_SHARPNESS: Final = 6.0
_ROUNDS: Final = 3
#: What is measured of a choice against each other question; `Links.features` has the means, in this order.
FEATURES: Final = (
    "repeated",
    "agrees_here",
    "agrees_there",
    "includes",
    "included",
    "disjoint",
    "likeness_best",
    "likeness_mean",
)


def neighbours(subject: Codes) -> Iterator[tuple[Ints, Ints]]:
    """Pairs (row, another row of its subject), each row with at most MOST_LINKED others; `subject` is in runs."""
    begin = np.flatnonzero(np.diff(subject, prepend=-1) != 0)
    long = np.diff(np.append(begin, len(subject)))
    first, size = np.repeat(begin, long), np.repeat(long, long)
    row = np.arange(len(subject))
    for step in range(1, min(int(long.max(initial=1)), MOST_LINKED + 1)):
        has = np.flatnonzero(size > step)
        yield has, first[has] + (row[has] - first[has] + step) % size[has]


@dataclass(frozen=True, slots=True)
class Links:
    """What the other questions of the photograph say of each choice."""

    features: Floats
    """(q, K, len(FEATURES)): means over the other questions; 0 where there are none."""
    log_share: Floats
    """(q, K): logarithm of the share that each choice gets when all agree as well as they can."""
    linked: Bools
    """(q,): whether there is another question."""


def links(subject: Codes, sets: Sets) -> Links:
    """Compares every choice with those of the photograph's other questions."""
    q, width = sets.size.shape
    features = np.zeros((q, width, len(FEATURES)))
    seen = np.zeros(q)
    agreements = []
    for row, other in neighbours(subject):
        found, agreement = _compare(sets, row, other)
        features[row] += found
        seen[row] += 1
        agreements.append((row, other, agreement))
    features /= np.maximum(seen, 1)[:, None, None]
    return Links(features, _agreed(sets.valid, agreements), seen > 0)


def _compare(sets: Sets, row: Ints, other: Ints) -> tuple[Floats, NDArray[np.float32]]:
    """(rows, K, features) of the choices of `row`, and (rows, K, K) how well each agrees with each choice of `other`."""
    mine, theirs = sets.bits[row], sets.bits[other]
    mine_there = algebra.count(mine & sets.offered[other][:, None])[:, :, None]
    theirs_here = algebra.count(theirs & sets.offered[row][:, None])[:, None, :]
    shared = algebra.count(mine[:, :, None] & theirs[:, None, :])
    size, their_size = sets.size[row][:, :, None], sets.size[other][:, None, :]
    pair = sets.valid[row][:, :, None] & sets.valid[other][:, None, :]
    number = np.maximum(pair.sum(axis=2), 1)
    likeness = np.where(pair, algebra.jaccard(shared, mine_there, theirs_here), 0.0)
    found = [
        (pair & (shared == size) & (shared == their_size)).any(axis=2),
        (pair & (shared == mine_there) & (shared == their_size)).any(axis=2),
        (pair & (shared == size) & (shared == theirs_here)).any(axis=2),
        (pair & (shared == their_size)).sum(axis=2) / number,
        (pair & (shared == size)).sum(axis=2) / number,
        (pair & (shared == 0)).sum(axis=2) / number,
        likeness.max(axis=2),
        likeness.sum(axis=2) / number,
    ]
    agreement = np.where(pair, np.exp(_SHARPNESS * (likeness - 1.0)), 0.0)
    return np.stack([one.astype(np.float64) for one in found], axis=2), agreement.astype(np.float32)


def _agreed(valid: Bools, agreements: list[tuple[Ints, Ints, NDArray[np.float32]]]) -> Floats:
    """(q, K): each question's choices weigh by what the others' choices, as they weigh, agree with; a few rounds of it."""
    log_share = np.where(valid, -np.log(np.maximum(valid.sum(axis=1, keepdims=True), 1)), -np.inf)
    for _ in range(_ROUNDS):
        share = np.exp(log_share)
        message = np.zeros(valid.shape)
        for row, other, agreement in agreements:
            message[row] += np.log(np.einsum("rij,rj->ri", agreement, share[other]) + 1e-9)
        log_share = _normalized(message, valid)
    return np.where(valid, log_share, 0.0)


def _normalized(score: Floats, valid: Bools) -> Floats:
    """Log-softmax over the choices that exist; -inf beyond."""
    score = np.where(valid, score, -np.inf)
    score = score - score.max(axis=1, keepdims=True)
    return np.asarray(score - np.log(np.exp(score).sum(axis=1, keepdims=True)))


def shared_out(score: NDArray[np.float32], questions: Questions, rounds: int = 8) -> NDArray[np.float32]:
    """(n, K): log shares of the choices, evened out so that in each block every choice is right once.

    Rows of a block (its questions) and columns (its different choices) are scaled in turn until both sum to one
    (Sinkhorn's algorithm). Questions without a block keep the softmax of their scores.
    """
    valid = questions.valid
    share = np.exp(_normalized(score.astype(np.float64), valid))
    rows = np.flatnonzero(questions.block >= 0)
    if not len(rows):
        return np.log(np.maximum(share, 1e-12)).astype(np.float32)
    mine, there = share[rows], valid[rows]
    key = mixed(questions.set_hash[rows] + mixed(questions.block[rows].astype(np.uint64))[:, None])
    column = np.zeros(mine.shape, np.int64)
    column[there] = np.unique(key[there], return_inverse=True)[1]
    mine = np.where(there, np.maximum(mine, 1e-9), 0.0)
    for _ in range(rounds):
        total = np.bincount(column[there], mine[there])
        mine[there] /= np.maximum(total[column[there]], 1e-12)
        mine /= np.maximum(mine.sum(axis=1, keepdims=True), 1e-12)
    share[rows] = mine
    return np.log(np.maximum(share, 1e-12)).astype(np.float32)


def rank_in_block(values: Floats, block: Codes) -> Floats:
    """(n,): share of the block's other questions with a smaller value, equal ones counting half; nan without a block."""
    rank = np.full(len(values), np.nan)
    rows = np.flatnonzero((block >= 0) & np.isfinite(values))
    if not len(rows):
        return rank
    order = rows[np.lexsort((values[rows], block[rows]))]
    place = np.arange(len(order))
    new_block = np.diff(block[order], prepend=-1) != 0
    new_value = new_block | (np.diff(values[order], prepend=np.nan) != 0)
    begin = np.maximum.accumulate(np.where(new_block, place, 0))
    first = np.maximum.accumulate(np.where(new_value, place, 0))
    runs = np.cumsum(new_value) - 1
    equal = np.bincount(runs)[runs]
    of_block = np.cumsum(new_block) - 1
    size = np.bincount(of_block)[of_block]
    rank[order] = np.where(size > 1, (first - begin + 0.5 * (equal - 1)) / np.maximum(size - 1, 1), 0.5)
    return rank


def named_elsewhere(subject: Codes, category: Codes) -> Codes:
    """(n,): the category that some question of the same subject names its object by; -1 where none does."""
    named = np.full(int(subject.max(initial=0)) + 1, -1, np.int32)
    np.maximum.at(named, subject, category)
    return np.asarray(named[subject])
