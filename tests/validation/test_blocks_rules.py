"""Questions of a block, of a photograph, and where the right choices stand: what the mutations leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from partonomy_data.validation.rules import blocks
from tests.validation.asking import a_block, set_values
from tests.validation.damage import damaged, first, setting
from tests.validation.staged import Once, Row, Staged, edited, names, questions, two_sources_in_few_files

#: Each takes about a second: a campaign of their own, beside the mutation test of all rules.
pytestmark = pytest.mark.soak

_CHECKS = {"questions": blocks.OF_QUESTIONS, **blocks.CHECKS}


@pytest.fixture
def staged(once: Once, tmp_path: Path) -> Staged:
    return Staged.of(two_sources_in_few_files(once), tmp_path)


def found(staged: Staged) -> dict[str, set[str]]:
    """Rule → the rows that break it."""
    return {rule: set(rows) for (_, rule), rows in staged.found(_CHECKS).items()}


def test_good_blocks_break_no_rule(staged: Staged) -> None:
    assert found(staged) == {}


# Blocks


def _turned(choices: list[Row]) -> list[Row]:
    return choices[::-1]


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("question", lambda old: old + " "),
        ("question_type", lambda old: "identification"),
        ("names_object", lambda old: not old),
        ("contrast_categories", lambda old: [*old, "cat"]),
        ("group_id", lambda old: "grp_other"),
        ("referent", lambda old: "box" if old == "crop" else "crop"),
        ("evidence", lambda old: "verified" if old == "unverified" else "unverified"),
        ("wording", lambda old: "another"),
        ("object_question", lambda old: old + " "),
        ("object_question", lambda old: None),
        ("object_balanced", lambda old: not old),
        ("object_choices", _turned),
        ("object_choices", lambda old: [old[0] | {"text": "It is another."}, *old[1:]]),
        ("choices", _turned),
        ("choices", lambda old: [old[0] | {"text": old[0]["text"] + " "}, *old[1:]]),
        ("choices", lambda old: old[:-1]),
    ],
)
def test_a_block_whose_questions_differ_in_anything_but_what_is_right(staged: Staged, column: str, change: Any) -> None:
    rows = a_block(staged.folder, question_type="part_to_whole")
    set_values(staged.folder, rows[0], **{column: change(rows[0][column])})
    assert found(staged)["block_is_alike"] == names(rows)


def test_what_is_right_and_the_edits_that_lead_there_differ_within_a_block(staged: Staged) -> None:
    rows = a_block(staged.folder, question_type="identification")
    assert len({str(row["choices"]) for row in rows}) == len(rows)
    assert "block_is_alike" not in found(staged)


def test_a_question_too_many_in_a_block_makes_a_choice_right_twice(staged: Staged) -> None:
    one = a_block(staged.folder, question_type="identification")
    other = next(
        row
        for row in questions(staged.folder, balanced=True, question_type="identification")
        if row["block_id"] != one[0]["block_id"]
    )
    set_values(staged.folder, other, block_id=one[0]["block_id"])
    told = found(staged)
    assert names(one) | {other["question_id"]} <= told["each_choice_right_once"] & told["block_is_alike"]


# Photographs


def test_a_photograph_whose_object_is_named_now_and_then(staged: Staged) -> None:
    row = next(questions(staged.folder, split="test"))
    set_values(staged.folder, row, names_object=not row["names_object"])
    shown = names(list(questions(staged.folder, image_id=row["image_id"])))
    assert found(staged)["named_always_or_never"] == shown


def test_a_photograph_with_questions_of_no_group_too(staged: Staged) -> None:
    row = next(questions(staged.folder, split="test"))
    set_values(staged.folder, row, group_id=None)
    assert found(staged)["one_group_of_photograph"] == names(list(questions(staged.folder, image_id=row["image_id"])))


def test_for_training_a_photograph_may_be_asked_anything(staged: Staged) -> None:
    row = next(questions(staged.folder, split="train", block_id=None))
    edited(staged.folder, "questions", "question_id", {row["question_id"]: {"names_object": not row["names_object"]}})
    two = [one for one in questions(staged.folder, split="train", block_id=None) if one["image_id"] != row["image_id"]][
        :1
    ]
    split = first(staged.folder, "splits", image_id=row["image_id"])
    damaged(
        staged.folder,
        "splits",
        setting(split, cluster=first(staged.folder, "splits", image_id=two[0]["image_id"])["cluster"]),
    )
    assert found(staged) == {}


def test_the_same_question_with_its_categories_in_another_order_is_another_one(staged: Staged) -> None:
    row = next(questions(staged.folder, question_type="contrast", balanced=False))
    other = next(
        one for one in questions(staged.folder, object_id=row["object_id"]) if one["question_id"] != row["question_id"]
    )
    turned = {"question_type": "contrast", "contrast_categories": row["contrast_categories"][::-1]}
    set_values(staged.folder, other, **turned)
    assert "asked_once" not in found(staged)
    other = next(questions(staged.folder, question_id=other["question_id"]))
    set_values(staged.folder, other, contrast_categories=row["contrast_categories"])
    assert found(staged)["asked_once"] == names([row, other])


# Places


def _placed(staged: Staged, n: int, k: int, places: list[int], balanced: bool) -> dict[str, str | None]:
    """What is found of `n` questions with `k` choices whose right places are these, in turn."""
    rows = [row for row in questions(staged.folder) if len(row["choices"]) >= k][:n]
    assert len(rows) == n
    kept = names(rows)
    damaged(
        staged.folder,
        "questions",
        lambda table: table.filter([one in kept for one in table["question_id"].to_pylist()]),
    )
    new = {
        row["question_id"]: {
            "choices": row["choices"][:k],
            "correct_index": places[i % len(places)],
            "balanced": balanced,
        }
        for i, row in enumerate(rows)
    }
    edited(staged.folder, "questions", "question_id", new)
    return staged.found(blocks.CHECKS).get(("version", "positions_balanced"), {})


def test_in_blocks_one_question_too_many_at_a_place_is_told_with_all_places(staged: Staged) -> None:
    told = _placed(staged, 31, 3, [0, 1, 2], balanced=True)
    assert told == {"3 choices, balanced true": "place 0: 11 of 31, place 1: 10 of 31, place 2: 10 of 31"}


def test_in_blocks_as_many_at_each_place_are_right(staged: Staged) -> None:
    assert _placed(staged, 30, 3, [0, 1, 2], balanced=True) == {}


def test_elsewhere_what_chance_does_is_right(staged: Staged) -> None:
    assert _placed(staged, 120, 3, [0, 0, 1, 2], balanced=False) == {}


def test_elsewhere_five_standard_deviations_are_too_many(staged: Staged) -> None:
    told = _placed(staged, 120, 3, [0, 0, 0, 1, 2], balanced=False)
    assert told == {"3 choices, balanced false": "place 0: 72 of 120, place 1: 24 of 120, place 2: 24 of 120"}


def test_a_place_that_is_never_right_is_told_too(staged: Staged) -> None:
    told = _placed(staged, 120, 3, [0, 1], balanced=False)
    assert told == {"3 choices, balanced false": "place 0: 60 of 120, place 1: 60 of 120, place 2: 0 of 120"}


# Objects


def test_an_object_that_is_offered_and_never_right_is_told(staged: Staged) -> None:
    row = next(questions(staged.folder, object_balanced=True))
    edited(staged.folder, "questions", "question_id", {row["question_id"]: {"object_balanced": False}})
    (told,) = found(staged)["objects_balanced"]
    offered = sorted(choice["object_category"] for choice in row["object_choices"])
    assert told == f"{row['split']} {row['question_type']}: {', '.join(offered)}"


def test_objects_are_offered_together_in_any_order(staged: Staged) -> None:
    row = next(questions(staged.folder, object_balanced=True))
    at = len(row["object_choices"]) - 1 - row["correct_object_index"]
    set_values(staged.folder, row, object_choices=row["object_choices"][::-1], correct_object_index=at)
    assert "objects_balanced" not in found(staged)
