"""Photographs by source and uri, and the view of one that a question asks about."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.data import photographs
from model.data.photographs import Photographs, view_of
from model.plum.errors import ModelError


def colored(height: int, width: int) -> Image.Image:
    """A photograph whose pixels all differ."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x % 256, y % 256, (x + y) % 256], -1).astype(np.uint8))


@given(
    st.integers(1, 60), st.integers(1, 60), st.floats(-10, 50), st.floats(-10, 50), st.floats(1, 70), st.floats(1, 70)
)
def test_a_crop_and_its_masks_lie_on_each_other(
    h: int, w: int, x: float, y: float, width: float, height: float
) -> None:
    photograph = colored(h, w)
    mask = np.arange(h * w).reshape(h, w).astype(np.uint8)
    if x >= w or y >= h or x + width <= 0 or y + height <= 0:
        with pytest.raises(ModelError, match="outside of its photograph"):
            view_of(photograph, "crop", (x, y, width, height))
        return
    view = view_of(photograph, "crop", (x, y, width, height))
    cut = view.of(mask)
    assert cut.shape == (view.image.height, view.image.width)
    pixels = np.asarray(photograph)
    assert np.array_equal(np.asarray(view.image), pixels[view.top :, view.left :][: cut.shape[0], : cut.shape[1]])
    assert view.left <= max(0, x) and view.left + cut.shape[1] >= min(w, x + width)  # noqa: PT018


def test_a_drawn_box_is_red_and_outside_of_the_object() -> None:
    photograph = Image.new("RGB", (80, 60), "white")
    view = view_of(photograph, "box", (20, 20, 30, 15))
    pixels = np.asarray(view.image)
    red = (pixels == (255, 0, 0)).all(-1)
    assert (view.left, view.top, view.image.size) == (0, 0, (80, 60))
    assert red.any()
    assert not red[20:35, 20:50].any()
    rows_, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    assert (rows_[0], rows_[-1], columns[0], columns[-1]) == (15, 40, 15, 55)
    assert np.asarray(photograph).min() == 255, "the photograph itself stays as it was"


def test_the_whole_is_shown_where_the_object_is_the_only_one() -> None:
    view = view_of(colored(20, 30), "unique", None)
    assert (view.image.size, view.left, view.top) == ((30, 20), 0, 0)


def test_a_photograph_on_its_side_is_made_upright_only_where_its_masks_are(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    colored(20, 30).save(tmp_path / "a.png", exif=exif)
    found = Photographs({"paco": tmp_path})
    assert found.open("paco", "a.png", 20, 30, transposed=True).size == (20, 30)
    assert found.open("paco", "a.png", 30, 20).size == (30, 20)
    with pytest.raises(ModelError, match=r"a\.png: the photograph is 30x20, its masks 20x30"):
        found.open("paco", "a.png", 20, 30)


def test_what_cant_be_opened_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    found = Photographs({"paco": tmp_path})
    for uri, said in (("gone.jpg", "No such file"), ("cut.jpg", "can't be read as an image")):
        with pytest.raises(ModelError, match=said) as caught:
            found.open("paco", uri, 3, 3)
        assert str(tmp_path / uri) in str(caught.value)
        assert "data.photographs.paco" in str(caught.value)
    with pytest.raises(ModelError, match="where are the photographs of partonomy"):
        found.open("partonomy", "a.jpg", 3, 3)


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
    found = photographs.find(tmp_path / "store", {}, {}, uris)
    assert found.open("paco", uris["paco"], 5, 4).size == (5, 4)
    (built / "train2017" / "a.png").unlink()
    with pytest.raises(ModelError, match=r"photographs of paco are not where they were .*data\.photographs\.paco"):
        photographs.find(tmp_path / "store", {}, {}, uris)
    assert photographs.find(tmp_path / "store", {}, {"paco": str(moved)}, uris).open("paco", uris["paco"], 5, 4)
