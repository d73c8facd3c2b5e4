"""Photographs are turned as Pillow turns them, whatever else their EXIF says; and are of formats that Pillow decodes itself."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageOps

from model.evaluation.general import asking
from partonomy_data.errors import UsageError
from partonomy_data.photographs import decoding, inspecting, places
from partonomy_data.sources.pascal_part import photographs as pascal_part
from partonomy_data.sources.records import Photograph

from .test_inspecting import picture

SHORT, LONG, RATIONAL, DOUBLE = 3, 4, 5, 12
#: Tags of a type that they are never of, with a value: (tag, type, count, bytes).
ODD = {
    "XResolution is a short": (0x011A, SHORT, 1, struct.pack(">H", 72)),
    "YResolution is a long": (0x011B, LONG, 1, struct.pack(">I", 72)),
    "width is a ratio": (0x0100, RATIONAL, 1, struct.pack(">II", 60, 1)),
    "Make is a short": (0x010F, SHORT, 1, struct.pack(">H", 5)),
    "Copyright is a double": (0x8298, DOUBLE, 1, struct.pack(">d", 3)),
}


def exif(*tags: tuple[int, int, int, bytes]) -> bytes:
    """EXIF with these tags, as no library would write it."""
    start = 8 + 2 + 12 * len(tags) + 4
    rows, values = b"", b""
    for tag, kind, count, value in tags:
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(">I", start + len(values))
        values += value if len(value) > 4 else b""
        rows += struct.pack(">HHI", tag, kind, count) + place
    return b"Exif\0\0MM\0*" + struct.pack(">IH", 8, len(tags)) + rows + bytes(4) + values


def turned(number: int, *more: tuple[int, int, int, bytes]) -> bytes:
    """EXIF of an orientation, and more tags."""
    return exif((0x0112, SHORT, 1, struct.pack(">H", number)), *more)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("number", range(10))
def test_a_photograph_is_turned_as_pillow_turns_it(number: int, kind: str) -> None:
    written, told = io.BytesIO(), Image.Exif()
    told[0x0112] = number
    picture(40, 24).save(written, kind, exif=told)
    with Image.open(written, formats=decoding.FORMATS) as one, Image.open(written) as other:
        upright, expected = decoding.upright(one), ImageOps.exif_transpose(other)
    assert np.array_equal(np.asarray(upright), np.asarray(expected))
    assert decoding.orientation(upright) in (1, number if number in (0, 9) else 1)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_tag_of_an_odd_type_keeps_no_photograph_from_being_turned(
    tmp_path: Path, odd: tuple[int, int, int, bytes]
) -> None:
    picture(40, 24).save(tmp_path / "a.jpg", exif=turned(6, odd))
    photo = Photograph(image_id="x/a", file_name="a.jpg", width=24, height=40, path="a.jpg", transposed=True)
    seen = inspecting.inspect(tmp_path, photo)
    assert (seen.rule, seen.orientation) == (None, 6)
    assert places.opened(tmp_path / "a.jpg", 24, 40, transposed=True).size == (24, 40)


@pytest.mark.parametrize("error", [struct.error("x"), AttributeError("x"), KeyError("x"), IndexError(), TypeError("x")])
def test_whatever_decoding_raises_a_photograph_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image, "open", fail)
    photo = Photograph(image_id="x/a", file_name="a.jpg", width=24, height=40, path="a.jpg")
    assert inspecting.inspect(tmp_path, photo).rule == "photograph_unreadable"
    with pytest.raises(UsageError, match="can't be read as an image"):
        places.opened(tmp_path / "a.jpg", 24, 40, transposed=True)


def test_an_eps_that_is_called_a_photograph_starts_no_ghostscript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch {started}\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ghostscript.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    path = tmp_path / "a.jpg"
    picture(40, 24).save(path, "EPS")
    photo = Photograph(image_id="x/a", file_name="a.jpg", width=40, height=24, path="a.jpg")
    assert inspecting.inspect(tmp_path, photo).rule == "photograph_unreadable"
    with pytest.raises(UsageError, match="can't be read as an image"):
        places.opened(path, 40, 24, transposed=False)
    assert pascal_part.size(path) is None
    assert isinstance(asking._opened(path), str)
    assert not started.exists()
