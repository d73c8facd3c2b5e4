"""The judge itself: it must know a right answer from a wrong one before it may judge others."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import partonomy_data
from tests.questions import oracle, structure
from tests.questions.oracle import Judge, Judgement
from tests.questions.world_truth import Shown, WorldTruth

Row = dict[str, Any]


def things(judge: Judge, source: str, name: str) -> Iterator[Shown]:
    """The objects of one category of a source that show at least two parts."""
    for shown in judge.truth.shown.values():
        if (shown.entry.source, shown.entry.name) == (source, name) and len(judge.clear(shown)) > 1:
            yield shown


def identified(judge: Judge, shown: Shown, listed: list[str]) -> bool | None:
    return judge.parts(shown, listed, "identification", [])[0]


def test_what_is_annotated_shows_in_the_truth(demo_store: Path, demo_truth: WorldTruth) -> None:
    with partonomy_data.open(demo_store) as store:
        rows = store.sql("SELECT object_id, part_category, sum(area) FROM parts GROUP BY ALL").fetchall()
    assert len(rows) > 2500
    # Rings of polygons lose a pixel here and there.
    assert all(demo_truth.shown[thing].pixels[part] >= 0.97 * area for thing, part, area in rows)
    exact = sum(demo_truth.shown[thing].pixels[part] == area for thing, part, area in rows)
    assert exact > 0.8 * len(rows)


def test_of_every_object_the_list_of_clear_parts_is_right_and_no_list_with_one_less_or_one_more(
    demo_judge: Judge,
) -> None:
    judged = 0
    for shown in demo_judge.truth.shown.values():
        clear = demo_judge.clear(shown)
        if not clear:
            continue
        assert identified(demo_judge, shown, clear) is True
        for part in clear:
            less = [one for one in clear if one != part]
            # Where another name covers the same parts of the world, the list says no less without it.
            if all(not shown.concepts[part] & shown.concepts[one] for one in less):
                assert identified(demo_judge, shown, less) is False
                judged += 1
        own = {demo_judge.truth.names[shown.entry.source, shown.entry.name, raw] for raw in shown.entry.parts} - set(
            shown.pixels
        )
        for part in own:
            assert identified(demo_judge, shown, [*clear, part]) is False
            judged += 1
        for part in set(shown.pixels) - set(clear):
            assert identified(demo_judge, shown, [*clear, part]) is True
            judged += 1
    assert judged > 2000


def test_a_part_of_something_else_is_wrong(demo_judge: Judge) -> None:
    shown = next(things(demo_judge, "paco", "mug"))
    clear = demo_judge.clear(shown)
    assert identified(demo_judge, shown, [*clear, "wheel"]) is False
    assert identified(demo_judge, shown, [*clear, "no such part"]) is None
    assert identified(demo_judge, shown, []) is False
    # The head of a motor scooter is its fork, handlebar and headlight; a car has no head for having headlights.
    car = next(things(demo_judge, "partimagenet", "sports car, sport car"))
    assert identified(demo_judge, car, [*demo_judge.clear(car), "head"]) is False


def test_another_source_category_s_name_of_the_same_part_counts(demo_judge: Judge) -> None:
    """PARTONOMY calls the one wheel of a sedan "front wheel", of a sports car "wheel"."""
    shown = next(one for one in things(demo_judge, "partonomy", "vehicles--sedan") if "front wheel" in one.pixels)
    clear = demo_judge.clear(shown)
    renamed = sorted({"wheel" if part in ("front wheel", "back wheel") else part for part in clear})
    assert renamed != clear
    assert identified(demo_judge, shown, renamed) is True


@pytest.mark.parametrize(
    ("source", "name", "part", "contrast", "shared"),
    [
        ("paco", "mug", "handle", "kettle", True),
        ("paco", "mug", "handle", "snake", False),
        ("paco", "car_(automobile)", "wheel", "motorbike", True),
        ("paco", "cat", "paw", "mug", False),
        ("paco", "motorcycle", "seat", "bench", True),  # a saddle is a seat
        ("partonomy", "kitchen--coffee mug", "foot", "bookcase", None),  # its base, not a foot as a bookcase has one
        ("paco", "mug", "handle", "zeppelin", None),
        ("partimagenet", "minivan", "side mirror", "car", True),
        ("pascal_part", "aeroplane", "engine", "bottle", False),
        ("partimagenet", "tabby, tabby cat", "foot", "bench", None),  # its legs and paws, and a bench has legs
        ("partimagenet", "tabby, tabby cat", "foot", "dog", True),
    ],
)
def test_what_a_contrast_category_has_by_the_world(
    demo_judge: Judge, source: str, name: str, part: str, contrast: str, shared: bool | None
) -> None:
    shown = next(things(demo_judge, source, name))
    assert demo_judge.shared(shown, part, contrast) is shared


@pytest.mark.parametrize(
    ("source", "name", "phrase", "part", "contrast", "claimed"),
    [
        ("paco", "cat", "foot", "paw", "bookcase", True),
        ("paco", "cat", "paw", "paw", "bookcase", False),  # a bookcase has feet, but no paws
        ("paco", "cat", "paw", "paw", "dog", True),
        ("paco", "bookcase", "foot", "foot", "cat", True),
        ("paco", "mug", "handle", "handle", "kettle", True),
    ],
)
def test_what_a_phrase_may_claim_of_a_contrast_category(
    demo_judge: Judge, source: str, name: str, phrase: str, part: str, contrast: str, claimed: bool
) -> None:
    assert demo_judge.claimed(next(things(demo_judge, source, name)), phrase, part, contrast) is claimed


def test_intersection_difference_and_contrast_by_hand(demo_judge: Judge) -> None:
    """PACO's bus: a motorcycle has wheel, headlight, license plate too; a car has all of it."""
    seen = 0
    for shown in things(demo_judge, "paco", "bus_(vehicle)"):
        clear = set(demo_judge.clear(shown))
        with_motorcycle = sorted(clear & {"wheel", "headlight", "license plate"})
        rest = sorted(clear - set(with_motorcycle))
        if not with_motorcycle or not rest or len(clear) < len(shown.pixels):
            continue
        seen += 1
        for listed, kind, contrasts, verdict in (
            (with_motorcycle, "intersection", ["motorcycle"], True),
            (rest, "intersection", ["motorcycle"], False),
            (sorted(clear), "intersection", ["motorcycle"], False),
            (with_motorcycle[1:], "intersection", ["motorcycle"], False),
            (rest, "difference", ["motorcycle"], True),
            (with_motorcycle, "difference", ["motorcycle"], False),
            (rest[1:], "difference", ["motorcycle"], False),
            (sorted(clear), "intersection", ["car"], True),
            (rest, "contrast", ["car", "motorcycle"], True),
            (with_motorcycle, "contrast", ["car", "motorcycle"], False),
            (with_motorcycle, "contrast", ["motorcycle", "snake"], True),
            (with_motorcycle, "intersection", ["zeppelin"], None),
        ):
            assert demo_judge.parts(shown, listed, kind, contrasts)[0] is verdict, (listed, kind, contrasts)
    assert seen > 0


def test_what_an_object_may_be_called(demo_judge: Judge) -> None:
    bottle = next(things(demo_judge, "paco", "bottle"))
    tabby = next(things(demo_judge, "partimagenet", "tabby, tabby cat"))
    assert demo_judge.named(bottle, "bottle", frozenset())[0] is True
    assert demo_judge.named(bottle, "container", frozenset({"container"}))[0] is True
    assert demo_judge.named(bottle, "jar", frozenset())[0] is False
    assert demo_judge.named(bottle, "horse", frozenset())[0] is False
    assert demo_judge.named(tabby, "cat", frozenset())[0] is True
    assert demo_judge.named(tabby, "egyptian cat", frozenset())[0] is None
    assert demo_judge.named(tabby, "beagle", frozenset())[0] is False


def choice(parts: list[str], is_correct: bool) -> Row:
    text, spans = "It has ", []
    for part in parts:
        spans.append({"start": len(text), "end": len(text) + len(part), "part": part})
        text += f"{part}, "
    return {"text": text, "parts": parts, "spans": spans, "is_correct": is_correct, "edits": []}


def question(number: int, shown: tuple[str, Row], lists: list[list[str]], **other: Any) -> Row:
    """A question of a block about `shown` (object_id, row of `objects`), whose right choice is the `number`th."""
    object_id, thing = shown
    row = {
        "question_id": f"qst_{number}",
        "image_id": thing["image_id"],
        "object_id": object_id,
        "source": thing["source"],
        "split": "test",
        "question_type": "identification",
        "names_object": True,
        "contrast_categories": [],
        "question": f"Which parts of the {thing['object_category']} are visible?",
        "choices": [choice(parts, place == number) for place, parts in enumerate(lists)],
        "correct_index": number,
        "referent": "unique",
        "region": None,
        "group_id": "grp_1",
        "block_id": "blk_1",
        "balanced": True,
        "chance": 1 / len(lists),
        "evidence": "verified",
        "object_question": None,
        "object_choices": None,
        "correct_object_index": None,
        "object_balanced": None,
    }
    return {**row, **other}


@pytest.fixture(scope="module")
def block(demo_store: Path, demo_judge: Judge) -> structure.Tables:
    """A block of three questions made by hand from the truth, with the tables around it."""
    with partonomy_data.open(demo_store) as store:
        objects = {row["object_id"]: row for row in store.table("objects").to_pylist()}
        images = {row["image_id"]: row for row in store.table("images").to_pylist()}
        parts = store.table("parts", ["part_id", "object_id", "part_category"]).to_pylist()
        ancestors = oracle.ancestors_of(store)
    instances: dict[tuple[str, str], list[str]] = {}
    for row in parts:
        instances.setdefault((row["object_id"], row["part_category"]), []).append(row["part_id"])
    chosen: dict[str, tuple[str, list[str]]] = {}
    for object_id, shown in sorted(demo_judge.truth.shown.items()):
        clear = demo_judge.clear(shown)
        told = all((object_id, part) in instances for part in clear) and len(clear) == len(shown.pixels) > 1
        fresh = all(clear != listed for _, listed in chosen.values())
        if told and fresh and (shown.entry.source, shown.entry.name) == ("pascal_part", "car"):
            chosen.setdefault(objects[object_id]["image_id"], (object_id, clear))
    picked = sorted(chosen.values())[:3]
    lists = [listed for _, listed in picked]
    rows = [question(n, (thing, objects[thing]), lists) for n, (thing, _) in enumerate(picked)]
    masks = {
        row["question_id"]: {part: instances[row["object_id"], part] for part in lists[n]} for n, row in enumerate(rows)
    }
    splits = {row["image_id"]: {"cluster": f"pho_{row['image_id']}", "split": "test"} for row in rows}
    return structure.Tables(rows, masks, instances, objects, images, splits, ancestors)


def judged(judge: Judge, tables: structure.Tables) -> Judgement:
    found = Judgement()
    for row in tables.questions:
        oracle.judge_question(judge, row, frozenset(), found)
    return found


def test_a_true_block_passes(demo_judge: Judge, block: structure.Tables) -> None:
    found = judged(demo_judge, block)
    assert found.disagreements == []
    assert found.total("choice", "agreed") == 9
    assert found.share("choice", "verified") == found.share("question", "verified") == 1
    assert structure.faults(block) == []


def test_wrong_labels_are_told_with_question_choice_and_truth(demo_judge: Judge, block: structure.Tables) -> None:
    spoiled = copy.deepcopy(block)
    first, second = spoiled.questions[0]["choices"][:2]
    first["is_correct"], second["is_correct"] = False, True
    found = judged(demo_judge, spoiled)
    assert [one.labeled for one in found.disagreements] == [False, True]
    assert found.share("choice", "verified") == pytest.approx(7 / 9)
    assert found.share("question", "verified") == pytest.approx(2 / 3)
    told = str(found.disagreements[1])
    assert spoiled.questions[0]["question"] in told
    assert second["text"] in told
    assert "pixels) is missing" in told or "is listed" in told
    assert "disagreed" in found.summary()


def change(**values: Any) -> Callable[[structure.Tables], None]:
    return lambda tables: tables.questions[0].update(values)


def in_choice(number: int, **values: Any) -> Callable[[structure.Tables], None]:
    return lambda tables: tables.questions[0]["choices"][number].update(values)


def shift_span(tables: structure.Tables) -> None:
    tables.questions[0]["choices"][0]["spans"][0]["start"] += 1


def repeat_choice(tables: structure.Tables) -> None:
    tables.questions[0]["choices"][1]["parts"] = tables.questions[0]["choices"][2]["parts"]


def lose_mask(tables: structure.Tables) -> None:
    tables.masks["qst_0"].popitem()


def repeat_mask(tables: structure.Tables) -> None:
    part = next(iter(tables.masks["qst_0"]))
    tables.masks["qst_0"][part] = tables.masks["qst_0"][part] * 2


def same_cluster(tables: structure.Tables) -> None:
    for row in tables.splits.values():
        row["cluster"] = "pho_1"


def other_split(tables: structure.Tables) -> None:
    tables.splits[tables.questions[0]["image_id"]]["split"] = "train"


def ask_again(tables: structure.Tables) -> None:
    tables.questions.append({**tables.questions[0], "question_id": "qst_9", "group_id": "grp_2", "block_id": "blk_2"})


def shuffle_one(tables: structure.Tables) -> None:
    tables.questions[0]["choices"].reverse()
    tables.questions[0]["correct_index"] = 2


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (change(correct_index=1), "one_right_choice"),
        (in_choice(1, is_correct=True), "one_right_choice"),
        (repeat_choice, "choices_differ"),
        (in_choice(1, parts=[], spans=[]), "choice_is_a_list"),
        (change(chance=0.25), "chance"),
        (change(image_id="pascal_part/other"), "object"),
        (shift_span, "spans_spell"),
        (in_choice(0, spans=[]), "spans_are_the_parts"),
        (lose_mask, "question_masks"),
        (repeat_mask, "question_masks"),
        (change(contrast_categories=["bus"]), "contrasts"),
        (change(question_type="difference", contrast_categories=["car"]), "compared_with_itself"),
        (change(question_type="difference", contrast_categories=["vehicle"]), "compared_with_itself"),
        (change(names_object=False), "object_is_not_named"),
        (change(region=[0.0, 0.0, 1.0, 1.0]), "region"),
        (change(referent="crop", region=[0.0, 0.0, 1.0, 1.0]), "region"),
        (change(question_type="whole_to_part"), "two_turns"),
        (change(object_question="What is it?"), "two_turns"),
        (change(balanced=False), "balanced_is_in_a_block"),
        (change(group_id="grp_2"), "block_is_alike"),
        (change(question="Which?"), "block_is_alike"),
        (shuffle_one, "block_is_alike"),
        (change(split="val"), "block_is_alike"),
        (same_cluster, "different_photographs"),
        (other_split, "split"),
        (ask_again, "one_group_for_a_photograph"),
        (ask_again, "asked_once"),
        (ask_again, "each_choice_right_once"),
        (change(question_id="qst_1"), "question_id"),
    ],
)
def test_each_fault_of_structure_is_found(
    block: structure.Tables, spoil: Callable[[structure.Tables], None], rule: str
) -> None:
    spoiled = structure.Tables(
        copy.deepcopy(block.questions),
        copy.deepcopy(block.masks),
        block.instances,
        block.objects,
        {**block.images, "pascal_part/other": {"width": 1, "height": 1}},
        {**copy.deepcopy(block.splits), "pascal_part/other": {"cluster": "pho_other", "split": "test"}},
        block.ancestors,
    )
    spoil(spoiled)
    assert rule in {fault.rule for fault in structure.faults(spoiled)}


def test_an_object_that_is_right_more_often_than_the_others_is_found(block: structure.Tables) -> None:
    rows = [
        {
            **row,
            "question_type": "whole_to_part",
            "names_object": False,
            "object_question": "What is it?",
            "object_choices": [
                {"text": f"It is a {name}.", "object_category": name, "is_correct": name == "car"}
                for name in ("bus", "car")
            ],
            "correct_object_index": 1,
            "object_balanced": True,
        }
        for row in copy.deepcopy(block.questions)
    ]
    tables = structure.Tables(
        rows, block.masks, block.instances, block.objects, block.images, block.splits, block.ancestors
    )
    assert {fault.rule for fault in structure.faults(tables)} == {"objects_balanced", "object_is_not_named"}
