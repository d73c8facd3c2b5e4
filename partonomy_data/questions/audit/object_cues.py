"""Attackers on the object question of two-turn types: which of the offered categories, without the image?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from partonomy_data.questions.audit import crossfit, linking
from partonomy_data.questions.audit import sets as algebra
from partonomy_data.questions.audit.crossfit import Rates
from partonomy_data.questions.audit.encode import hash_of
from partonomy_data.questions.audit.features import COMPLETE
from partonomy_data.questions.audit.table import Answers, Bools, Floats, Hashes, Ints, Questions

_WORDS: Final = 8
Names = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class ObjectKnowledge:
    """What these attackers draw on; arrays are (n, …) for the whole table."""

    fold: Ints
    right: Ints
    """(categories, folds): how often a category is the right object."""
    offered: Ints
    """(categories, folds): how often it is a choice."""
    parts: Rates
    """By true category, from complete lists of parts."""
    trigrams: Names
    """(categories, words): which letter triples a name has, hashed to bits."""
    position: Floats
    """(n, L): 1 at the best fixed position."""
    named: NDArray[np.int32]


def gather(questions: Questions, answers: Answers, fold: Ints) -> ObjectKnowledge:
    """Knowledge for all questions. An answer is used for questions of other folds only."""
    number, size = int(fold.max(initial=0)) + 1, max(1, len(questions.categories))
    asked = np.flatnonzero(questions.object_count > 0)
    right = questions.object_choice[asked, answers.object_correct[asked]].astype(np.int64)
    row, place = np.nonzero(questions.object_choice >= 0)
    offered = questions.object_choice[row, place].astype(np.int64)
    complete = np.isin(questions.type, [code for code, name in enumerate(questions.types) if name in COMPLETE])
    category = answers.category.astype(np.int64)
    stratum = crossfit.distinct(questions.type, questions.source)
    correct = np.maximum(answers.object_correct, 0)
    width = questions.object_choice.shape[1]
    position = np.zeros((len(questions), width))
    position[asked] = crossfit.best_position(
        correct[asked], questions.object_count[asked], stratum[asked], fold[asked], width
    )
    return ObjectKnowledge(
        fold,
        np.bincount(right * number + fold[asked], minlength=size * number).reshape(size, number),
        np.bincount(offered * number + fold[row], minlength=size * number).reshape(size, number),
        Rates.of(questions, answers, np.maximum(category, 0), fold, complete & (category >= 0), size),
        _trigrams(questions.categories),
        position,
        linking.named_elsewhere(questions.subject, questions.category),
    )


def _trigrams(names: tuple[str, ...]) -> Names:
    bits = np.zeros((max(1, len(names)), _WORDS), np.uint64)
    for row, name in enumerate(names):
        padded = f"  {name}  "
        for place in range(len(padded) - 2):
            bit = hash_of(padded[place : place + 3]) % (_WORDS * 64)
            bits[row, bit >> 6] |= np.uint64(1 << (bit & 63))
    return bits


def scores(questions: Questions, known: ObjectKnowledge, start: int) -> dict[str, Floats]:
    """(q, L) scores by attacker, for questions of the table from row `start` on."""
    stop = start + len(questions)
    choice = questions.object_choice.astype(np.int64)
    fold = known.fold[start:stop, None]
    code = np.maximum(choice, 0)
    right = known.right.sum(axis=1)[code] - known.right[code, fold]
    offered = known.offered.sum(axis=1)[code] - known.offered[code, fold]
    return {
        "object_position": known.position[start:stop],
        "object_frequency": _rounded((right + 1.0) / (offered + np.maximum(questions.object_count, 1)[:, None])),
        "object_similarity": _similarity(known.trigrams[code], choice >= 0),
        "object_parts": _fit(questions, known, start),
        "object_linking": _elsewhere(questions, known, start),
    }


def _rounded(rate: Floats) -> Floats:
    """Rates to the nearest twentieth.

    Where all categories are right equally often, what is more frequent in the other folds is rarer in one's own: small
    differences would lead below chance.
    """
    return np.asarray(np.round(rate * 20) / 20)


def _similarity(bits: Hashes, valid: Bools) -> Floats:
    """Mean likeness (Jaccard index of letter triples) of a name with the other names on offer."""
    shared = algebra.count(bits[:, :, None] & bits[:, None, :])
    size = algebra.count(bits)
    likeness = algebra.jaccard(shared, size[:, :, None], size[:, None, :])
    other = valid[:, :, None] & valid[:, None, :] & ~np.eye(valid.shape[1], dtype=bool)
    return np.asarray((likeness * other).sum(axis=2) / np.maximum(other.sum(axis=2), 1))


def _fit(questions: Questions, known: ObjectKnowledge, start: int) -> Floats:
    """Log-likelihood that a candidate's parts are those of some choice of the part question."""
    return fit_of(questions, known, start, None)


def fit_of(questions: Questions, known: ObjectKnowledge, start: int, told: Ints | None) -> Floats:
    """(q, L): log-likelihood that a candidate's parts are those of the choice `told` (q,); of some choice where it is None."""
    q, width = len(questions), questions.width
    candidates = questions.object_choice.shape[1]
    choice, part = questions.mentions()
    row = choice // width
    key, first = np.unique(row * np.int64(len(questions.parts)) + part, return_index=True)
    fold = known.fold[start : start + q]
    out = np.zeros((q, candidates))
    offered_row, offered_part = key // len(questions.parts), part[first]
    for place in range(candidates):
        category = np.maximum(questions.object_choice[:, place], 0).astype(np.int64)
        rate = known.parts.rate(category[row], part, fold[row])
        odds = np.bincount(choice, np.log(rate) - np.log1p(-rate), q * width).reshape(q, width)
        missing = np.log1p(-known.parts.rate(category[offered_row], offered_part, fold[offered_row]))
        none = np.bincount(offered_row, missing, q)
        if told is not None:
            out[:, place] = none + odds[np.arange(q), told]
            continue
        best = np.where(questions.valid, odds, -np.inf).max(axis=1)
        spread = np.log(np.where(questions.valid, np.exp(odds - best[:, None]), 0.0).sum(axis=1))
        out[:, place] = none + best + spread
    return out


def _elsewhere(questions: Questions, known: ObjectKnowledge, start: int) -> Floats:
    """1 for the name that another question of the photograph gives the object, -1 for one that it is compared with."""
    subject = questions.subject.astype(np.int64)
    row = np.repeat(np.arange(len(questions)), np.diff(questions.contrast_start))
    size = max(1, len(questions.categories))
    compared = np.unique(subject[row] * size + questions.contrast)
    choice = questions.object_choice.astype(np.int64)
    contrasted = np.isin(subject[:, None] * size + np.maximum(choice, 0), compared)
    named = choice == known.named[start : start + len(questions), None]
    return np.asarray(np.where(choice < 0, 0.0, named.astype(np.float64) - contrasted))


def features(questions: Questions, found: dict[str, Floats]) -> Floats:
    """(q, L, features) for the learned attacker: every score, and how it compares within the question."""
    valid = questions.object_choice >= 0
    columns = [questions.object_count[:, None] + np.zeros(valid.shape)]
    for values in found.values():
        finite = np.where(valid, values, 0.0)
        best = np.where(valid, values, -np.inf).max(axis=1, keepdims=True)
        columns += [finite, finite - np.where(np.isfinite(best), best, 0.0), algebra.rank(finite, valid)]
    return np.stack(columns, axis=2)
