"""Damage to single questions: their choices, and what they ask of what."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from partonomy_data.questions import wording
from partonomy_data.questions.nouns import indefinite
from partonomy_data.store import parquet
from tests.validation.asking import (
    alone,
    compared_with,
    edits,
    lists_of,
    right_of,
    set_choice,
    set_values,
    written,
    wrong_place,
)
from tests.validation.damage import damaged, doubling, dropping, first, read
from tests.validation.mutation import Mutations
from tests.validation.staged import Row, names, questions

OF_QUESTIONS = Mutations()


# Choices


@OF_QUESTIONS.breaks("questions.id_unique")
def a_question_is_there_twice(folder: Path) -> Collection[str]:
    row = alone(folder)
    damaged(folder, "questions", doubling(row))
    return {row["question_id"]}


@OF_QUESTIONS.breaks("questions.one_correct_choice")
def the_correct_index_is_another_choice_s(folder: Path) -> Collection[str]:
    row = alone(folder)
    return set_values(folder, row, correct_index=wrong_place(row))


@OF_QUESTIONS.breaks("questions.one_correct_choice")
def two_choices_are_correct(folder: Path) -> Collection[str]:
    row = alone(folder)
    return set_choice(folder, row, wrong_place(row), is_correct=True)


@OF_QUESTIONS.breaks("questions.choices_differ")
def a_choice_is_there_twice(folder: Path) -> Collection[str]:
    row = alone(folder)
    lists = lists_of(row)
    lists[wrong_place(row)] = lists[-1] if row["correct_index"] < len(lists) - 1 else lists[-2]
    return set_values(folder, row, **written(row, lists, row["correct_index"]))


@OF_QUESTIONS.breaks("questions.choices_differ")
def two_choices_list_the_same_in_another_order(folder: Path) -> Collection[str]:
    row = alone(folder)
    lists = lists_of(row)
    lists[wrong_place(row)] = right_of(row)["parts"][::-1]
    return set_values(folder, row, **written(row, lists, row["correct_index"]))


@OF_QUESTIONS.breaks("questions.choices_list_parts")
def a_choice_is_empty(folder: Path) -> Collection[str]:
    row = alone(folder)
    gone = edits(right_of(row)["parts"], [])
    return set_choice(folder, row, wrong_place(row), parts=[], spans=[], text="Nothing.", edits=gone)


@OF_QUESTIONS.breaks("questions.choices_list_parts")
def a_choice_lists_a_part_twice(folder: Path) -> Collection[str]:
    row = alone(folder)
    lists = lists_of(row)
    lists[wrong_place(row)] += lists[wrong_place(row)][:1]
    return set_values(folder, row, **written(row, lists, row["correct_index"]))


@OF_QUESTIONS.breaks("questions.spans_spell_parts")
def a_span_is_shifted_by_one(folder: Path) -> Collection[str]:
    row = alone(folder)
    spans = right_of(row)["spans"]
    spans = [spans[0] | {"start": spans[0]["start"] + 1, "end": spans[0]["end"] + 1}, *spans[1:]]
    return set_choice(folder, row, row["correct_index"], spans=spans)


@OF_QUESTIONS.breaks("questions.spans_in_order")
def two_spans_overlap(folder: Path) -> Collection[str]:
    row = alone(folder)
    spans = right_of(row)["spans"]
    return set_choice(folder, row, row["correct_index"], spans=[spans[0] | {"end": spans[1]["end"]}, *spans[1:]])


@OF_QUESTIONS.breaks("questions.spans_are_the_parts")
def a_span_is_of_another_part(folder: Path) -> Collection[str]:
    row = alone(folder)
    spans = right_of(row)["spans"]
    return set_choice(folder, row, row["correct_index"], spans=[spans[0] | {"part": "flux capacitor"}, *spans[1:]])


@OF_QUESTIONS.breaks("questions.spans_are_the_parts")
def a_span_is_missing(folder: Path) -> Collection[str]:
    row = alone(folder)
    return set_choice(folder, row, row["correct_index"], spans=right_of(row)["spans"][1:])


@OF_QUESTIONS.breaks("questions.choices_read_alike")
def a_choice_says_more_than_its_parts(folder: Path) -> Collection[str]:
    row = alone(folder)
    place = wrong_place(row)
    text = row["choices"][place]["text"]
    return set_choice(folder, row, place, text=f"{text[:-1]}, and nothing else.")


@OF_QUESTIONS.breaks("questions.edits_lead_to_choices")
def the_edits_of_a_choice_are_another_one_s(folder: Path) -> Collection[str]:
    row = alone(folder)
    others = [place for place in range(len(row["choices"])) if place != row["correct_index"]]
    return set_choice(folder, row, others[0], edits=row["choices"][others[1]]["edits"])


@OF_QUESTIONS.breaks("questions.chance_is_of_choices")
def the_chance_is_wrong(folder: Path) -> Collection[str]:
    row = alone(folder)
    return set_values(folder, row, chance=row["chance"] * 0.9)


# What is asked of what


@OF_QUESTIONS.breaks("questions.object_is_not_named")
def a_question_that_does_not_name_the_object_names_it(folder: Path) -> Collection[str]:
    row = alone(folder, names_object=False)
    own = first(folder, "objects", object_id=row["object_id"])["object_category"]
    return set_values(folder, row, question=row["question"].replace("the object", f"the {own}"))


@OF_QUESTIONS.breaks("questions.categories_are_named")
def a_question_that_names_the_object_does_not(folder: Path) -> Collection[str]:
    return set_values(folder, alone(folder, names_object=False), names_object=True)


@OF_QUESTIONS.breaks("questions.categories_are_named")
def a_question_compares_with_another_category_than_it_says(folder: Path) -> Collection[str]:
    row = alone(folder, question_type="intersection")
    other = next(
        one for one in questions(folder, question_type="intersection") if compared_with(one) != compared_with(row)
    )
    text = row["question"].replace(compared_with(row), compared_with(other))
    assert text != row["question"]
    return set_values(folder, row, question=text)


@OF_QUESTIONS.breaks("questions.wording_known")
def a_question_is_worded_by_no_template(folder: Path) -> Collection[str]:
    return set_values(folder, alone(folder), wording="nonsense")


@OF_QUESTIONS.breaks("questions.worded_by_template")
def a_question_for_what_differs_asks_for_what_is_in_common(folder: Path) -> Collection[str]:
    row = alone(folder, question_type="difference")
    own, other = first(folder, "objects", object_id=row["object_id"])["object_category"], compared_with(row)
    text, _ = wording.question("intersection", row["names_object"], own, [other], "", boxed=row["referent"] == "box")
    return set_values(folder, row, question=text)


@OF_QUESTIONS.breaks("questions.object_worded_by_template")
def the_question_for_the_object_asks_for_its_parts(folder: Path) -> Collection[str]:
    row = next(questions(folder, question_type="whole_to_part"))
    return set_values(folder, row, object_question=row["question"])


@OF_QUESTIONS.breaks("questions.wrong_objects_are_wrong")
def a_wrong_object_is_shown_too(folder: Path) -> Collection[str]:
    shown: dict[str, set[str]] = {}
    for one in read(folder, "objects").to_pylist():
        shown.setdefault(one["image_id"], set()).add(one["object_category"])
    row = next(one for one in questions(folder, question_type="whole_to_part") if len(shown[one["image_id"]]) > 1)
    right = row["object_choices"][row["correct_object_index"]]
    other = min(shown[row["image_id"]] - {right["object_category"]})
    text = right["text"].replace(indefinite(right["object_category"]), indefinite(other))
    place = int(row["correct_object_index"] == 0)
    offered = list(row["object_choices"])
    offered[place] = {"text": text, "object_category": other, "is_correct": False}
    return set_values(folder, row, object_choices=offered)


@OF_QUESTIONS.breaks("questions.verified_contrasts_are_curated", "blocked")
def the_parts_of_what_a_verified_question_compares_with_were_chosen_by_nobody(folder: Path) -> Collection[str]:
    row = next(questions(folder, question_type="difference", evidence="verified"))

    def uncurated(rows: pa.Table) -> pa.Table:
        changed = [
            one | ({"sources": ["pascal_part"]} if one["object_category"] == compared_with(row) else {})
            for one in rows.to_pylist()
        ]
        return pa.Table.from_pylist(changed, rows.schema)

    damaged(folder, "part_graph", uncurated)
    verified = questions(folder, evidence="verified")
    return names([one for one in verified if compared_with(row) in one["contrast_categories"]])


@OF_QUESTIONS.breaks("questions.contrast_is_another_kind")
def an_object_is_compared_with_its_own_kind(folder: Path) -> Collection[str]:
    row = alone(folder, question_type="difference")
    own = first(folder, "objects", object_id=row["object_id"])["object_category"]
    return set_values(folder, row, contrast_categories=[own])


@OF_QUESTIONS.breaks("questions.unique_is_alone")
def an_object_is_one_of_several_and_not_pointed_at(folder: Path) -> Collection[str]:
    return set_values(folder, alone(folder, referent="crop"), referent="unique", region=None)


@OF_QUESTIONS.breaks("questions.crop_shows_one")
def another_object_fills_the_crop(folder: Path) -> Collection[str]:
    objects = read(folder, "objects").to_pylist()
    area = {one["object_id"]: one["area"] or 0 for one in objects}
    largest = {one["image_id"]: one["object_id"] for one in sorted(objects, key=lambda one: area[one["object_id"]])}
    row = alone(folder, lambda one: largest[one["image_id"]] != one["object_id"], referent="crop", names_object=False)
    image = first(folder, "images", image_id=row["image_id"])
    region = [0.0, 0.0, float(image["width"]), float(image["height"])]
    return set_values(folder, row, region=region)


@OF_QUESTIONS.breaks("questions.region_holds_object")
def a_region_is_outside_of_the_image(folder: Path) -> Collection[str]:
    row = alone(folder, referent="crop")
    return set_values(folder, row, region=[-5.0, *row["region"][1:]])


@OF_QUESTIONS.breaks("questions.region_is_the_objects")
def a_region_is_the_whole_photograph(folder: Path) -> Collection[str]:
    row = alone(folder, referent="crop")
    image = first(folder, "images", image_id=row["image_id"])
    return set_values(folder, row, region=[0.0, 0.0, float(image["width"]), float(image["height"])])


@OF_QUESTIONS.breaks("questions.split_is_of_photograph")
def a_question_is_in_another_split(folder: Path) -> Collection[str]:
    row = alone(folder)
    damaged(folder, "questions", dropping(row))
    there = next((folder / "questions" / "split=test").rglob("*.parquet"))
    rows = read(folder, "questions")
    moved = rows.from_pylist([row | {"split": "test"}], rows.schema)
    parquet.write(moved, there.parents[1] / f"source={row['source']}" / "moved.parquet", "questions")
    return {row["question_id"]}


@OF_QUESTIONS.breaks("questions.balanced_is_in_a_block")
def a_question_for_testing_is_in_no_block(folder: Path) -> Collection[str]:
    return set_values(folder, next(questions(folder, split="test")), balanced=False, block_id=None, group_id=None)


@OF_QUESTIONS.breaks("questions.one_correct_object")
def the_correct_object_is_another(folder: Path) -> Collection[str]:
    row = next(questions(folder, question_type="whole_to_part"))
    return set_values(folder, row, correct_object_index=int(row["correct_object_index"] == 0))


@OF_QUESTIONS.breaks("questions.object_is_offered")
def the_correct_object_is_not_the_object(folder: Path) -> Collection[str]:
    row = next(questions(folder, question_type="part_to_whole"))
    place = int(row["correct_object_index"] == 0)
    offered = [choice | {"is_correct": at == place} for at, choice in enumerate(row["object_choices"])]
    return set_values(folder, row, correct_object_index=place, object_choices=offered)


@OF_QUESTIONS.breaks("questions.verified_by_evidence")
def what_is_not_known_is_said_to_be_verified(folder: Path) -> Collection[str]:
    evidence = read(folder, "part_evidence").to_pylist()
    unknown = {row["object_id"] for row in evidence if row["status"] == "unknown"}
    return set_values(folder, alone(folder, evidence="unverified", object_id=unknown), evidence="verified")


@OF_QUESTIONS.breaks("questions.asked_once")
def a_question_is_asked_under_another_name_too(folder: Path) -> Collection[str]:
    row, other = _two_of_one_object(folder)
    masks = read(folder, "question_masks").to_pylist()
    for one in masks:
        if one["question_id"] == other["question_id"]:
            damaged(folder, "question_masks", dropping(one))
    for one in masks:
        if one["question_id"] == row["question_id"]:
            damaged(folder, "question_masks", doubling(one, question_id=other["question_id"]))
    return set_values(folder, other, **{**row, "question_id": other["question_id"]}) | {row["question_id"]}


def _two_of_one_object(folder: Path) -> tuple[Row, Row]:
    """Two questions for training about an object, in no block."""
    seen: dict[str, Row] = {}
    for row in questions(folder, split="train", block_id=None):
        if row["object_id"] in seen:
            return seen[row["object_id"]], row
        seen[row["object_id"]] = row
    raise AssertionError("no object is asked about twice")
