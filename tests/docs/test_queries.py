"""The queries of docs/queries.md run on the demo world, and answer what is computed without SQL."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import numpy as np
import pytest
from pycocotools import mask as coco_mask

import partonomy_data
from partonomy_data.store import Store
from tests.docs.pages import DOCS, examples

Rows: TypeAlias = list[dict[str, Any]]
QUERIES = examples.queries(DOCS / "queries.md")
NAMES = [sql.heading for sql, _ in QUERIES]


@pytest.fixture(scope="module")
def store(demo_store: Path) -> Iterator[Store]:
    with partonomy_data.open(demo_store) as opened:
        yield opened


def evidence(store: Store) -> dict[tuple[str, str], Counter[str]]:
    """(object category, part category) → status → number of objects."""
    category = dict(
        zip(
            *(store.table("objects")[name].to_pylist() for name in ("object_id", "object_category")),
            strict=True,
        )
    )
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in store.table("part_evidence").to_pylist():
        found[category[row["object_id"]], row["part_category"]][row["status"]] += 1
    return found


def shared(rows: Rows, store: Store) -> None:
    category = {row["object_id"]: row["object_category"] for row in store.table("objects").to_pylist()}
    parts: dict[str, set[str]] = defaultdict(set)
    for row in store.table("parts").to_pylist():
        parts[category[row["object_id"]]].add(row["part_category"])
    assert {row["part_category"] for row in rows} == parts["car"] & parts["airplane"]
    counts = evidence(store)
    for row in rows:
        for name, column in (("car", "of_cars"), ("airplane", "of_airplanes")):
            found = counts[name, row["part_category"]]
            assert row[column] == pytest.approx(found["present"] / found.total())


def rare(rows: Rows, store: Store) -> None:
    counts = evidence(store)
    below = {pair for pair, found in counts.items() if found["present"] / found.total() < 0.05}
    answered = {(row["object_category"], row["part_category"]) for row in rows}
    assert answered <= below
    assert {pair for pair in below if counts[pair]["present"]} <= answered
    for row in rows:
        found = counts[row["object_category"], row["part_category"]]
        assert (row["n_with_part"], row["n_objects"]) == (found["present"], found.total())
        assert row["evidence"] == ("annotated" if found["present"] else "curated")


def by_visible_parts(rows: Rows, store: Store) -> None:
    objects = store.table("objects").to_pylist()
    often = Counter(store.table("parts")["object_id"].to_pylist())
    expected: dict[int, Rows] = defaultdict(list)
    for one in objects:
        expected[often[one["object_id"]]].append(one)
    assert [row["visible_parts"] for row in rows] == sorted(expected)
    assert sum(row["objects"] for row in rows) == len(objects)
    for row in rows:
        members = expected[row["visible_parts"]]
        assert row["objects"] == len(members)
        assert row["categories"] == len({one["object_category"] for one in members})
        assert row["maybe_several_objects"] == sum(one["merged"] for one in members)


def ancestors(rows: Rows, store: Store) -> None:
    parents: dict[str, set[str]] = defaultdict(set)
    for row in store.table("category_graph").to_pylist():
        parents[row["child"]].add(row["parent"])
    steps: dict[str, int] = {}
    level, depth = {"commercial airplane"}, 0
    while level:
        depth += 1
        level = {parent for name in level for parent in parents[name]} - set(steps)
        steps.update(dict.fromkeys(level, depth))
    assert len(steps) > 1, "an ancestor of an ancestor"
    assert [(row["ancestor"], row["steps"]) for row in rows] == sorted(steps.items(), key=lambda one: (one[1], one[0]))


def by_source(rows: Rows, store: Store) -> None:
    airplanes = {
        row["object_id"]: row["source"]
        for row in store.table("objects").to_pylist()
        if row["object_category"] == "airplane"
    }
    pairs = {(row["part_category"], row["object_id"]) for row in store.table("parts").to_pylist()}
    seen = Counter((part, airplanes[own]) for part, own in pairs if own in airplanes)
    of_source = Counter(airplanes.values())
    assert len(of_source) > 1, "airplanes of several sources"
    assert {key for key, n in seen.items() if n} <= {(row["part_category"], row["source"]) for row in rows}
    for row in rows:
        n = seen[row["part_category"], row["source"]]
        assert (row["n_with_part"], row["n_objects"]) == (n, of_source[row["source"]])
        assert row["frequency"] == pytest.approx(n / of_source[row["source"]], abs=0.005)


def lacking(rows: Rows, store: Store) -> None:
    counts = {pair: found for pair, found in evidence(store).items() if found["absent"]}
    expected = sorted(counts, key=lambda pair: (-counts[pair]["absent"], pair))[:10]
    assert [(row["object_category"], row["part_category"]) for row in rows] == expected
    for row in rows:
        found = counts[row["object_category"], row["part_category"]]
        assert (row["absent"], row["unknown"]) == (found["absent"], found["unknown"])
        assert row["why"] in ("exhaustive_label", "negative_label")


def same_part(rows: Rows, store: Store) -> None:
    table = {(row["part_a"], row["part_b"]): row for row in store.table("part_relations").to_pylist()}
    sure = [row for row in table.values() if round(row["confidence"], 3) >= 0.9]
    wanted = [(a["part_a"], a["part_b"]) for a in sure if a["relation"] == "same" and a["part_a"] < a["part_b"]]
    narrower = [(a["part_a"], a["part_b"]) for a in sure if a["relation"] == "narrower"]
    assert [(row["part_a"], row["part_b"]) for row in rows] == [*sorted(wanted), *sorted(narrower)][:12]
    for row in rows:
        turned = table[row["part_b"], row["part_a"]]
        assert turned["relation"] == {"same": "same", "narrower": "broader"}[row["relation"]]
        assert (turned["method"], turned["confidence"]) == (row["method"], pytest.approx(row["confidence"]))


def share(rows: Rows, store: Store) -> None:
    cars = {
        row["object_id"]: row["area"]
        for row in store.table("objects").to_pylist()
        if row["object_category"] == "car" and row["mask_origin"] == "annotated"
    }
    shares: dict[str, list[float]] = defaultdict(list)
    for row in store.table("parts").to_pylist():
        if row["object_id"] in cars:
            shares[row["part_category"]].append(row["area"] / cars[row["object_id"]])
    medians = {name: float(np.median(found)) for name, found in shares.items()}
    assert [row["share"] for row in rows] == sorted((row["share"] for row in rows), reverse=True)
    assert min(row["share"] for row in rows) >= sorted(medians.values(), reverse=True)[: len(rows)][-1] - 1e-4
    for row in rows:
        assert row["instances"] == len(shares[row["part_category"]])
        assert row["share"] == pytest.approx(medians[row["part_category"]], abs=1e-4)


def masks(rows: Rows, store: Store) -> None:
    parts = {row["part_id"]: row for row in store.table("parts").to_pylist() if row["part_category"] == "propeller"}
    assert [row["part_id"] for row in rows] == sorted(parts)[:3]
    for row in rows:
        one = parts[row["part_id"]]
        assert one["mask"]["size"] == [row["height"], row["width"]]
        assert one["mask"]["counts"].startswith(row["begins_with"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools' own, of NumPy 2
            pixels = coco_mask.decode(one["mask"])
        assert pixels.sum() == one["area"]
        np.testing.assert_array_equal(pixels, store.mask(row["part_id"]))


PROPERTIES: dict[str, Callable[[Rows, Store], None]] = {
    "Parts shared by two categories": shared,
    "Parts seen in fewer than 5 % of instances": rare,
    "Objects by number of visible parts": by_visible_parts,
    "Ancestors of a category": ancestors,
    "Part frequency by source": by_source,
    "Objects known to lack a part": lacking,
    "Names that mean the same part": same_part,
    "How much of an object a part covers": share,
    "Looking a mask up": masks,
}


def test_every_query_of_the_page_has_its_property() -> None:
    assert list(PROPERTIES) == NAMES


@pytest.mark.parametrize("place", range(len(QUERIES)), ids=NAMES)
def test_the_answer_is_what_is_computed_without_sql(place: int, store: Store) -> None:
    sql, text = QUERIES[place]
    answer = store.select(sql.text)
    assert answer.rows.num_rows
    PROPERTIES[sql.heading](answer.rows.to_pylist(), store)
    assert text.text.splitlines()[0].split() == answer.rows.column_names, "the shown answer has other columns"


def test_the_catalog_answers_alike(demo_store: Path, store: Store) -> None:
    with duckdb.connect(str(demo_store / "catalog.duckdb"), read_only=True) as connection:
        for sql, _ in QUERIES:
            assert connection.sql(sql.text).to_arrow_table().to_pylist() == store.select(sql.text).rows.to_pylist()
