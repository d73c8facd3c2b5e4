"""The demo world goes through the real readers whole: what the drawing code knows is what the store says."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import partonomy_data
from partonomy_data import masks

SOURCES = ("paco", "partimagenet", "partonomy", "pascal_part")
Row = dict[str, Any]

ABSENT = """
    SELECT i.file_name, o.source_key, list(DISTINCT e.part_category)
    FROM part_evidence e JOIN objects o USING (object_id) JOIN images i USING (image_id)
    WHERE e.status = 'absent' AND e.source = 'pascal_part'
    GROUP BY ALL
"""


@pytest.fixture(scope="module")
def tables(demo_store: Path) -> dict[str, list[Row]]:
    with partonomy_data.open(demo_store) as store:
        return {
            name: store.table(name).to_pylist()
            for name in ("images", "objects", "parts", "part_evidence", "quarantine")
        }


def truth(demo_store: Path, source: str) -> Iterator[tuple[str, Row]]:
    """(file name, object) of every annotated object that the drawing code knows of."""
    with gzip.open(demo_store / "demo" / "truth" / f"{source}.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in map(json.loads, file):
            for thing in line["objects"]:
                yield line["file_name"], thing


def rle(row: Row) -> masks.Rle:
    return masks.Rle(row["size"][0], row["size"][1], row["counts"].encode())


def test_all_photographs_are_there_and_were_looked_at(demo_store: Path, tables: dict[str, list[Row]]) -> None:
    assert Counter(row["source"] for row in tables["images"]).total() == 300
    assert all(row["sha256"] and row["phash"] is not None and row["uri"] for row in tables["images"])
    assert {row["source"] for row in tables["images"]} == set(SOURCES)
    assert len({row["image_id"] for row in tables["images"]}) == 300


@pytest.mark.parametrize("source", SOURCES)
def test_every_annotated_part_is_in_the_store_pixel_for_pixel(
    demo_store: Path, tables: dict[str, list[Row]], source: str
) -> None:
    image_of = {row["file_name"]: row["image_id"] for row in tables["images"] if row["source"] == source}
    stored: dict[str, Counter[masks.Rle]] = {}
    for row in tables["parts"]:
        if row["source"] == source:
            stored.setdefault(row["image_id"], Counter())[rle(row["mask"])] += 1
    seen = 0
    for file_name, thing in truth(demo_store, source):
        for part in thing["parts"]:
            # A part that the source writes as several masks is compared as a whole only where it is one mask.
            if part["annotated"] and len(part["keys"]) == 1:
                assert stored[image_of[file_name]][rle(part["rle"])] > 0, (file_name, part["keys"])
                seen += 1
    assert seen > 100


def test_linked_objects_have_the_parts_that_were_drawn_on_them(demo_store: Path, tables: dict[str, list[Row]]) -> None:
    """PACO's links, by its own annotation ids."""
    file_of = {row["image_id"]: row["file_name"] for row in tables["images"]}
    owner = {row["object_id"]: row["source_key"] for row in tables["objects"]}
    stored = {
        (file_of[row["image_id"]], row["source_key"]): owner[row["object_id"]]
        for row in tables["parts"]
        if row["source"] == "paco" and row["match_method"] == "linked"
    }
    drawn = {
        (file_name, key): thing["object_key"]
        for file_name, thing in truth(demo_store, "paco")
        for part in thing["parts"]
        for key in part["keys"]
    }
    assert len(stored) > 800
    assert all(drawn[key] == value for key, value in stored.items())


def test_what_is_said_to_be_absent_is_not_visible(demo_store: Path, tables: dict[str, list[Row]]) -> None:
    """Evidence of absence against what was really visible: no annotated instance of the world has the part after all."""
    with partonomy_data.open(demo_store) as store:
        said = store.sql(ABSENT).fetchall()
    visible = {
        (Path(file_name).stem, str(thing["object_key"])): {part["source_part"] for part in thing["parts"]}
        for file_name, thing in truth(demo_store, "pascal_part")
    }
    checked = 0
    for file_name, key, parts in said:
        found = visible.get((Path(file_name).stem, key.removeprefix("object_")))
        if found is not None:
            checked += len(parts)
            assert not set(parts) & found, (file_name, key)
    assert checked > 50


def test_masks_lie_within_their_photographs_and_parts_in_their_objects(tables: dict[str, list[Row]]) -> None:
    size_of = {row["image_id"]: (row["height"], row["width"]) for row in tables["images"]}
    mask_of = {row["object_id"]: row["mask"] for row in tables["objects"]}
    inside = []
    for row in tables["parts"]:
        part = rle(row["mask"])
        assert (part.height, part.width) == size_of[row["image_id"]]
        assert masks.area(part) == row["area"]
        assert list(masks.box(part)) == row["bbox"]
        if mask_of[row["object_id"]] is not None:
            inside.append(float(masks.containment([part], [rle(mask_of[row["object_id"]])])[0, 0]))
    assert float(np.mean(np.array(inside) > 0.9)) > 0.98


def test_quarantine_holds_only_what_the_world_damaged_on_purpose(tables: dict[str, list[Row]]) -> None:
    assert {row["rule"] for row in tables["quarantine"]} <= {
        "degenerate_ring",
        "mask_empty",
        "mask_missing",
        "polygon_degenerate",
        "annotation_quarantined",
    }
    assert len(tables["quarantine"]) < 100


def test_a_wnid_leads_to_its_class_and_its_supercategory(demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        rows = store.sql(
            "SELECT DISTINCT o.source_category, c.object_category, g.parent FROM objects o"
            " JOIN object_categories c ON list_contains(c.source_categories, 'partimagenet:' || o.source_category)"
            " JOIN category_graph g ON g.child = c.object_category AND g.source = 'partimagenet'"
            " WHERE o.source = 'partimagenet' AND o.object_category = c.object_category"
        ).fetchall()
        wnids = set(store.table("objects", ["source_category"], [("source", "=", "partimagenet")])[0].to_pylist())
    assert {row[0] for row in rows} == wnids
    assert len(wnids) > 10
