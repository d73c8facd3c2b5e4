"""Which layout a folder has, what is said of a folder that has none, and where photographs are looked for."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from partonomy_data.errors import SourceError
from partonomy_data.sources.base import SourceRequest, reader
from partonomy_data.sources.pascal_part import PascalPartReader, layout_of
from partonomy_data.sources.pascal_part.rules import RULES
from partonomy_data.sources.records import Photograph

from .pascal_files import read, square, thing, write_mat, write_photograph

STEM = "2008_000003"
CAT = (thing("cat", square(1, 1)),)


def _put(folder: Path, name: str, content: str | bytes = "") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "it is empty"),
        (("Annotations_Part/2008_000003.txt",), "Annotations_Part holds no .mat file"),
        (("annotations/instances_train2017.json",), "it looks like COCO"),
        (("instances.json",), "it looks like COCO"),
        (("annotations/paco_lvis_v1_train.json",), "it looks like PACO"),
        (("graph.yaml", "masks/x/y.json"), "it looks like PARTONOMY"),
        (("train/n01440764/n01440764_10026.JPEG",), "it looks like PartImageNet"),
        (("Annotations/2008_000003.xml", "JPEGImages/2008_000003.jpg"), "VOC's boxes"),
        (("notes.txt",), "it holds notes.txt only"),
        (("a.txt", "b.txt"), "it holds a.txt and 1 more files"),
        (("JPEGImages/2008_000003.jpg",), "its folders are not those of any layout"),
    ],
)
def test_a_folder_of_something_else_is_refused_with_what_it_looks_like(
    tmp_path: Path, names: tuple[str, ...], said: str
) -> None:
    for name in names:
        _put(tmp_path / "source", name)
    (tmp_path / "source").mkdir(exist_ok=True)
    with pytest.raises(SourceError) as caught:
        layout_of(tmp_path / "source")
    assert said in str(caught.value)
    assert "Annotations_Part/*.mat" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_that_is_not_there_and_a_file_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        layout_of(tmp_path / "gone")
    with pytest.raises(SourceError, match=r"neither a \.mat nor a \.json"):
        layout_of(_put(tmp_path, "source.zip"))


def test_part_maps_without_a_map_are_refused(tmp_path: Path) -> None:
    (tmp_path / "annotations_detectron2_part" / "train").mkdir(parents=True)
    with pytest.raises(SourceError, match="holds no label maps"):
        read(tmp_path, tmp_path)


def test_the_reader_is_found_by_its_name() -> None:
    assert isinstance(reader("pascal_part"), PascalPartReader)


def test_rules_have_names_of_their_own_and_known_outcomes() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert {rule.outcome for rule in RULES} <= {"repaired", "quarantined", "kept", "refused"}


def test_a_shard_survives_the_way_to_a_worker(tmp_path: Path) -> None:
    write_mat(tmp_path, STEM, CAT)
    made = PascalPartReader().plan(SourceRequest("pascal_part", tmp_path), tmp_path)
    (shard,) = made.shards
    there = pickle.loads(pickle.dumps(shard))  # noqa: S301
    assert list(PascalPartReader().read(there)) == list(PascalPartReader().read(shard))


def _beside(tmp_path: Path) -> tuple[Path | None, str]:
    return None, "source/JPEGImages"


def _voc_folder(tmp_path: Path) -> tuple[Path | None, str]:
    return tmp_path / "voc", "voc/JPEGImages"


def _devkit(tmp_path: Path) -> tuple[Path | None, str]:
    return tmp_path / "voc", "voc/VOCdevkit/VOC2010/JPEGImages"


def _photographs_directly(tmp_path: Path) -> tuple[Path | None, str]:
    return tmp_path / "photographs", "photographs"


@pytest.mark.parametrize("where", [_beside, _voc_folder, _devkit, _photographs_directly])
def test_photographs_are_found_in_the_usual_places(
    tmp_path: Path, where: Callable[[Path], tuple[Path | None, str]]
) -> None:
    write_mat(tmp_path / "source", STEM, CAT)
    images, folder = where(tmp_path)
    write_photograph(tmp_path / folder / f"{STEM}.jpg")
    write_photograph(tmp_path / folder / "2011_000001.jpg")
    plan, found, _ = read(tmp_path / "source", tmp_path, images)
    path = found[STEM].path
    assert plan.images_root is not None
    assert path is not None
    assert (plan.images_root / path).samefile(tmp_path / folder / f"{STEM}.jpg")


def test_an_image_that_is_not_there_has_no_path(tmp_path: Path) -> None:
    write_mat(tmp_path, STEM, CAT)
    plan, found, _ = read(tmp_path, tmp_path)
    assert (plan.images_root, found[STEM].path, found[STEM].file_name) == (None, None, f"{STEM}.jpg")


def test_a_photograph_of_another_extension_is_found_and_jpg_preferred(tmp_path: Path) -> None:
    for stem, names in (("2008_000001", ("png",)), ("2008_000002", ("png", "JPG"))):
        write_mat(tmp_path, stem, CAT)
        for extension in names:
            write_photograph(tmp_path / "JPEGImages" / f"{stem}.{extension}")
    _, found, _ = read(tmp_path, tmp_path)
    assert [found[stem].file_name for stem in sorted(found)] == ["2008_000001.png", "2008_000002.JPG"]


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_of_photographs_that_holds_none_is_refused(tmp_path: Path, there: bool) -> None:
    write_mat(tmp_path / "source", STEM, CAT)
    images = tmp_path / "photographs"
    if there:
        images.mkdir()
    with pytest.raises(SourceError, match="holds no photographs" if there else "no such folder of photographs"):
        read(tmp_path / "source", tmp_path, images)


def test_splits_are_those_of_the_lists(tmp_path: Path) -> None:
    for stem in ("2008_000001", "2008_000002", "2008_000003"):
        write_mat(tmp_path / "source", stem, CAT)
    _put(tmp_path / "source", "ImageSets/Main/train.txt", "2008_000001\n\n2008_000099\n")
    _put(tmp_path / "source", "ImageSets/Main/val.txt", "2008_000002  1\r\n")
    plan, found, _ = read(tmp_path / "source", tmp_path)
    assert [found[stem].split for stem in sorted(found)] == ["train", "val", ""]
    assert [file.path for file in plan.files][-2:] == ["ImageSets/Main/train.txt", "ImageSets/Main/val.txt"]


def test_lists_beside_the_photographs_are_read(tmp_path: Path) -> None:
    write_mat(tmp_path / "source", STEM, CAT)
    write_photograph(tmp_path / "VOC2010" / "JPEGImages" / f"{STEM}.jpg")
    _put(tmp_path / "VOC2010", "ImageSets/Main/val.txt", f"{STEM}\n")
    _, found, _ = read(tmp_path / "source", tmp_path, tmp_path / "VOC2010")
    assert found[STEM].split == "val"
    _, found, _ = read(tmp_path / "source", tmp_path, tmp_path / "VOC2010" / "JPEGImages")
    assert found[STEM].split == "val"


def test_shards_hold_all_photographs_once_in_the_order_of_their_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from partonomy_data.sources import buckets

    stems = [f"2008_{number:06}" for number in range(40)]
    for stem in stems:
        write_mat(tmp_path, stem, CAT)
    _, whole, _ = read(tmp_path, tmp_path)
    monkeypatch.setattr(buckets, "PHOTOGRAPHS_PER_SHARD", 8)
    plan, found, _ = read(tmp_path, tmp_path)
    assert len(plan.shards) > 3
    assert found == whole
    in_order: list[str] = []
    for shard in sorted(plan.shards, key=lambda shard: shard.number):
        for photograph in PascalPartReader().read(shard):
            assert isinstance(photograph, Photograph)
            in_order.append(buckets.image_prefix(photograph.image_id))
    assert in_order == sorted(in_order)
    assert len(in_order) == len(stems)


def test_an_unreadable_photograph_does_not_decide_a_size(tmp_path: Path) -> None:
    write_mat(tmp_path, STEM, [])
    _put(tmp_path, f"JPEGImages/{STEM}.jpg", b"not an image")
    _, found, rejected = read(tmp_path, tmp_path)
    assert (found, [row.rule for row in rejected]) == ({}, ["size_unknown"])


def test_a_paco_file_named_as_source_is_refused(tmp_path: Path) -> None:
    rows = {"images": [], "annotations": [], "categories": [], "part_categories": [{"id": 0, "name": "leg"}]}
    with pytest.raises(SourceError, match="PACO"):
        read(_put(tmp_path, "paco_lvis_v1_val.json", json.dumps(rows)), tmp_path)


def test_masks_do_not_depend_on_the_order_of_memory(tmp_path: Path) -> None:
    bitmap = np.zeros((7, 5), np.uint8)
    bitmap[2, 1:4] = 1
    for name, order in (("c", "C"), ("f", "F")):
        write_mat(tmp_path / name, STEM, [thing("cat", np.array(bitmap, order=order))])  # type: ignore[call-overload]
    first, second = (read(tmp_path / name, tmp_path)[1][STEM] for name in ("c", "f"))
    assert first == second
