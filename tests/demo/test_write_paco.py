"""The PACO folder looks as PACO's files do, and holds the truth's masks."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from tests.demo.conftest import Row, Small, dense

SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def files(small: Small) -> dict[str, Row]:
    folder = small.made.sources["paco"] / "annotations"
    return {split: json.loads((folder / f"paco_lvis_v1_{split}.json").read_text("utf-8")) for split in SPLITS}


@pytest.fixture(scope="module")
def rows(files: dict[str, Row]) -> dict[int, Row]:
    return {row["id"]: row for content in files.values() for row in content["annotations"]}


def test_top_level_keys(files: dict[str, Row]) -> None:
    common = {
        "images", "annotations", "categories", "part_categories", "attributes", "attr_type_to_attr_idxs",
        "joint_obj_attribute_categories",
    }  # fmt: skip
    assert set(files["train"]) == set(files["val"]) == common
    assert set(files["test"]) == common | {"queries"}


def test_rows_have_the_documented_fields(files: dict[str, Row]) -> None:
    image = {
        "id", "file_name", "width", "height", "license", "neg_category_ids", "not_exhaustive_category_ids",
        "neg_category_ids_attrs", "not_exhaustive_category_ids_attrs",
    }  # fmt: skip
    annotation = {
        "id", "bbox", "area", "category_id", "image_id", "segmentation", "attribute_ids", "dom_color_ids", "obj_ann_id",
        "unknown_color", "unknown_pattern_marking", "unknown_material", "unknown_transparency",
    }  # fmt: skip
    category = {"name", "id", "image_count", "instance_count", "synset", "frequency", "supercategory"}
    for content in files.values():
        assert all(set(row) == image for row in content["images"])
        assert all(set(row) == annotation for row in content["annotations"])
        assert all(set(row) == category for row in content["categories"])


def test_two_id_spaces_of_part_categories(files: dict[str, Row]) -> None:
    content = files["train"]
    objects = [row for row in content["categories"] if row["supercategory"] == "OBJECT"]
    parts = [row for row in content["categories"] if row["supercategory"] == "PART"]
    assert all(23 <= row["id"] <= 1196 for row in objects)
    assert len({row["id"] for row in objects}) == len(objects)
    assert [row["id"] for row in parts] == list(range(2000, 2000 + len(parts)))
    assert [row["synset"] for row in parts] == sorted(row["synset"] for row in parts)
    assert all(row["name"].split(":")[1] == row["synset"] for row in parts)
    assert {row["name"].split(":")[0] for row in parts} < {row["name"] for row in objects}
    assert [row["id"] for row in content["part_categories"]] == list(range(len(content["part_categories"])))
    assert {row["name"] for row in content["part_categories"]} == {row["synset"] for row in parts}
    assert any("_(" in row["name"] for row in objects)


def test_attributes_are_pacos_59(files: dict[str, Row]) -> None:
    content = files["train"]
    assert [row["id"] for row in content["attributes"]] == list(range(59))
    names = {row["id"]: row["name"] for row in content["attributes"]}
    assert (names[0], names[29], names[30], names[41], names[55]) == (
        "black",
        "other(color)",
        "plain",
        "stone",
        "opaque",
    )
    ranges = {kind: (ids[0], ids[-1]) for kind, ids in content["attr_type_to_attr_idxs"].items()}
    assert ranges == {"color": (0, 29), "pattern_marking": (30, 40), "material": (41, 54), "transparency": (55, 58)}


def test_objects_are_polygons_and_parts_compressed_runs(rows: dict[int, Row]) -> None:
    for row in rows.values():
        if row["segmentation"] == []:
            continue
        if row["id"] == row["obj_ann_id"]:
            assert all(isinstance(ring, list) and len(ring) >= 8 for ring in row["segmentation"])
        else:
            assert isinstance(row["segmentation"]["counts"], str)
    assert any(row["segmentation"] == [] for row in rows.values())


def test_parts_point_to_their_objects(rows: dict[int, Row]) -> None:
    seen: Counter[tuple[int, int]] = Counter()
    for row in rows.values():
        owner = rows[row["obj_ann_id"]]
        assert owner["obj_ann_id"] == owner["id"]
        assert owner["image_id"] == row["image_id"]
        assert (row["category_id"] < 2000) == (row is owner)
        seen[row["obj_ann_id"], row["category_id"]] += 1
    assert max(seen.values()) == 1, "parts of one name are one annotation"


def mask_of(row: Row, shape: tuple[int, int]) -> NDArray[np.bool_]:
    segmentation = row["segmentation"]
    rle = (
        segmentation if isinstance(segmentation, dict) else coco_mask.merge(coco_mask.frPyObjects(segmentation, *shape))
    )
    return dense(rle)


def test_masks_equal_the_truth(small: Small, rows: dict[int, Row]) -> None:
    compared = 0
    for line, item in small.objects("paco"):
        pairs = [(item, item["object_key"])] + [(part, key) for part in item["parts"] for key in part["keys"]]
        for true, key in pairs:
            assert (key is not None) or item["state"] in ("unannotated", "foreign")
            if key is None:
                continue
            row = rows[int(key)]
            assert row["area"] == true["pixels"]
            if true["annotated"]:
                np.testing.assert_array_equal(mask_of(row, (line["height"], line["width"])), dense(true["rle"]))
                compared += 1
            else:
                assert row["segmentation"] == []
    assert compared + sum(row["segmentation"] == [] for row in rows.values()) == len(rows)


def test_negative_categories_are_truly_absent(small: Small, files: dict[str, Row]) -> None:
    truth = {line["file_name"]: line for line in small.photographs["paco"]}
    negative_parts = 0
    for content in files.values():
        names = {row["id"]: row["name"] for row in content["categories"]}
        for image in content["images"]:
            objects = truth[image["file_name"]]["objects"]
            shown = {item["source_category"] for item in objects}
            shown |= {f"{item['source_category']}:{part['source_part']}" for item in objects for part in item["parts"]}
            negative = {names[number] for number in image["neg_category_ids"]}
            assert not negative & shown
            negative_parts += sum(":" in name for name in negative)
    assert negative_parts >= 50


def test_what_is_not_exhaustively_labeled_is_truly_left_out(small: Small, files: dict[str, Row]) -> None:
    truth = {line["file_name"]: line for line in small.photographs["paco"]}
    told = 0
    for content in files.values():
        names = {row["id"]: row["name"] for row in content["categories"]}
        for image in content["images"]:
            objects = truth[image["file_name"]]["objects"]
            left = {item["source_category"] for item in objects if item["state"] == "unannotated"}
            left |= {
                f"{item['source_category']}:{part['source_part']}"
                for item in objects
                for part in item["parts"]
                if part["state"] in ("unannotated", "parts_skipped")
            }
            partial = {names[number] for number in image["not_exhaustive_category_ids"]}
            assert partial <= left
            told += len(partial)
    assert told >= 10


def test_counts_in_the_tables_are_those_of_the_file(files: dict[str, Row]) -> None:
    for content in files.values():
        instances = Counter(row["category_id"] for row in content["annotations"])
        images = Counter(
            number for number, _ in {(row["category_id"], row["image_id"]) for row in content["annotations"]}
        )
        for row in content["categories"]:
            assert (row["instance_count"], row["image_count"]) == (instances[row["id"]], images[row["id"]])


def test_photographs_are_where_the_rows_say(small: Small, files: dict[str, Row]) -> None:
    folder: Path = small.made.sources["paco"]
    for content in files.values():
        for image in content["images"]:
            with Image.open(folder / image["file_name"]) as photograph:
                assert photograph.size == (image["width"], image["height"])
            assert image["file_name"].endswith(f"2017/{image['id']:012d}.jpg")
            assert image["id"] > 600_000
    assert {name["file_name"].split("/")[0] for c in files.values() for name in c["images"]} == {"train2017", "val2017"}


def test_queries_refer_to_what_is_in_the_file(files: dict[str, Row]) -> None:
    content: dict[str, Any] = files["test"]
    known = {row["id"]: row for row in content["annotations"]}
    assert content["queries"]
    for query in content["queries"]:
        assert query["pos_ann_ids"]
        assert not set(query["pos_ann_ids"]) & set(query["neg_ann_ids"])
        assert {known[number]["category_id"] for number in query["pos_ann_ids"] + query["neg_ann_ids"]}.__len__() == 1
