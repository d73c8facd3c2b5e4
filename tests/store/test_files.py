"""Files that are written aside and renamed, links, and digests."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from partonomy_data.store import files


def test_a_reader_sees_the_old_text_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "text"
    files.write_text(path, "old\n")
    with files.written_aside(path) as aside:
        aside.write_text("half")
        assert path.read_text() == "old\n"
        assert files.is_leftover(aside)
        assert not files.is_leftover(path)
    assert path.read_text() == "half"
    assert list(path.parent.iterdir()) == [path]


def test_an_exception_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "text"
    files.write_text(path, "old")

    def fail() -> None:
        with files.written_aside(path) as aside:
            aside.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_content_reaches_the_disk_before_the_name_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(files, "fsync_file", lambda path: calls.append("content"))
    monkeypatch.setattr(files, "fsync_folder", lambda path: calls.append("folder"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("rename"), replace(a, b)))
    files.write_text(tmp_path / "x", "text")
    assert calls == ["content", "rename", "folder"]


def test_json_is_the_same_bytes_for_equal_values(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a", {"b": [1, 2.5], "a": "é"})
    files.write_json(tmp_path / "b", {"a": "é", "b": [1, 2.5]})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_text(encoding="utf-8").startswith('{\n  "a": "é"')
    with pytest.raises(ValueError):
        files.json_text({"nan": float("nan")})


def test_link_tree_shares_files_and_copies_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x").write_bytes(b"content")
    files.link_tree(tmp_path / "a", tmp_path / "linked")
    assert (tmp_path / "linked/b/x").samefile(tmp_path / "a/b/x")
    with pytest.raises(FileExistsError):
        files.link_or_copy(tmp_path / "a/b/x", tmp_path / "linked/b/x")

    def no_links(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    files.link_tree(tmp_path / "a", tmp_path / "copied")
    assert not (tmp_path / "copied/b/x").samefile(tmp_path / "a/b/x")
    assert (tmp_path / "copied/b/x").read_bytes() == b"content"


def test_digests_come_in_the_order_of_the_files(tmp_path: Path) -> None:
    paths = [tmp_path / str(i) for i in range(9)]
    for i, path in enumerate(paths):
        path.write_bytes(bytes([i]) * 1000 * (9 - i))
    expected = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    assert files.sha256_of_all(paths) == expected
    assert files.files_under(tmp_path) == paths


def test_a_tree_is_gone_under_its_name_before_its_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "x").touch()
    seen = []
    monkeypatch.setattr(files.shutil, "rmtree", lambda path: seen.append((path, (tmp_path / "tree").exists())))
    files.remove_tree(tmp_path / "tree", aside=tmp_path / "work" / "aside")
    assert seen == [(tmp_path / "work" / "aside", False)]


def test_read_only_files_keep_their_other_rights(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch(0o664)
    files.make_read_only([path])
    assert path.stat().st_mode & 0o777 & 0o222 == 0
    assert path.stat().st_mode & 0o400
