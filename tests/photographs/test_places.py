"""Where a version's photographs lie, and one of them opened on the grid of its masks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from partonomy_data.errors import UsageError
from partonomy_data.photographs.places import SETTING, Photographs, of_store
from tests.photographs.test_views import colored


@pytest.mark.parametrize(
    ("uri", "line"),
    [
        ("../secret.jpg", "it climbs out of its folder"),
        ("/etc/passwd", "it is absolute"),
        ("a/../../secret.jpg", "it climbs out of its folder"),
        ("link.jpg", "the photograph link.jpg is not in"),
    ],
)
def test_a_place_outside_of_the_folder_is_never_opened(tmp_path: Path, uri: str, line: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.jpg").write_text("secret")
    (inside / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(UsageError, match=f"^paco/1: .*{line}"):
        of_store(tmp_path, {"paco": str(inside)}).path("paco", uri, "paco/1")


@pytest.mark.parametrize("uri", [None, "http://images.cocodataset.org/1.jpg"])
def test_a_photograph_that_was_not_on_disk_says_so(tmp_path: Path, uri: str | None) -> None:
    with pytest.raises(
        UsageError, match=r"^paco/1: this photograph was not on disk when the version was built\. Put it"
    ):
        of_store(tmp_path, {}).path("paco", uri, "paco/1")


def test_photographs_are_found_below_the_folder_that_the_build_was_given(tmp_path: Path) -> None:
    place = tmp_path / "source" / "deeper [x]" / "images" / "a.jpg"
    place.parent.mkdir(parents=True)
    place.touch()
    run = tmp_path / "store" / "runs" / "1" / "run.json"
    run.parent.mkdir(parents=True)
    run.write_text(json.dumps({"config": {"sources": {"paco": {"path": str(tmp_path / "source")}}}}))
    (run.parent.parent / "2").mkdir()
    (run.parent.parent / "2" / "run.json").write_text('{"config":')
    found = of_store(tmp_path / "store", {})
    assert found.path("paco", "a.jpg", "paco/a") == place


def test_a_photograph_on_its_side_is_made_upright_only_where_its_masks_are(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    colored(20, 30).save(tmp_path / "a.png", exif=exif)
    found = Photographs({"paco": tmp_path}, told=SETTING)
    assert found.open("paco", "a.png", 20, 30, transposed=True).size == (20, 30)
    assert found.open("paco", "a.png", 30, 20).size == (30, 20)
    with pytest.raises(UsageError, match=r"a\.png: the photograph is 30x20, its masks 20x30"):
        found.open("paco", "a.png", 20, 30)


def test_what_cant_be_opened_is_said_in_one_line(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jpg"
    colored(60, 50).save(whole)
    (tmp_path / "cut.jpg").write_bytes(whole.read_bytes()[:200])
    (tmp_path / "text.jpg").write_bytes(b"no image")
    found = Photographs({"paco": tmp_path}, told=SETTING)
    for uri in ("cut.jpg", "text.jpg"):
        with pytest.raises(UsageError, match=rf"{uri}: .*\. Fetch the photograph again") as caught:
            found.open("paco", uri, 50, 60)
        assert str(tmp_path / uri) in str(caught.value)
    with pytest.raises(UsageError, match="the photograph is 50x60, its masks 60x50"):
        found.open("paco", "whole.jpg", 60, 50)
    with pytest.raises(
        UsageError, match=r"gone\.jpg: the photograph is not here\. .* photographs\.paco: PATH, in the settings\.$"
    ):
        found.open("paco", "gone.jpg", 3, 3)
    with pytest.raises(UsageError, match=r"where the photograph a\.jpg is isn't known"):
        found.open("partonomy", "a.jpg", 3, 3)
    with pytest.raises(UsageError, match=r"^partonomy/a\.jpg: where the photograph"):
        found.check({"paco": "whole.jpg", "partonomy": "a.jpg"})


def test_the_folder_is_the_one_that_is_given_or_the_one_that_was_built_from(tmp_path: Path) -> None:
    built, moved = tmp_path / "built" / "deep", tmp_path / "moved"
    for folder in (built, moved):
        (folder / "train2017").mkdir(parents=True)
        colored(4, 5).save(folder / "train2017" / "a.png")
    run = tmp_path / "store" / "runs" / "20260101T000000Z-aaaaaa"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"config": {"sources": {"paco": {"path": str(tmp_path / "built")}}}}))
    (tmp_path / "store" / "runs" / "20260102T000000Z-bbbbbb").mkdir()
    uris = {"paco": "train2017/a.png"}
    assert of_store(tmp_path / "store", {}).check(uris).open("paco", uris["paco"], 5, 4).size == (5, 4)
    (built / "train2017" / "a.png").unlink()
    with pytest.raises(UsageError, match=r"is not in .*built.*--images paco=PATH"):
        of_store(tmp_path / "store", {}).check(uris)
    assert of_store(tmp_path / "store", {"paco": str(moved)}).open("paco", uris["paco"], 5, 4).size == (5, 4)
    with pytest.raises(UsageError, match=r"photographs\.paco: .*gone, in the settings: there is no such folder"):
        of_store(tmp_path / "store", {"paco": str(tmp_path / "gone")}, SETTING)
