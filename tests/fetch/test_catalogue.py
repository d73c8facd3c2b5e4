"""What the package says of the datasets is well-formed, and a catalogue that isn't is refused."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from partonomy_data.errors import UsageError
from partonomy_data.fetch import catalogue, text
from partonomy_data.sources.base import reader
from tests.fetch.conftest import LICENCE

KNOWN = catalogue.load()
FILES = [(name, file) for name, one in KNOWN.items() for file in one.files]
GOOD = catalogue.File(url="https://example.org/a.zip", what="a thing")
DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_source_of_the_package_is_there() -> None:
    assert list(KNOWN) == ["paco", "partimagenet", "pascal_part", "partonomy"]
    assert {reader(name).name for name in KNOWN} == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_every_source_names_its_licences_in_one_line_each(name: str) -> None:
    for licence in KNOWN[name].licences:
        assert licence.url.startswith("https://")
        assert licence.name
        assert licence.covers
        assert re.fullmatch(r"[^\n]{10,140}\.", licence.terms)


@pytest.mark.parametrize(("name", "file"), FILES, ids=[file.name for _, file in FILES])
def test_every_file_has_an_https_address_and_says_what_vouches_for_it(name: str, file: catalogue.File) -> None:
    assert re.fullmatch(r"https://[a-z0-9.-]+/\S+\.(zip|tar|tar\.gz)", file.url)
    assert file.size is None or file.about is None
    assert not list(catalogue.problems(KNOWN[name]))
    assert file.name in text.listing(KNOWN[name], None)


def test_what_is_done_by_hand_is_told_in_steps_that_name_the_folder() -> None:
    steps = [step for one in KNOWN.values() for step in one.by_hand]
    assert len(steps) == 2
    for step in steps:
        said = "\n".join(text.by_hand(step, Path("my folder")))
        assert "'my folder'" in said
        assert "{" not in said
        assert re.search(r"https://\S+", said)


def test_the_page_names_every_file_and_licence() -> None:
    page = (DOCS / "fetching.md").read_text(encoding="utf-8")
    for one in KNOWN.values():
        for licence in one.licences:
            assert licence.url in page
        for file in one.files:
            assert f"`{file.name}`" in page
            for digest in (file.sha256, file.md5):
                assert digest is None or digest in page


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"url": "http://example.org/a.zip"}, "is no https address"),
        ({"url": "file:///etc/passwd"}, "is no https address"),
        ({"url": "https:///a.zip"}, "is no https address"),
        ({"url": "https://example.org/"}, "has no file name that may be used"),
        ({"url": "https://example.org/%2e%2e%2fa.zip"}, "has no file name that may be used"),
        ({"url": "https://example.org/.fetch"}, "has no file name that may be used"),
        ({"into": "../other"}, "may leave the folder"),
        ({"into": "/etc"}, "may leave the folder"),
        ({"sha256": "0" * 63, "checksum_from": "me"}, "has a sha256 that is none"),
        ({"md5": "0" * 64, "checksum_from": "me"}, "has a md5 that is none"),
        ({"sha256": "0" * 64}, "has a checksum without its origin"),
        ({"checksum_from": "me"}, "has a checksum without its origin"),
        ({"size": 0}, "has an impossible size"),
    ],
)
def test_an_entry_that_is_not_well_formed_is_told(changes: dict[str, object], problem: str) -> None:
    file = msgspec.structs.replace(GOOD, **changes)
    (found,) = catalogue.problems(catalogue.Dataset(title="A", licences=[LICENCE], files=[file]))
    assert problem in found


def test_a_source_without_licence_or_files_or_with_two_of_a_name_is_told() -> None:
    none = catalogue.Dataset(title="A", licences=[])
    assert list(catalogue.problems(none)) == [
        "no licence is named",
        "there is neither a file nor a word on how to get it",
    ]
    step = catalogue.ByHand(what="it", why="so", steps=[], with_file="b.zip")
    twice = catalogue.Dataset(title="A", licences=[LICENCE], files=[GOOD, GOOD], by_hand=[step])
    assert set(catalogue.problems(twice)) == {
        "two files are called a.zip",
        "it belongs to b.zip, which is no file of it",
        "it has no steps",
    }


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a: [", "the catalogue is not well-formed"),
        ("a: {title: A}", "missing required field `licences`"),
        ("a: {title: A, licences: [], licenses: []}", "unknown field `licenses`"),
        ("a: {title: A, licences: []}", "a: no licence is named"),
    ],
)
def test_a_catalogue_of_ones_own_is_checked(content: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(UsageError, match=re.escape(problem)) as raised:
        catalogue.load(path)
    assert "\n" not in str(raised.value)
    assert "mine.yaml" in str(raised.value)


def test_a_catalogue_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the catalogue can't be read"):
        catalogue.load(tmp_path / "none.yaml")


def test_files_are_chosen_by_name_and_the_usual_ones_without() -> None:
    paco = KNOWN["paco"]
    assert [file.name for file in paco.chosen(())] == ["paco_lvis_v1.zip", "train2017.zip", "val2017.zip"]
    assert [file.name for file in paco.chosen(["paco_ego4d_v1.zip"])] == ["paco_ego4d_v1.zip"]
    with pytest.raises(UsageError, match=r"no file is called 'paco_lvis.zip'\. Did you mean paco_lvis_v1\.zip\."):
        paco.chosen(["paco_lvis.zip"])
