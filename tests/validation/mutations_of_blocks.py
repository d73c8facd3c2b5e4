"""Damage to what must hold of questions together: in a block, about a photograph, and of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from tests.validation.asking import a_block, lists_of, right_of, set_values, written
from tests.validation.damage import damaged, first, setting
from tests.validation.mutation import Mutations
from tests.validation.staged import Row, column, edited, names, questions

OF_BLOCKS = Mutations()


@OF_BLOCKS.breaks("questions.block_is_alike")
def a_question_of_a_block_has_another_text(folder: Path) -> Collection[str]:
    rows = a_block(folder, question_type="identification", names_object=False)
    set_values(folder, rows[0], question=f"Look closely. {rows[0]['question']}")
    return names(rows)


@OF_BLOCKS.breaks("questions.block_is_alike")
def a_question_of_a_block_offers_its_choices_in_another_order(folder: Path) -> Collection[str]:
    rows = a_block(folder, question_type="identification")
    row = rows[0]
    others = [place for place in range(len(row["choices"])) if place != row["correct_index"]]
    choices = list(row["choices"])
    choices[others[0]], choices[others[1]] = choices[others[1]], choices[others[0]]
    set_values(folder, row, choices=choices)
    return names(rows)


@OF_BLOCKS.breaks("questions.each_choice_right_once")
def a_choice_is_right_for_two_questions_of_a_block(folder: Path) -> Collection[str]:
    rows = a_block(folder, question_type="identification")
    row, other = rows[:2]
    set_values(folder, row, **written(row, lists_of(row), other["correct_index"]))
    return names(rows)


@OF_BLOCKS.breaks("questions.each_choice_right_once")
def a_question_of_a_block_is_missing(folder: Path) -> Collection[str]:
    rows = a_block(folder, question_type="identification")
    set_values(folder, rows[0], balanced=False, block_id=None, group_id=None)
    return names(rows[1:])


@OF_BLOCKS.breaks("questions.balanced_after_the_object")
def parts_after_the_object_of_a_mixed_block_are_balanced(folder: Path) -> Collection[str]:
    rows = a_block(folder, question_type="whole_to_part", balanced=False)
    edited(folder, "questions", "question_id", {name: {"balanced": True} for name in names(rows)})
    return names(rows)


@OF_BLOCKS.breaks("questions.block_photographs_differ", "blocked")
def two_questions_of_a_block_are_of_one_photograph(folder: Path) -> Collection[str]:
    rows = a_block(folder)
    one, other = (first(folder, "splits", image_id=row["image_id"]) for row in rows[:2])
    damaged(folder, "splits", setting(one, cluster=other["cluster"]))
    # In training, the two may meet in blocks of other groups, too: of other objects that they show.
    every = [row for row in questions(folder) if row["block_id"] is not None]
    shown = {
        image: {row["block_id"] for row in every if row["image_id"] == image}
        for image in (one["image_id"], other["image_id"])
    }
    both = set.intersection(*shown.values())
    return names([row for row in every if row["block_id"] in both])


@OF_BLOCKS.breaks("questions.one_object_of_photograph")
def two_objects_of_a_photograph_are_asked_about_in_testing(folder: Path) -> Collection[str]:
    shown = list(questions(folder, split="test"))
    one, other = sorted({row["image_id"] for row in shown})[:2]
    cluster = first(folder, "splits", image_id=other)["cluster"]
    edited(folder, "splits", "image_id", {one: {"cluster": cluster}})
    return names([row for row in shown if row["image_id"] in (one, other)])


@OF_BLOCKS.breaks("questions.one_group_of_photograph")
def the_questions_of_a_photograph_are_of_two_groups_in_testing(folder: Path) -> Collection[str]:
    shown = list(questions(folder, split="test"))
    block = [row for row in shown if row["block_id"] == shown[0]["block_id"]]
    edited(folder, "questions", "question_id", {name: {"group_id": "grp_other"} for name in names(block)})
    images = {row["image_id"] for row in block}
    return names([row for row in shown if row["image_id"] in images])


def _rewritten(folder: Path, write: Callable[[Row], Row | None], **wanted: Any) -> None:
    """Writes all questions with these values anew."""
    new = {row["question_id"]: write(row) for row in questions(folder, **wanted)}
    edited(folder, "questions", "question_id", {name: values for name, values in new.items() if values})


@OF_BLOCKS.breaks("version.positions_balanced")
def the_first_choice_is_right_wherever_there_is_no_block(folder: Path) -> Collection[str]:
    def write(row: Row) -> Row:
        own = row["correct_index"]
        return {"choices": [row["choices"][own], *row["choices"][:own], *row["choices"][own + 1 :]], "correct_index": 0}

    _rewritten(folder, write, block_id=None)
    kinds = Counter(len(row["choices"]) for row in questions(folder, balanced=False))
    first = Counter(len(row["choices"]) for row in questions(folder, balanced=False, correct_index=0))
    return {
        f"{k} choices, balanced false" for k, n in kinds.items() if first[k] - n / k > 5 * (n / k * (1 - 1 / k)) ** 0.5
    }


@OF_BLOCKS.breaks("version.objects_balanced")
def an_object_question_is_said_to_be_balanced_and_is_not(folder: Path) -> Collection[str]:
    rows = a_block(folder, question_type="whole_to_part", balanced=False, object_balanced=False)
    edited(folder, "questions", "question_id", {name: {"object_balanced": True} for name in names(rows)})
    offered = sorted(choice["object_category"] for choice in rows[0]["object_choices"])
    return {f"train whole_to_part: {', '.join(offered)}"}


@OF_BLOCKS.breaks("version.blind_accuracy_is_chance", among_others=True, settings={"blind_questions": 20_000})
def wrong_choices_are_edits_of_the_right_one(folder: Path) -> Collection[str]:
    every = sorted(set(column(folder, "part_categories", "part_category")))

    def write(row: Row) -> Row:
        own = right_of(row)["parts"]
        others = [part for part in every if part not in own][: len(row["choices"]) - 1]
        lists = [[*own, other] for other in others]
        lists.insert(row["correct_index"], own)
        return written(row, lists, row["correct_index"])

    _rewritten(folder, write, balanced=True)
    return {"most_similar"}
