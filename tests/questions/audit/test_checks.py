"""The plain checks count what was planted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from partonomy_data.questions.audit import AuditTable, Report, checks
from tests.questions.audit.test_against_loops import choices_of, table_of

Audited: TypeAlias = Callable[[str], tuple[AuditTable, Report]]
A, B, C, D = (frozenset(f"part {number}" for number in numbers) for numbers in ([1], [1, 2], [3], [1, 2, 4]))


def test_choices_that_a_rule_excludes_are_counted() -> None:
    planted = [[A, B, C], [B, A, A], [C, frozenset(), D]]
    table = table_of(planted, object_category=["cup"] * 3, names_object=[True] * 3, balanced=[True, False, False])
    found, balanced = checks.excluded(table)
    assert (found.questions, balanced.questions, balanced.choices, balanced.part_never_right) == (
        "all",
        "balanced",
        3,
        0,
    )
    assert (found.empty, found.repeated, found.choices) == (1, 2, 9)
    assert found.part_never_right == 1  # part 4
    assert found.same_text == 0
    same = table_of([[A, B, C]], texts=[["x", "y", "x"]])
    assert checks.excluded(same)[0].same_text == 2


def test_a_part_may_be_right_for_another_category_and_still_be_excluded() -> None:
    planted = [[A, C], [C, A]]
    named = table_of(planted, object_category=["cup", "saw"], names_object=[True, True])
    assert checks.excluded(named)[0].part_never_right == 2
    unnamed = table_of(planted, object_category=["cup", "saw"], names_object=[False, False])
    assert checks.excluded(unnamed)[0].part_never_right == 0


def test_edits_to_the_nearest_wrong_choice() -> None:
    table = table_of([[A, B, C], [D, A, C], [C, A, B]], object_category=["cup"] * 3)
    found = {(row.questions, row.question_type): row for row in checks.hardness(table)}
    assert found["all", "all"].by_edits == [0, 2, 1]
    assert found["all", "identification"].median == 1
    assert (found["six_or_more_parts", "all"].n, found["six_or_more_parts", "all"].median) == (0, None)
    assert checks.parts_of_category(table).tolist() == [4, 4, 4]


def test_hardness_is_that_of_plain_loops(audited: Audited) -> None:
    table, report = audited("edited")
    counts: dict[int, int] = {}
    for sets, correct in zip(choices_of(table), table.answers.correct.tolist(), strict=True):
        right = sets[correct]
        near = min(max(len(right - one), len(one - right)) for place, one in enumerate(sets) if place != correct)
        counts[near] = counts.get(near, 0) + 1
    row = next(one for one in report.hardness if (one.questions, one.question_type) == ("all", "all"))
    assert row.by_edits == [counts.get(edits, 0) for edits in range(max(counts) + 1)]


def test_positions_are_counted_by_number_of_choices() -> None:
    table = table_of([[A, B, C]] * 30 + [[A, B]] * 4, correct_index=[0] * 30 + [0, 1, 0, 1])
    two, three = checks.positions(table)
    assert (two.choices, two.counts, two.p_value) == (2, [2, 2], 1.0)
    assert (three.choices, three.counts) == (3, [30, 0, 0])
    assert three.p_value < 1e-6


def test_blocks_that_are_not_what_they_should_be_are_found() -> None:
    right = {"block_id": ["x", "x", "x"], "image_id": ["1", "2", "3"], "correct_index": [2, 0, 1]}
    sets = [[A, B, C]] * 3
    sound = table_of(sets, **right, texts=[["a", "b", "c"]] * 3)
    found = checks.blocks(sound)
    assert (found.blocks, found.choices_differ, found.text_differs, found.not_each_right_once) == (1, 0, 0, 0)
    assert found.photograph_repeated == 0
    texts = [["a", "b", "c"]] * 3
    assert checks.blocks(table_of([[A, B, C], [A, C, B], [A, B, C]], **right, texts=texts)).choices_differ == 1
    assert checks.blocks(table_of(sets, **right, texts=texts, question=["q", "q", "r"])).text_differs == 1
    assert checks.blocks(table_of(sets, **(right | {"correct_index": [0, 0, 1]}))).not_each_right_once == 1
    assert checks.blocks(table_of(sets, **(right | {"image_id": ["1", "2", "2"]}))).photograph_repeated == 1
    assert checks.blocks(table_of(sets)).blocks == 0


def test_photographs_in_two_splits_are_found() -> None:
    leaking = table_of([[A, B]] * 4, image_id=["1", "1", "2", "3"], split=["train", "test", "test", "train"])
    found = checks.leakage(leaking)
    assert (found.photographs, found.units, found.splits) == (1, 1, {"test": 2, "train": 2})


def test_lengths_of_right_and_wrong_choices() -> None:
    (found,) = checks.lengths(table_of([[B, A, D]], texts=[["four", "abc", "abcde"]]))
    assert (found.right_parts, found.wrong_parts) == (2.0, 2.0)
    assert (found.right_characters, found.wrong_characters) == (4.0, 4.0)
    assert (found.right_by_parts, found.wrong_by_parts) == ([0, 0, 1], [0, 1, 0, 1])
