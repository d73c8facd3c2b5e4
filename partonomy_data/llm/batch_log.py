"""What of the batches that were sent is still to be had, in the answer store: so that no run pays for it again.

    batches           a batch, written down before it is made, with the id that the server gave it after that
    batch_requests    which batch a request's answer is to come from

A request is held by its batch until a reply to it is booked, or until it is known that none will come. So whatever a
run that ended had not booked yet, the next one takes from the batch.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.llm.cache import AnswerStore
from partonomy_data.llm.protocol import Dialect

LOCK: Final = "batches.lock"
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS batches (number INTEGER PRIMARY KEY, batch_id TEXT, file_id TEXT NOT NULL,"
    " file_sha256 TEXT NOT NULL, endpoint TEXT NOT NULL, dialect BLOB NOT NULL, calls_before INTEGER NOT NULL,"
    " created_at TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS batch_requests (request_key TEXT PRIMARY KEY, batch INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS batch_requests_by_batch ON batch_requests (batch)",
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A batch that was written down, and what of it is asked for."""

    number: int
    batch_id: str | None
    """None where the run ended before the server had said it: the batch may have been made."""
    file_id: str
    dialect: Dialect
    """What its requests were sent in."""
    created_at: datetime
    keys: tuple[str, ...]
    """Keys of the requests that are asked for now, in the order in which they are."""


class BatchLog(AnswerStore):
    """The answer store of a folder, for the one process that sends batches from it."""

    def __init__(self, folder: Path) -> None:
        """Raises UsageError as `AnswerStore` does, and where another process sends batches from the folder."""
        self._lock: int | None = None
        super().__init__(folder)
        try:
            self._lock = _locked(folder / LOCK)
            with self._transaction():
                for statement in _TABLES:
                    self._db.execute(statement)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes the file, and lets others send."""
        super().close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def add(self, endpoint: str, file_id: str, sha256: str, dialect: Dialect, keys: Sequence[str]) -> int:
        """Writes down a batch that is about to be made from a file, and returns its number. It is on disk then.

        Its requests are to come from it, whichever batch they were in before.
        """
        now = datetime.now(UTC).isoformat()
        with self._transaction():
            (before,) = self._db.execute("SELECT coalesce(max(rowid), 0) FROM calls").fetchone()
            (number,) = self._db.execute(
                "INSERT INTO batches (file_id, file_sha256, endpoint, dialect, calls_before, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?) RETURNING number",
                (file_id, sha256, endpoint, msgspec.json.encode(dialect), before, now),
            ).fetchone()
            self._db.executemany(
                "INSERT INTO batch_requests VALUES (?, ?) ON CONFLICT (request_key) DO UPDATE SET batch = excluded.batch",
                [(key, number) for key in keys],
            )
        return int(number)

    def name(self, number: int, batch_id: str) -> None:
        """Writes down the id of a batch that was made."""
        with self._transaction():
            self._db.execute("UPDATE batches SET batch_id = ? WHERE number = ?", (batch_id, number))

    def settle(self) -> None:
        """Forgets the requests to which a reply was booked since their batch was made, and batches without requests."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM batch_requests WHERE EXISTS (SELECT 1 FROM batches, calls WHERE number = batch"
                " AND calls.request_key = batch_requests.request_key AND calls.rowid > calls_before AND reply IS NOT NULL)"
            )
            self._db.execute("DELETE FROM batches WHERE NOT EXISTS (SELECT 1 FROM batch_requests WHERE batch = number)")

    def holding(self, keys: Sequence[str]) -> list[Stored]:
        """The batches that requests are to come from, in the order in which they were made."""
        found = self._in(keys, "SELECT request_key, batch FROM batch_requests WHERE request_key IN ({})")
        of = dict(found)
        held: dict[int, list[str]] = {}
        for key in keys:
            if key in of:
                held.setdefault(of[key], []).append(key)
        return [self._stored(number, held[number]) for number in sorted(held)]

    def release(self, number: int, keys: Collection[str]) -> None:
        """Has requests asked anew that a batch has no answer to."""
        with self._transaction():
            self._db.executemany(
                "DELETE FROM batch_requests WHERE request_key = ? AND batch = ?", [(key, number) for key in keys]
            )

    def drop(self, number: int) -> None:
        """Forgets a batch that nothing will come of."""
        with self._transaction():
            self._db.execute("DELETE FROM batch_requests WHERE batch = ?", (number,))
            self._db.execute("DELETE FROM batches WHERE number = ?", (number,))

    def _stored(self, number: int, keys: Sequence[str]) -> Stored:
        with self._reading():
            batch_id, file_id, dialect, created = self._db.execute(
                "SELECT batch_id, file_id, dialect, created_at FROM batches WHERE number = ?", (number,)
            ).fetchone()
        known = msgspec.json.decode(dialect, type=Dialect)
        return Stored(number, batch_id, file_id, known, datetime.fromisoformat(created), tuple(keys))


def _locked(path: Path) -> int:
    """Two processes could both miss what the other is about to make, and pay for it twice."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
    else:
        return descriptor
    raise UsageError(
        "another run sends batches from this answer store",
        where=str(path.parent),
        mend="Wait for it, or name another folder with llm.answers",
    )
