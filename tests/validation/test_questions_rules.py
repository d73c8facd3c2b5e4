"""Questions by themselves: what the mutations leave out, rows that must not be taken for wrong, and hostile names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from partonomy_data.validation.rules import questions as module
from tests.validation.asking import alone, lists_of, right_of, set_choice, set_values, written, wrong_place
from tests.validation.damage import damaged, doubling, first, setting
from tests.validation.renaming import HOSTILE, renamed
from tests.validation.staged import Once, Row, Staged, edited, questions, two_sources_in_few_files

#: Each takes about a second: a campaign of their own, beside the mutation test of all rules.
pytestmark = pytest.mark.soak

#: (folder) → the question that was damaged.
Damage = Callable[[Path], set[str]]


@pytest.fixture
def staged(once: Once, tmp_path: Path) -> Staged:
    return Staged.of(two_sources_in_few_files(once), tmp_path)


def broken(staged: Staged) -> dict[str, set[str]]:
    """Rule → the questions that break it."""
    return {rule: set(rows) for (_, rule), rows in staged.found(module.CHECKS).items()}


def test_the_questions_of_the_demo_world_break_no_rule(staged: Staged) -> None:
    assert broken(staged) == {}


# Single questions


def _value(**values: Any) -> Damage:
    return lambda folder: set_values(folder, alone(folder), **values)


def _of(wanted: dict[str, Any], **values: Any) -> Damage:
    return lambda folder: set_values(folder, next(questions(folder, **wanted)), **values)


def _right(change: Callable[[Row], Row]) -> Damage:
    """A change of the correct choice."""

    def damage(folder: Path) -> set[str]:
        row = alone(folder)
        return set_choice(folder, row, row["correct_index"], **change(right_of(row)))

    return damage


def _first_wrong(change: Callable[[Row], Row]) -> Damage:
    """A change of a wrong choice."""

    def damage(folder: Path) -> set[str]:
        row = alone(folder)
        return set_choice(folder, row, wrong_place(row), **change(row["choices"][wrong_place(row)]))

    return damage


def _last_span(**values: Any) -> Damage:
    return _right(lambda choice: {"spans": [*choice["spans"][:-1], choice["spans"][-1] | values]})


def _index_from_the_end(name: str, choices: str) -> Damage:
    """An index that counts from the end leads SQL, and Python, to the same choice."""

    def damage(folder: Path) -> set[str]:
        row = next(
            row for row in questions(folder, question_type="whole_to_part") if row[name] == len(row[choices]) - 1
        )
        return set_values(folder, row, **{name: -2})

    return damage


def _objects(change: Callable[[list[Row]], list[Row]]) -> Damage:
    def damage(folder: Path) -> set[str]:
        row = next(questions(folder, question_type="whole_to_part", correct_object_index=0))
        return set_values(folder, row, object_choices=change(row["object_choices"]))

    return damage


def _same_text(folder: Path) -> set[str]:
    row = alone(folder)
    return set_choice(folder, row, wrong_place(row), text=right_of(row)["text"])


def _without_the_object(folder: Path) -> set[str]:
    """A region that the object isn't in."""
    row = alone(folder, referent="crop")
    x, y, w, h = row["region"]
    return set_values(folder, row, region=[x, y, w / 2, h])


def _below(folder: Path) -> set[str]:
    row = alone(folder, referent="crop")
    x, y, w, _ = row["region"]
    image = first(folder, "images", image_id=row["image_id"])
    return set_values(folder, row, region=[x, y, w, image["height"] - y + 2])


_NO_EDIT = {"op": "delete", "part": "flux capacitor", "replacement": None}
_CASES: dict[str, tuple[str, Damage]] = {
    "unknown type": ("values_known", _value(question_type="enumeration")),
    "unknown referent": ("values_known", _value(referent="arrow")),
    "unknown evidence": ("values_known", _value(evidence="assumed")),
    "unknown split": ("values_known", _value(split="dev")),
    "no correct choice": ("one_correct_choice", _right(lambda _: {"is_correct": False})),
    "index below": ("one_correct_choice", _value(correct_index=-1)),
    "index beyond": ("one_correct_choice", _value(correct_index=9)),
    "index from the end": ("one_correct_choice", _index_from_the_end("correct_index", "choices")),
    "two read the same": ("choices_differ", _same_text),
    "span before the text": ("spans_in_order", _last_span(start=-1)),
    "span beyond the text": ("spans_in_order", _last_span(end=10_000)),
    "span of nothing": (
        "spans_in_order",
        _right(lambda one: {"spans": [one["spans"][0] | {"end": one["spans"][0]["start"]}]}),
    ),
    "span twice": ("spans_are_the_parts", _right(lambda one: {"spans": [*one["spans"], one["spans"][0]]})),
    "edit unknown": (
        "edits_lead_to_choices",
        _first_wrong(lambda one: {"edits": [e | {"op": "swap"} for e in one["edits"]]}),
    ),
    "edit of what is not there": (
        "edits_lead_to_choices",
        _first_wrong(lambda one: {"edits": [*one["edits"], _NO_EDIT]}),
    ),
    "edit by nothing": (
        "edits_lead_to_choices",
        _first_wrong(lambda one: {"edits": [*one["edits"], _NO_EDIT | {"op": "replace"}]}),
    ),
    "prefix of its own": ("choices_read_alike", _first_wrong(lambda one: {"text": one["text"] + "!"})),
    "one chance": ("chance_is_of_choices", lambda folder: _single(folder)),
    "two categories for one": (
        "contrasts_fit_type",
        _of({"question_type": "difference", "balanced": False}, contrast_categories=["cat", "dog"]),
    ),
    "one category twice": (
        "contrasts_fit_type",
        _of({"question_type": "contrast", "balanced": False}, contrast_categories=["cat", "cat"]),
    ),
    "no category": (
        "contrasts_fit_type",
        _of({"question_type": "difference", "balanced": False}, contrast_categories=[]),
    ),
    "object question of one turn": ("two_turns_fit_type", _value(object_question="What is the object in the image?")),
    "no object question": ("two_turns_fit_type", _of({"question_type": "whole_to_part"}, object_question=None)),
    "no object choices": ("two_turns_fit_type", _of({"question_type": "whole_to_part"}, object_choices=None)),
    "two turns and named": ("two_turns_fit_type", _of({"question_type": "part_to_whole"}, names_object=True)),
    "object index from the end": (
        "one_correct_object",
        _index_from_the_end("correct_object_index", "object_choices"),
    ),
    "two objects read the same": (
        "one_correct_object",
        _objects(lambda rows: [*rows[:-1], rows[-1] | {"text": rows[0]["text"]}]),
    ),
    "two objects are the same": (
        "one_correct_object",
        _objects(lambda rows: [*rows[:-1], rows[-1] | {"object_category": rows[0]["object_category"]}]),
    ),
    "two objects are correct": (
        "one_correct_object",
        _objects(lambda rows: [*rows[:-1], rows[-1] | {"is_correct": True}]),
    ),
    "no region": ("region_fits_referent", _of({"referent": "crop", "balanced": False}, region=None)),
    "region of the only one": (
        "region_fits_referent",
        _of({"referent": "unique", "balanced": False}, region=[0.0, 0.0, 9.0, 9.0]),
    ),
    "box in testing": ("region_fits_referent", _of({"split": "test"}, referent="box", region=[0.0, 0.0, 9.0, 9.0])),
    "balanced in no block": ("balanced_is_in_a_block", _value(balanced=True)),
    "block without a group": ("balanced_is_in_a_block", _of({"balanced": True}, group_id=None)),
    "evaluated in no block": (
        "balanced_is_in_a_block",
        _of({"split": "test"}, balanced=False, block_id=None, group_id=None),
    ),
    "object is not there": ("object_exists", _value(object_id="obj_0000000000000000")),
    "object of another photograph": ("object_exists", _value(image_id="paco/none")),
    "object of another source": ("object_exists", _value(source="partonomy")),
    "object is not in the region": ("region_holds_object", _without_the_object),
    "region below the image": ("region_holds_object", _below),
    "box is not spoken of": ("categories_are_named", _of({"referent": "box", "balanced": False}, referent="crop")),
    "object choice of another name": (
        "categories_are_named",
        _objects(lambda rows: [*rows[:-1], rows[-1] | {"text": "It is something."}]),
    ),
    "split of nothing": ("split_is_of_photograph", lambda folder: _without_split(folder)),
}


def _single(folder: Path) -> set[str]:
    row = alone(folder)
    return set_values(folder, row, choices=[right_of(row)], correct_index=0, chance=1.0)


def _without_split(folder: Path) -> set[str]:
    row = alone(folder)
    damaged(
        folder, "splits", lambda rows: rows.filter([one != row["image_id"] for one in rows["image_id"].to_pylist()])
    )
    return {one["question_id"] for one in questions(folder, image_id=row["image_id"])}


@pytest.mark.parametrize("case", _CASES)
def test_a_question_that_breaks_a_rule_is_named(staged: Staged, case: str) -> None:
    rule, damage = _CASES[case]
    rows = damage(staged.folder)
    found = broken(staged)
    assert found.get(rule) == rows, sorted(found)


def test_an_object_that_stands_for_several_is_asked_about_by_nothing(staged: Staged) -> None:
    row = alone(staged.folder)
    edited(staged.folder, "objects", "object_id", {row["object_id"]: {"merged": True}})
    asked = {one["question_id"] for one in questions(staged.folder, object_id=row["object_id"])}
    assert broken(staged)["object_exists"] == asked


@pytest.mark.parametrize(
    ("relation", "alike"), [("same", True), ("broader", True), ("narrower", True), ("distinct", False)]
)
def test_two_choices_that_say_the_same_in_other_words_are_one(staged: Staged, relation: str, alike: bool) -> None:
    row = alone(staged.folder)
    lists = lists_of(row)
    own, other = right_of(row)["parts"], "flux capacitor"
    lists[wrong_place(row)] = [other, *own[1:]]
    set_values(staged.folder, row, **written(row, lists, row["correct_index"]))
    assert broken(staged) == {}
    known = first(staged.folder, "part_relations")
    new = {"part_a": own[0], "part_b": other, "relation": relation, "confidence": 0.1}
    damaged(staged.folder, "part_relations", doubling(known, **new))
    assert broken(staged) == ({"choices_mean_different_parts": {row["question_id"]}} if alike else {})


def test_a_choice_with_a_part_more_is_another_whatever_the_rest_is_called(staged: Staged) -> None:
    row = alone(staged.folder)
    lists = lists_of(row)
    own, other = right_of(row)["parts"], "flux capacitor"
    lists[wrong_place(row)] = [other, *own[1:], "tow hook"]
    set_values(staged.folder, row, **written(row, lists, row["correct_index"]))
    damaged(
        staged.folder,
        "part_relations",
        doubling(first(staged.folder, "part_relations"), part_a=own[0], part_b=other, relation="same"),
    )
    assert broken(staged) == {}


# Masks


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("key_unique", lambda row: doubling(row)),
        ("question_exists", lambda row: setting(row, question_id="qst_none")),
        ("has_masks", lambda row: setting(row, part_ids=[])),
    ],
)
def test_a_row_of_masks_that_breaks_a_rule_is_named(staged: Staged, rule: str, change: Any) -> None:
    row = first(staged.folder, "question_masks")
    damaged(staged.folder, "question_masks", change(row))
    own = "qst_none" if rule == "question_exists" else row["question_id"]
    assert staged.found(module.CHECKS)["question_masks", rule].keys() == {f"{own} / {row['part_category']}"}


# What is not wrong


def test_parts_of_words_and_names_of_others_do_not_name_the_object(staged: Staged) -> None:
    row = alone(staged.folder, names_object=False, question_type="intersection")
    own = first(staged.folder, "objects", object_id=row["object_id"])["object_category"]
    other = f"{own} house"
    edited(
        staged.folder,
        "object_categories",
        "object_category",
        {row["contrast_categories"][0]: {"object_category": other}},
    )
    text = f"Which parts of the object in the image, pre{own} or {own}like, would a {other} have?"
    set_values(staged.folder, row, question=text, contrast_categories=[other])
    assert "object_is_not_named" not in broken(staged)


@pytest.mark.parametrize("text", ["the {}?", "{} parts", "THE {} HERE", "a ({})", "the {}'s"])
def test_the_object_is_named_whatever_stands_beside_its_name(staged: Staged, text: str) -> None:
    row = alone(staged.folder, names_object=False)
    own = first(staged.folder, "objects", object_id=row["object_id"])["object_category"]
    set_values(
        staged.folder, row, question=f"Which parts can be seen: {text.format(own.upper() if 'HERE' in text else own)}"
    )
    assert broken(staged)["object_is_not_named"] == {row["question_id"]}


# Hostile names


def test_names_made_of_anything_are_no_reason_to_call_a_question_wrong(staged: Staged) -> None:
    """Names as an overrides file may give them, and as no rule for names would leave them."""
    renamed(staged)
    names = {part for row in questions(staged.folder) for choice in row["choices"] for part in choice["parts"]}
    assert len(names & set(HOSTILE)) > len(HOSTILE) / 2
    assert broken(staged) == {}


def test_rows_are_named_whatever_is_in_their_names(staged: Staged) -> None:
    renamed(staged)
    row = alone(staged.folder, lambda row: right_of(row)["parts"][0] in HOSTILE)
    spans = right_of(row)["spans"]
    set_choice(
        staged.folder, row, row["correct_index"], spans=[spans[0] | {"start": spans[0]["start"] - 1}, *spans[1:]]
    )
    found = staged.found(module.CHECKS)
    assert found["questions", "spans_spell_parts"].keys() == {row["question_id"]}


@pytest.mark.parametrize("own", ["c++", "a|b", "[x]", "$", "(", "\\d", "café", "轮子", "x" * 300, "it's", "100%"])
def test_an_object_is_named_whatever_its_name_is_made_of(staged: Staged, own: str) -> None:
    row = alone(staged.folder, names_object=False)
    thing = first(staged.folder, "objects", object_id=row["object_id"])
    damaged(staged.folder, "objects", setting(thing, object_category=own))
    assert "object_is_not_named" not in broken(staged)
    set_values(staged.folder, row, question=f"Which parts of the {own} in the image can be clearly seen?")
    assert broken(staged)["object_is_not_named"] == {row["question_id"]}
