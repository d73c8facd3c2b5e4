"""Names and counts of objects and parts: each damage is told by its own rule, which names the rows that it made wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.taxonomy.words import BadName, normalise
from partonomy_data.validation.rules import taxonomy
from partonomy_data.validation.rules.taxonomy import not_canonical, not_plain
from tests.validation.damage import Change, called, damaged, doubling, first, found, read, setting

Rules = dict[tuple[str, str], dict[str, str | None]]


@pytest.fixture
def broken(version: Path, tmp_path: Path) -> Callable[..., Rules]:
    """`broken((table, change), …)`: the rules that these changes break, and the rows that they name."""

    def check(*changes: tuple[str, Change]) -> Rules:
        for table, change in changes:
            damaged(version, table, change)
        return found(version, tmp_path, taxonomy.CHECKS)

    return check


def test_the_demo_world_keeps_all_rules(version: Path, tmp_path: Path) -> None:
    assert found(version, tmp_path, taxonomy.CHECKS) == {}


# Names


def unused(version: Path, table: str, name: str) -> Change:
    """A row of a name that nothing has."""
    values: dict[str, Any] = {"supercategory": None, "source_categories": [], "n_objects": 0, "n_images": 0}
    if table == "part_categories":
        values = {"n_parts": 0, "n_object_categories": 0}
    key = table.replace("categories", "category")
    return doubling(first(version, table), **{key: name}, **values)


@pytest.mark.parametrize("table", ["object_categories", "part_categories"])
@pytest.mark.parametrize("name", ["Wing", "rotor  blade", "rotor_blade", " wing", "wing<b>", ""])
def test_a_name_that_has_not_the_form_of_one(
    version: Path, broken: Callable[..., Rules], table: str, name: str
) -> None:
    told = broken((table, unused(version, table, name)))
    assert list(told) == [(table, "names_plain")]
    assert list(told[table, "names_plain"]) == [name]


@pytest.mark.parametrize("table", ["object_categories", "part_categories"])
def test_a_name_that_the_rules_write_otherwise(version: Path, broken: Callable[..., Rules], table: str) -> None:
    told = broken((table, unused(version, table, "grey tyres")))
    assert told == {(table, "names_canonical"): {"grey tyres": "the rules write 'grey tyres' as 'gray tire'"}}


def test_a_name_that_a_users_overrides_may_have_given(version: Path, broken: Callable[..., Rules]) -> None:
    overridden(version)
    told = broken(("part_categories", unused(version, "part_categories", "grey tyres")))
    assert told == {}
    told = broken(("part_categories", unused(version, "part_categories", "Tyres")))
    assert list(told) == [("part_categories", "names_plain")]


def overridden(version: Path) -> None:
    path = version / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["config"]["overrides"] = "0" * 64
    path.unlink()
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "name", ["c-clamp", "submarine (boat)", "cardigan (2)", "driver's seat", "été", "2.5 inch disk"]
)
def test_names_that_are_as_they_should_be(name: str) -> None:
    assert not_plain(name) is None
    assert not_canonical(name) is None


@given(st.text())
def test_whatever_the_rules_make_of_a_label_is_right_by_them(label: str) -> None:
    try:
        name = normalise(label)
    except BadName:
        return
    assert not_plain(name) is None
    assert not_canonical(name) is None


# Categories


@pytest.mark.parametrize(
    "table", ["object_categories", "part_categories", "part_graph", "category_graph", "plausibility"]
)
def test_a_key_that_comes_twice(version: Path, broken: Callable[..., Rules], table: str) -> None:
    row = first(version, table)
    assert broken((table, doubling(row))) == {(table, "key_unique"): {called(table, row): "2 rows"}}


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("object_categories", "n_objects"),
        ("object_categories", "n_images"),
        ("part_categories", "n_parts"),
        ("part_categories", "n_object_categories"),
    ],
)
@pytest.mark.parametrize("more", [1, -1])
def test_a_count_that_is_not_that_of_the_rows(
    version: Path, broken: Callable[..., Rules], table: str, column: str, more: int
) -> None:
    row = max(read(version, table).to_pylist(), key=lambda one: one[column])
    n = row[column]
    told = broken((table, setting(row, **{column: n + more})))
    assert told == {(table, f"{column}_counted"): {called(table, row): f"{n + more}, counted {n}"}}


@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        ("part_categories", lambda sources: [], "it names no source"),
        ("part_categories", lambda sources: sources[::-1], "its sources are not in order, or one comes twice"),
        (
            "part_categories",
            lambda sources: [*sources, sources[-1]],
            "its sources are not in order, or one comes twice",
        ),
        ("part_categories", lambda sources: [*sources, "zoo"], "of no source of the build: zoo"),
        ("part_categories", lambda sources: sources[1:], "it leaves out paco"),
        ("object_categories", lambda sources: [*sources, "zoo"], "of no source of the build: zoo"),
        ("part_graph", lambda sources: [*sources, "zoo"], "of no source of the build: zoo"),
    ],
)
def test_sources_that_cannot_be(
    version: Path,
    broken: Callable[..., Rules],
    table: str,
    change: Callable[[list[str]], list[str]],
    reason: str,
) -> None:
    row = next(row for row in read(version, table).to_pylist() if row["sources"] == ["paco", "pascal_part"])
    told = broken((table, setting(row, sources=change(row["sources"]))))
    assert told == {(table, "sources_hold"): {called(table, row): reason}}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "none, in category_graph aircraft, vehicle"),
        ("car", "car, in category_graph aircraft, vehicle"),
        ("airplane", "airplane, in category_graph aircraft, vehicle"),
    ],
)
def test_a_supercategory_that_the_graph_does_not_have(
    version: Path, broken: Callable[..., Rules], given: str | None, reason: str
) -> None:
    row = first(version, "object_categories", object_category="airplane")
    told = broken(("object_categories", setting(row, supercategory=given)))
    assert told == {("object_categories", "supercategory_in_graph"): {"airplane": reason}}


def test_a_curated_supercategory_where_a_source_declares_one(version: Path, broken: Callable[..., Rules]) -> None:
    edge = first(version, "category_graph", child="beagle", source="curated")
    row = first(version, "object_categories", object_category="beagle")
    assert row["supercategory"] != edge["parent"]
    told = broken(("object_categories", setting(row, supercategory=edge["parent"])))
    assert told == {("object_categories", "supercategory_in_graph"): {"beagle": "dog, in category_graph quadruped"}}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["pascal_part:aeroplane"], "it leaves out paco:airplane"),
        (["pascal_part:aeroplane", "paco:airplane"], "they are not in order, or one comes twice"),
        (["paco:airplane", "pascal_part:aeroplane", "zoo:plane"], "one is of a source that has no such category"),
    ],
)
def test_what_sources_call_a_category(
    version: Path, broken: Callable[..., Rules], given: list[str], reason: str
) -> None:
    row = first(version, "object_categories", object_category="airplane")
    told = broken(("object_categories", setting(row, source_categories=given)))
    assert told == {("object_categories", "source_categories_hold"): {"airplane": reason}}
