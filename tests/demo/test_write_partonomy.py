"""The PARTONOMY folder looks as the authors' does, odd files included, and holds the truth's masks."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import yaml
from PIL import Image, ImageOps

from tests.demo.conftest import Row, Small, dense


@pytest.fixture(scope="module")
def base(small: Small) -> Path:
    return small.made.sources["partonomy"] / "partonomy"


@pytest.fixture(scope="module")
def masks(base: Path) -> dict[str, Row]:
    found = sorted((base / "masks").rglob("*.json"))
    return {path.relative_to(base).as_posix(): json.loads(path.read_text("utf-8")) for path in found}


def test_mask_files_have_exactly_four_keys(masks: dict[str, Row]) -> None:
    assert masks
    for path, row in masks.items():
        assert set(row) == {"size", "counts", "image_path", "is_root_concept"}
        assert row["image_path"].startswith("/")
        assert row["is_root_concept"] == ("--part:" not in path)


def test_masks_equal_the_truth(small: Small, masks: dict[str, Row]) -> None:
    compared = set()
    for line, item in small.objects("partonomy"):
        for part in item["parts"]:
            assert bool(part["keys"]) == part["annotated"]
            for key in part["keys"]:
                row = masks[key]
                assert row["image_path"].endswith("/" + line["path"].removeprefix("partonomy/"))
                assert row["size"] == [line["height"], line["width"]]
                np.testing.assert_array_equal(dense(row), dense(part["rle"]))
                assert key.startswith(f"masks/{item['object_key']}--part:{part['source_part']}/")
                compared.add(key)
    assert compared == {path for path in masks if "--part:" in path}


def test_object_masks_are_those_of_the_labeled_objects(small: Small, masks: dict[str, Row]) -> None:
    written = sorted(
        (row["image_path"].split("/images/")[1], row["counts"]) for p, row in masks.items() if "--part:" not in p
    )
    true = sorted(
        (line["file_name"], item["rle"]["counts"])
        for line, item in small.objects("partonomy")
        if item["object_key"] is not None
    )
    assert written == true


def test_masks_live_in_the_upright_photograph(small: Small, base: Path) -> None:
    turned = 0
    for line in small.photographs["partonomy"]:
        with Image.open(base.parent / line["path"]) as photograph:
            turned += photograph.getexif().get(0x0112, 1) == 6 and photograph.size == (line["height"], line["width"])
            assert ImageOps.exif_transpose(photograph).size == (line["width"], line["height"])
    assert turned == 1


def test_an_extension_lies_and_others_are_rare(small: Small, base: Path) -> None:
    formats = set()
    for line in small.photographs["partonomy"]:
        with Image.open(base.parent / line["path"]) as photograph:
            formats.add((PurePosixPath(line["path"]).suffix, photograph.format))
    assert {(".jpg", "WEBP"), (".jpg", "JPEG"), (".JPG", "JPEG"), (".jpeg", "JPEG"), (".png", "PNG")} <= formats


def test_concepts_have_two_photographs(small: Small) -> None:
    folders: dict[str, int] = {}
    for line in small.photographs["partonomy"]:
        label = line["file_name"].split("/")[0]
        folders[label] = folders.get(label, 0) + 1
    assert len(folders) == 24
    assert set(folders.values()) == {2}


def test_a_part_with_a_slash_makes_a_nested_folder(masks: dict[str, Row]) -> None:
    assert any(len(PurePosixPath(path).parts) == 4 for path in masks)


def test_labels_have_blanks_and_parentheses_and_ampersands(small: Small) -> None:
    labels = " ".join(entry["source_category"] for entry in small.world["sources"]["partonomy"])
    assert all(mark in labels for mark in (" ", "("))
    assert labels == labels.lower()


def test_one_photograph_has_no_masks(small: Small) -> None:
    bare = [line for line in small.photographs["partonomy"] if all(o["object_key"] is None for o in line["objects"])]
    assert len(bare) == 1


def test_some_photographs_have_objects_of_two_concepts(small: Small) -> None:
    concepts = [
        {item["object_key"] for item in line["objects"] if item["object_key"]}
        for line in small.photographs["partonomy"]
    ]
    assert any(len(found) == 2 for found in concepts)


def test_the_graph_lists_concepts_and_their_parts(small: Small, base: Path) -> None:
    graph = yaml.safe_load((base / "graph.yaml").read_text("utf-8"))
    assert set(graph) == {"concepts", "instance_graph", "component_graph"}
    assert sorted(label for group in graph["instance_graph"].values() for label in group) == graph["concepts"]
    assert all(label.startswith(f"{group}--") for group, found in graph["instance_graph"].items() for label in found)
    assert set(graph["component_graph"]) == set(graph["concepts"])
    for _, item in small.objects("partonomy"):
        for part in item["parts"]:
            label = item["source_category"]
            assert f"{label}--part:{part['source_part']}" in graph["component_graph"][label]
