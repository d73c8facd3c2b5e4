"""The two graphs, and plausibility: each damage is told by its own rule, which names the rows that it made wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.validation.rules import taxonomy
from schemas.tables import schema
from tests.taxonomy.reach import reachable
from tests.validation.damage import Change, adding, called, damaged, doubling, dropping, first, found, read, setting

Rules = dict[tuple[str, str], dict[str, str | None]]


@pytest.fixture
def broken(version: Path, tmp_path: Path) -> Callable[..., Rules]:
    """`broken((table, change), …)`: the rules that these changes break, and the rows that they name."""

    def check(*changes: tuple[str, Change]) -> Rules:
        for table, change in changes:
            damaged(version, table, change)
        return found(version, tmp_path, taxonomy.CHECKS)

    return check


# The part graph


def test_a_pair_that_annotations_show_and_the_graph_has_not(version: Path, broken: Callable[..., Rules]) -> None:
    row = first(version, "part_graph", evidence="annotated")
    part = first(version, "part_categories", part_category=row["part_category"])
    pair = {name: row[name] for name in ("object_category", "part_category")}
    told = broken(
        ("part_graph", dropping(row)),
        ("part_categories", setting(part, n_object_categories=part["n_object_categories"] - 1)),
        ("plausibility", dropping(first(version, "plausibility", **pair))),
    )
    assert told == {
        ("part_graph", "pairs_listed"): {called("part_graph", row): f"{row['n_with_part']} objects have it"}
    }


def test_a_pair_of_names_that_are_not_there(version: Path, broken: Callable[..., Rules]) -> None:
    row = first(version, "part_graph", evidence="curated")
    part = first(version, "part_categories", part_category=row["part_category"])
    of_pair = {"object_category": row["object_category"], "part_category": row["part_category"]}
    plausible = first(version, "plausibility", **of_pair)
    told = broken(
        ("part_graph", doubling(row, object_category="zeppelin")),
        ("part_categories", setting(part, n_object_categories=part["n_object_categories"] + 1)),
        ("plausibility", doubling(plausible, object_category="zeppelin")),
    )
    wrong = {called("part_graph", row | {"object_category": "zeppelin"}): "there is no zeppelin"}
    assert told == {
        ("part_graph", "object_category_known"): wrong,
        ("plausibility", "object_category_known"): wrong,
    }


def test_a_pair_with_a_part_that_is_not_there(version: Path, broken: Callable[..., Rules]) -> None:
    row = first(version, "part_graph", evidence="curated")
    of_pair = {"object_category": row["object_category"], "part_category": row["part_category"]}
    plausible = first(version, "plausibility", **of_pair)
    told = broken(
        ("part_graph", doubling(row, part_category="tow hook")),
        ("plausibility", doubling(plausible, part_category="tow hook")),
    )
    wrong = {called("part_graph", row | {"part_category": "tow hook"}): "there is no tow hook"}
    assert told == {
        ("part_graph", "part_category_known"): wrong,
        ("plausibility", "part_category_known"): wrong,
    }


def test_counts_of_a_pair_that_are_not_those_of_the_objects(version: Path, broken: Callable[..., Rules]) -> None:
    row = first(version, "part_graph", object_category="airliner", part_category="tail")
    assert (row["n_objects"], row["n_with_part"]) == (2, 1)
    told = broken(("part_graph", setting(row, n_objects=4, n_with_part=3, frequency=0.75)))
    assert told == {
        ("part_graph", "n_objects_counted"): {"airliner / tail": "4, counted 2"},
        ("part_graph", "n_with_part_counted"): {"airliner / tail": "3, counted 1"},
    }


def test_objects_of_a_source_that_does_not_declare_the_pair_do_not_count(version: Path, tmp_path: Path) -> None:
    graph = read(version, "part_graph").to_pylist()
    objects = {row["object_category"]: row["n_objects"] for row in read(version, "object_categories").to_pylist()}
    fewer = [row for row in graph if 0 < row["n_objects"] < objects[row["object_category"]]]
    assert fewer  # so that counting all objects of the category would be told
    assert ("part_graph", "n_objects_counted") not in found(version, tmp_path, taxonomy.CHECKS)


@pytest.mark.parametrize("frequency", [0.4, 1.0])
def test_a_frequency_that_is_not_the_ratio(version: Path, broken: Callable[..., Rules], frequency: float) -> None:
    row = first(version, "part_graph", object_category="airliner", part_category="tail")
    told = broken(("part_graph", setting(row, frequency=frequency)))
    assert told == {("part_graph", "frequency_is_ratio"): {"airliner / tail": f"{frequency}, not 1 of 2"}}


def test_evidence_that_there_is_none_of(version: Path, broken: Callable[..., Rules]) -> None:
    row = first(version, "part_graph", evidence="curated")
    told = broken(("part_graph", setting(row, evidence="hearsay")))
    assert told == {("part_graph", "evidence_known"): {called("part_graph", row): "hearsay"}}


@pytest.mark.parametrize(
    ("evidence", "other", "verdict"), [("annotated", "curated", "plausible"), ("curated", "annotated", "annotated")]
)
def test_evidence_that_the_counts_deny(
    version: Path, broken: Callable[..., Rules], evidence: str, other: str, verdict: str
) -> None:
    row = first(version, "part_graph", evidence=evidence)
    of_pair = {"object_category": row["object_category"], "part_category": row["part_category"]}
    told = broken(
        ("part_graph", setting(row, evidence=other)),
        ("plausibility", setting(first(version, "plausibility", **of_pair), verdict=verdict)),
    )
    assert told == {
        ("part_graph", "annotated_is_seen"): {called("part_graph", row): f"{other}, seen in {row['n_with_part']}"}
    }


# The category graph


def test_names_of_the_category_graph(version: Path, broken: Callable[..., Rules]) -> None:
    row = first(version, "category_graph", source="curated")
    told = broken(
        ("category_graph", adding(child="Zebras", parent="animal", source="curated")),
        ("category_graph", adding(child="ibex", parent="hoofed animals", source="curated")),
    )
    assert row["source"] == "curated"
    assert {rule: list(rows) for rule, rows in told.items()} == {
        ("category_graph", "names_plain"): ["Zebras / animal / curated"],
        ("category_graph", "names_canonical"): ["ibex / hoofed animals / curated"],
    }


def test_a_pair_of_a_source_that_there_is_not(version: Path, broken: Callable[..., Rules]) -> None:
    row = first(version, "category_graph", source="curated")
    told = broken(("category_graph", doubling(row, source="zoo")))
    name = called("category_graph", row | {"source": "zoo"})
    assert told.pop(("category_graph", "source_known")) == {name: "of no source of the build"}
    assert set(told) <= {("object_categories", "supercategory_in_graph")}  # a source's word counts more


def test_a_category_that_is_its_own_parent(version: Path, broken: Callable[..., Rules]) -> None:
    told = broken(("category_graph", adding(child="vehicle", parent="vehicle", source="curated")))
    assert told == {("category_graph", "no_self_loop"): {"vehicle / vehicle / curated": None}}


def test_a_way_that_leads_back(version: Path, broken: Callable[..., Rules]) -> None:
    assert first(version, "category_graph", child="airliner", parent="airplane")
    assert first(version, "category_graph", child="airplane", parent="aircraft")
    told = broken(("category_graph", adding(child="aircraft", parent="airliner", source="curated")))
    assert told == {
        ("category_graph", "acyclic"): {
            "aircraft / airliner / curated": "another way leads from airliner up to aircraft",
            "airliner / airplane / partimagenet": "another way leads from airplane up to airliner",
            "airplane / aircraft / partonomy": "another way leads from aircraft up to airplane",
        }
    }


_NAME = st.sampled_from("abcdefg")


@given(st.sets(st.tuples(_NAME, _NAME)))
def test_the_pairs_on_a_cycle_are_those_that_a_plain_walk_finds(pairs: set[tuple[str, str]]) -> None:
    above: dict[str, set[str]] = {}
    for child, parent in pairs:
        above.setdefault(child, set()).add(parent)
    wanted = {f"{a} / {b} / paco" for a, b in pairs if a != b and a in reachable(b, above)}
    rows = [{"child": child, "parent": parent, "source": "paco"} for child, parent in sorted(pairs)]
    query = taxonomy.CHECKS["category_graph"]["acyclic"]
    with duckdb.connect(":memory:") as connection:
        connection.register("category_graph", pa.Table.from_pylist(rows, schema("category_graph")))
        assert {row for row, _ in connection.sql(str(query)).fetchall()} == wanted


# Plausibility


def beyond(version: Path) -> Mapping[str, Any]:
    """A row of plausibility of a pair that the graph doesn't have, as a language model judges it."""
    graph = {(row["object_category"], row["part_category"]) for row in read(version, "part_graph").to_pylist()}
    parts = read(version, "part_categories")["part_category"].to_pylist()
    part = next(part for part in parts if ("cat", part) not in graph)
    return {
        "object_category": "cat",
        "part_category": part,
        "verdict": "implausible",
        "method": "llm",
        "confidence": 0.9,
    }


@pytest.mark.parametrize(
    ("values", "rule", "reason"),
    [
        (
            {"verdict": "likely", "call_id": None, "method": "source", "confidence": 1.0},
            "values_known",
            "likely, by source",
        ),
        ({"method": "oracle"}, "values_known", "implausible, by oracle"),
        (
            {"verdict": "annotated", "method": "source", "confidence": 1.0},
            "annotated_as_in_graph",
            "annotated, in part_graph not there",
        ),
        ({"method": "source", "confidence": 0.5}, "confidence_in_range", "0.5"),
        ({"method": "source", "confidence": 1.5}, "confidence_in_range", "1.5"),
        ({"call_id": None}, "call_known", "it names no call"),
        ({"call_id": "call_0123456789abcdef"}, "call_known", "there is no call_0123456789abcdef"),
    ],
)
def test_what_is_wrong_with_a_judged_pair(
    version: Path, broken: Callable[..., Rules], values: dict[str, Any], rule: str, reason: str
) -> None:
    row = {**beyond(version), **values}
    told = broken(("plausibility", adding(**row)))
    assert told == {("plausibility", rule): {called("plausibility", row): reason}}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (None, "it has no row"),
        ({"verdict": "implausible"}, "implausible, by source"),
    ],
)
def test_a_pair_of_the_graph_that_could_not_be(
    version: Path, broken: Callable[..., Rules], values: dict[str, Any] | None, reason: str
) -> None:
    row = first(version, "plausibility", verdict="plausible")
    told = broken(("plausibility", dropping(row) if values is None else setting(row, **values)))
    assert told == {("plausibility", "graph_is_plausible"): {called("plausibility", row): reason}}


def test_a_verdict_that_the_graph_denies(version: Path, broken: Callable[..., Rules]) -> None:
    row = first(version, "plausibility", verdict="annotated")
    told = broken(("plausibility", setting(row, verdict="plausible")))
    name = called("plausibility", row)
    assert told == {("plausibility", "annotated_as_in_graph"): {name: "plausible, in part_graph annotated"}}
