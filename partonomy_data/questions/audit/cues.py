"""Attackers that know nothing but the choices: which stands in the midst, is largest, longest, made of frequent parts.

Each gives a score for every choice, float64 (q, K); it takes the choice with the highest.
"""

from __future__ import annotations

import numpy as np

from partonomy_data.questions.audit import sets as algebra
from partonomy_data.questions.audit.sets import Sets
from partonomy_data.questions.audit.table import Floats, Questions


def similarity(sets: Sets) -> Floats:
    """Mean Jaccard index with the question's other choices."""
    shared = algebra.common(sets)
    pairs = algebra.jaccard(shared, sets.size[:, :, None], sets.size[:, None, :])
    other = algebra.others(sets)
    return np.asarray((pairs * other).sum(axis=2) / np.maximum(other.sum(axis=2), 1))


def majority(sets: Sets) -> Floats:
    """Minus the parts in which a choice differs from the set that a majority of choices, part by part, makes."""
    voted, _ = algebra.votes(sets)
    return -algebra.count(sets.bits ^ voted[:, None]).astype(np.float64)


def middle(sets: Sets) -> Floats:
    """Minus the distance of a choice's number of parts from the median of the question's choices."""
    size = np.where(sets.valid, sets.size, np.nan)
    return np.asarray(-np.abs(sets.size - np.nanmedian(size, axis=1, keepdims=True)))


def nearest(sets: Sets) -> Floats:
    """Minus the edits between a choice and the nearest other."""
    shared = algebra.common(sets)
    far = algebra.edits(shared, sets.size[:, :, None], sets.size[:, None, :])
    most = int(far.max(initial=0)) + 1
    return np.asarray(-np.where(algebra.others(sets), far, most).min(axis=2), np.float64)


def log_frequency(questions: Questions) -> Floats:
    """(parts,): logarithm of the share of all choices that name a part."""
    named = np.bincount(questions.part, minlength=len(questions.parts)).astype(np.float64)
    return np.asarray(np.log((named + 0.5) / (questions.count.sum() + 1.0)))


def total(questions: Questions, weight: Floats) -> Floats:
    """Sum over a choice's parts of a weight that each part has."""
    choice, part = questions.mentions()
    # bincount adds one after another, so that equal sets have exactly equal sums.
    summed = np.bincount(choice, weight[part], len(questions) * questions.width)
    return np.asarray(summed.reshape(len(questions), questions.width))


def simple(questions: Questions, sets: Sets, frequency: Floats) -> dict[str, Floats]:
    """The scores of all of these attackers, by name."""
    size, length = sets.size.astype(np.float64), questions.text_length.astype(np.float64)
    return {
        "most_similar": similarity(sets),
        "majority_vote": majority(sets),
        "largest": size,
        "smallest": -size,
        "middle_size": middle(sets),
        "longest_text": length,
        "shortest_text": -length,
        "part_frequency": total(questions, frequency),
    }
