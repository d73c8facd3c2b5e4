"""Rows of photographs, objects, parts, evidence, attributes, splits and quarantine: each damage is told by its own rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from partonomy_data import ids
from partonomy_data.validation.rules import photographs
from tests.validation.damage import (
    Change,
    adding,
    called,
    damaged,
    doubling,
    dropping,
    first,
    found,
    read,
    setting,
    some,
)

Rules = dict[tuple[str, str], set[str]]


@pytest.fixture
def broken(few: Path, tmp_path: Path) -> Callable[..., Rules]:
    """`broken((table, change), …)`: the rules that these changes break, and the rows that they name."""

    def check(*changes: tuple[str, Change]) -> Rules:
        for table, change in changes:
            damaged(few, table, change)
        return {rule: set(rows) for rule, rows in found(few, tmp_path, photographs.CHECKS).items()}

    return check


def told(faults: Iterable[tuple[str, str, str]]) -> Rules:
    """(suite, rule, row), … as `broken` gives them."""
    rules: Rules = {}
    for suite, rule, row in faults:
        rules.setdefault((suite, rule), set()).add(row)
    return rules


def test_the_demo_world_keeps_all_rules(version: Path, tmp_path: Path) -> None:
    assert found(version, tmp_path, photographs.CHECKS) == {}


# Photographs


def image(few: Path, **values: Any) -> dict[str, Any]:
    """A further image, and its split."""
    row = first(few, "images", source="paco")
    return row | {"image_id": "paco/new", "photograph": "coco/new", "sha256": None, "phash": None} | values


def placed(few: Path, row: dict[str, Any]) -> tuple[str, Change]:
    like = first(few, "splits", split="train", source="paco")
    return "splits", adding(**{**like, "image_id": row["image_id"], "source": row["source"], "cluster": "pho_new"})


def test_a_further_image_without_any_object_is_well(few: Path, broken: Callable[..., Rules]) -> None:
    row = image(few)
    assert broken(("images", adding(**row)), placed(few, row)) == {}


def test_what_is_wrong_with_images(few: Path, broken: Callable[..., Rules]) -> None:
    faults = [
        ("id_begins_with_source", {"image_id": "paco"}),
        ("id_begins_with_source", {"image_id": "paco/"}),
        ("id_begins_with_source", {"image_id": "pascal_part/new"}),
        ("size_positive", {"width": 0}),
        ("size_positive", {"height": -1}),
        ("sha256_is_hex", {"sha256": "0" * 63, "phash": 1}),
        ("sha256_is_hex", {"sha256": "A" * 64, "phash": 1}),
        ("hashed_together", {"sha256": "a" * 64}),
        ("hashed_together", {"phash": 1}),
        ("orientation_known", {"exif_orientation": 9}),
        ("photograph_named", {"photograph": ""}),
        ("repairs_known", {"repairs": ["photograph_missing", "made up"]}),
    ]
    rows = [image(few, **{"image_id": f"paco/{i}", **values}) for i, (_, values) in enumerate(faults)]
    changes = [change for row in rows for change in (("images", adding(**row)), placed(few, row))]
    rules = zip(faults, rows, strict=True)
    assert broken(*changes) == told(("images", rule, row["image_id"]) for (rule, _), row in rules)


INSIDE = (None, "a.jpg", "a..b/..c.jpg", "kitchen--coffee mug/1.jpg", "http://host/train2017/1.jpg", "s3://b/1.jpg")
OUTSIDE = (
    *("", "/etc/passwd", "../secret.jpg", "a/../../b.jpg", "a\\..\\b.jpg", "C:/a.jpg", "a\nb.jpg"),
    *("file:///etc/passwd", "http:///a.jpg", "javascript://host/%0aalert(1)", "https://host/a b.jpg"),
)


def test_a_uri_that_leads_elsewhere(few: Path, broken: Callable[..., Rules]) -> None:
    rows = [image(few, image_id=f"paco/{i}", uri=uri) for i, uri in enumerate((*INSIDE, *OUTSIDE))]
    changes = [change for row in rows for change in (("images", adding(**row)), placed(few, row))]
    outside = {row["image_id"] for row in rows if row["uri"] in OUTSIDE}
    assert broken(*changes) == {("images", "uri_stays_inside"): outside}


def test_an_image_that_is_there_twice(few: Path, broken: Callable[..., Rules]) -> None:
    row = first(few, "images")
    assert broken(("images", doubling(row))) == {("images", "key_unique"): {row["image_id"]}}


# Objects


def thing(few: Path, **values: Any) -> dict[str, Any]:
    """A further object without mask and parts, in an image that is there."""
    row = first(few, "objects", source="paco")
    bare = {
        "source_key": "new",
        "mask": None,
        "area": None,
        "bbox": [1.0, 2.0, 3.0, 4.0],
        "mask_origin": "none",
        "n_parts": 0,
    }
    row = row | bare | values
    return row | {"object_id": values.get("object_id", ids.object_id(row["image_id"], row["source_key"]))}


def test_a_further_object_without_mask_is_well(few: Path, broken: Callable[..., Rules]) -> None:
    assert broken(("objects", adding(**thing(few)))) == {}


def test_what_is_wrong_with_objects(few: Path, broken: Callable[..., Rules]) -> None:
    faults = [
        ("image_exists", {"image_id": "paco/nowhere"}),
        ("source_of_image", {"source": "pascal_part"}),
        ("id_of_key", {"object_id": "obj_0123456789abcdef"}),
        ("category_known", {"object_category": "made up"}),
        ("mask_of_origin", {"mask_origin": "annotated"}),
        ("mask_of_origin", {"mask_origin": "guessed"}),
        ("source_box_has_extent", {"bbox": [1.0, 2.0, 0.0, 4.0]}),
        ("source_box_has_extent", {"bbox": [1.0, 2.0, 3.0, float("nan")]}),
        ("source_box_has_extent", {"bbox": [float("inf"), 2.0, 3.0, 4.0]}),
        ("source_box_in_image", {"bbox": [1.0, -2.0, 3.0, 4.0]}),
        ("source_box_in_image", {"bbox": [1.0, 2.0, 9999.0, 4.0]}),
        ("repairs_known", {"repairs": ["made up"]}),
    ]
    rows = [thing(few, **{"source_key": f"new {i}", **values}) for i, (_, values) in enumerate(faults)]
    rules = zip(faults, rows, strict=True)
    expected = told(("objects", rule, row["object_id"]) for (rule, _), row in rules)
    assert broken(*(("objects", adding(**row)) for row in rows)) == expected


def test_an_object_that_is_there_twice(few: Path, broken: Callable[..., Rules]) -> None:
    row = first(few, "objects")
    assert broken(("objects", doubling(row))) == {("objects", "key_unique"): {row["object_id"]}}


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        (lambda row: {"n_parts": row["n_parts"] + 1}, "parts_counted"),
        (lambda row: {"source_key": row["source_key"] + "0"}, "id_of_key"),
        (lambda row: {"mask_origin": "none"}, "mask_of_origin"),
        (lambda row: {"mask": row["mask"] | {"size": row["mask"]["size"][::-1]}}, "mask_size_of_image"),
    ],
)
def test_what_is_wrong_with_an_object_that_has_parts(
    few: Path, broken: Callable[..., Rules], values: Callable[[dict[str, Any]], dict[str, Any]], rule: str
) -> None:
    row = first(few, "objects", source="pascal_part")
    assert row["n_parts"]
    found = broken(("objects", setting(row, **values(row))))
    if rule == "mask_of_origin":
        assert found.pop(("objects", "parts_of_origin")) == {row["object_id"]}
    assert found == {("objects", rule): {row["object_id"]}}


def test_a_union_of_no_parts(few: Path, broken: Callable[..., Rules]) -> None:
    like = first(few, "objects", source="partimagenet")
    row = like | {"source_key": "new", "object_id": ids.object_id(like["image_id"], "new"), "n_parts": 0}
    assert broken(("objects", adding(**row))) == {("objects", "parts_of_origin"): {row["object_id"]}}


# Parts


def test_what_is_wrong_with_parts(few: Path, broken: Callable[..., Rules]) -> None:
    faults = [
        ("source_of_object", {"source": "partonomy"}),
        ("id_of_key", {"source_key": "another"}),
        ("method_known", {"match_method": "guessed"}),
        ("method_fits_object", {"match_method": "union"}),
        ("overlap_where_matched", {"match_overlap": 1.0}),
        ("overlap_where_matched", {"match_method": "overlap"}),
        ("overlap_where_matched", {"match_method": "overlap", "match_overlap": 0.49}),
        ("overlap_where_matched", {"match_method": "only_object", "match_overlap": 0.09}),
        ("overlap_where_matched", {"match_method": "only_object", "match_overlap": 1.01}),
        ("place_known", {"side": "top"}),
        ("place_known", {"position": "left"}),
        ("place_known", {"ordinal": -1}),
        ("repairs_known", {"repairs": ["made up"]}),
    ]
    rows = some(few, "parts", len(faults), match_method="linked")
    rules = list(zip(faults, rows, strict=True))
    expected = told(("parts", rule, row["part_id"]) for (rule, _), row in rules)
    assert broken(*(("parts", setting(row, **values)) for (_, values), row in rules)) == expected


def test_overlaps_that_matching_admits_are_well(few: Path, broken: Callable[..., Rules]) -> None:
    least = {"only_object": 0.1, "overlap": 0.5}
    rows = [first(few, "parts", match_method=method) for method in least]
    assert broken(*(("parts", setting(row, match_overlap=least[row["match_method"]])) for row in rows)) == {}


def test_a_part_that_is_there_twice(few: Path, broken: Callable[..., Rules]) -> None:
    row = first(few, "parts")
    assert broken(("parts", doubling(row))) == {
        ("parts", "key_unique"): {row["part_id"]},
        ("objects", "parts_counted"): {row["object_id"]},
    }


def test_a_part_of_no_object(few: Path, broken: Callable[..., Rules]) -> None:
    row = first(few, "parts")
    new = row | {"part_id": ids.part_id(row["image_id"], "new"), "source_key": "new", "object_id": "obj_nowhere"}
    assert broken(("parts", adding(**new))) == {
        ("parts", "object_exists"): {new["part_id"]},
        ("part_evidence", "instance_is_present"): {f"obj_nowhere / {row['part_category']}"},
    }


def test_a_part_in_another_image_than_its_object(few: Path, broken: Callable[..., Rules]) -> None:
    row = first(few, "parts", source="paco")
    own = first(few, "images", image_id=row["image_id"])
    other = own | {"image_id": "paco/new", "photograph": "coco/new", "sha256": None, "phash": None}
    changes = [("images", adding(**other)), placed(few, other)]
    moved = {"image_id": "paco/new", "part_id": ids.part_id("paco/new", row["source_key"])}
    assert broken(*changes, ("parts", setting(row, **moved))) == {("parts", "image_of_object"): {moved["part_id"]}}


def test_a_part_whose_mask_has_another_size(few: Path, broken: Callable[..., Rules]) -> None:
    row = first(few, "parts")
    mask = row["mask"] | {"size": [1, 1]}
    assert broken(("parts", setting(row, mask=mask))) == {("parts", "mask_size_of_image"): {row["part_id"]}}


def test_a_part_whose_category_is_in_no_table(few: Path, broken: Callable[..., Rules]) -> None:
    row = next(row for row in read(few, "parts").to_pylist() if not has_twin(few, row))
    assert broken(("parts", setting(row, part_category="made up"))) == {
        ("parts", "category_known"): {row["part_id"]},
        ("parts", "pair_in_graph"): {row["part_id"]},
        ("part_evidence", "annotated_has_instance"): {f"{row['object_id']} / {row['part_category']}"},
        ("part_evidence", "instance_is_present"): {f"{row['object_id']} / made up"},
    }


def has_twin(few: Path, row: dict[str, Any]) -> bool:
    same = [
        other
        for other in read(few, "parts").to_pylist()
        if all(other[k] == row[k] for k in ("object_id", "part_category"))
    ]
    return len(same) > 1


def test_a_pair_that_is_not_in_the_graph(few: Path, broken: Callable[..., Rules]) -> None:
    part = first(few, "parts")
    category = first(few, "objects", object_id=part["object_id"])["object_category"]
    pair = first(few, "part_graph", object_category=category, part_category=part["part_category"])
    of_category = {row["object_id"] for row in read(few, "objects").to_pylist() if row["object_category"] == category}
    parts, evidence = (
        {
            called(table, row)
            for row in read(few, table).to_pylist()
            if row["object_id"] in of_category and row["part_category"] == part["part_category"]
            if row.get("status", "present") == "present"
        }
        for table in ("parts", "part_evidence")
    )
    assert broken(("part_graph", dropping(pair))) == {
        ("parts", "pair_in_graph"): parts,
        ("part_evidence", "present_in_graph"): evidence,
    }


# What is known of parts in objects


def test_what_is_wrong_with_evidence(few: Path, broken: Callable[..., Rules]) -> None:
    faults = [
        ("status_fits_why", "unknown", {"why": "negative_label"}),
        ("status_fits_why", "unknown", {"status": "present"}),
        ("status_fits_why", "unknown", {"status": "perhaps"}),
        ("status_fits_why", "absent", {"why": "unannotated"}),
        ("source_of_object", "absent", {"source": "partonomy"}),
        ("annotated_has_instance", "unknown", {"status": "present", "why": "annotated"}),
        ("instance_is_present", "present", {"status": "unknown", "why": "unannotated"}),
        ("instance_is_present", "present", {"status": "absent", "why": "exhaustive_label"}),
    ]
    rows = {known: some(few, "part_evidence", 4, status=known, source="paco") for _, known, _ in faults}
    damage = [(rule, rows[known].pop(), values) for rule, known, values in faults]
    expected = told(("part_evidence", rule, called("part_evidence", row)) for rule, row, _ in damage)
    assert broken(*(("part_evidence", setting(row, **values)) for _, row, values in damage)) == expected


def test_evidence_of_what_is_not_there(few: Path, broken: Callable[..., Rules]) -> None:
    faults = [
        ("object_exists", {"object_id": "obj_nowhere"}),
        ("part_known", {"part_category": "made up"}),
        ("key_unique", {}),
    ]
    rows = some(few, "part_evidence", len(faults), status="unknown")
    damage = [(rule, row, values) for (rule, values), row in zip(faults, rows, strict=True)]
    expected = told(("part_evidence", rule, called("part_evidence", row | values)) for rule, row, values in damage)
    assert broken(*(("part_evidence", doubling(row, **values)) for _, row, values in damage)) == expected


def test_an_instance_of_which_nothing_is_known(few: Path, broken: Callable[..., Rules]) -> None:
    row = first(few, "part_evidence", status="present")
    expected = {("part_evidence", "instance_is_present"): {called("part_evidence", row)}}
    assert broken(("part_evidence", dropping(row))) == expected


def test_a_part_that_is_present_where_no_such_object_has_it(few: Path, broken: Callable[..., Rules]) -> None:
    row = first(few, "part_evidence", status="unknown")
    new = row | {
        "part_category": first(few, "part_categories")["part_category"],
        "status": "present",
        "why": "verified",
    }
    assert new["part_category"] not in {
        other["part_category"]
        for other in read(few, "part_evidence").to_pylist()
        if other["object_id"] == row["object_id"]
    }
    expected = {("part_evidence", "present_in_graph"): {called("part_evidence", new)}}
    assert broken(("part_evidence", adding(**new))) == expected


# Attributes


def test_what_is_wrong_with_attributes(few: Path, broken: Callable[..., Rules]) -> None:
    faults = [
        ("annotation_exists", {"annotation_id": "obj_nowhere"}),
        ("source_of_annotation", {"source": "partonomy"}),
        ("attribute_told", {"attribute": " "}),
        ("type_known", {"attribute_type": "taste"}),
    ]
    rows = some(few, "attributes", len(faults) + 1)
    damage = [(rule, row, values) for (rule, values), row in zip(faults, rows, strict=False)]
    expected = told(("attributes", rule, called("attributes", row | values)) for rule, row, values in damage)
    changes = [("attributes", setting(row, **values)) for _, row, values in damage]
    expected["attributes", "key_unique"] = {called("attributes", rows[-1])}
    assert broken(*changes, ("attributes", doubling(rows[-1]))) == expected


# Rejected rows


def test_what_is_wrong_with_rejected_rows(few: Path, broken: Callable[..., Rules]) -> None:
    faults = [
        ("table_known", {"table_name": "toys"}),
        ("row_is_json", {"row": '{"id": '}),
        ("row_is_json", {"row": ""}),
        ("reason_told", {"reason": ""}),
        ("rule_known", {"rule": "made_up"}),
        ("rule_known", {"rule": "one_correct_choice"}),
    ]
    row = first(few, "quarantine", table_name="parts")
    damage = [(rule, {"row_id": f"new {i}", **values}) for i, (rule, values) in enumerate(faults)]
    expected = told(("quarantine", rule, called("quarantine", row | values)) for rule, values in damage)
    assert broken(*(("quarantine", doubling(row, **values)) for _, values in damage)) == expected


def test_rules_that_may_reject_a_row(few: Path, broken: Callable[..., Rules]) -> None:
    of_no_reader = {"source": "herbarium", "rule": "map_unreadable"}
    of_its_reader, of_the_build = {"rule": "duplicate_annotation_id"}, {"rule": "excluded"}
    of_a_suite = {"table_name": "questions", "rule": "one_correct_choice", "row": "null"}
    row = first(few, "quarantine", source="paco")
    every = (of_no_reader, of_its_reader, of_the_build, of_a_suite)
    assert broken(*(("quarantine", doubling(row, **values)) for values in every)) == {}
