"""The PartImageNet folder looks as the original release does, its broken rows included, and holds the truth's masks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from tests.demo.conftest import Row, Small, dense

SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def files(small: Small) -> dict[str, Row]:
    folder = small.made.sources["partimagenet"]
    return {split: json.loads((folder / f"{split}.json").read_text("utf-8")) for split in SPLITS}


@pytest.fixture(scope="module")
def rows(files: dict[str, Row]) -> dict[int, Row]:
    return {row["id"]: row for content in files.values() for row in content["annotations"]}


def test_keys_are_cocos(files: dict[str, Row]) -> None:
    for content in files.values():
        assert set(content) == {"images", "annotations", "categories"}
        assert all(set(row) == {"id", "file_name", "height", "width"} for row in content["images"])
        fields = {"id", "image_id", "category_id", "segmentation", "bbox", "area", "iscrowd"}
        assert all(set(row) == fields for row in content["annotations"])
        assert [row["id"] for row in content["images"]] == list(range(len(content["images"])))


def test_categories_start_at_zero_and_spell_tire_wrong(files: dict[str, Row]) -> None:
    table = files["train"]["categories"]
    assert [row["id"] for row in table] == list(range(len(table)))
    assert all(row["name"].startswith(row["supercategory"] + " ") for row in table)
    assert "Car Tier" in {row["name"] for row in table}
    assert all(content["categories"] == table for content in files.values())
    assert any(row["category_id"] == 0 for content in files.values() for row in content["annotations"])


def test_splits_share_no_class(files: dict[str, Row]) -> None:
    classes = [{row["file_name"].split("_")[0] for row in content["images"]} for content in files.values()]
    assert all(classes)
    assert not classes[0] & classes[1]
    assert not classes[0] & classes[2]
    assert not classes[1] & classes[2]


def test_photographs_lie_below_their_wnid(small: Small, files: dict[str, Row]) -> None:
    folder: Path = small.made.sources["partimagenet"]
    for split, content in files.items():
        for image in content["images"]:
            wnid = image["file_name"].split("_")[0]
            with Image.open(folder / split / wnid / image["file_name"]) as photograph:
                assert photograph.size == (image["width"], image["height"])


def test_every_wnid_has_a_name(small: Small, files: dict[str, Row]) -> None:
    lines = (small.made.sources["partimagenet"] / "LOC_synset_mapping.txt").read_text("utf-8").splitlines()
    named = dict(line.split(" ", 1) for line in lines)
    used = {row["file_name"].split("_")[0] for content in files.values() for row in content["images"]}
    assert used <= set(named)
    assert all(wnid.startswith("n9") and len(wnid) == 9 for wnid in named)


def test_masks_equal_the_truth(small: Small, rows: dict[int, Row]) -> None:
    used: set[int] = set()
    for line, item in small.objects("partimagenet"):
        for part in item["parts"]:
            rings = [ring for key in part["keys"] for ring in rows[int(key)]["segmentation"] if len(ring) >= 6]
            assert bool(rings) == part["annotated"]
            if rings:
                mask = coco_mask.merge(coco_mask.frPyObjects(rings, line["height"], line["width"]))
                np.testing.assert_array_equal(dense(mask), dense(part["rle"]))
                assert sum(rows[int(key)]["area"] for key in part["keys"]) == part["pixels"]
            used |= {int(key) for key in part["keys"]}
    assert {rows[number]["area"] for number in set(rows) - used} == {0.0}, "the rest are rows without any area"


def test_broken_rows_of_all_kinds_occur(small: Small, rows: dict[int, Row]) -> None:
    short = [row for row in rows.values() if any(len(ring) <= 4 for ring in row["segmentation"])]
    assert any(len(row["segmentation"][0]) == 4 and len(row["segmentation"]) > 1 for row in short)
    assert any(len(row["segmentation"][-1]) == 4 and len(row["segmentation"][0]) > 4 for row in short)
    assert any(row["area"] == 0 for row in rows.values())
    parts = [part for _, item in small.objects("partimagenet") for part in item["parts"]]
    assert any(len(part["keys"]) == 2 for part in parts)


def test_objects_are_known_by_their_wnid(small: Small) -> None:
    for line, item in small.objects("partimagenet"):
        if item["source_category"] is not None:
            assert item["object_key"] == line["file_name"].split("_")[0]
