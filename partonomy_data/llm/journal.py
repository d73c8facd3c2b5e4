"""What came in is in a file before anything else is done with it, and so outlives a killed process.

A line is added with one `write` (some hundredths of a millisecond), and not forced to disk: the operating system has it,
whatever becomes of the process. The answer store's booking, which does outlive a power failure, takes a hundred times as long
and so comes after it, while the next request is on its way already.

Each process that asks has a file of its own in the answer store's folder, locked for as long as it lives. Whoever opens the
store later takes over what the dead have left.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final
from uuid import uuid4

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.llm.request import Failure, Reply, Request
from partonomy_data.llm.transport import Outcome
from partonomy_data.store.lock import Lock

#: Bytes after which a journal should begin anew.
FULL: Final = 16 << 20
_NAME: Final = "arrived-{}.jsonl"


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a request, with all that its booking says."""

    purpose: str
    request: Request
    items: tuple[str, ...]
    """Keys of its items, in the order of their numbers; empty where a number was not asked again."""
    reply: Reply | None
    failure: Failure | None
    """Why there is no reply."""
    cost_usd: float | None
    created_at: datetime

    @property
    def outcome(self) -> Outcome:
        """The reply or the failure."""
        found = self.reply if self.reply is not None else self.failure
        assert found is not None
        return found


class Journal:
    """The file of this process, made by the first line; gone at the end of the block, unless that raises."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: Lock | None = None
        self._file = -1
        self._size = 0

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is None:
            return
        if error is None:
            self._lock.path.unlink(missing_ok=True)
        os.close(self._file)
        self._lock.release()
        self._lock = None

    def write(self, arrival: Arrival) -> None:
        """Adds a line. Raises UsageError where it can't be written."""
        line = msgspec.json.encode(arrival) + b"\n"
        try:
            if self._lock is None:
                self._lock = self._open()
            written = os.write(self._file, line)
            if written < len(line):
                raise OSError("the disk is full")
        except OSError as error:
            where = str(self._lock.path if self._lock is not None else self._folder)
            raise UsageError(f"what came in can't be written down ({error})", where=where) from error
        self._size += written

    @property
    def full(self) -> bool:
        """Whether it is time to book all that it holds, and to `clear` it."""
        return self._size >= FULL

    def clear(self) -> None:
        """Empties it: all that it holds has been booked."""
        if self._lock is not None:
            os.ftruncate(self._file, 0)
            self._size = 0

    def _open(self) -> Lock:
        while not (lock := Lock(self._folder / _NAME.format(uuid4().hex))).acquire():
            pass  # somebody looked for what the dead have left, just then
        self._file = os.open(lock.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        return lock


def left_behind(folder: Path) -> Iterator[list[Arrival]]:
    """What processes that have died left, one after the other; each file goes when the next is asked for."""
    for path in sorted(folder.glob(_NAME.format("*"))):
        lock = Lock(path)
        if not lock.acquire():
            continue  # its process lives
        try:
            yield list(_read(path.read_bytes()))
            path.unlink()
        finally:
            lock.release()


def _read(content: bytes) -> Iterator[Arrival]:
    # What has no end, or is no line at all after a power failure, never came in: it is asked for again.
    for line in content.split(b"\n")[:-1]:
        try:
            yield msgspec.json.decode(line, type=Arrival)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
