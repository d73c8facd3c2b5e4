"""The part sets of choices as bits over the parts that one photograph's questions name; set algebra on whole batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from partonomy_data.questions.audit.table import Bools, Floats, Hashes, Ints, Questions


@dataclass(frozen=True, slots=True)
class Sets:
    """The choices of q questions, padded to K. A bit means the same part in all questions of a subject."""

    bits: Hashes
    """(q, K, words)"""
    size: Ints
    """(q, K): number of parts."""
    valid: Bools
    """(q, K): which choices there are."""
    offered: Hashes
    """(q, words): the parts that some choice names."""


def sets_of(questions: Questions) -> Sets:
    """The sets of all choices of `questions`."""
    q, width = len(questions), questions.width
    choice, part = questions.mentions()
    subject = questions.subject.astype(np.int64)[choice // width]
    keys, place = np.unique((subject << 32) | part, return_inverse=True)
    owner = keys >> 32
    first = np.searchsorted(owner, owner)
    bit = (np.arange(len(keys)) - first)[place] if len(keys) else np.zeros(0, np.int64)
    words = int(bit.max()) // 64 + 1 if len(bit) else 1
    bits = np.zeros((q * width, words), np.uint64)
    # A set names a part once, so that adding its bits is joining them.
    np.add.at(bits, (choice, bit >> 6), np.uint64(1) << (bit & 63).astype(np.uint64))
    whole = bits.reshape(q, width, words)
    return Sets(whole, questions.set_size, questions.valid, np.bitwise_or.reduce(whole, axis=1))


def count(bits: Hashes) -> Ints:
    """Number of bits that are set, over the last axis."""
    return np.asarray(np.bitwise_count(bits).sum(axis=-1), np.int64)


def common(sets: Sets) -> Ints:
    """(q, K, K): how many parts two choices of a question share."""
    return count(sets.bits[:, :, None] & sets.bits[:, None, :])


def others(sets: Sets) -> Bools:
    """(q, K, K): whether the second is another choice than the first, and both exist."""
    apart = ~np.eye(sets.size.shape[1], dtype=bool)
    return np.asarray(sets.valid[:, :, None] & sets.valid[:, None, :] & apart)


def jaccard(shared: Ints, first: Ints, second: Ints) -> Floats:
    """|A ∩ B| / |A ∪ B|; 1 where both are empty."""
    union = first + second - shared
    return np.asarray(np.where(union == 0, 1.0, shared / np.maximum(union, 1)))


def edits(shared: Ints, first: Ints, second: Ints) -> Ints:
    """The parts to add, delete or replace that lead from one set to the other: max(|A \\ B|, |B \\ A|)."""
    return np.asarray(np.maximum(first, second) - shared)


def votes(sets: Sets) -> tuple[Hashes, Floats]:
    """(q, words): the parts that more than half of a question's choices name; (q, K): parts of a choice that only it names."""
    q, width, words = sets.bits.shape
    tally = np.zeros((q, words, 64), np.int16)
    place = np.arange(64, dtype=np.uint64)
    for choice in range(width):
        tally += ((sets.bits[:, choice, :, None] >> place) & np.uint64(1)).astype(np.int16)
    k = sets.valid.sum(axis=1)[:, None, None]
    weight = np.uint64(1) << place
    majority = ((tally * 2 > k) * weight).sum(axis=-1, dtype=np.uint64)
    single = ((tally == 1) * weight).sum(axis=-1, dtype=np.uint64)
    return majority, count(sets.bits & single[:, None]).astype(np.float64)


def rank(values: Floats, valid: Bools) -> Floats:
    """(q, K): share of the other choices with a smaller value, equal ones counting half; 0.5 for a lone choice."""
    below = ((values[:, :, None] > values[:, None, :]) & valid[:, None, :]).sum(axis=2)
    equal = ((values[:, :, None] == values[:, None, :]) & valid[:, None, :]).sum(axis=2) - 1
    n = np.maximum(valid.sum(axis=1)[:, None] - 1, 1)
    return np.asarray((below + 0.5 * equal) / n, np.float64)


def mean_of_valid(values: Floats, valid: Bools) -> Floats:
    """(q, 1): mean over the choices that exist."""
    total = np.where(valid, values, 0.0).sum(axis=1, keepdims=True)
    return np.asarray(total / np.maximum(valid.sum(axis=1, keepdims=True), 1))


def best_of_valid(values: Floats, valid: Bools) -> Floats:
    """(q, 1): the largest over the choices that exist."""
    return np.asarray(np.where(valid, values, -np.inf).max(axis=1, keepdims=True))
