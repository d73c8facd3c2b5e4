"""Files that survive a crash: written aside, forced to disk, then renamed; and the digests of many files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

#: Hashing lets go of the interpreter lock, so a few threads hash and read at once.
HASH_THREADS = 4


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; on leaving it becomes `path`, whole and on disk.

    Parent folders are made. A block that raises leaves `path` as it was, and nothing beside it. What a killed
    process leaves beside it is recognized by `is_leftover`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield aside
        fsync_file(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    fsync_folder(path.parent)


@contextmanager
def folder_aside(target: Path, sign: str) -> Iterator[Path]:
    """A new folder beside `target` to fill; on leaving it becomes `target`, whole and on disk, unless that is finished then.

    `sign` is the file that finished folders hold. Nobody else has the new folder's name, on no other machine either: where
    two make the same, as one who was taken for dead may, the first to finish wins, and nobody sees half of it.
    """
    aside = target.with_name(f"{target.name}.{uuid4().hex}.tmp")
    aside.mkdir(parents=True)
    try:
        yield aside
        fsync_tree(aside)
        try:
            aside.rename(target)
        except OSError:
            if not (target / sign).is_file():
                shutil.rmtree(target, ignore_errors=True)
                aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def is_leftover(path: Path) -> bool:
    """Whether `path` is what an interrupted `written_aside` left behind."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8 with the line ends as they are; a reader sees the old file or the new one."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content`; a reader sees the old file or the new one."""
    with written_aside(path) as aside:
        aside.write_bytes(content)


def json_text(value: Any) -> str:
    """JSON with sorted keys, two blanks of indent and a final line end: equal values are equal bytes."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Writes `json_text(value)`; a reader sees the old file or the new one."""
    write_text(path, json_text(value))


def fsync_file(path: Path) -> None:
    """Forces a file's content to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_folder(path: Path) -> None:
    """Forces a folder's entries (its names, not their content) to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_tree(folder: Path) -> None:
    """Forces all files and folders under `folder`, and `folder` itself, to disk, contents before names."""
    for path, _, names in os.walk(folder, topdown=False):
        for name in sorted(names):
            fsync_file(Path(path, name))
        fsync_folder(Path(path))


def link_or_copy(source: Path, target: Path) -> None:
    """Makes `target` the same file as `source` by a hard link, or a copy where the file system has no links.

    Parent folders are made. Raises FileExistsError if `target` exists. Files of a store are never changed in place,
    so that sharing one is safe.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        with written_aside(target) as aside:
            shutil.copyfile(source, aside)


def link_tree(source: Path, target: Path) -> None:
    """`link_or_copy` of every file under `source`, to the same relative path under `target`."""
    for path in files_under(source):
        link_or_copy(path, target / path.relative_to(source))


def files_under(folder: Path) -> list[Path]:
    """All files under `folder`, links included but not followed into folders, sorted by path."""
    return sorted(Path(path, name) for path, _, names in os.walk(folder) for name in names)


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_all(paths: Sequence[Path]) -> list[str]:
    """Hex SHA-256 of each file, in the order given. Raises OSError for a file that can't be read."""
    with ThreadPoolExecutor(max_workers=HASH_THREADS) as pool:
        return list(pool.map(sha256, paths))


def remove_tree(folder: Path, *, aside: Path) -> None:
    """Removes `folder` after renaming it to `aside`, on the same file system, so that nobody sees it half removed."""
    aside.parent.mkdir(parents=True, exist_ok=True)
    os.rename(folder, aside)
    fsync_folder(folder.parent)
    shutil.rmtree(aside)


def make_read_only(paths: Iterable[Path]) -> None:
    """Takes the right to write from files that must not change any more."""
    for path in paths:
        os.chmod(path, path.stat().st_mode & ~0o222)
