"""The part codes spelled out, against a table that was checked by eye."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.sources.pascal_part import codes

_TABLE = [line.split("\t") for line in Path(__file__).with_name("codes.tsv").read_text().splitlines()[1:]]


def test_every_code_is_spelled_as_in_the_reviewed_table() -> None:
    made = []
    for category in codes.CLASSES:
        for code in codes.codes(category):
            part = codes.part_name(category, code)
            assert part is not None
            full = part.full_name or part.name
            made.append(
                [category, code, full, part.name, part.side or "", part.position or "", str(part.ordinal or "")]
            )
    assert made == _TABLE


def test_a_code_is_known_in_its_own_classes_only() -> None:
    assert codes.part_name("bird", "beak")
    assert codes.part_name("dog", "beak") is None
    assert codes.part_name("horse", "lhorn") is None
    assert codes.part_name("cat", "muzzle") is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("rear", "right ear"),
        ("lear", "left ear"),
        ("lleg", "left leg"),
        ("llleg", "left lower leg"),
        ("lflleg", "left front lower leg"),
        ("lfleg", "left front leg"),
        ("lfoot", "left foot"),
        ("rbho", "right back hoof"),
        ("bliplate", "back license plate"),
        ("hbackside", "head back"),
        ("cleftside_2", "coach left side"),
    ],
)
def test_letters_that_could_be_read_two_ways_are_read_the_right_one(code: str, words: str) -> None:
    spelled = codes.spell(code)
    assert spelled is not None
    assert spelled.full == words


@given(st.text(alphabet="lrfbuhcaeginpqrstw_0123456789", max_size=12))
def test_the_grammar_never_fails_and_full_names_hold_the_name(code: str) -> None:
    spelled = codes.spell(code)
    if spelled is None:
        return
    assert set(spelled.name.split()) <= set(spelled.full.split())
    assert spelled.side in (None, "left", "right")
    assert spelled.position in (None, "front", "back")
    extra = set(spelled.full.split()) - set(spelled.name.split())
    assert extra == {word for word in (spelled.side, spelled.position) if word}


@pytest.mark.parametrize(
    ("category", "code", "key"),
    [
        ("bird", "head_bird", "bird/head"),
        ("bird", "head_bird_2", "bird/head"),
        ("aeroplane", "body_4", "aeroplane/body"),
        ("cat", "tail_2", "cat/tail"),
        ("aeroplane", "wing_1", "aeroplane/wing"),
        ("dog", "leg_4", "dog/leg"),
        ("car", "wheel_11", "car/wheel"),
        ("car", "liplate", "car/license plate"),
        ("person", "LEye", "person/leye"),
        ("person", "lower_arm_1", "person/lower arm"),
        ("dog", "lfleg_2", "dog/lfleg"),
    ],
)
def test_a_variant_is_read_as_the_nearest_part(category: str, code: str, key: str) -> None:
    part = codes.nearest(category, code)
    assert part is not None
    assert part.key == key
    assert part in codes.vocabulary().parts


@pytest.mark.parametrize(
    ("category", "code"), [("cow", "leg_4"), ("person", "beak"), ("boat", "sail"), ("car", "7"), ("car", "")]
)
def test_a_variant_that_names_no_labeled_part_of_the_class_is_not_guessed(category: str, code: str) -> None:
    assert codes.nearest(category, code) is None


@given(st.sampled_from([row[:2] for row in _TABLE]))
def test_a_known_code_is_its_own_nearest(row: list[str]) -> None:
    assert codes.nearest(*row) == codes.part_name(*row)


def test_words_without_a_side_add_no_part_that_no_object_is_labeled_with() -> None:
    vocabulary = codes.vocabulary()
    labeled = {(row[0], row[3]) for row in _TABLE}
    assert {(part.object_key, part.name) for part in vocabulary.parts} == labeled
    assert len({part.key for part in vocabulary.parts}) == len(vocabulary.parts)


def test_classes_are_named_in_plain_words_with_their_group() -> None:
    names = {name.key: name for name in codes.vocabulary().objects}
    assert len(names) == 20
    assert (names["diningtable"].name, names["diningtable"].source_category) == ("dining table", "table")
    assert names["pottedplant"].name == "potted plant"
    assert names["tvmonitor"].name == "tv monitor"
    assert names["sheep"].parents == ("animal",)
    assert names["train"].parents == ("vehicle",)
    assert names["sofa"].parents == ("household object",)
    assert names["person"].parents == ()
    assert [codes.category_of(said) for said in ("table", "potted plant", "TVmonitor", "giraffe", "")] == [
        "diningtable", "pottedplant", "tvmonitor", None, None,
    ]  # fmt: skip
