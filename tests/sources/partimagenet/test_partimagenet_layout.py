"""Which release lies in a folder, and what a wrong folder looks like."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from partonomy_data.errors import SourceError
from partonomy_data.sources.partimagenet import layout


def _touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}")


def _found(path: Path) -> list[tuple[str, str, str]]:
    return [
        (one.release, one.split, "json" if one.json else f"{len(one.maps or {})} maps") for one in layout.find(path)
    ]


@pytest.mark.parametrize("folder", ["", "annotations/", "PartImageNet_OOD/", "PartImageNet_OOD/annotations/"])
def test_the_ood_release_is_found_flat_and_in_annotations(tmp_path: Path, folder: str) -> None:
    _touch(
        tmp_path,
        f"{folder}val.json",
        f"{folder}train.json",
        f"{folder}test.json",
        f"{folder}train_format.json",
    )
    assert _found(tmp_path) == [("ood", split, "json") for split in ("train", "val", "test")]


@pytest.mark.parametrize("folder", ["", "PartImageNet_Seg/"])
def test_the_seg_release_is_found_by_json_or_maps(tmp_path: Path, folder: str) -> None:
    base = f"{folder}annotations"
    _touch(
        tmp_path,
        f"{base}/train/train.json",
        f"{base}/train/a.png",
        f"{base}/train/a.json",
        f"{base}/val/b.png",
    )
    _touch(tmp_path, f"{base}/train_whole/a.png", f"{base}/val_whole/val.json")
    assert _found(tmp_path) == [("seg", "train", "json"), ("seg", "val", "1 maps")]
    train, val = layout.find(tmp_path)
    assert list(train.whole_maps or {}) == ["a"]
    assert train.whole_json is None
    assert val.whole_json == tmp_path / base / "val_whole" / "val.json"


def test_both_releases_are_found_ood_first(tmp_path: Path) -> None:
    _touch(tmp_path, "annotations/train/train.json", "val.json")
    assert _found(tmp_path) == [("ood", "val", "json"), ("seg", "train", "json")]


@pytest.mark.parametrize(
    ("name", "split"),
    [("train.json", "train"), ("partimagenet_val_joint.json", "val"), ("constrained.json", "")],
)
def test_a_file_that_is_named_is_taken_with_the_split_in_its_name(tmp_path: Path, name: str, split: str) -> None:
    _touch(tmp_path, name)
    assert _found(tmp_path / name) == [("file", split, "json")]


@pytest.mark.parametrize(
    ("files", "looks"),
    [
        ([], "it is empty"),
        (["annotations/instances_val2017.json"], "it looks like COCO"),
        (["annotations/paco_lvis_v1_train.json"], "it looks like PACO"),
        (["2008_000002.mat"], "it looks like Pascal-Part"),
        (["graph.yaml"], "it looks like PARTONOMY"),
        (["notes.txt", "a", "b", "c", "d"], "it holds a, b, c, d, …"),
    ],
)
def test_another_folder_is_refused_with_what_it_looks_like(tmp_path: Path, files: list[str], looks: str) -> None:
    _touch(tmp_path, *files)
    with pytest.raises(SourceError) as refused:
        layout.find(tmp_path)
    line = str(refused.value)
    assert looks in line
    assert "train.json" in line
    assert "\n" not in line


def test_a_path_that_is_nothing_or_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        layout.find(tmp_path / "none")
    _touch(tmp_path, "PartImageNet_OOD.zip")
    with pytest.raises(SourceError, match="not a COCO JSON"):
        layout.find(tmp_path / "PartImageNet_OOD.zip")
    with pytest.raises(SourceError, match="holds no annotations"):
        layout.find(tmp_path)


WRONG = {
    "COCO's": [{"id": 1, "name": "person", "supercategory": "person"}],
    "PACO's": [{"id": 2000, "name": "trash_can:handle", "supercategory": "PART"}],
    "Pascal-Part": [{"id": 1, "name": "aeroplane:body", "supercategory": "aeroplane"}],
    "no categories": [],
    "'wug'": [{"id": 1, "name": "wug"}],
}


@pytest.mark.parametrize("looks", WRONG)
def test_a_json_file_of_another_dataset_is_refused_with_what_it_looks_like(
    tmp_path: Path, write_json: Callable[..., Path], read: Callable[..., object], looks: str
) -> None:
    write_json(tmp_path / "train.json", [], [], WRONG[looks])
    with pytest.raises(SourceError) as refused:
        read(tmp_path)
    line = str(refused.value)
    assert looks in line
    assert "Quadruped Head" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b'{"images": [{"id": 0, "file_', "ends early"),
        (b"[1, 2]", "is not what was expected"),
        (b'{"images": [], "annotations": []}', "categories"),
        (b"\x89PNG\r\n", "is not"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    tmp_path: Path, read: Callable[..., object], content: bytes, reason: str
) -> None:
    (tmp_path / "train.json").write_bytes(content)
    with pytest.raises(SourceError, match=reason) as refused:
        read(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_file_without_photographs_or_with_a_category_twice_is_refused(
    tmp_path: Path, write_json: Callable[..., Path], read: Callable[..., object]
) -> None:
    path = write_json(tmp_path / "train.json", [], [])
    with pytest.raises(SourceError, match="has no photographs"):
        read(path)
    row = {"id": 0, "name": "Quadruped Head", "supercategory": "Quadruped"}
    write_json(path, [], [], [row, {**row, "name": "Quadruped Body"}])
    with pytest.raises(SourceError, match="two categories with id 0"):
        read(path)


def test_a_byte_order_mark_is_skipped_and_counted(
    tmp_path: Path,
    write_json: Callable[..., Path],
    square: Callable[..., object],
    read: Callable[..., Any],
) -> None:
    path = write_json(tmp_path / "train.json", ["n02106662_1.JPEG", "n02085620_1.JPEG"], [square(1, 1, 0)])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert json.loads(path.read_text("utf-8-sig"))["annotations"]
    found = read(path)
    assert found.plan.repairs["json_byte_order_mark"] == 1
    assert found.parts("n02085620_1.JPEG") == ["Quadruped Head"]
