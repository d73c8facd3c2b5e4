"""The Seg release: label maps of parts, and whole objects as maps or JSON."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from partonomy_data import masks
from partonomy_data.errors import SourceError
from partonomy_data.sources.partimagenet import drawn

DOG, BIKE = "n02085620", "n03792782"
Write = Callable[..., Path]
Square = Callable[..., dict[str, Any]]
Reads = Callable[..., Any]


def test_a_map_gives_one_part_for_each_label_with_its_very_pixels(
    tmp_path: Path, write_map: Write, read: Reads
) -> None:
    labels = {(0, 0, 10, 10): 0, (10, 0, 20, 30): 1, (20, 0, 30, 5): 2, (20, 20, 30, 25): 2}
    for mode, number in (("L", 1), ("P", 2)):
        path = write_map(tmp_path / "annotations" / "val" / f"{DOG}_{number}.png", labels, mode=mode)
        path.with_suffix(".json").write_text('{"imgHeight": 40, "imgWidth": 60}')
    found = read(tmp_path)
    assert len(found.photographs) == 2
    for photo in found.photographs:
        assert (photo.image_id[:-1], photo.split, photo.width, photo.height) == (
            f"partimagenet/{DOG}_",
            "val",
            60,
            40,
        )
        assert photo.photograph == f"imagenet/{DOG}_{photo.image_id[-1]}"
        assert [p.category for p in photo.parts] == [f"{DOG}/Quadruped {n}" for n in ("Head", "Body", "Foot")]
        assert [p.key for p in photo.parts] == ["label:0", "label:1", "label:2"]
        pixels = np.full((40, 60), 40)
        for (top, left, bottom, right), label in labels.items():
            pixels[top:bottom, left:right] = label
        for label, part in enumerate(photo.parts):
            np.testing.assert_array_equal(masks.decode(part.segmentation), pixels == label)
        (thing,) = photo.objects
        assert (thing.key, thing.segmentation, thing.merged) == (DOG, None, False)
        rules = {"category_zero", "label_map_background", "label_map_regions", "object_by_wnid"}
        assert set(photo.repairs) == rules
    assert {file.path for file in found.plan.files} == {f"annotations/val/{DOG}_{i}.png" for i in (1, 2)}


@given(arrays.arrays(np.uint8, (9, 7), elements=st.sampled_from([0, 1, 2, 3, 15, 40, 255])))
@settings(deadline=None)
def test_parts_and_rejections_account_for_every_label(
    tmp_path_factory: pytest.TempPathFactory, labels: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("map") / "map.png"
    Image.fromarray(labels).save(path)
    parts, height, width = drawn.parts(path, "partimagenet/x", DOG, "Quadruped")
    assert (height, width) == labels.shape
    known = {int(part.key.split(":")[1]): masks.decode(part.segmentation) for part in parts.records}  # type: ignore[arg-type]
    for label, bitmap in known.items():
        np.testing.assert_array_equal(bitmap, labels == label)
    assert known.keys() == {int(v) for v in np.unique(labels)} & {0, 1, 2, 3}
    expected = {15: "foreign_supercategory", 255: "label_unknown"}
    assert [row.rule for row in parts.rejected] == [expected[v] for v in (15, 255) if (labels == v).any()]


def test_two_regions_of_a_head_hint_at_several_instances(tmp_path: Path, write_map: Write, read: Reads) -> None:
    write_map(tmp_path / "annotations/val" / f"{DOG}_1.png", {(0, 0, 9, 9): 0, (0, 30, 9, 39): 0})
    (photo,) = read(tmp_path).photographs
    assert (len(photo.parts), len(photo.objects), photo.objects[0].merged) == (1, 1, True)
    assert "several_instances" in photo.repairs


def test_the_six_labels_of_unresolved_order_are_named_as_in_the_json_and_noted(
    tmp_path: Path, write_map: Write, read: Reads
) -> None:
    labels = {(0, 0, 5, 5): 27, (0, 10, 5, 15): 28, (0, 20, 5, 25): 30}
    write_map(tmp_path / "annotations/train" / f"{BIKE}_1.png", labels)
    found = read(tmp_path)
    assert found.parts(f"{BIKE}_1.JPEG") == ["Bicycle Body", "Bicycle Head", "Bicycle Tier"]
    assert (found.repairs.count("label_map_order"), found.repairs.count("tier_for_tire")) == (2, 1)


def test_unknown_and_foreign_labels_are_quarantined_and_the_others_kept(
    tmp_path: Path, write_map: Write, read: Reads
) -> None:
    labels = {(0, 0, 5, 5): 0, (5, 0, 9, 5): 1, (0, 10, 5, 15): 41, (0, 20, 5, 25): 255, (0, 30, 5, 35): 13}
    write_map(tmp_path / "annotations/train" / f"{DOG}_1.png", labels)
    found = read(tmp_path)
    assert found.rules == [("parts", "foreign_supercategory"), *[("parts", "label_unknown")] * 2]
    assert found.parts(f"{DOG}_1.JPEG") == ["Quadruped Head", "Quadruped Body"]
    assert {row.row_id for row in found.rejected} == {f"partimagenet/{DOG}_1#label:{v}" for v in (13, 41, 255)}


def test_an_unreadable_map_costs_its_own_photograph(tmp_path: Path, write_map: Write, read: Reads) -> None:
    folder = tmp_path / "annotations" / "train"
    write_map(folder / f"{DOG}_1.png", {(0, 0, 5, 5): 0})
    (folder / f"{DOG}_2.png").write_bytes(b"")
    Image.new("RGB", (60, 40)).save(folder / f"{DOG}_3.png")
    write_map(folder / "nonsense.png", {(0, 0, 5, 5): 0})
    found = read(tmp_path)
    assert found.rules == [
        ("images", "file_name_unparsable"),
        ("images", "label_map_unreadable"),
        ("images", "label_map_unreadable"),
    ]
    assert list(found.of) == [f"{DOG}_1.JPEG"]
    assert not any(str(tmp_path) in row.reason for row in found.rejected), "the same on every machine"


def test_a_map_of_background_is_a_photograph_without_objects(tmp_path: Path, write_map: Write, read: Reads) -> None:
    write_map(tmp_path / "annotations/train" / f"{DOG}_1.png", {})
    (photo,) = read(tmp_path).photographs
    assert (photo.objects, photo.parts) == ([], [])
    assert set(photo.repairs) == {"label_map_background", "image_without_annotation"}


def test_the_whole_map_is_the_objects_mask_beside_maps_and_json(
    tmp_path: Path, write_map: Write, write_json: Write, square: Square, read: Reads
) -> None:
    base = tmp_path / "annotations"
    write_map(base / "val" / f"{DOG}_1.png", {(0, 0, 5, 5): 0})
    write_json(base / "train" / "train.json", [f"{DOG}_2.JPEG"], [square(1, 0, 0)])
    write_map(base / "train" / f"{DOG}_2.png", {(0, 0, 5, 5): 3})
    for split, number in (("val", 1), ("train", 2)):
        path = base / f"{split}_whole" / f"{DOG}_{number}.png"
        write_map(path, {(0, 0, 20, 30): 0}, background=158)
    found = read(tmp_path)
    for photo in found.photographs:
        (thing,) = photo.objects
        expected = np.zeros((40, 60), dtype=np.uint8)
        expected[0:20, 0:30] = 1
        np.testing.assert_array_equal(masks.decode(thing.segmentation), expected)
        assert (thing.merged, thing.key, photo.parts[0].object_key) == (False, DOG, DOG)
    assert found.parts(f"{DOG}_2.JPEG") == ["Quadruped Head"], "the JSON is read, not the map beside it"
    assert found.plan.repairs["json_before_label_map"] == 1
    assert "object_by_wnid" not in found.repairs


@pytest.mark.parametrize(
    ("labels", "background", "rule", "area"),
    [
        ({(0, 0, 20, 30): 7, (0, 30, 20, 40): 200}, 158, "whole_label_unknown", 600),
        ({(0, 0, 20, 30): 7, (20, 0, 40, 30): 9}, 158, "several_instances", 1200),
        ({}, 158, "whole_map_empty", None),
        (None, 158, "whole_map_unreadable", None),
        ("small", 158, "whole_map_size", None),
    ],
)
def test_whole_maps_that_are_not_as_they_should_be(
    tmp_path: Path,
    write_map: Write,
    write_json: Write,
    square: Square,
    read: Reads,
    labels: Any,
    background: int,
    rule: str,
    area: int | None,
) -> None:
    base = tmp_path / "annotations"
    write_json(base / "train" / "train.json", [f"{DOG}_1.JPEG"], [square(1, 0, 0)])
    whole = base / "train_whole" / f"{DOG}_1.png"
    write_map(whole, labels if isinstance(labels, dict) else {}, background)
    if labels is None:
        whole.write_bytes(b"GIF89a")
    elif labels == "small":
        Image.new("L", (30, 20), 0).save(whole)
    found = read(tmp_path)
    (thing,) = found.photographs[0].objects
    assert rule in found.repairs
    assert thing.merged is (rule == "several_instances")
    assert (masks.area(thing.segmentation) if thing.segmentation is not None else None) == area
    assert len(found.photographs[0].parts) == 1
    assert ("object_by_wnid" in found.repairs) is (area is None)


def test_a_whole_annotation_in_json_is_the_object_and_several_are_several(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    base = tmp_path / "annotations"
    images = [f"{DOG}_1.JPEG", f"{DOG}_2.JPEG", f"{DOG}_3.JPEG"]
    write_json(base / "train" / "train.json", images, [square(1, 0, 0), square(2, 1, 0), square(3, 2, 0)])
    classes = [{"id": 5, "name": DOG, "supercategory": "Quadruped"}]
    rows = [
        square(1, 0, 5),  # of the photograph that is third among the parts: ids are each file's own
        square(2, 1, 5),
        square(3, 1, 5, x=30),
        square(3, 1, 5, x=30),
        square(3, 1, 5, x=20),
        square(4, 1, 5, iscrowd=1),
        square(5, 2, 5),
    ]
    write_json(base / "train_whole" / "train.json", [images[2], images[1], f"{DOG}_9.JPEG"], rows, classes)
    found = read(tmp_path)
    none, several, one = (found.of[name] for name in images)
    assert none.objects[0].segmentation is None
    assert one.objects[0].segmentation == square(1, 0, 5)["segmentation"]
    assert (one.objects[0].key, one.parts[0].object_key) == (DOG, DOG)
    assert [thing.key for thing in several.objects] == [f"{DOG}:2", f"{DOG}:3"]
    assert [thing.segmentation[0][0] for thing in several.objects] == [5, 30]
    assert [part.object_key for part in several.parts] == [None]
    assert found.rules == [
        ("objects", "crowd_region"),
        ("objects", "duplicate_annotation_id"),
        ("objects", "whole_without_parts"),
    ]
    assert found.repairs.count("whole_annotations") == found.repairs.count("annotation_repeated") == 1


def test_a_file_of_parts_in_the_place_of_whole_objects_is_not_read(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    for split in ("train", "train_whole"):
        write_json(tmp_path / "annotations" / split / "train.json", [f"{DOG}_1.JPEG"], [square(1, 0, 0)])
    found = read(tmp_path)
    assert found.plan.repairs["whole_json_of_parts"] == 1
    assert found.photographs[0].objects[0].segmentation is None


def test_a_whole_map_without_parts_is_quarantined(
    tmp_path: Path, write_map: Write, write_json: Write, square: Square, read: Reads
) -> None:
    write_json(tmp_path / "annotations/train/train.json", [f"{DOG}_1.JPEG"], [square(1, 0, 0)])
    write_map(tmp_path / "annotations/train_whole" / f"{DOG}_2.png", {(0, 0, 9, 9): 3}, background=158)
    found = read(tmp_path)
    assert found.rules == [("objects", "whole_without_parts")]
    assert found.rejected[0].row_id == f"annotations/train_whole/{DOG}_2.png"


def test_a_map_whose_name_is_not_utf8_is_quarantined_and_the_others_read(
    tmp_path: Path, write_map: Write, read: Reads
) -> None:
    maps = tmp_path / "annotations"
    for path, label, background in (("val", 0, 40), ("val_whole", 46, 158)):
        made = write_map(maps / path / f"{DOG}_1.png", {(0, 0, 10, 10): label}, background)
        os.link(made, os.path.join(os.fsencode(made.parent), b"n02085620_\xff.png"))
    found = read(tmp_path)
    assert list(found.of) == [f"{DOG}_1.JPEG"]
    assert found.rules == [("images", "file_name_undecodable"), ("objects", "file_name_undecodable")]
    assert {row.row_id for row in found.rejected} == {
        f"annotations/{kind}/{DOG}_\\xff.png" for kind in ("val", "val_whole")
    }
    folder = os.path.join(os.fsencode(tmp_path), b"PartImageNet_\xff")
    os.mkdir(folder)
    os.rename(maps, os.path.join(folder, b"annotations"))
    with pytest.raises(SourceError, match="UTF-8"):
        read(tmp_path)
