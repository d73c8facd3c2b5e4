"""PARTONOMY's label grammar, and names that keep different things apart."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.sources.partonomy import labels
from partonomy_data.sources.partonomy.labels import Label
from partonomy_data.taxonomy.words import normalise

WORD = st.text(st.sampled_from("abcdefgs "), min_size=1, max_size=6).map(str.strip).filter(bool)
LABEL = st.builds(lambda category, name: f"{category}--{name}", st.sampled_from([*labels.CATEGORIES, "new"]), WORD)


def test_a_label_of_an_object_has_a_category_and_a_name() -> None:
    assert labels.parse("helicopter--oil & gas support") == Label("helicopter", "oil & gas support", None)


def test_a_label_of_a_part_names_its_object_before_and_its_part_after_the_separator() -> None:
    label = labels.parse("boats--shell (crew boat)--part:oar")
    assert label == Label("boats", "shell (crew boat)", "oar")
    assert label.object_key == "boats--shell (crew boat)"
    assert label.part_key == "boats--shell (crew boat)--part:oar"


def test_of_several_part_separators_the_object_ends_at_the_first_and_the_part_begins_at_the_last() -> None:
    assert labels.parse("a--b--part:c--part:d") == Label("a", "b", "d")


@pytest.mark.parametrize("text", ["", "--", "boats--", "--canoe", "boats--canoe--part:", "--part:hull", " "])
def test_a_label_without_one_of_its_names_is_none(text: str) -> None:
    assert labels.parse(text) is None


def test_the_prefix_of_converted_sets_is_removed_so_that_object_and_part_agree() -> None:
    whole, part = labels.parse("object--dog"), labels.parse("dog--part:head")
    assert whole is not None
    assert part is not None
    assert whole.object_key == part.object_key == "dog"


@given(st.text(st.sampled_from("ab-:/ \u0301part\u00e9AÉ"), max_size=30))
def test_the_canonical_form_is_a_fixed_point(text: str) -> None:
    once = labels.canonical(text)
    assert labels.canonical(once) == once


@given(LABEL, st.none() | WORD)
def test_a_label_is_found_again_in_its_canonical_form(whole: str, part: str | None) -> None:
    text = whole if part is None else f"{whole}{labels.PART_SEP}{part}"
    label = labels.parse(text.upper().replace("--PART:", "--part:"))
    assert label is not None
    assert labels.parse(label.object_key if part is None else label.part_key) == label


def test_a_key_of_a_descriptor_is_read_by_its_own_prefix_and_a_bare_one_as_a_part() -> None:
    whole = "airplanes--private"
    assert labels.resolve(whole, f"{whole}--part:wings") == Label("airplanes", "private", "wings")
    assert labels.resolve(whole, "wings") == Label("airplanes", "private", "wings")
    assert labels.resolve(whole, whole) == Label("airplanes", "private", None)
    assert labels.resolve(whole, "boats--canoe") == Label("boats", "canoe", None)
    assert labels.resolve("object--dog", "dog--part:head") == Label("", "dog", "head")
    assert labels.resolve("object--dog", "object--cat") == Label("", "cat", None)
    assert labels.resolve(f"{whole}--part:wings", "wings") is None


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("airplanes--agricultural", "agricultural airplane"),
        ("airplanes--bombers", "bomber airplane"),
        ("airplanes--regional jets", "regional jets"),
        ("airplanes--narrow body single aisle aircraft", "narrow body single aisle aircraft"),
        ("helicopter--vip transport", "vip transport helicopter"),
        ("helicopter--oil & gas support", "oil and gas support helicopter"),
        ("helicopter--fuselage", "helicopter fuselage"),
        ("drones--combat", "combat drone"),
        ("kitchen--air fryer", "air fryer"),
        ("vehicles--fire", "fire truck"),
        ("object--trash_can", "trash can"),
        ("toys--spinning top", "spinning top"),
    ],
)
def test_an_object_is_called_what_it_is(label: str, name: str) -> None:
    assert list(labels.object_names([labels.canonical(label)]).values()) == [name]


def test_one_bare_name_in_two_categories_keeps_the_category_in_parentheses() -> None:
    names = labels.object_names(["boats--submarine", "ships--submarine", "weapons--submarine missile", "submarine"])
    assert names == {
        "boats--submarine": "submarine (boat)",
        "ships--submarine": "submarine (ship)",
        "submarine": "submarine",
        "weapons--submarine missile": "submarine missile",
    }


def test_a_bare_name_that_is_also_the_name_of_a_category_is_kept_apart_from_it() -> None:
    assert labels.object_names(["boats--aircraft"]) == {"boats--aircraft": "aircraft (boat)"}


def test_singular_and_plural_in_two_categories_are_kept_apart() -> None:
    names = labels.object_names(["office supplies--tape measures", "tools--tape measure"])
    assert set(names.values()) == {"tape measures (office supply)", "tape measure (tool)"}


@given(st.lists(LABEL, max_size=30, unique=True))
def test_no_two_labels_get_one_name(every: list[str]) -> None:
    keys = {label.object_key for text in every if (label := labels.parse(text)) is not None}
    names = labels.object_names(keys)
    assert names.keys() == keys
    assert len(set(names.values())) == len(keys)


@pytest.fixture(scope="session")
def display_names(shared_data: Path) -> dict[str, str]:
    """Raw label → the authors' name of it, 562 of them."""
    path = shared_data / "partonomy" / "object_names_to_nl.json"
    if not path.is_file():
        pytest.skip("PARTONOMY's real labels are not here")
    names: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return names


def test_the_562_real_labels_get_562_names_that_stay_apart_when_made_canonical(
    display_names: dict[str, str],
) -> None:
    names = labels.object_names(display_names)
    assert len(names) == len(display_names) == 562
    assert len({normalise(name) for name in names.values()}) == 562


def test_the_13_real_categories_all_have_a_word_for_them(display_names: dict[str, str]) -> None:
    assert {label.split("--")[0] for label in display_names} == labels.CATEGORIES.keys()


def test_the_shared_display_names_are_those_of_the_authors_map(display_names: dict[str, str]) -> None:
    of_name = defaultdict(list)
    for label, name in display_names.items():
        of_name[name].append(label)
    shared = {name: tuple(sorted(found)) for name, found in of_name.items() if len(found) > 1}
    assert shared == labels.SHARED_DISPLAY_NAMES


def test_the_spelled_out_labels_are_real_ones(display_names: dict[str, str]) -> None:
    assert labels.SPELLED_OUT.keys() <= display_names.keys()


def test_the_real_concept_tables_parts_are_one_for_each_pair_of_object_and_part(shared_data: Path) -> None:
    path = shared_data / "partonomy" / "concept_hierarchy.csv"
    if not path.is_file():
        pytest.skip("PARTONOMY's real concept table is not here")
    category, pairs, keys = "", 0, set()
    with path.open(encoding="utf-8", newline="") as file:
        for concept, parts in list(csv.reader(file))[1:]:
            if concept.endswith(" concepts") and " has " in concept:
                category = concept.split(" has ")[0]
            elif concept:
                for part in parts.split(","):
                    pairs += 1
                    label = labels.parse(f"{category}--{concept}{labels.PART_SEP}{part}")
                    assert label is not None
                    assert labels.parse(label.part_key) == label
                    keys.add(label.part_key)
    assert len({key.split(labels.PART_SEP)[0] for key in keys}) == 539
    assert (pairs, len(keys)) == (2123, 2123)
