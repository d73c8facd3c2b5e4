"""Pascal-Part-116's label maps: classes and parts by value, 255 for none, and maps that can't be trusted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from partonomy_data.sources.pascal_part import labels116
from partonomy_data.sources.pascal_part.png import MAX_PIXELS
from partonomy_data.sources.records import Photograph

from .pascal_files import SIZE, pixels, png, read, write_labels, write_photograph

STEM = "2008_000003"
NONE = 255
AEROPLANE, DOG, PERSON, TABLE = 0, 11, 14, 10
AEROPLANE_WING = 2
DOG_HEAD, DOG_MUZZLE = 61, 69
PERSON_LOWER_ARM = 94

Labels = NDArray[np.uint8]


def _map(*squares: tuple[int, int, int], size: tuple[int, int] = SIZE) -> Labels:
    """Labels in squares of 3 pixels, told as (label, top, left); 255 elsewhere."""
    labels = np.full(size, NONE, np.uint8)
    for label, top, left in squares:
        labels[top : top + 3, left : left + 3] = label
    return labels


def _paths(folder: Path, split: str = "train", stem: str = STEM) -> tuple[Path, Path]:
    names = ("annotations_detectron2_obj", "annotations_detectron2_part")
    objects, parts = (folder / name / split / f"{stem}.png" for name in names)
    return objects, parts


def _write(folder: Path, objects: Labels | None, parts: Labels | None, split: str = "train", mode: str = "L") -> None:
    for path, labels in zip(_paths(folder, split), (objects, parts), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        if labels is not None:
            write_labels(path, labels, mode)


def _one(tmp_path: Path, objects: Labels | None, parts: Labels | None, mode: str = "L") -> Photograph:
    _write(tmp_path / "source", objects, parts, mode=mode)
    _, found, rejected = read(tmp_path / "source", tmp_path)
    assert rejected == []
    return found[STEM]


def test_the_116_names_are_in_order() -> None:
    parts = labels116.parts()
    assert len(parts) == 116
    known = {0: "aeroplane's body", 1: "aeroplane's stern", DOG_HEAD: "dog's head", 115: "tvmonitor's screen"}
    known |= {29: "bus's license plate", PERSON_LOWER_ARM: "person's lower arm", 98: "pottedplant's plant"}
    assert {label: parts[label].source_category for label in known} == known
    assert parts[PERSON_LOWER_ARM].name == "lower arm"


@pytest.mark.parametrize("mode", ["L", "P"])
def test_each_class_is_one_merged_object_with_its_parts(tmp_path: Path, mode: str) -> None:
    objects = _map((DOG, 0, 0), (DOG, 0, 8), (PERSON, 6, 6))
    parts = _map((DOG_HEAD, 0, 0), (DOG_MUZZLE, 0, 8), (PERSON_LOWER_ARM, 6, 6))
    photograph = _one(tmp_path, objects, parts, mode)
    assert [(r.key, r.merged, r.exhaustive) for r in photograph.objects] == [
        ("dog", True, False), ("person", True, False),
    ]  # fmt: skip
    assert np.array_equal(pixels(photograph.objects[0].segmentation), objects == DOG)
    told = {record.key: record.object_key for record in photograph.parts}
    assert told == {"dog/head": "dog", "dog/muzzle": "dog", "person/lower arm": "person"}
    assert np.array_equal(pixels(photograph.parts[0].segmentation), parts == DOG_HEAD)
    assert photograph.repairs == ["instances_merged", "instances_merged"]
    assert (photograph.height, photograph.width, photograph.split) == (*SIZE, "train")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=arrays(np.uint8, (5, 7), elements=st.sampled_from([0, 1, 2, 60, 61, 90, 115, 116, 200, 255])))
def test_every_pixel_is_in_the_mask_of_its_label_or_quarantined(tmp_path: Path, labels: Labels) -> None:
    photograph = _one(tmp_path, np.full((5, 7), NONE, np.uint8), labels)
    names = {name.key: label for label, name in enumerate(labels116.parts())}
    painted = np.full((5, 7), NONE, np.uint8)
    for record in photograph.parts:
        painted[pixels(record.segmentation) == 1] = names[record.category]
    lost = sum(row.row["pixels"] for row in photograph.rejected)
    assert np.array_equal(painted[labels < 116], labels[labels < 116])
    assert (painted[labels >= 116] == NONE).all()
    assert lost == int(((labels >= 116) & (labels < NONE)).sum())


def test_a_part_of_a_class_without_object_pixels_gets_an_object_of_its_parts(tmp_path: Path) -> None:
    photograph = _one(tmp_path, _map((DOG, 0, 0)), _map((AEROPLANE_WING, 4, 4)))
    assert [(r.key, r.segmentation is None) for r in photograph.objects] == [("aeroplane", True), ("dog", False)]
    assert photograph.repairs.count("object_label_missing") == 1


def test_labels_out_of_range_are_quarantined_and_the_others_kept(tmp_path: Path) -> None:
    photograph = _one(tmp_path, _map((DOG, 0, 0), (20, 4, 4)), _map((DOG_HEAD, 0, 0), (116, 4, 4), (254, 8, 8)))
    assert [(row.table, row.row_id, row.rule) for row in photograph.rejected] == [
        ("objects", "label 20", "label_unknown"),
        ("parts", "label 116", "label_unknown"),
        ("parts", "label 254", "label_unknown"),
    ]
    assert [record.key for record in photograph.parts] == ["dog/head"]


def test_a_missing_map_leaves_what_the_other_says(tmp_path: Path) -> None:
    _write(tmp_path / "source", None, _map((DOG_HEAD, 0, 0)), "train")
    _write(tmp_path / "source", _map((TABLE, 0, 0)), None, "val")
    _, found, rejected = read(tmp_path / "source", tmp_path)
    assert rejected == []
    parts_only, objects_only = found[f"train/{STEM}"], found[f"val/{STEM}"]
    assert [(r.key, r.segmentation) for r in parts_only.objects] == [("dog", None)]
    assert parts_only.repairs == ["object_map_missing", "instances_merged"]
    assert [r.key for r in objects_only.objects] == ["diningtable"]
    assert objects_only.repairs == ["part_map_missing", "instances_merged"]


def test_maps_of_different_sizes_leave_the_parts(tmp_path: Path) -> None:
    photograph = _one(tmp_path, _map((DOG, 0, 0), size=(9, 9)), _map((DOG_HEAD, 0, 0)))
    assert [(row.table, row.rule) for row in photograph.rejected] == [("objects", "label_map_size_mismatch")]
    assert (photograph.height, photograph.width) == SIZE
    assert photograph.objects[0].segmentation is None


def _damaged() -> list[Any]:
    wide = MAX_PIXELS // 1000
    return [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"GIF89a", "not a PNG", id="gif"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "cut off", id="signature only"),
        pytest.param(png(16, 12, 8, 0)[:50], "can't be decoded", id="cut off"),
        pytest.param(png(16, 12, 8, 0), "can't be decoded", id="too few pixels"),
        pytest.param(png(wide, 1001, 8, 0), "pixels", id="bomb"),
        pytest.param(png(2**31 - 1, 2**31 - 1, 8, 0), "pixels", id="largest bomb"),
        pytest.param(png(1 << 25, 1, 8, 0), "pixels", id="a side that no mask has"),
        pytest.param(png(0, 5, 8, 0), "pixels", id="no width"),
        pytest.param(png(16, 12, 8, 2), "in color", id="color"),
        pytest.param(png(16, 12, 8, 6), "transparency", id="color with transparency"),
        pytest.param(png(16, 12, 16, 0), "16 bits", id="ADE20K's"),
        pytest.param(png(16, 12, 1, 0), "1 bits", id="bitmap"),
    ]


@pytest.mark.parametrize(("content", "said"), _damaged())
def test_a_map_that_cannot_be_read_is_quarantined_and_the_other_kept(tmp_path: Path, content: bytes, said: str) -> None:
    _write(tmp_path / "source", _map((DOG, 0, 0)), _map((DOG_HEAD, 0, 0)))
    objects, parts = _paths(tmp_path / "source")
    parts.write_bytes(content)
    _, found, _ = read(tmp_path / "source", tmp_path)
    (row,) = found[STEM].rejected
    assert (row.table, row.rule) == ("parts", "label_map_unreadable")
    assert said in row.reason
    assert [r.key for r in found[STEM].objects] == ["dog"]
    objects.write_bytes(content)
    _, found, rejected = read(tmp_path / "source", tmp_path)
    assert found == {}
    assert [(row.table, row.rule) for row in rejected] == [("images", "label_map_unreadable")]


def test_copies_of_macos_are_passed_over_and_counted(tmp_path: Path) -> None:
    _write(tmp_path / "source", _map((DOG, 0, 0)), _map((DOG_HEAD, 0, 0)))
    for path in _paths(tmp_path / "source"):
        path.with_name(f"._{path.name}").write_bytes(b"Mac OS X")
    write_photograph(tmp_path / "source" / "images" / "train" / f"{STEM}.jpg")
    (tmp_path / "source" / "images" / "train" / f"._{STEM}.jpg").write_bytes(b"Mac OS X")
    plan, found, _ = read(tmp_path / "source", tmp_path)
    assert (list(found), plan.repairs) == ([STEM], {"macos_file": 2})
    assert found[STEM].path == f"images/train/{STEM}.jpg"


def test_photographs_of_both_splits_are_found_and_told_apart(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for split in ("train", "val"):
        _write(source, _map((DOG, 0, 0)), _map((DOG_HEAD, 0, 0)), split)
        write_photograph(source / "images" / split / f"{STEM}.jpg")
    plan, found, _ = read(source, tmp_path)
    assert {name: (p.path, p.split) for name, p in found.items()} == {
        f"train/{STEM}": (f"images/train/{STEM}.jpg", "train"),
        f"val/{STEM}": (f"images/val/{STEM}.jpg", "val"),
    }
    assert plan.images_root == source
    assert len(plan.files) == 4


def test_a_changed_map_changes_the_fingerprint(tmp_path: Path) -> None:
    def fingerprints() -> list[str]:
        return [shard.fingerprint for shard in read(tmp_path, tmp_path)[0].shards]

    _write(tmp_path, _map((DOG, 0, 0)), _map((DOG_HEAD, 0, 0)))
    first = fingerprints()
    assert fingerprints() == first
    _write(tmp_path, _map((DOG, 0, 1)), _map((DOG_HEAD, 0, 0)))
    second = fingerprints()
    _write(tmp_path, _map((DOG, 0, 1)), _map((DOG_HEAD, 0, 1)))
    assert len({*first, *second, *fingerprints()}) == 3


def test_a_map_whose_name_is_not_utf8_is_quarantined_and_the_others_read(tmp_path: Path) -> None:
    _write(tmp_path, _map((DOG, 0, 0)), _map((DOG_HEAD, 0, 0)))
    for path in _paths(tmp_path):
        os.link(path, os.path.join(os.fsencode(path.parent), b"2008_\xff.png"))
    _, found, rejected = read(tmp_path, tmp_path)
    assert list(found) == [STEM]
    assert [(row.table, row.row_id, row.rule) for row in rejected] == [
        ("objects", "annotations_detectron2_obj/train/2008_\\xff.png", "file_name_undecodable"),
        ("parts", "annotations_detectron2_part/train/2008_\\xff.png", "file_name_undecodable"),
    ]


def test_links_that_lead_out_are_not_opened(tmp_path: Path) -> None:
    source, other = tmp_path / "source", tmp_path / "other"
    _write(source, _map((DOG, 0, 0)), _map((DOG_HEAD, 0, 0)))
    _write(other, _map((DOG, 0, 0)), _map((DOG_HEAD, 0, 0)))
    (source / "images" / "train").mkdir(parents=True)
    photograph = write_photograph(other / f"{STEM}.jpg")
    (source / "images" / "train" / f"{STEM}.jpg").symlink_to(photograph)
    for own, foreign in zip(_paths(source, stem="2008_000009"), _paths(other), strict=True):
        own.symlink_to(foreign)
    plan, found, rejected = read(source, tmp_path)
    assert list(found) == [STEM]
    assert found[STEM].path is None
    assert [(row.table, row.rule) for row in rejected] == [("objects", "link_leads_out"), ("parts", "link_leads_out")]
    assert plan.repairs["link_out_of_folder"] == 1
