"""Attackers don't see the answers of the questions that they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from partonomy_data.questions.audit import AuditTable, Report, attack, crossfit, features, learned, object_cues
from partonomy_data.questions.audit.table import Answers, chunks
from tests.questions.audit.conftest import QUICK

Audited: TypeAlias = Callable[[str], tuple[AuditTable, Report]]
#: Attackers that learn nothing from any answer.
UNTAUGHT = {
    "most_similar",
    "majority_vote",
    "largest",
    "smallest",
    "middle_size",
    "longest_text",
    "shortest_text",
    "part_frequency",
}


def scores(table: AuditTable) -> dict[str, NDArray[np.float64]]:
    """Scores of all attackers that aren't trained, of parts and of objects."""
    fold = crossfit.folds(table, QUICK.folds, QUICK.seed)
    known = features.gather(table.questions, table.answers, fold)
    things = object_cues.gather(table.questions, table.answers, fold)
    pieces: dict[str, list[NDArray[np.float64]]] = {}
    for start, stop in chunks(table.questions, 500):
        found = attack.rule_scores(table.questions, known, start, stop)
        found |= object_cues.scores(table.questions.slice(start, stop), things, start)
        for name, values in found.items():
            pieces.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in pieces.items()}


def with_answers_moved(table: AuditTable, rows: NDArray[np.bool_]) -> AuditTable:
    """The table with other right choices (and objects) in `rows`; nothing else differs."""
    correct = np.where(rows, (table.answers.correct + 1) % table.questions.count, table.answers.correct)
    asked = rows & (table.answers.object_correct >= 0)
    count = np.maximum(table.questions.object_count, 1)
    moved = np.where(asked, (table.answers.object_correct + 2) % count, table.answers.object_correct)
    return replace(table, answers=Answers(correct, moved, table.answers.category))


@pytest.mark.parametrize("name", ["edited", "regrouped"])
def test_rules_do_not_change_with_any_answer(audited: Audited, name: str) -> None:
    table, _ = audited(name)
    before, after = scores(table), scores(with_answers_moved(table, np.ones(len(table), bool)))
    changed = {one for one in before if not np.array_equal(before[one], after[one])}
    assert not changed & UNTAUGHT
    assert changed >= {"typicality" if name == "edited" else "size_parts", "object_frequency"}


@pytest.mark.parametrize("name", ["edited", "regrouped"])
def test_what_is_learnt_does_not_come_from_the_own_unit(audited: Audited, name: str) -> None:
    table, _ = audited(name)
    before = scores(table)
    for unit in (0, len(table.unit_hash) // 2, len(table.unit_hash) - 1):
        rows = table.unit == unit
        after = scores(with_answers_moved(table, rows))
        for one, values in before.items():
            np.testing.assert_array_equal(values[rows], after[one][rows], err_msg=one)


def test_a_trained_attacker_never_meets_its_category_in_training(audited: Audited) -> None:
    table, _ = audited("grouped")
    fold = learned.category_folds(table, 3, 0)
    for values in (table.answers.category, table.unit):
        pairs = np.unique(np.stack([values, fold]), axis=1)
        assert len(pairs[0]) == len(np.unique(values))
    assert len(np.unique(fold)) == 3


def test_folds_of_rates_keep_units_whole_and_are_of_like_size(audited: Audited) -> None:
    table, _ = audited("edited")
    fold = crossfit.folds(table, 5, 3)
    pairs = np.unique(np.stack([table.unit, fold]), axis=1)
    assert len(pairs[0]) == len(table.unit_hash)
    assert np.bincount(fold).min() > len(table) / 10
    assert not np.array_equal(fold, crossfit.folds(table, 5, 4))


def test_a_trained_attacker_answers_with_the_model_that_did_not_see_the_fold() -> None:
    class Fixed:
        def __init__(self, value: float) -> None:
            self.value = value

        def decision_function(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
            return np.full(len(rows), self.value) + rows[:, 0]

    ensemble = learned.Ensemble([Fixed(10.0), None, Fixed(30.0)])
    values = np.arange(8, dtype=np.float32).reshape(4, 2, 1)
    valid = np.array([[True, True], [True, False], [True, True], [True, True]])
    found = ensemble.score(values, valid, np.array([2, 0, 1, 0]))
    assert found.tolist() == [[30.0, 31.0], [12.0, 0.0], [0.0, 0.0], [16.0, 17.0]]


def test_whole_units_are_sampled(audited: Audited) -> None:
    table, _ = audited("regrouped")
    chosen = learned.sample(table, np.ones(len(table), bool), 500, 0)
    assert 500 <= chosen.sum() < 520
    units = np.unique(table.unit[chosen])
    np.testing.assert_array_equal(chosen, np.isin(table.unit, units))
