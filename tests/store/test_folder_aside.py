"""A folder that appears whole, whoever else makes the same one."""

from __future__ import annotations

from pathlib import Path

import pytest

from partonomy_data.store.files import folder_aside

SIGN = "result.json"


def fill(folder: Path, content: str) -> None:
    (folder / "rows").write_text(content)
    (folder / SIGN).write_text(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_appears_on_leaving_and_not_before(tmp_path: Path) -> None:
    target = tmp_path / "shards" / "key"
    with folder_aside(target, SIGN) as folder:
        fill(folder, "whole")
        assert not target.exists()
        assert folder.parent == target.parent
        assert folder.name.endswith(".tmp")
    assert names(target.parent) == ["key"]
    assert (target / "rows").read_text() == "whole"


def test_of_two_at_once_the_first_wins_and_the_other_disturbs_nothing(tmp_path: Path) -> None:
    target = tmp_path / "key"
    with folder_aside(target, SIGN) as late:
        fill(late, "late")
        with folder_aside(target, SIGN) as early:
            assert early != late
            fill(early, "early")
        with (target / "rows").open() as reading:
            inode = (target / "rows").stat().st_ino
            first = reading.read(2)
    assert first == "ea"
    assert (target / "rows").stat().st_ino == inode
    assert names(tmp_path) == ["key"]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def half_way() -> None:
        with folder_aside(tmp_path / "key", SIGN) as folder:
            (folder / "rows").write_text("half")
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        half_way()
    assert names(tmp_path) == []


def test_a_damaged_one_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "key"
    target.mkdir()
    (target / "rows").write_text("without its sign")
    with folder_aside(target, SIGN) as folder:
        fill(folder, "whole")
    assert (target / "rows").read_text() == "whole"
    assert names(tmp_path) == ["key"]
