"""File names that can't leave their folder, and ids that don't collide."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import SourceError
from partonomy_data.sources import files


@pytest.mark.parametrize(
    "name", ["", " a.jpg", "../a.jpg", "a/../../b.jpg", "/etc/passwd", "C:/a.jpg", "a\\b.jpg", "a\0.jpg", "a\nb.jpg"]
)
def test_names_that_could_leave_the_folder_are_refused(name: str) -> None:
    assert files.unsafe_name(name) is not None


@pytest.mark.parametrize("name", ["a.jpg", "train2017/000000000001.jpg", "airplanes--agricultural/x y.JPG", "…/ü.png"])
def test_ordinary_names_are_admitted(name: str) -> None:
    assert files.unsafe_name(name) is None


def test_a_link_that_leads_out_is_not_inside(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (root / "own.jpg").write_bytes(b"x")
    (root / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "in.jpg").symlink_to(root / "own.jpg")
    assert files.inside(root, "own.jpg") == root / "own.jpg"
    assert files.inside(root, "in.jpg") == root / "in.jpg"
    assert files.inside(root, "out.jpg") is None
    assert files.inside(root, "none.jpg") is None


NAMES = st.lists(st.sampled_from(["a", "b", "c d"]), min_size=1, max_size=3).map("/".join)


@given(st.sets(st.tuples(NAMES, st.sampled_from([".jpg", ".JPEG", ".png"])).map("".join)))
def test_image_ids_are_unique_and_as_short_as_can_be(names: set[str]) -> None:
    ids = files.image_ids("src", names)
    assert set(ids) == names
    assert len(set(ids.values())) == len(names)
    assert all(own.startswith("src/") for own in ids.values())
    for name, own in ids.items():
        stem = Path(name).stem
        if sum(Path(other).stem == stem for other in names) == 1:
            assert own == f"src/{stem}"


@given(st.sets(st.lists(st.sampled_from(["a", "b", ".jpg", ".png", "/b"]), min_size=2, max_size=6).map("".join)))
def test_image_ids_are_unique_where_extensions_are_within_names_too(names: set[str]) -> None:
    ids = files.image_ids("src", names)
    assert len(set(ids.values())) == len(names)


def test_an_id_that_is_the_whole_name_of_another_file_is_left_to_that() -> None:
    assert files.image_ids("s", ["b.jpg", "b.png", "b.jpg.jpg", "b.jpg.jpg.jpg", "c.jpg"]) == {
        "b.jpg": "s/b.jpg",
        "b.png": "s/b.png",
        "b.jpg.jpg": "s/b.jpg.jpg",
        "b.jpg.jpg.jpg": "s/b.jpg.jpg.jpg",
        "c.jpg": "s/c",
    }


def test_fingerprints_are_of_the_content(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(b"same")
    first, second = files.fingerprints(tmp_path, paths)
    assert (first.path, second.path) == ("a", "b")
    assert first.sha256 == second.sha256
    assert first.bytes == 4
    with pytest.raises(SourceError, match="can't be read"):
        files.fingerprints(tmp_path, [tmp_path / "none"])


def test_digests_tell_apart_what_joining_would_not() -> None:
    assert files.digest("ab", "c") != files.digest("a", "bc")
    assert files.digest("1") != files.digest(1)
    assert files.digest("a", 1) == files.digest("a", 1)


def test_a_name_that_is_too_long_to_be_a_file_is_not_inside(tmp_path: Path) -> None:
    assert files.inside(tmp_path, "x" * 300 + ".jpg") is None
    assert files.inside(tmp_path, "x/" * 5000 + ".jpg") is None
