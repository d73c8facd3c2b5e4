"""Writing: the same seeds give the same bytes, in one process or two; and a folder is not written twice, nor overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from partonomy_data import demo
from partonomy_data.demo import build
from partonomy_data.errors import UsageError
from tests.demo.conftest import Small


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> int:
    """Adds a size of a few photographs."""
    count = 18
    monkeypatch.setitem(demo.SIZES, "tiny", count)
    return count


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_processes_write_the_same_bytes_as_one(tiny: int, tmp_path: Path) -> None:
    demo.write(tmp_path / "one", size="tiny", processes=1)
    demo.write(tmp_path / "two", size="tiny", processes=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_photographs_of_a_smaller_size_are_those_of_a_larger_one(tiny: int, small: Small, tmp_path: Path) -> None:
    made = demo.write(tmp_path / "tiny", size="tiny")
    pictures = {
        name: content for name, content in contents(tmp_path / "tiny").items() if "ages/" in name or "2017/" in name
    }
    assert len(pictures) >= 12
    whole = small.made.truth.parent
    assert all((whole / name).read_bytes() == content for name, content in pictures.items())
    assert sum(count["images"] for count in made.counts.values()) == tiny


def test_another_photo_seed_gives_other_photographs_of_the_same_world(tiny: int, tmp_path: Path) -> None:
    one = demo.write(tmp_path / "one", size="tiny")
    other = demo.write(tmp_path / "other", size="tiny", photo_seed=1)
    assert (one.truth / "world.json").read_bytes() == (other.truth / "world.json").read_bytes()
    before, after = contents(one.sources["pascal_part"]), contents(other.sources["pascal_part"])
    assert before.keys() != after.keys() or not any(
        before[name] == after[name] for name in before if name.endswith(".jpg")
    )


def test_a_world_that_is_there_is_not_drawn_again(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "draw", None)
    assert demo.write(small.made.truth.parent, size="small") == small.made


def test_an_unfinished_or_other_world_is_drawn_anew(tiny: int, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo.write(folder, size="tiny", photo_seed=1)
    (folder / "paco" / "train2017" / "left over.jpg").write_bytes(b"")
    (folder / "demo.json").write_bytes(b'{"size":')
    demo.write(folder, size="tiny")
    assert not (folder / "paco" / "train2017" / "left over.jpg").exists()
    demo.write(tmp_path / "fresh", size="tiny")
    assert contents(folder) == contents(tmp_path / "fresh")


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        demo.write(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_an_unknown_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="huge"):
        demo.write(tmp_path / "demo", size="huge")
    assert not (tmp_path / "demo").exists()
