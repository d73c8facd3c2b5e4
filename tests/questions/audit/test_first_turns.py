"""Who is told the true answer to the first of two turns, and what that tells of the second."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partonomy_data.questions.audit import AuditTable, first_turns, object_cues
from partonomy_data.questions.audit.credit import credit, ties
from partonomy_data.questions.audit.table import Answers
from tests.questions.audit.test_against_loops import table_of

#: What cups and jugs show, two of each.
SETS = {"cup": ("rim", "rim bowl"), "jug": ("spout", "spout bowl")}


def table(kind: str, *, mixed: bool) -> AuditTable:
    """Ten groups of two: each a cup and a jug, or two of either."""
    members = [("cup", 0), ("jug", 1)] if mixed else [("cup", 0), ("cup", 1)]
    turned = [("jug", 0), ("cup", 1)] if mixed else [("jug", 0), ("jug", 1)]
    rows = [(group, *one) for group in range(10) for one in (turned if group % 2 else members)]
    shown = {group: [frozenset(SETS[name][at].split()) for g, name, at in rows if g == group] for group in range(10)}
    return table_of(
        [shown[group] for group, _, _ in rows],
        question_type=[kind] * len(rows),
        correct_index=[place % 2 for place in range(len(rows))],
        group_id=[f"group {group}" for group, _, _ in rows],
        block_id=[f"block {group}" for group, _, _ in rows],
        object_choices=[["cup", "jug"] for _ in rows],
        correct_object_index=[["cup", "jug"].index(name) for _, name, _ in rows],
    )


def fold_of(found: AuditTable) -> NDArray[Any]:
    return np.asarray(found.unit % 5, np.int64)


def of_parts(found: AuditTable) -> NDArray[Any]:
    scores = first_turns.parts(found, fold_of(found))
    return credit(ties(scores, found.questions.valid, found.answers.correct))


def of_objects(found: AuditTable) -> NDArray[Any]:
    answers = replace(found.answers, category=found.answers.object_correct.astype(np.int32))
    known = object_cues.gather(found.questions, answers, fold_of(found))
    scores = first_turns.objects(found.questions, answers, known, 0)
    return credit(ties(scores, found.questions.object_choice >= 0, found.answers.object_correct))


def test_the_object_gives_the_parts_of_a_mixed_group_away() -> None:
    assert of_parts(table("whole_to_part", mixed=True)).tolist() == [1.0] * 20


def test_it_tells_nothing_within_one_category_or_where_the_parts_come_first() -> None:
    for kind, mixed in (("whole_to_part", False), ("part_to_whole", True), ("identification", True)):
        assert of_parts(table(kind, mixed=mixed)).tolist() == [0.5] * 20


def test_the_parts_give_the_object_away_where_they_come_first() -> None:
    assert of_objects(table("part_to_whole", mixed=True)).tolist() == [1.0] * 20
    assert of_objects(table("whole_to_part", mixed=True)).tolist() == [0.5] * 20


def test_the_answer_to_the_own_turn_is_not_seen() -> None:
    found = table("whole_to_part", mixed=True)
    own = found.unit == 3
    answers = found.answers
    moved = Answers(np.where(own, 1 - answers.correct, answers.correct), answers.object_correct, answers.category)
    other = replace(found, answers=moved)
    before, after = (first_turns.parts(one, fold_of(found)) for one in (found, other))
    np.testing.assert_array_equal(before[own], after[own])
    assert not np.array_equal(before[~own], after[~own])
