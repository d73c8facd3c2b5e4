"""Damage to what answers rest on: the parts that they name, their masks, and the part graph."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from pathlib import Path

from partonomy_data.questions.settings import QuestionSettings
from tests.validation.asking import alone, compared_with, lists_of, right_of, set_values, written, wrong_place
from tests.validation.damage import called, damaged, doubling, first, read, setting
from tests.validation.mutation import Mutations
from tests.validation.staged import Row, keeping, names, questions

OF_ANSWERS = Mutations()


def _unasked(folder: Path, row: Row, part: str) -> None:
    """Takes the row of a part out of `question_masks`."""
    gone = (row["question_id"], part)
    damaged(folder, "question_masks", keeping(lambda one: (one["question_id"], one["part_category"]) != gone))


@OF_ANSWERS.breaks("questions.answer_is_complete")
def the_correct_choice_leaves_out_a_part(folder: Path) -> Collection[str]:
    row = alone(folder, lambda row: sorted(right_of(row)["parts"][1:]) not in map(sorted, lists_of(row)))
    lists = lists_of(row)
    gone = lists[row["correct_index"]].pop(0)
    _unasked(folder, row, gone)
    return set_values(folder, row, **written(row, lists, row["correct_index"]))


@OF_ANSWERS.breaks("questions.wrong_by_more_than_tiny_parts")
def a_wrong_choice_is_the_answer_and_a_part_that_is_too_small(folder: Path) -> Collection[str]:
    row, tiny = _with_a_tiny_part(folder)
    return _adding(folder, row, tiny)


@OF_ANSWERS.breaks("questions.verified_choices_are_labeled")
def a_wrong_choice_of_a_verified_question_names_a_part_that_no_label_tells_of(folder: Path) -> Collection[str]:
    return _adding(folder, alone(folder, evidence="verified"), "flux capacitor")


def _adding(folder: Path, row: Row, part: str) -> set[str]:
    """Makes a wrong choice of a question the answer and a part more."""
    lists = lists_of(row)
    lists[wrong_place(row)] = [*right_of(row)["parts"], part]
    return set_values(folder, row, **written(row, lists, row["correct_index"]))


def _with_a_tiny_part(folder: Path) -> tuple[Row, str]:
    """A question in no block, and a part that its object shows by fewer pixels than are asked for."""
    pixels: dict[str, Counter[str]] = defaultdict(Counter)
    for one in read(folder, "parts").to_pylist():
        pixels[one["object_id"]][one["part_category"]] += one["area"]
    tiny = {of: min(parts, key=lambda part: (parts[part], part)) for of, parts in pixels.items()}
    small = {of for of, part in tiny.items() if pixels[of][part] < QuestionSettings().min_part_pixels}
    row = alone(folder, object_id=small)
    return row, tiny[row["object_id"]]


@OF_ANSWERS.breaks("questions.answer_is_visible")
def the_correct_choice_names_a_part_that_is_not_visible(folder: Path) -> Collection[str]:
    row = alone(folder)
    lists = lists_of(row)
    shown = {one["part_category"] for one in read(folder, "parts").to_pylist() if one["object_id"] == row["object_id"]}
    offered = {part for parts in lists for part in parts}
    lists[row["correct_index"]].append(min(offered - shown))
    return set_values(folder, row, **written(row, lists, row["correct_index"]))


@OF_ANSWERS.breaks("questions.answer_agrees_with_part_graph", "blocked")
def another_category_lacks_what_is_said_to_be_shared(folder: Path) -> Collection[str]:
    row = alone(folder, question_type="intersection")
    gone = f"{compared_with(row)} / {right_of(row)['parts'][0]}"
    asked = _about(folder, ("intersection", "contrast"), 0, gone)
    damaged(folder, "part_graph", keeping(lambda one: called("part_graph", one) != gone))
    return asked


@OF_ANSWERS.breaks("questions.answer_agrees_with_part_graph", "blocked")
def another_category_has_what_it_is_said_to_lack(folder: Path) -> Collection[str]:
    row = alone(folder, question_type="difference")
    pair = {"object_category": compared_with(row), "part_category": right_of(row)["parts"][0]}
    key = called("part_graph", pair)
    known = first(folder, "part_graph", object_category=compared_with(row))
    damaged(folder, "part_graph", doubling(known, **pair))
    return _about(folder, ("difference",), 0, key) | _about(folder, ("contrast",), 1, key)


def _about(folder: Path, types: Collection[str], place: int, pair: str) -> set[str]:
    """The questions that say something of a category and a part: `<category> / <part>`."""
    category, _, part = pair.partition(" / ")
    asked = questions(folder, question_type=types)
    return names(
        [row for row in asked if row["contrast_categories"][place] == category and part in right_of(row)["parts"]]
    )


def _masks_of(folder: Path, wanted: Callable[[Row], bool]) -> Row:
    """The first row of `question_masks` of a question outside of any block that is as wanted."""
    alone = names(list(questions(folder, block_id=None)))
    rows = read(folder, "question_masks").to_pylist()
    return next(row for row in rows if row["question_id"] in alone and wanted(row))


@OF_ANSWERS.breaks("questions.masks_are_all_instances")
def the_masks_of_a_part_are_of_another_object(folder: Path) -> Collection[str]:
    row = _masks_of(folder, lambda one: True)
    other = _masks_of(
        folder, lambda one: one["part_category"] == row["part_category"] and one["part_ids"] != row["part_ids"]
    )
    damaged(folder, "question_masks", setting(row, part_ids=other["part_ids"]))
    return {row["question_id"]}


@OF_ANSWERS.breaks("questions.masks_are_all_instances")
def one_of_the_masks_of_a_part_is_missing(folder: Path) -> Collection[str]:
    row = next(row for row in read(folder, "question_masks").to_pylist() if len(row["part_ids"]) > 1)
    damaged(folder, "question_masks", setting(row, part_ids=row["part_ids"][1:]))
    return {row["question_id"]}


@OF_ANSWERS.breaks("questions.named_parts_have_masks")
def a_part_that_is_named_has_no_masks(folder: Path) -> Collection[str]:
    row = alone(folder)
    _unasked(folder, row, right_of(row)["parts"][0])
    return {row["question_id"]}


@OF_ANSWERS.breaks("questions.phrases_are_spelled")
def a_part_is_called_otherwise_than_in_the_text(folder: Path) -> Collection[str]:
    row = _masks_of(folder, lambda one: True)
    damaged(folder, "question_masks", setting(row, phrase=f"{row['phrase']}s"))
    return {row["question_id"]}


@OF_ANSWERS.breaks("questions.contrast_parts_hold")
def a_shared_part_is_the_other_s_by_no_name_of_its(folder: Path) -> Collection[str]:
    row = _masks_of(folder, lambda one: one["contrast_part"] is not None)
    damaged(folder, "question_masks", setting(row, contrast_part="flux capacitor"))
    return {row["question_id"]}
