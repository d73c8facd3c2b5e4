"""The files under a folder, whatever their names are and wherever its links lead."""

from __future__ import annotations

import os
from pathlib import Path

from partonomy_data.sources import listing


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
