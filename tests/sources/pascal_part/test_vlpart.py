"""VLPart's JSON: parts without objects, boxes one too small, ids and names read from the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat

from partonomy_data.errors import SourceError
from partonomy_data.sources.records import Photograph

from .pascal_files import pixels, read, square, vlpart_image, vlpart_row, write_mat, write_photograph, write_vlpart

STEM = "2008_000003"
ID = 2008000003
CATEGORIES = [
    {"id": 1, "name": "aeroplane:body"},
    {"id": 5, "name": "bicycle:wheel"},
    {"id": 19, "name": "bus:license plate", "abbr": "bus:liplate"},
    {"id": 77, "name": "person:eye"},
    {"id": 83, "name": "potted plant:plant"},
]


def _one(tmp_path: Path, rows: list[Any], categories: Any = CATEGORIES) -> Photograph:
    write_vlpart(tmp_path / "source" / "train.json", [vlpart_image(STEM)], rows, categories)
    _, found, rejected = read(tmp_path / "source", tmp_path / "work")
    assert rejected == []
    return found[STEM]


def test_parts_of_a_class_hang_on_one_merged_object(tmp_path: Path) -> None:
    rows = [
        vlpart_row(0, ID, 77, square(1, 1)),
        vlpart_row(1, ID, 77, square(1, 6)),
        vlpart_row(2, ID, 19, square(6, 6)),
    ]
    photograph = _one(tmp_path, rows)
    assert [(r.key, r.segmentation, r.merged, r.exhaustive) for r in photograph.objects] == [
        ("person", None, True, False),
        ("bus", None, True, False),
    ]
    assert [(r.key, r.category, r.object_key) for r in photograph.parts] == [
        ("0", "person/eye", "person"),
        ("1", "person/eye", "person"),
        ("2", "bus/license plate", "bus"),
    ]
    assert np.array_equal(pixels(photograph.parts[1].segmentation), square(1, 6))
    assert photograph.split == "train"
    assert photograph.photograph == f"voc/{STEM}"
    # Two eyes of a person: one of them is said again, without its side.
    assert photograph.repairs.count("side_not_told") == 1
    assert photograph.repairs.count("object_of_parts") == 2


def test_boxes_one_too_small_and_areas_of_boxes_are_counted(tmp_path: Path) -> None:
    sound = vlpart_row(2, ID, 1, square(5, 5)) | {"bbox": [5, 5, 3, 3], "area": 9}
    elsewhere = vlpart_row(3, ID, 1, square(5, 5)) | {"bbox": [0, 0, 9, 9], "area": 81.0}
    rows = [vlpart_row(0, ID, 1, square(1, 1)), vlpart_row(1, ID, 1, square(9, 9, 1)), sound, elsewhere]
    photograph = _one(tmp_path, rows)
    assert len(photograph.parts) == 4
    counted = {
        name: photograph.repairs.count(name)
        for name in ("box_without_plus_one", "box_mismatch", "area_of_box", "area_zero")
    }
    assert counted == {"box_without_plus_one": 2, "box_mismatch": 1, "area_of_box": 2, "area_zero": 1}


def test_real_parts_whose_area_the_converter_makes_zero_are_not_lost(shared_data: Path, tmp_path: Path) -> None:
    images: list[Any] = []
    rows: list[Any] = []
    for path in sorted((shared_data / "pascal_part" / "Annotations_Part").glob("*.mat")):
        objects = loadmat(path)["anno"][0, 0]["objects"].ravel()
        images.append(vlpart_image(path.stem, objects[0]["mask"].shape))
        for row in objects:
            if row["class"][0] == "person":
                masks = [part["mask"] for part in row["parts"].ravel()]
                rows += [vlpart_row(len(rows) + i, images[-1]["id"], 77, mask) for i, mask in enumerate(masks)]
    write_vlpart(tmp_path / "train.json", images, rows, CATEGORIES)
    _, found, _ = read(tmp_path / "train.json", tmp_path / "work")
    repairs = [rule for photograph in found.values() for rule in photograph.repairs]
    assert sum(len(photograph.parts) for photograph in found.values()) == len(rows) > 50
    assert repairs.count("box_without_plus_one") == len(rows)
    assert repairs.count("area_zero") == sum(row["area"] == 0 for row in rows) > 0


def test_a_wheel_of_a_bicycle_may_be_its_chainwheel(tmp_path: Path) -> None:
    photograph = _one(tmp_path, [vlpart_row(0, ID, 5, square(1, 1))])
    assert photograph.parts[0].category == "bicycle/wheel"
    assert photograph.repairs.count("chainwheel_as_wheel") == 1


def test_names_are_read_from_the_files_own_categories(tmp_path: Path) -> None:
    renumbered = [{"id": 1, "name": "person:eye"}, {"id": 2, "name": "potted plant:plant"}]
    write_vlpart(tmp_path / "train.json", [vlpart_image(STEM)], [vlpart_row(0, ID, 1, square(1, 1))], renumbered)
    write_vlpart(
        tmp_path / "val.json", [vlpart_image("2009_000001")], [vlpart_row(0, 2009000001, 1, square(1, 1))], CATEGORIES
    )
    plan, found, _ = read(tmp_path, tmp_path / "work")
    assert found[STEM].parts[0].category == "person/eye"
    assert found["2009_000001"].parts[0].category == "aeroplane/body"
    assert plan.repairs == {"categories_renumbered": 2, "abbreviation_key": 1}
    names = {name.key: name for name in plan.vocabulary.parts}
    assert names["bus/license plate"].source_category == "bus:license plate"
    assert names["bus/license plate"].name == "license plate"
    whole = {name.key: name for name in plan.vocabulary.objects}["pottedplant"]
    assert (whole.source_category, whole.name) == ("potted plant", "potted plant")


def test_annotations_that_cannot_be_named_are_quarantined_alone(tmp_path: Path) -> None:
    categories = [*CATEGORIES, {"id": 90, "name": "person:arm:left"}, {"id": 91, "name": "giraffe:neck"}]
    rows = [vlpart_row(n, ID, category, square(1, 1)) for n, category in enumerate((1, 90, 91, 92))]
    photograph = _one(tmp_path, [*rows, vlpart_row(0, ID, 19, square(2, 2))], categories)
    assert [record.key for record in photograph.parts] == ["0"]
    assert [(row.row_id, row.rule) for row in photograph.rejected] == [
        ("0", "duplicate_annotation_id"),
        ("1", "category_name_malformed"),
        ("2", "category_name_malformed"),
        ("3", "category_unknown"),
    ]
    assert all(row.table == "parts" and row.row["image_id"] == ID for row in photograph.rejected)


def test_images_that_cannot_be_placed_are_quarantined_with_their_annotations(tmp_path: Path) -> None:
    images = [
        vlpart_image(STEM),
        vlpart_image("2008_000004") | {"file_name": "../2008_000004.jpg"},
        vlpart_image("2008_000005") | {"file_name": "/etc/2008_000005.jpg"},
        vlpart_image("2008_000006") | {"file_name": f"{STEM}.jpg"},
        vlpart_image("2008_000007") | {"height": 0},
    ]
    rows = [vlpart_row(n, image["id"], 1, square(1, 1)) for n, image in enumerate(images)]
    rows.append(vlpart_row(9, 2008999999, 1, square(1, 1)))
    write_vlpart(tmp_path / "train.json", images, rows, CATEGORIES)
    _, found, rejected = read(tmp_path, tmp_path / "work")
    assert list(found) == [STEM]
    by_table = {table: [row.rule for row in rejected if row.table == table] for table in ("images", "parts")}
    assert by_table["images"] == ["file_name_unsafe", "file_name_unsafe", "duplicate_image", "size_invalid"]
    assert sorted(by_table["parts"]) == ["image_quarantined"] * 4 + ["image_unknown"]
    assert len(found[STEM].parts) + len(by_table["parts"]) == len(rows)


def test_a_photograph_in_both_splits_is_read_once(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_vlpart(tmp_path / f"{split}.json", [vlpart_image(STEM)], [vlpart_row(0, ID, 1, square(1, 1))], CATEGORIES)
    _, found, rejected = read(tmp_path, tmp_path / "work")
    assert found[STEM].split == "train"
    assert [(row.table, row.rule) for row in rejected] == [
        ("images", "duplicate_image"),
        ("parts", "image_quarantined"),
    ]


def test_a_malformed_row_is_quarantined_and_a_bad_mask_left_to_the_checks_of_all_masks(tmp_path: Path) -> None:
    no_mask = vlpart_row(1, ID, 1, square(1, 1))
    del no_mask["segmentation"]
    short = vlpart_row(2, ID, 1, square(1, 1)) | {"segmentation": {"size": [12, 16], "counts": "5"}}
    rows = [vlpart_row(0, ID, 1, square(1, 1)), no_mask, short]
    write_vlpart(tmp_path / "train.json", [vlpart_image(STEM)], rows, CATEGORIES)
    _, found, rejected = read(tmp_path, tmp_path / "work")
    assert [row.rule for row in rejected] == ["row_malformed"]
    assert [record.key for record in found[STEM].parts] == ["0", "2"]


def test_the_full_file_is_read_rather_than_its_cut_down_variants(tmp_path: Path) -> None:
    for name, stem in (("train", "2008_000001"), ("train_base", "2008_000002"), ("train_one", "2008_000003")):
        image = vlpart_image(stem)
        write_vlpart(tmp_path / f"{name}.json", [image], [vlpart_row(0, image["id"], 1, square(1, 1))], CATEGORIES)
    _, found, _ = read(tmp_path, tmp_path / "work")
    assert list(found) == ["2008_000001"]
    _, found, _ = read(tmp_path / "train_base.json", tmp_path / "work")
    assert list(found) == ["2008_000002"]
    assert found["2008_000002"].split == "train"


def test_photographs_are_found_where_vlpart_puts_them(tmp_path: Path) -> None:
    write_photograph(tmp_path / "source" / "VOCdevkit" / "VOC2010" / "JPEGImages" / f"{STEM}.jpg")
    photograph = _one(tmp_path, [vlpart_row(0, ID, 1, square(1, 1))])
    assert photograph.path == f"VOCdevkit/VOC2010/JPEGImages/{STEM}.jpg"


def test_the_original_is_preferred_where_both_lie_together(tmp_path: Path) -> None:
    write_mat(tmp_path, STEM, [{"class": "cat", "class_ind": 8.0, "mask": square(1, 1), "parts": np.zeros((0, 0))}])
    write_vlpart(tmp_path / "train.json", [vlpart_image("2009_000001")], [], CATEGORIES)
    _, found, _ = read(tmp_path, tmp_path / "work")
    assert list(found) == [STEM]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat", "supercategory": "animal"}]},
            "'cat'",
        ),
        ({"images": [], "annotations": [], "categories": [{"id": 0, "name": "Quadruped Head"}]}, "'Quadruped Head'"),
        (
            {"images": [], "annotations": [], "categories": [{"id": 1, "name": "dog:leg"}], "part_categories": []},
            "PACO",
        ),
        (
            {"images": [], "annotations": [], "categories": [{"id": 1, "name": "dog", "supercategory": "OBJECT"}]},
            "PACO",
        ),
        ({"images": [], "annotations": [], "categories": []}, "no categories"),
        ({}, "no categories"),
        ({"categories": [{"id": 1, "name": "cat:leg"}, {"id": 1, "name": "cat:ear"}]}, "two categories have the id 1"),
    ],
    ids=["coco", "partimagenet", "paco", "paco objects", "none", "nothing", "same id"],
)
def test_another_dataset_is_refused_in_one_line(tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "train.json"
    path.write_text(json.dumps(content))
    with pytest.raises(SourceError, match=r"train\.json") as caught:
        read(tmp_path, tmp_path / "work")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [0, 1, 200])
def test_a_file_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    path = write_vlpart(tmp_path / "train.json", [vlpart_image(STEM)], [vlpart_row(0, ID, 1, square(1, 1))], CATEGORIES)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(SourceError, match=r"train\.json"):
        read(path, tmp_path / "work")


def test_a_byte_order_mark_is_skipped_and_counted(tmp_path: Path) -> None:
    path = write_vlpart(tmp_path / "train.json", [vlpart_image(STEM)], [vlpart_row(0, ID, 1, square(1, 1))], CATEGORIES)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    plan, found, _ = read(path, tmp_path / "work")
    assert list(found) == [STEM]
    assert plan.repairs["json_byte_order_mark"] == 1


def test_limit_takes_whole_photographs(tmp_path: Path) -> None:
    images = [vlpart_image(f"2008_{n:06}") for n in range(10)]
    rows = [vlpart_row(n, image["id"], 1, square(1, 1)) for n, image in enumerate(images)]
    write_vlpart(tmp_path / "train.json", images, rows, CATEGORIES)
    _, everything, _ = read(tmp_path, tmp_path / "work")
    _, few, rejected = read(tmp_path, tmp_path / "work", limit=3)
    assert (len(few), rejected) == (3, [])
    assert all(everything[stem] == photograph for stem, photograph in few.items())


def test_bad_rows_of_images_and_bytes_that_are_not_utf8_cost_their_own_rows(tmp_path: Path) -> None:
    images = [vlpart_image(f"2008_00000{n}") for n in range(3, 8)]
    rows = [vlpart_row(n, image["id"], 1, square(1, 1)) for n, image in enumerate(images)]
    images[1]["id"], images[2]["width"] = 1 << 63, float("nan")
    del images[3]["height"]
    path = write_vlpart(tmp_path / "train.json", images, rows, CATEGORIES)
    place = path.read_text().rindex('"counts": "') + len('"counts": "')
    path.write_bytes((path.read_text()[:place] + "é" + path.read_text()[place:]).encode("latin-1"))
    _, found, rejected = read(tmp_path, tmp_path / "work")
    assert {stem: len(one.parts) for stem, one in found.items()} == {STEM: 1, "2008_000007": 0}
    assert sorted((row.table, row.rule) for row in rejected) == [
        ("images", "number_not_finite"),
        ("images", "row_malformed"),
        ("images", "row_malformed"),
        ("parts", "image_quarantined"),
        ("parts", "image_quarantined"),
        ("parts", "image_unknown"),
        ("parts", "row_malformed"),
    ]
