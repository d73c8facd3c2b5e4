"""Runs all attackers over a table, some thousand questions at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from partonomy_data.questions.audit import crossfit, features, first_turns, learned, linking, object_cues, shapes
from partonomy_data.questions.audit.credit import Ties, ties
from partonomy_data.questions.audit.features import Knowledge
from partonomy_data.questions.audit.object_cues import ObjectKnowledge
from partonomy_data.questions.audit.report import SHAPES
from partonomy_data.questions.audit.sets import sets_of
from partonomy_data.questions.audit.settings import AuditSettings
from partonomy_data.questions.audit.table import AuditTable, Bools, Floats, Ints, Questions, chunks

Scores = NDArray[np.float32]
#: Attackers on the choices of parts, in the order of reports.
PART_ATTACKERS: Final = (
    "most_similar",
    "majority_vote",
    "largest",
    "smallest",
    "middle_size",
    "longest_text",
    "shortest_text",
    "position",
    "part_frequency",
    "typicality",
    "size_count",
    "size_parts",
    "size_order",
    "linking",
    "first_turn",
    "learned",
    "learned_linked",
    "shape",
)
#: Attackers on the choices of objects in two-turn types.
OBJECT_ATTACKERS: Final = (
    "object_position",
    "object_frequency",
    "object_similarity",
    "object_parts",
    "object_linking",
    "object_first_turn",
    "object_learned",
    "object_shape",
)


@dataclass(frozen=True, slots=True)
class Attacks:
    """How each attacker fared on each question, (n,): see `credit.ties`."""

    parts: Mapping[str, Ties]
    objects: Mapping[str, Ties]
    """Empty if the table has no object questions; 0 for the questions without one."""
    notes: tuple[str, ...]
    """Which attackers could not be run, and why."""


def attack(table: AuditTable, settings: AuditSettings) -> Attacks:
    """All attackers on all questions. Raises UsageError if scikit-learn is not installed."""
    learned.require()
    with learned.one_thread():
        return _attack(table, settings)


def _attack(table: AuditTable, settings: AuditSettings) -> Attacks:
    notes: list[str] = []
    fold = crossfit.folds(table, settings.folds, settings.seed)
    trained_fold = learned.category_folds(table, settings.folds, settings.seed)
    known = features.gather(table.questions, table.answers, fold)
    if not table.questions.metadata.known:
        notes.append("size_count, size_parts and size_order were not run: the objects' sizes are not known here")
    parts, agreement = _by_rule(table, known)
    parts |= _told(table, fold)
    seen = bool(np.isfinite(table.questions.shape).any())
    if seen:
        parts["shape"] = _ties(shapes.parts(table, fold), table)
    parts |= _trained(table, settings, known, trained_fold, agreement, notes)
    objects: dict[str, Ties] = {}
    if int(table.questions.object_count.max(initial=0)):
        objects = _objects(table, settings, fold, trained_fold, notes)
        if seen:
            asked, right = table.questions.object_choice >= 0, np.maximum(table.answers.object_correct, 0)
            objects["object_shape"] = np.where(asked.any(axis=1), ties(shapes.objects(table, fold), asked, right), 0)
    return Attacks({name: parts[name] for name in PART_ATTACKERS if name in parts}, objects, tuple(notes))


def attack_by_rule(table: AuditTable, settings: AuditSettings) -> Attacks:
    """The attackers on the choices of parts that need no training, on all questions; scikit-learn isn't needed."""
    fold = crossfit.folds(table, settings.folds, settings.seed)
    parts, _ = _by_rule(table, features.gather(table.questions, table.answers, fold))
    parts |= _told(table, fold)
    return Attacks({name: parts[name] for name in PART_ATTACKERS if name in parts}, {}, ())


def rule_scores(questions: Questions, known: Knowledge, start: int, stop: int) -> dict[str, Floats]:
    """(q, K) scores of the attackers that aren't trained, for rows `start` to `stop`.

    `linking` is as it is before `linking.shared_out` evens out the blocks.
    """
    piece = questions.slice(start, stop)
    sets = sets_of(piece)
    found = features.rule_scores(piece, sets, known, start)
    found["linking"], _ = features.link_scores(piece, sets, known, start)
    return found


def _by_rule(table: AuditTable, known: Knowledge) -> tuple[dict[str, Ties], Scores]:
    """How the attackers that aren't trained fared, and the scores of `linking` before blocks are evened out."""
    questions, correct = table.questions, table.answers.correct
    won: dict[str, Ties] = {}
    agreement = np.zeros((len(questions), questions.width), np.float32)
    for start, stop in chunks(questions):
        found = rule_scores(questions, known, start, stop)
        agreement[start:stop] = found.pop("linking")
        valid = questions.valid[start:stop]
        for name, scores in found.items():
            outcome = won.setdefault(name, np.zeros(len(questions), np.uint8))
            outcome[start:stop] = ties(scores, valid, correct[start:stop])
    won["linking"] = _ties(linking.shared_out(agreement, questions), table)
    return won, agreement


def _ties(scores: Scores | Floats, table: AuditTable) -> Ties:
    """`ties` on all questions, a part of them at a time."""
    pieces = [
        ties(scores[start:stop], table.questions.valid[start:stop], table.answers.correct[start:stop])
        for start, stop in chunks(table.questions)
    ]
    return np.concatenate(pieces)


def _trained(
    table: AuditTable,
    settings: AuditSettings,
    known: Knowledge,
    trained_fold: Ints,
    agreement: Scores,
    notes: list[str],
) -> dict[str, Ties]:
    questions = table.questions
    ranges = chunks(questions)
    chosen = learned.sample(table, np.ones(len(questions), bool), settings.train_questions, settings.seed)
    width = _single_width(questions, known)

    def of_chunk(start: int, stop: int) -> tuple[Scores, Bools]:
        piece = questions.slice(start, stop)
        return choice_features(piece, known, start, agreement[start:stop]), piece.valid

    training = learned.collect(ranges, chosen, of_chunk, table.answers.correct, trained_fold)
    plain = learned.Training(training.features[:, :width], training.right, training.fold)
    trained = {
        "learned": learned.train(plain, settings.folds, settings.iterations, settings.seed),
        "learned_linked": learned.train(training, settings.folds, settings.iterations, settings.seed),
    }
    if any(model is None for model in trained["learned"].models):
        notes.append("the learned attackers had too few questions to learn from in some folds, and guessed there")
    scores = {name: np.zeros((len(questions), questions.width), np.float32) for name in trained}
    for start, stop in ranges:
        values, valid = of_chunk(start, stop)
        here = trained_fold[start:stop]
        scores["learned"][start:stop] = trained["learned"].score(values[:, :, :width], valid, here)
        scores["learned_linked"][start:stop] = trained["learned_linked"].score(values, valid, here)
    scores["learned_linked"] = linking.shared_out(scores["learned_linked"], questions)
    return {name: _ties(one, table) for name, one in scores.items()}


def choice_features(piece: Questions, known: Knowledge, start: int, agreement: Scores) -> Scores:
    """float32 (q, K, f): the features of single questions, then those of linked ones, for the table's rows from `start`."""
    sets = sets_of(piece)
    rules = features.rule_scores(piece, sets, known, start)
    single = features.single(piece, sets, known, start, rules)
    found = linking.links(piece.subject, sets)
    more = features.linked(piece, sets, known, start, agreement.astype(np.float64), found)
    return np.concatenate([single, more], axis=2).astype(np.float32)


def _single_width(questions: Questions, known: Knowledge) -> int:
    """How many features a single question has."""
    piece = questions.slice(0, 1)
    sets = sets_of(piece)
    return int(features.single(piece, sets, known, 0, features.rule_scores(piece, sets, known, 0)).shape[2])


def _told(table: AuditTable, fold: Ints) -> dict[str, Ties]:
    """How the attackers fared that go by the best position, and by the true answer to the first of two turns."""
    found = {"position": _position(table, fold)}
    if first_turns.object_told(table.questions).any():
        found["first_turn"] = _ties(first_turns.parts(table, fold), table)
    return found


def _position(table: AuditTable, fold: Ints) -> Ties:
    questions = table.questions
    stratum = crossfit.distinct(questions.type, questions.source, questions.count)
    best = crossfit.best_position(table.answers.correct, questions.count, stratum, fold, questions.width)
    return ties(best, questions.valid, table.answers.correct)


def _objects(
    table: AuditTable, settings: AuditSettings, fold: Ints, trained_fold: Ints, notes: list[str]
) -> dict[str, Ties]:
    questions, correct = table.questions, np.maximum(table.answers.object_correct, 0)
    known = object_cues.gather(questions, table.answers, fold)
    asked = questions.object_count > 0
    ranges = chunks(questions)
    won = {name: np.zeros(len(questions), np.uint8) for name in OBJECT_ATTACKERS if name not in SHAPES}
    for start, stop in ranges:
        rows = asked[start:stop]
        valid = questions.object_choice[start:stop] >= 0
        piece = questions.slice(start, stop)
        found = object_cues.scores(piece, known, start)
        found["object_first_turn"] = first_turns.objects(piece, table.answers.slice(start, stop), known, start)
        for name, values in found.items():
            won[name][start:stop][rows] = ties(values[rows], valid[rows], correct[start:stop][rows])
    of_chunk = _object_features(questions, known)
    chosen = learned.sample(table, asked, settings.train_questions, settings.seed)
    training = learned.collect(ranges, chosen, of_chunk, correct, trained_fold)
    ensemble = learned.train(training, settings.folds, settings.iterations, settings.seed)
    if any(model is None for model in ensemble.models):
        notes.append("object_learned had too few questions to learn from in some folds, and guessed there")
    for start, stop in ranges:
        rows = asked[start:stop]
        seen, valid = of_chunk(start, stop)
        scored = ensemble.score(seen[rows], valid[rows], trained_fold[start:stop][rows])
        won["object_learned"][start:stop][rows] = ties(scored, valid[rows], correct[start:stop][rows])
    return won


def _object_features(questions: Questions, known: ObjectKnowledge) -> Callable[[int, int], tuple[Scores, Bools]]:
    def of_chunk(start: int, stop: int) -> tuple[Scores, Bools]:
        piece = questions.slice(start, stop)
        found = object_cues.scores(piece, known, start)
        return object_cues.features(piece, found).astype(np.float32), piece.object_choice >= 0

    return of_chunk
