"""Where photographs are found, in each layout that is in use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from partonomy_data.photographs import inspecting as inspection
from partonomy_data.sources.partimagenet import photographs

DOG = "n02085620"
Reads = Callable[..., Any]


@pytest.fixture
def source(tmp_path: Path, write_json: Callable[..., Path], square: Callable[..., dict[str, Any]]) -> Path:
    """A source with two photographs' annotations, in a folder of its own."""
    folder = tmp_path / "source"
    write_json(folder / "train.json", [f"{DOG}_1.JPEG", f"{DOG}_2.JPEG"], [square(1, 0, 0), square(2, 1, 0)])
    return folder


def _photograph(path: Path, mode: str = "RGB", format: str = "JPEG") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (60, 40)).save(path, format)


@pytest.mark.parametrize(
    "place",
    [
        "{file}",
        "{wnid}/{file}",
        "train/{file}",
        "train/{wnid}/{file}",
        "images/{file}",
        "images/{wnid}/{file}",
        "images/train/{file}",
        "JPEGImages/{file}",
        "JPEGImages/anything/{file}",
        "PartImageNet_OOD/train/{wnid}/{file}",
    ],
)
@pytest.mark.parametrize("aside", [False, True])
def test_photographs_are_found_in_every_layout(
    source: Path, tmp_path: Path, read: Reads, place: str, aside: bool
) -> None:
    root = tmp_path / "elsewhere" if aside else source
    path = place.format(file=f"{DOG}_1.JPEG", wnid=DOG)
    _photograph(root / path)
    found = read(source, images=root if aside else None)
    assert found.plan.images_root == root
    assert found.of[f"{DOG}_1.JPEG"].path == path
    assert found.of[f"{DOG}_2.JPEG"].path is None
    assert ("file_name_without_folder" in found.repairs) is ("/" in path)


def test_without_any_photograph_there_is_no_folder_of_images(source: Path, tmp_path: Path, read: Reads) -> None:
    assert read(source).plan.images_root is None
    assert read(source, images=tmp_path / "none").plan.images_root is None


def test_annotations_in_their_own_folder_find_the_photographs_beside_it(
    tmp_path: Path, write_json: Callable[..., Path], square: Callable[..., dict[str, Any]], read: Reads
) -> None:
    _photograph(tmp_path / "images" / "train" / f"{DOG}_1.JPEG")
    for name in ("annotations/train.json", "annotations/train/train.json"):
        path = write_json(tmp_path / name, [f"{DOG}_1.JPEG"], [square(1, 0, 0)])
        found = read(path)
        assert found.plan.images_root == tmp_path
        assert found.photographs[0].path == f"images/train/{DOG}_1.JPEG"


@pytest.mark.parametrize("extension", ["jpeg", "jpg", "JPG", "png"])
def test_another_extension_is_the_same_photograph(source: Path, read: Reads, extension: str) -> None:
    _photograph(source / f"{DOG}_1.{extension}")
    found = read(source)
    assert found.of[f"{DOG}_1.JPEG"].path == f"{DOG}_1.{extension}"
    assert found.repairs.count("extension_varies") == 1


@pytest.mark.parametrize(("mode", "format"), [("CMYK", "JPEG"), ("L", "JPEG"), ("RGB", "PNG")])
def test_unusual_jpegs_are_usable_photographs(source: Path, read: Reads, mode: str, format: str) -> None:
    _photograph(source / f"{DOG}_1.JPEG", mode, format)
    found = read(source)
    seen = inspection.inspect(found.plan.images_root, found.of[f"{DOG}_1.JPEG"])
    assert (seen.rule, seen.sha256 is not None) == (None, True)


def test_links_that_lead_out_are_not_followed_and_counted(source: Path, tmp_path: Path, read: Reads) -> None:
    _photograph(tmp_path / "outside" / f"{DOG}_1.JPEG")
    _photograph(source / "images" / f"{DOG}_2.JPEG")
    os.symlink(tmp_path / "outside", source / "train")
    os.symlink(tmp_path / "outside" / f"{DOG}_1.JPEG", source / f"{DOG}_1.JPEG")
    os.symlink(source / "images" / f"{DOG}_2.JPEG", source / f"{DOG}_2.JPEG")
    found = read(source)
    assert found.plan.repairs["link_out_of_folder"] == 2
    assert found.of[f"{DOG}_1.JPEG"].path is None
    assert found.of[f"{DOG}_2.JPEG"].path == f"{DOG}_2.JPEG", "a link within the folder"


def test_a_ring_of_links_ends(source: Path, read: Reads) -> None:
    _photograph(source / "images" / f"{DOG}_1.JPEG")
    os.symlink(source, source / "images" / "images")
    assert read(source).of[f"{DOG}_1.JPEG"].path == f"images/{DOG}_1.JPEG"


def test_the_photograph_of_its_own_split_comes_first() -> None:
    listed = photographs.Index({"a": ["test/a.JPEG", "train/a.JPEG", "a.JPEG"]})
    assert [listed.find("a", split) for split in ("train", "test", "")] == [
        "train/a.JPEG",
        "test/a.JPEG",
        "a.JPEG",
    ]
    assert listed.find("b", "train") is None


def test_only_folders_of_wanted_classes_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for wnid in (DOG, "n01440764", "n01443537"):
        _photograph(tmp_path / "train" / wnid / f"{wnid}_1.JPEG")
    opened: list[str] = []
    scandir = os.scandir

    def note(folder: Path) -> object:
        opened.append(folder.name)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", note)
    found = photographs.index(tmp_path, [f"{DOG}_1", f"{DOG}_2"])
    assert found.paths == {f"{DOG}_1": [f"train/{DOG}/{DOG}_1.JPEG"]}
    assert opened == [tmp_path.name, "train", DOG]


def test_a_folder_whose_name_is_not_utf8_holds_no_photograph(source: Path, read: Reads) -> None:
    folder = os.path.join(os.fsencode(source), b"JPEGImages", b"\xff")
    os.makedirs(folder)
    with open(os.path.join(folder, f"{DOG}_1.JPEG".encode()), "wb") as file:
        file.write(b"x")
    assert read(source).photographs[0].path is None
