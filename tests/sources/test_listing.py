"""The files under a folder, whatever their names are and wherever its links lead."""

from __future__ import annotations

import os
from pathlib import Path

from partonomy_data.sources import files, listing


def not_utf8(folder: Path, name: bytes = b"caf\xe9.txt") -> None:
    """Writes a file whose name isn't UTF-8."""
    with open(os.path.join(os.fsencode(folder), name), "wb") as file:
        file.write(b"x")


def test_names_that_are_not_utf8_are_listed_escaped_and_told_apart(tmp_path: Path) -> None:
    (tmp_path / "ü.txt").write_bytes(b"x")
    not_utf8(tmp_path)
    before, digest = listing.listing(tmp_path), listing.names_digest(tmp_path)
    assert before["path"].to_pylist() == ["caf\\xe9.txt", "ü.txt"]
    not_utf8(tmp_path, b"caf\xea.txt")
    change = listing.compare(tmp_path, before, verify=True)
    assert (change.added, change.removed, change.changed) == (("caf\\xea.txt",), (), ())
    assert listing.names_digest(tmp_path) != digest


def test_links_are_followed_within_the_folder_alone(tmp_path: Path) -> None:
    real, outside = tmp_path / "real", tmp_path / "outside"
    for folder in (real / "a", outside):
        folder.mkdir(parents=True)
        (folder / "own.txt").write_bytes(b"x")
    (tmp_path / "root").symlink_to(real)
    (real / "file.txt").symlink_to(real / "a" / "own.txt")
    (real / "b").symlink_to(real / "a")
    (real / "circle").symlink_to(real)
    (real / "self").symlink_to("self")
    (real / "nothing").symlink_to("nowhere")
    (real / "out").symlink_to(outside)
    (real / "out.txt").symlink_to(outside / "own.txt")
    for root in (real, tmp_path / "root"):
        paths = listing.listing(root)["path"].to_pylist()
        assert len(paths) == 2
        assert "file.txt" in paths
        assert set(paths) <= {"file.txt", "a/own.txt", "b/own.txt"}


def test_a_file_that_only_a_link_out_leads_to_is_compared_if_it_was_listed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root, outside):
        folder.mkdir()
    (outside / "a.json").write_bytes(b"x")
    (root / "out").symlink_to(outside)
    known = {"out/a.json": files.sha256(outside / "a.json"), "out/none.json": "0"}
    before = listing.joined(listing.listing(root), root, known)
    assert before["path"].to_pylist() == ["out/a.json"]
    assert not listing.compare(root, before)
    (outside / "a.json").write_bytes(b"y")
    assert listing.compare(root, before).changed == ("out/a.json",)
    (outside / "a.json").unlink()
    assert listing.compare(root, before).removed == ("out/a.json",)
