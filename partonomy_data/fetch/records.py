"""What lies beside a fetched dataset, in its folder `.fetch/`: unfinished files, and records of finished ones.

    lock                who fetches
    licences.json       what was accepted, and when
    NAME.part           a file that isn't whole yet, and NAME.part.json: what it is a part of
    NAME.unpacking/     an archive that is being unpacked
    NAME.bad            a file that isn't what it should be
    NAME.json           a finished file: its SHA-256, and where it came from
    NAME.files          what was unpacked from it: size and path, a line each

A record is written last, so that what has one is in its place and whole. Nothing is written where there is nothing to
do: a refresh of a store would take the folder for changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from partonomy_data.errors import UsageError

_Kind = TypeVar("_Kind", bound=msgspec.Struct)


class PartState(msgspec.Struct, frozen=True):
    """What a `.part` is a part of."""

    url: str
    validator: str | None
    """For `If-Range`; None if the server gave none."""
    total: int | None
    """Bytes of the whole; None if the server didn't say."""


class Record(msgspec.Struct, frozen=True):
    """A file that was fetched, checked, unpacked, and put in its place."""

    url: str
    size: int
    sha256: str
    """Of what was downloaded."""
    vouched_by: str
    """Who stated that checksum; `first download` where nobody did."""
    fetched_at: str
    """UTC, ISO 8601."""
    validator: str | None
    n_files: int
    n_bytes: int


class Beside:
    """The folder `.fetch/` of a dataset's folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / ".fetch"

    def path(self, name: str) -> Path:
        """A file or folder in it."""
        return self.folder / name

    def part(self, name: str) -> Path:
        """The unfinished download."""
        return self.folder / f"{name}.part"

    def part_state(self, name: str) -> PartState | None:
        """What the unfinished download is a part of; None if that isn't known."""
        return _read(self.folder / f"{name}.part.json", PartState)

    def note_part(self, name: str, state: PartState) -> None:
        """Notes what the download that begins is a part of."""
        write(self.folder / f"{name}.part.json", msgspec.json.encode(state))

    def forget_part(self, name: str) -> None:
        """Removes an unfinished download, and what is known of it."""
        self.part(name).unlink(missing_ok=True)
        (self.folder / f"{name}.part.json").unlink(missing_ok=True)

    def set_aside(self, name: str) -> Path:
        """Renames a download that isn't what it should be, so that it is neither used nor resumed; returns where it is."""
        bad = self.folder / f"{name}.bad"
        os.replace(self.part(name), bad)
        self.forget_part(name)
        return bad

    def record(self, name: str) -> Record | None:
        """The record of a finished file; None if it isn't finished."""
        return _read(self.folder / f"{name}.json", Record)

    def note(self, name: str, record: Record, members: Iterable[tuple[str, int]]) -> None:
        """Writes the record of a file, after the list of what it became."""
        lines = "".join(f"{size}\t{path}\n" for path, size in members)
        write(self.folder / f"{name}.files", lines.encode())
        write(self.folder / f"{name}.json", msgspec.json.format(msgspec.json.encode(record), indent=2))

    def members(self, name: str) -> Iterator[tuple[str, int]]:
        """Path (relative to the dataset's folder) and size of each file that a finished one became."""
        try:
            with (self.folder / f"{name}.files").open(encoding="utf-8") as lines:
                for line in lines:
                    size, _, path = line.rstrip("\n").partition("\t")
                    yield path, int(size)
        except (FileNotFoundError, ValueError):
            return

    def missing(self, name: str, record: Record) -> int:
        """How many of the files that it became are gone or of another size."""
        whole = 0
        for path, size in self.members(name):
            try:
                whole += os.stat(self.home / path).st_size == size
            except OSError:
                continue
        return record.n_files - whole

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One fetch for each folder at a time. Raises UsageError if another process is at it, or it can't be written."""
        from partonomy_data.store.lock import Lock

        lock = Lock(self.folder / "lock")
        try:
            had = lock.acquire()
        except OSError as error:
            raise UsageError(
                f"can't be written ({error.strerror})", where=str(self.home), mend="Name another folder with --to"
            ) from error
        if not had:
            raise UsageError("another fetch is at work in this folder", where=str(self.home), mend="Wait until it ends")
        try:
            yield
        finally:
            lock.release()


def write(path: Path, content: bytes) -> None:
    """Writes a small file so that it appears whole. Raises OSError."""
    aside = path.with_name(f"{path.name}.new")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def _read(path: Path, kind: type[_Kind]) -> _Kind | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None
