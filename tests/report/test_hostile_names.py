"""Names and texts with markup, quotes, script, templates and marks that turn text are shown as text; what is missing is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from partonomy_data.report import write
from tests.explore.conftest import hostile_rows, publish_rows
from tests.helpers.stores import linked
from tests.report.conftest import HOSTILE
from tests.report.opened import Page, content, pages

Shown = dict[str, Page]
#: How it is shown: what pages can't hold is marked.
SAFE = HOSTILE.replace("\u0007", "\ufffd")


@pytest.fixture(scope="module")
def folder(hostile_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the hostile store."""
    out = tmp_path_factory.mktemp("hostile-report") / "report"
    write(hostile_store, out, samples=4)
    return out


@pytest.fixture(scope="module")
def hostile(folder: Path) -> Shown:
    return pages(folder)


def test_no_page_has_a_tag_attribute_or_address_that_a_name_brought(hostile: Shown, shown: Shown) -> None:
    known = {(tag, name) for page in shown.values() for tag, attributes in page.tags for name in attributes}
    for name, page in hostile.items():
        assert not page.all("script"), name
        assert not page.all("img"), name
        brought = {(tag, one) for tag, attributes in page.tags for one in attributes} - known
        assert not {one for _, one in brought if one.startswith("on")}, name
        assert not [one for one in page.addresses if ":" in one or one.startswith(("/", "..", "x"))], name
        assert "\u0007" not in page.source


@pytest.mark.parametrize(
    "page", ["photographs.html", "questions.html", "taxonomy.html", "numbers.html", "sources.html", "index.html"]
)
def test_names_are_shown_as_they_are(page: str, hostile: Shown) -> None:
    assert SAFE[:40] in hostile[page].text
    if page not in ("numbers.html",):  # where plots cut what is long
        assert SAFE in hostile[page].text


def test_templates_in_names_are_not_run(hostile: Shown) -> None:
    for page in hostile.values():
        assert page.source.count("7*7") == page.source.count("{{ 7*7 }}")
        assert "src=x onerror=alert(2)>49" not in page.text


def test_a_photograph_that_is_missing_has_a_plain_ground_with_its_masks(hostile: Shown, folder: Path) -> None:
    page = hostile["photographs.html"]
    assert not page.all("image")
    assert [one for one in page.all("rect") if one.get("class") == "ground"]
    assert [one for one in page.all("path") if "mask" in str(one.get("class"))]
    assert "Plain ground: its file is not here" in page.text
    assert not [name for name in content(folder) if name.endswith(".jpg")]


@pytest.mark.parametrize("fault", ["licence", "size", "damaged", "none"])
def test_why_a_photograph_is_not_shown_is_said(fault: str, tmp_path: Path) -> None:
    rows = hostile_rows("wing", uri="photo.jpg")
    rows["images"][0]["license"] = "coco/3" if fault == "licence" else "coco/4"
    publish_rows(tmp_path / "store", rows)
    (tmp_path / "photos").mkdir()
    image = Image.new("RGB", (30, 30) if fault == "size" else (60, 40), "teal")
    image.save(tmp_path / "photos" / "photo.jpg", comment=b"taken at home")
    if fault == "damaged":
        (tmp_path / "photos" / "photo.jpg").write_bytes(b"\xff\xd8")
    done = write(tmp_path / "store", tmp_path / "out", images={"paco": str(tmp_path / "photos")}, samples=2)
    text = pages(tmp_path / "out")["photographs.html"].text
    expected = {
        "licence": "its licence (CC BY-NC-ND 2.0) allows no changed copies",
        "size": "its file can't be read, or is of another size than its masks",
        "damaged": "its file can't be read, or is of another size than its masks",
    }
    if fault in expected:
        assert f"Plain ground: {expected[fault]}." in text
        assert (done.photographs, len(done.notes)) == (0, 1)
    else:
        assert "Plain ground" not in text
        assert (done.photographs, done.notes) == (1, [])
        (small,) = (tmp_path / "out" / "assets" / "photographs").iterdir()
        assert b"taken at home" not in small.read_bytes()


def test_photographs_of_a_source_can_be_left_out(told_store: Path, tmp_path: Path) -> None:
    done = write(told_store, tmp_path / "out", samples=2, plain=["paco"])
    page = pages(tmp_path / "out")["photographs.html"]
    assert page.text.count("photographs of paco were left out") == 1
    assert len(page.all("image")) == 1
    assert done.photographs >= 1


def test_paths_of_this_machine_are_not_told(told_store: Path, written: Path, tmp_path: Path) -> None:
    root = linked(told_store, tmp_path / "elsewhere")
    shutil.rmtree(root / "runs")
    write(root, tmp_path / "out", samples=1)
    for folder in (written, tmp_path / "out"):
        for name, data in content(folder).items():
            for place in (told_store, root, Path.home(), tmp_path):
                assert str(place).encode() not in data, name
