"""The committed pictures: docs/pictures.py makes them all, and they are small, shown, and silent about this machine."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from tests.docs.pages import DOCS, README, script

pictures = script("pictures")
NAMES = {"demo.svg", *pictures.SCREENSHOTS}


def test_there_is_a_recipe_for_every_picture_and_every_picture_is_there() -> None:
    assert {path.name for path in (DOCS / "pictures").iterdir()} == NAMES


def test_every_picture_is_shown_and_small() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in [README, *DOCS.glob("*.md")])
    for name in sorted(NAMES):
        assert (DOCS / "pictures" / name).stat().st_size <= pictures.LARGEST, name
        assert f"](pictures/{name})" in pages, f"no page shows {name}"


def test_screenshots_have_the_size_that_is_asked_for() -> None:
    for name, wanted in pictures.SCREENSHOTS.items():
        with Image.open(DOCS / "pictures" / name) as image:
            assert (image.format, image.size) == ("WEBP", (pictures.WIDTH, wanted.height)), name


def test_the_terminal_shows_the_demo_without_this_machine_and_asks_for_nothing_elsewhere() -> None:
    drawn = (DOCS / "pictures" / "demo.svg").read_text(encoding="utf-8")
    text = " ".join("".join(ElementTree.fromstring(drawn).itertext()).replace("\xa0", " ").split())
    assert "$ partonomy demo" in text
    assert "What next:" in text
    assert not re.findall(r"(?<![\w.])/(?:tmp|root|work|usr|home/(?!you/))", text)
    assert not re.search(r"url\(\"?http|@font-face|<image|@import|href=", drawn)


def test_text_becomes_a_picture_line_by_line() -> None:
    drawn = pictures.terminal("reading paco: done in 0.5 s\n\n<b> & 902 questions\n")
    lines = [
        "".join(one.itertext()).replace("\xa0", " ").strip()
        for one in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert [line for line in lines if line][1:] == [
        "$ partonomy demo",
        "reading paco: done in 0.5 s",
        "<b> & 902 questions",
    ]
    assert "@font-face" not in drawn
    assert drawn == pictures.terminal("reading paco: done in 0.5 s\n\n<b> & 902 questions\n")


def test_a_smaller_picture_keeps_thin_lines_and_small_areas_of_strong_color() -> None:
    pixels = np.full((60, 120, 3), 252, np.uint8)
    pixels[10:50:4, 10:110] = (27, 29, 33)  # as thin as letters
    pixels[20:32, 40:52] = (230, 57, 75)  # as large as a legend's swatch
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    with Image.open(io.BytesIO(pictures.small(out.getvalue()))) as image:
        few = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(few - pixels).mean() < 2
    assert np.abs(few[26, 46] - pixels[26, 46]).max() <= 24
