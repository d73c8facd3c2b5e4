"""Moves what was unpacked into the dataset's folder, by renaming: a folder that is new there appears whole."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from partonomy_data.fetch import space
from partonomy_data.fetch.space import FetchError


def place(unpacked: Path, home: Path, into: str, ours: Collection[str]) -> list[tuple[str, int]]:
    """Moves all that is in `unpacked` to `home/into`; returns path (relative to `home`) and size of each file, sorted.

    A file that lies there already is replaced if it has the same size (an earlier run was stopped) or is one of `ours`
    (paths relative to `home`, as an earlier run put them). Raises FetchError for any other, before anything is moved.
    """
    target = home / into
    members = sorted(_files(unpacked, target.relative_to(home).as_posix()))
    try:
        moves = list(_moves(unpacked, target, home, ours))
        target.mkdir(parents=True, exist_ok=True)
        for source, wanted in moves:
            os.replace(source, wanted)
    except OSError as error:
        raise space.failed(error, target, "The download is kept.") from error
    return members


def _files(folder: Path, prefix: str) -> Iterator[tuple[str, int]]:
    lead = "" if prefix == "." else f"{prefix}/"
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(folder / entry.name, f"{lead}{entry.name}")
            else:
                yield f"{lead}{entry.name}", entry.stat(follow_symlinks=False).st_size


def _moves(source: Path, target: Path, home: Path, ours: Collection[str]) -> Iterator[tuple[Path, Path]]:
    with os.scandir(source) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        here, there = source / name, target / name
        if not os.path.lexists(there):
            yield here, there
        elif here.is_dir() and there.is_dir():
            yield from _moves(here, there, home, ours)
        elif here.is_file() and there.is_file() and _may_replace(here, there, home, ours):
            yield here, there
        else:
            raise FetchError(
                f"{there}: something else lies there already. Move it away, or name another folder with --to."
            )


def _may_replace(here: Path, there: Path, home: Path, ours: Collection[str]) -> bool:
    return here.stat().st_size == there.stat().st_size or there.relative_to(home).as_posix() in ours
