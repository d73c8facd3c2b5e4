"""Photographs are inspected by their headers first, and hashed by their bytes and their looks."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from partonomy_data.photographs import inspecting
from partonomy_data.sources.records import Photograph


def picture(width: int = 96, height: int = 64) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(5).normal(0, 25, (height // 8, width // 8)).repeat(8, 0).repeat(8, 1)
    gray = (x + 2 * y + noise).clip(0, 255).astype(np.uint8)
    return Image.fromarray(np.stack([gray, 255 - gray, gray // 2], axis=-1))


def photo(name: str = "a.jpg", *, width: int = 96, height: int = 64, transposed: bool = False) -> Photograph:
    return Photograph(image_id="x/a", file_name=name, width=width, height=height, path=name, transposed=transposed)


def test_hashes_a_good_photograph(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.jpg", quality=90)
    seen = inspecting.inspect(tmp_path, photo())
    assert seen.rule is None
    assert seen.sha256 == hashlib.sha256((tmp_path / "a.jpg").read_bytes()).hexdigest()
    assert seen.orientation == 1
    assert seen.notes == ()


def bits(a: int | None, b: int | None) -> int:
    assert a is not None
    assert b is not None
    return (a ^ b).bit_count()


def test_looks_survive_resizing_and_compression_and_differ_between_pictures(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.jpg", quality=95)
    picture().save(tmp_path / "b.jpg", quality=30)
    picture().resize((192, 128)).save(tmp_path / "c.png")
    picture().transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(tmp_path / "d.jpg")
    found = [
        inspecting.inspect(tmp_path, photo(name, width=w, height=h)).phash
        for name, w, h in (("a.jpg", 96, 64), ("b.jpg", 96, 64), ("c.png", 192, 128), ("d.jpg", 96, 64))
    ]
    assert bits(found[0], found[1]) <= 6
    assert bits(found[0], found[2]) <= 6
    assert bits(found[0], found[3]) > 12


def test_a_photograph_on_its_side_is_compared_upright(tmp_path: Path) -> None:
    sideways = picture().transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways.save(tmp_path / "a.jpg", exif=exif, quality=95)
    picture().save(tmp_path / "upright.jpg", quality=95)
    seen = inspecting.inspect(tmp_path, photo(transposed=True))
    assert (seen.rule, seen.orientation, seen.notes) == (None, 6, ("exif_transposed",))
    assert bits(seen.phash, inspecting.inspect(tmp_path, photo("upright.jpg")).phash) <= 6
    assert inspecting.inspect(tmp_path, photo()).rule == "photograph_size_mismatch"


def test_webp_in_a_jpg_is_opened_and_noted(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.jpg", format="WEBP")
    seen = inspecting.inspect(tmp_path, photo())
    assert (seen.rule, seen.notes) == (None, ("extension_lies",))


def bomb(width: int, height: int) -> bytes:
    """A PNG header that promises many pixels, and nothing else of substance."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "photograph_unreadable"),
        (b"not a picture", "photograph_unreadable"),
        (bomb(15_000, 15_000), "photograph_too_large"),
        (bomb(60_000, 60_000), "photograph_too_large"),
    ],
)
def test_a_bad_file_breaks_its_own_rule_without_being_decoded(tmp_path: Path, content: bytes, rule: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    seen = inspecting.inspect(tmp_path, photo())
    assert seen.rule == rule
    assert str(tmp_path) not in seen.reason


def test_a_photograph_that_is_cut_off_is_unreadable(tmp_path: Path) -> None:
    picture(960, 640).save(tmp_path / "whole.jpg", quality=95)
    content = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[: len(content) // 2])
    assert inspecting.inspect(tmp_path, photo(width=960, height=640)).rule == "photograph_unreadable"


def test_a_photograph_that_is_not_on_disk_is_no_fault() -> None:
    assert inspecting.inspect(None, photo()).notes == ("photograph_missing",)


@pytest.mark.parametrize("mode", ["L", "CMYK", "I;16", "P"])
def test_odd_pixel_formats_are_hashed_too(tmp_path: Path, mode: str) -> None:
    image = picture().convert("L").convert("I;16") if mode == "I;16" else picture().convert(mode)
    name = "a.png" if mode in ("I;16", "P") else "a.jpg"
    image.save(tmp_path / name)
    assert inspecting.inspect(tmp_path, photo(name)).phash is not None


@pytest.mark.parametrize("told", [0, 9, 40_000, 65_535])
def test_an_orientation_that_there_is_none_of_is_upright(tmp_path: Path, told: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = told
    picture().save(tmp_path / "a.jpg", exif=exif)
    seen = inspecting.inspect(tmp_path, photo())
    assert (seen.rule, seen.orientation) == (None, 1)
