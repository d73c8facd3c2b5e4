"""Attackers on the second of two turns, which know the true answer to the first: an evaluation tells it.

Of parts that are asked for after the object: how often other groups' objects of that category have each part; then each
choice of a block is right once. Of objects that are asked for after the parts: whose parts these would be.
"""

from __future__ import annotations

import numpy as np

from partonomy_data.questions.audit import crossfit, linking, object_cues
from partonomy_data.questions.audit.crossfit import Rates
from partonomy_data.questions.audit.features import COMPLETE
from partonomy_data.questions.audit.object_cues import ObjectKnowledge
from partonomy_data.questions.audit.table import Answers, AuditTable, Bools, Codes, Floats, Ints, Questions, chunks
from partonomy_data.questions.settings import OBJECT_FIRST


def object_told(questions: Questions) -> Bools:
    """(n,): whether the true object is known by the time that the parts are asked for."""
    return (questions.object_count > 0) & np.isin(questions.type, _codes(questions, {OBJECT_FIRST}))


def parts(table: AuditTable, fold: Ints) -> Floats:
    """(n, K): scores of the choices of parts; all the same where no object is told before."""
    questions = table.questions
    category = _categories(questions, table.answers)
    complete = np.isin(questions.type, _codes(questions, COMPLETE)) & (category >= 0)
    size = max(1, len(questions.categories))
    rates = Rates.of(questions, table.answers, np.maximum(category, 0).astype(np.int64), fold, complete, size)
    told = np.where(object_told(questions), category, -1)
    scores = np.zeros((len(questions), questions.width), np.float32)
    for start, stop in chunks(questions):
        piece, here = questions.slice(start, stop), told[start:stop].astype(np.int64)
        choice, part = piece.mentions()
        row = choice // piece.width
        rate = rates.rate(np.maximum(here, 0)[row], part, fold[start:stop][row])
        scores[start:stop] = np.where((here >= 0)[:, None], crossfit.log_odds(piece, rate), 0.0)
    shared = linking.shared_out(scores, questions)
    return np.where((told >= 0)[:, None], shared, 0.0)


def objects(questions: Questions, answers: Answers, known: ObjectKnowledge, start: int) -> Floats:
    """(q, L): scores of the offered categories, for questions of the table from row `start` on.

    All are the same where the parts are asked for after the object. `answers` are those of these questions.
    """
    fit = object_cues.fit_of(questions, known, start, answers.correct)
    return np.where(object_told(questions)[:, None], 0.0, fit)


def _categories(questions: Questions, answers: Answers) -> Codes:
    """(n,): each object's true category, from the object question where the tables of objects aren't there; else -1."""
    own = questions.object_choice[np.arange(len(questions)), np.maximum(answers.object_correct, 0)]
    return np.where(answers.category >= 0, answers.category, np.where(questions.object_count > 0, own, -1))


def _codes(questions: Questions, names: frozenset[str] | set[str]) -> list[int]:
    return [code for code, name in enumerate(questions.types) if name in names]
