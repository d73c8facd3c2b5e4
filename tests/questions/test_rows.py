"""Rows of questions: their texts, lists, spans, edits, masks and regions, against the block that they were made from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions import wording
from partonomy_data.questions.blocks import Block
from partonomy_data.questions.claims import Claim
from partonomy_data.questions.nouns import plain
from partonomy_data.questions.regions import MARGIN, widened
from partonomy_data.questions.rows import Builder, generator_version
from partonomy_data.questions.settings import CONTRASTS, TWO_TURNS, TYPES
from partonomy_data.questions.units import ObjectQuestion
from schemas.tables import schema
from tests.questions.hand_made import Thing, claim, context_of, instances_of

Row = dict[str, Any]

TEAPOT = claim(
    {"hoof": "foot", "paw": "foot", "spout": "spout", "left ear": "ear", "ear": "ear"},
    heads={"hoof": "foot", "paw": "foot", "left ear": "ear"},
)
CLAIMS = {"teapot": TEAPOT, "rock": claim(["crack"])}


def block_of(lists: Sequence[Sequence[str]], **changes: Any) -> Block:
    """A block in which the first instances have the lists as their answers, one each."""
    parts = tuple(sorted({part for one in lists for part in one}))
    given = {
        "unit": "0123456789abcdef",
        "question_type": "identification",
        "names_object": True,
        "category": "car",
        "contrasts": (),
        "rows": np.arange(len(lists)),
        "parts": parts,
        "choices": np.array([[part in one for part in parts] for one in lists], bool),
        "right": np.arange(len(lists)),
        "groups": ("fedcba9876543210",) * len(lists),
        "verified": True,
        "referent": "unique",
        "object_question": None,
    }
    return Block(**{**given, **changes})


def things_of(lists: Sequence[Sequence[str]], **other: Any) -> list[Thing]:
    """Instances that show the lists."""
    return [Thing(name=f"obj_{place}", visible=tuple(sorted(one)), **other) for place, one in enumerate(lists)]


def builder_of(things: Sequence[Thing], claims: Mapping[str, Claim] = CLAIMS, split: str = "train") -> Builder:
    return Builder(instances_of(things), context_of(claims=claims, split=split))


def taken(builder: Builder) -> tuple[list[Row], list[Row]]:
    """The rows of `questions` and of `question_masks`."""
    questions, masks = builder.take()
    return questions.to_pylist(), masks.to_pylist()


def rows_of(lists: Sequence[Sequence[str]], **changes: Any) -> tuple[list[Row], list[Row]]:
    """The rows of one block about instances that show its lists."""
    builder = builder_of(things_of(lists))
    builder.add(block_of(lists, **changes))
    return taken(builder)


def applied(parts: Sequence[str], edits: Sequence[Row]) -> set[str]:
    """A list of parts after edits."""
    found = set(parts)
    for edit in edits:
        if edit["op"] in ("delete", "replace"):
            found.remove(edit["part"])
        new = {"add": edit["part"], "replace": edit["replacement"], "delete": None}[edit["op"]]
        assert new not in found
        found |= {new} - {None}
    return found


LISTS = [["door", "wheel"], ["wheel"], ["door", "mirror", "wheel"]]


def test_each_instance_of_a_block_gets_a_row_with_the_same_text_and_choices() -> None:
    rows, _ = rows_of(LISTS)
    assert [row["object_id"] for row in rows] == ["obj_0", "obj_1", "obj_2"]
    assert [row["correct_index"] for row in rows] == [0, 1, 2]
    for row in rows:
        assert [choice["parts"] for choice in row["choices"]] == LISTS
        assert [choice["text"] for choice in row["choices"]] == [choice["text"] for choice in rows[0]["choices"]]
        assert [choice["is_correct"] for choice in row["choices"]] == [
            place == row["correct_index"] for place in range(3)
        ]
        assert row["question"] == rows[0]["question"]
        assert row["chance"] == pytest.approx(1 / 3)
    assert len({row["question_id"] for row in rows}) == 3


def test_the_columns_are_those_of_the_published_tables() -> None:
    builder = builder_of(things_of(LISTS))
    builder.add(block_of(LISTS))
    questions, masks = builder.take()
    assert questions.schema.names == schema("questions").names
    assert questions.schema.types == schema("questions").types
    assert masks.schema.names == schema("question_masks").names
    questions.validate(full=True)
    masks.validate(full=True)
    nullable = {one.name for one in schema("questions") if one.nullable}
    assert {name for name in questions.schema.names if questions[name].null_count} <= nullable


def test_what_the_block_and_the_context_say_is_in_the_row() -> None:
    builder = builder_of(things_of(LISTS, photograph="p"), split="val")
    builder.add(block_of(LISTS, names_object=False, category="", verified=False))
    row = taken(builder)[0][0]
    assert (row["image_id"], row["source"], row["split"]) == ("img_p", "paco", "val")
    assert (row["names_object"], row["balanced"], row["evidence"]) == (False, True, "unverified")
    assert (row["group_id"], row["question_id"][:16]) == ("grp_fedcba9876543210", "qst_0123456789ab")
    assert row["generator_version"] == generator_version()
    assert row["wording"] in wording.template_ids()
    for name in ("object_question", "object_choices", "correct_object_index", "object_balanced"):
        assert row[name] is None
    assert rows_of(LISTS)[0][0]["evidence"] == "verified"


def test_a_question_without_a_group_has_no_block_and_is_not_balanced() -> None:
    rows, _ = rows_of(LISTS, groups=(), rows=np.array([1]), right=np.array([1]))
    assert [(row["object_id"], row["balanced"], row["group_id"], row["block_id"]) for row in rows] == [
        ("obj_1", False, None, None)
    ]


def test_each_group_of_a_unit_has_a_block_of_its_own_and_each_question_another() -> None:
    builder = builder_of(things_of([*LISTS, *LISTS]))
    groups = ("a" * 16,) * 3 + ("b" * 16,) * 3
    rows = {"rows": np.arange(6), "right": np.array([0, 1, 2] * 2), "groups": groups}
    for kind in TWO_TURNS:
        builder.add(block_of(LISTS, question_type=kind, names_object=False, category="", **rows))
    found, _ = taken(builder)
    by_block: dict[str, set[tuple[str, str]]] = {}
    for row in found:
        by_block.setdefault(row["block_id"], set()).add((row["group_id"], row["question_type"]))
    assert sorted(by_block.values(), key=sorted) == [{(f"grp_{g * 16}", kind)} for g in "ab" for kind in TWO_TURNS]
    assert len({row["question_id"] for row in found}) == 12


def test_spans_spell_the_phrases_in_the_order_of_the_parts() -> None:
    for row in rows_of(LISTS)[0]:
        for choice in row["choices"]:
            assert [span["part"] for span in choice["spans"]] == choice["parts"]
            assert [choice["text"][span["start"] : span["end"]] for span in choice["spans"]] == choice["parts"]


def test_edits_are_the_fewest_that_turn_the_right_list_into_the_other() -> None:
    rows, _ = rows_of([["a", "b", "c"], ["a", "d"], ["a", "b", "c", "d"], ["e"]])
    row = rows[0]
    assert [
        [(edit["op"], edit["part"], edit["replacement"]) for edit in choice["edits"]] for choice in row["choices"]
    ] == [
        [],
        [("replace", "b", "d"), ("delete", "c", None)],
        [("add", "d", None)],
        [("replace", "a", "e"), ("delete", "b", None), ("delete", "c", None)],
    ]


def test_what_is_shared_is_called_by_the_broader_name_unless_two_would_be_called_the_same() -> None:
    for question_type, contrasts in (("intersection", ("teapot",)), ("contrast", ("teapot", "rock"))):
        of = {"question_type": question_type, "contrasts": contrasts}
        rows, masks = rows_of([["hoof", "spout"], ["left ear"], ["spout"]], **of)
        choices = rows[0]["choices"]
        assert [[phrase(one, at) for at in range(len(one["spans"]))] for one in choices] == [
            ["foot", "spout"],
            ["ear"],
            ["spout"],
        ]
        assert [[span["part"] for span in one["spans"]] for one in choices] == [one["parts"] for one in choices]
        assert [(row["part_category"], row["phrase"], row["contrast_part"]) for row in masks] == [
            ("hoof", "foot", "foot"),
            ("spout", "spout", "spout"),
            ("left ear", "ear", "ear"),
            ("spout", "spout", "spout"),
        ]
        _, masks = rows_of([["hoof", "spout"], ["left ear", "paw"], ["ear"]], **of)
        assert {row["phrase"] for row in masks} == {"hoof", "paw", "spout", "left ear", "ear"}


def phrase(choice: Row, at: int) -> str:
    span = choice["spans"][at]
    return str(choice["text"][span["start"] : span["end"]])


def test_what_is_lacking_keeps_its_own_name_and_has_none_in_the_contrast_category() -> None:
    rows, masks = rows_of([["hoof"], ["hoof", "horn"], ["horn"]], question_type="difference", contrasts=("rock",))
    assert [phrase(choice, 0) for choice in rows[0]["choices"]] == ["hoof", "hoof", "horn"]
    assert {(row["phrase"] == row["part_category"], row["contrast_part"]) for row in masks} == {(True, None)}
    _, masks = rows_of([["hoof"], ["horn"], ["hoof", "horn"]])
    assert {row["contrast_part"] for row in masks} == {None}


def test_masks_are_all_instances_of_the_parts_that_the_right_choice_names() -> None:
    lists = [["door", "wheel"], ["wheel"], ["mirror"]]
    shown = [["door", "wheel", "mirror"], ["horn", "wheel"], ["mirror"]]
    builder = builder_of(things_of(shown))
    builder.add(block_of(lists))
    rows, masks = taken(builder)
    ids = [row["question_id"] for row in rows]
    assert [(ids.index(row["question_id"]), row["part_category"], row["part_ids"]) for row in masks] == [
        (0, "door", ["obj_0:door:0", "obj_0:door:1"]),
        (0, "wheel", ["obj_0:wheel:0"]),
        (1, "wheel", ["obj_1:wheel:0"]),
        (2, "mirror", ["obj_2:mirror:0", "obj_2:mirror:1"]),
    ]


def test_the_object_question_offers_the_same_objects_to_all_and_each_has_its_own_right() -> None:
    things = [
        Thing(name=f"obj_{i}", visible=(part,), category=c)
        for i, (part, c) in enumerate(zip("ab", ("van", "bus"), strict=True))
    ]
    asked = ObjectQuestion(categories=("bus", "car", "van"), first_balanced=True, second_balanced=False)
    found = {}
    for kind in TWO_TURNS:
        builder = builder_of(things)
        builder.add(block_of(["a", "b"], question_type=kind, names_object=False, category="", object_question=asked))
        rows, _ = taken(builder)
        assert [row["correct_object_index"] for row in rows] == [2, 0]
        for row in rows:
            offered = row["object_choices"]
            assert [choice["object_category"] for choice in offered] == ["bus", "car", "van"]
            assert [choice["is_correct"] for choice in offered] == [
                place == row["correct_object_index"] for place in range(3)
            ]
            for choice in offered:
                assert f"a {choice['object_category']}" in choice["text"]
            assert "the object in the image" in row["object_question"]
        found[kind] = {row["object_balanced"] for row in rows}
    assert found == {"whole_to_part": {True}, "part_to_whole": {False}}


@pytest.mark.parametrize(
    ("referent", "region"),
    [("unique", None), ("box", [10.0, 20.0, 30.0, 40.0]), ("crop", [7.0, 16.0, 36.0, 48.0])],
)
def test_the_region_is_the_box_or_a_widened_one_for_a_crop(referent: str, region: list[float] | None) -> None:
    rows, _ = rows_of(LISTS, referent=referent)
    assert {row["referent"] for row in rows} == {referent}
    assert [row["region"] for row in rows] == [region] * 3
    assert ("marked by a box" in rows[0]["question"]) == (referent == "box")


def test_what_was_taken_is_not_given_again() -> None:
    builder = builder_of(things_of(LISTS))
    assert len(builder) == 0
    builder.add(block_of(LISTS))
    assert len(builder) == 3
    first = builder.take()
    assert len(builder) == 0
    builder.add(block_of(LISTS))
    assert builder.take() == first


part_names = st.one_of(
    st.sampled_from(
        ["wing", "left wing", "wing, and tail", "{the_parts}", "hoof", "paw", "foot", "spout", "ear", "left ear"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
)


@st.composite
def drawn_blocks(draw: st.DrawFn) -> Block:
    """Blocks of any type with three to five different lists of few parts."""
    parts = draw(st.lists(part_names, unique=True, min_size=2, max_size=6))
    lists = draw(
        st.lists(st.frozensets(st.sampled_from(parts), min_size=1), unique=True, min_size=3, max_size=5).filter(bool)
    )
    kind = draw(st.sampled_from(TYPES))
    named = kind not in TWO_TURNS and draw(st.booleans())
    ordered = [sorted(one) for one in lists]
    return block_of(
        ordered,
        unit=draw(st.text("0123456789abcdef", min_size=16, max_size=16)),
        question_type=kind,
        contrasts=("teapot", "rock")[: CONTRASTS.get(kind, 0)],
        names_object=named,
        category="car" if named else "",
        right=np.array(draw(st.permutations(range(len(lists))))),
        referent=draw(st.sampled_from(["unique", "crop", "box"])),
        object_question=ObjectQuestion(("bus", "car", "van"), True, False) if kind in TWO_TURNS else None,
    )


def things_for(block: Block) -> list[Thing]:
    """Instances that show the block's right choices."""
    return things_of([np.array(block.parts, object)[block.choices[place]].tolist() for place in block.right])


@given(drawn_blocks())
def test_rows_say_what_the_block_says_whatever_the_parts_are_called(block: Block) -> None:
    things = things_for(block)
    builder = builder_of(things)
    builder.add(block)
    rows, masks = taken(builder)
    lists = [[p for p, inside in zip(block.parts, choice, strict=True) if inside] for choice in block.choices]
    for at, row in enumerate(rows):
        right = lists[block.right[at]]
        assert row["correct_index"] == block.right[at]
        assert [choice["is_correct"] for choice in row["choices"]].count(True) == 1
        assert row["choices"][row["correct_index"]]["is_correct"]
        own = [one for one in masks if one["question_id"] == row["question_id"]]
        assert [one["part_category"] for one in own] == right
        assert [one["part_ids"] for one in own] == [[m for p, m in things[at].masks() if p == part] for part in right]
        for choice, parts in zip(row["choices"], lists, strict=True):
            assert choice["parts"] == parts
            assert [span["part"] for span in choice["spans"]] == parts
            assert applied(right, choice["edits"]) == set(parts)
            assert len(choice["edits"]) == max(len(set(right) - set(parts)), len(set(parts) - set(right)))
            ends = [0]
            for span in choice["spans"]:
                assert ends[-1] <= span["start"] < span["end"] <= len(choice["text"])
                ends.append(span["end"])
                called = TEAPOT.heads.get(span["part"], span["part"]) if "teapot" in block.contrasts else span["part"]
                spelled = choice["text"][span["start"] : span["end"]]
                assert spelled in (plain(called), plain(span["part"]))
                if choice["is_correct"]:
                    assert spelled == plain(next(o["phrase"] for o in own if o["part_category"] == span["part"]))
    assert sorted(row["correct_index"] for row in rows) == list(range(len(lists)))


@given(drawn_blocks())
def test_no_two_parts_of_a_block_are_called_the_same_by_a_broader_name(block: Block) -> None:
    builder = builder_of(things_for(block))
    builder.add(block)
    _, masks = taken(builder)
    called = {row["part_category"]: row["phrase"] for row in masks}
    assert len(set(called.values())) == len(called)


@given(st.lists(drawn_blocks(), min_size=1, max_size=4))
def test_rows_of_several_blocks_are_those_of_each(some: list[Block]) -> None:
    """Blocks after one another, each about its own instances, in one batch or in one each."""
    things: list[Thing] = []
    moved = []
    for place, block in enumerate(some):
        own = things_for(block)
        things += [Thing(name=f"obj_{place}_{at}", visible=one.visible) for at, one in enumerate(own)]
        rows = np.arange(len(things) - len(own), len(things))
        moved.append({name: getattr(block, name) for name in Block.__slots__} | {"rows": rows})
    together, alone = builder_of(things), builder_of(things)
    batches = []
    for values in moved:
        together.add(Block(**values))
        alone.add(Block(**values))
        batches.append(alone.take())
    expected = [pa.Table.from_batches(list(batches)).to_pylist() for batches in zip(*batches, strict=True)]
    assert [batch.to_pylist() for batch in together.take()] == expected


@st.composite
def boxes(draw: st.DrawFn) -> tuple[list[float], int, int]:
    """A box within an image, and the image's size."""
    width, height = draw(st.integers(1, 300)), draw(st.integers(1, 300))
    x, y = draw(st.floats(0, width - 0.5, width=32)), draw(st.floats(0, height - 0.5, width=32))
    w, h = draw(st.floats(0.0625, width - x)), draw(st.floats(0.0625, height - y))
    return [x, y, w, h], width, height


@given(st.lists(boxes(), min_size=1, max_size=4))
def test_widened_boxes_hold_the_object_with_a_margin_and_stay_in_the_image(
    some: list[tuple[list[float], int, int]],
) -> None:
    of = np.array([box for box, _, _ in some], np.float32)
    width, height = np.array([w for _, w, _ in some]), np.array([h for _, _, h in some])
    for (x, y, w, h), found, right, bottom in zip(
        of.astype(float), widened(of, width, height), width, height, strict=True
    ):
        assert (found == np.round(found)).all()
        left, top, across, down = found
        assert 0 <= left <= x
        assert 0 <= top <= y
        assert across >= 1
        assert down >= 1
        assert left + across <= right
        assert top + down <= bottom
        # A tenth on each side, and less than a pixel more, where the image has room.
        assert left == max(0, math.floor(x - MARGIN * w))
        assert top == max(0, math.floor(y - MARGIN * h))
        assert left + across == min(right, math.ceil(x + w * (1 + MARGIN)))
        assert top + down == min(bottom, math.ceil(y + h * (1 + MARGIN)))
