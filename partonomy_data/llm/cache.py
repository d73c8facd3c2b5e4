"""The answer store: every reply that was paid for, booked before it is looked at, and what came of each item.

A SQLite file in WAL mode. A booking is on disk before it returns (`synchronous=FULL`), so a reply outlives any crash after
it. What a reply was worth follows with the next booking: where power fails before that, it is judged once more, from the
reply. What a killed process had not booked yet is in its journal, and is booked when the store is opened next. Several
processes may use one store at once; within a process, one thread at a time.

    calls     a request as sent and what came back, whatever it was worth            the log
    items     of each item: an answer that passed all checks, or why there is none   what is served
    places    which items were in which call
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

import msgspec
import pyarrow as pa

from partonomy_data.errors import UsageError
from partonomy_data.llm.journal import Arrival, Journal, left_behind
from partonomy_data.llm.request import Failure, Reply, Request
from partonomy_data.llm.transport import Outcome
from partonomy_data.store.files import fsync_folder
from schemas.tables import schema

#: Version of the file's layout.
LAYOUT: Final = 1
FILE: Final = "answers.sqlite"
#: Names in one query; SQLite admits a few more.
_CHUNK: Final = 500
_SECONDS_TO_WAIT: Final = 60.0
#: Pages of 4 KiB in the log after which it is worked into the file: rarely, as all bookings wait for it meanwhile.
_CHECKPOINT: Final = 8_000
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS calls (
    call_id TEXT PRIMARY KEY, request_key TEXT NOT NULL, purpose TEXT NOT NULL, request BLOB NOT NULL, reply BLOB,
    failure BLOB, cost_usd REAL, created_at TEXT NOT NULL, status TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_by_request ON calls (request_key);
CREATE INDEX IF NOT EXISTS calls_waiting ON calls (call_id) WHERE status = 'received';
CREATE TABLE IF NOT EXISTS places (
    call_id TEXT NOT NULL, place INTEGER NOT NULL, item TEXT NOT NULL, PRIMARY KEY (call_id, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
    item TEXT PRIMARY KEY, state TEXT NOT NULL, value BLOB, reason TEXT, call_id TEXT NOT NULL) WITHOUT ROWID;
"""
#: The calls that hold any of the items in the table `wanted`.
_HOLDING: Final = "SELECT DISTINCT call_id FROM places WHERE item IN wanted"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What is known of an item."""

    state: Literal["answered", "tried", "refused"]
    """`tried`: answered once, and not well; the second try is still to come."""
    value: bytes | None
    """The answer as JSON, if it is answered."""
    reason: str | None
    """What was wrong with the answer, if it isn't."""
    call_id: str


class Booked(msgspec.Struct, frozen=True):
    """A call."""

    call_id: str
    purpose: str
    request: Request
    outcome: Outcome
    items: tuple[str, ...]
    """Keys of its items, in the order of their numbers; empty where a number was not asked again."""
    cost_usd: float | None
    created_at: datetime
    status: str
    """`received` until it is judged; then `admitted`, `partly admitted` or `refused`. `failed` if no answer came."""


class Account(msgspec.Struct, frozen=True):
    """What came of some items, and of all calls that hold any of them."""

    answered: int
    refused: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


class AnswerStore:
    """Opens, and makes if need be, the store in a folder."""

    def __init__(self, folder: Path) -> None:
        """Raises UsageError if the file is something else, or was made by a newer tool."""
        self.path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                self.path, timeout=_SECONDS_TO_WAIT, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise UsageError(
                f"it can't be opened ({error})", where=str(self.path), mend="Name another folder"
            ) from error
        try:
            with _alone(folder):
                self._prepare()
                for arrivals in left_behind(folder):
                    self._take_over(arrivals)
        except sqlite3.DatabaseError as error:
            self.close()
            raise UsageError(
                f"this is not an answer store ({error})", where=str(self.path), mend="Name another folder"
            ) from error
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        """Makes the tables of a new file; looks at one that is there before anything is written to it."""
        (layout,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (ours,) = self._db.execute(
            "SELECT count(*) FROM sqlite_master WHERE name IN ('calls', 'places', 'items')"
        ).fetchone()
        if tables and (layout == 0 or ours == 0):
            raise UsageError("this is not an answer store", where=str(self.path), mend="Name another folder")
        if layout > LAYOUT:
            raise UsageError(
                f"this answer store has layout {layout}; this tool knows up to {LAYOUT}",
                where=str(self.path),
                mend="Install a newer partonomy-data",
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
        if not tables:
            self._db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {LAYOUT}; COMMIT;")
            # Only the names: to open and close the file itself here would drop the locks that SQLite has on it.
            fsync_folder(self.path.parent)
            fsync_folder(self.path.parent.parent)

    def _take_over(self, arrivals: Sequence[Arrival]) -> None:
        """Books what a process wrote down that died; it may have booked some of it."""
        with self._transaction():
            for one in arrivals:
                booked = self._db.execute(
                    "SELECT 1 FROM calls WHERE request_key = ? AND created_at = ?",
                    (one.request.key, one.created_at.isoformat()),
                ).fetchone()
                if booked is None:
                    self.book(
                        one.request,
                        one.outcome,
                        purpose=one.purpose,
                        items=one.items,
                        cost_usd=one.cost_usd,
                        created_at=one.created_at,
                    )

    def journal(self) -> Journal:
        """Where what comes in is written down until it is booked."""
        return Journal(self.path.parent)

    def __enter__(self) -> AnswerStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def lookup(self, keys: Sequence[str]) -> dict[str, Entry]:
        """What is known of items; in the order of the keys; those that nothing is known of are left out."""
        found = self._in(keys, "SELECT item, state, value, reason, call_id FROM items WHERE item IN ({})")
        known = {item: Entry(*rest) for item, *rest in found}
        return {key: known[key] for key in dict.fromkeys(keys) if key in known}

    def unjudged(self, keys: Sequence[str]) -> list[Booked]:
        """Calls with a reply that was never judged and that hold any of the items, oldest first."""
        # As they were booked: clocks may agree, or go back.
        query = "SELECT call_id FROM calls WHERE status = 'received' ORDER BY rowid"
        with self._reading():
            ids = [call_id for (call_id,) in self._db.execute(query).fetchall()]
        wanted = set(keys)
        return [call for call in map(self.call, ids) if not wanted.isdisjoint(call.items)]

    def call(self, call_id: str) -> Booked:
        """A call. Raises KeyError if there is none of this id."""
        with self._reading():
            row = self._db.execute(
                "SELECT purpose, request, reply, failure, cost_usd, created_at, status FROM calls WHERE call_id = ?",
                (call_id,),
            ).fetchone()
            places = self._db.execute("SELECT item FROM places WHERE call_id = ? ORDER BY place", (call_id,)).fetchall()
        if row is None:
            raise KeyError(call_id)
        purpose, request, reply, failure, cost, created, status = row
        outcome: Outcome = (
            msgspec.json.decode(reply, type=Reply) if reply is not None else msgspec.json.decode(failure, type=Failure)
        )
        return Booked(
            call_id,
            purpose,
            msgspec.json.decode(request, type=Request),
            outcome,
            tuple(item for (item,) in places),
            cost,
            datetime.fromisoformat(created),
            status,
        )

    def book(
        self,
        request: Request,
        outcome: Outcome,
        *,
        purpose: str,
        items: Sequence[str],
        cost_usd: float | None,
        created_at: datetime,
    ) -> str:
        """Writes down a request and what came back, and returns the call's id. It is on disk then.

        Raises ValueError for a time without a zone.
        """
        if created_at.tzinfo is None:
            raise ValueError("created_at needs a time zone")
        reply = isinstance(outcome, Reply)
        body = msgspec.json.encode(outcome)
        key = request.key
        with self._transaction():
            (n,) = self._db.execute("SELECT count(*) FROM calls WHERE request_key = ?", (key,)).fetchone()
            call_id = f"call_{hashlib.sha256(f'{key}:{n}'.encode()).hexdigest()[:16]}"
            self._db.execute(
                "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    call_id,
                    key,
                    purpose,
                    msgspec.json.encode(request),
                    body if reply else None,
                    None if reply else body,
                    cost_usd,
                    created_at.isoformat(),
                    "received" if reply else "failed",
                ),
            )
            self._db.executemany(
                "INSERT INTO places VALUES (?, ?, ?)", [(call_id, place, item) for place, item in enumerate(items, 1)]
            )
        return call_id

    def judge(self, call_id: str, status: str, entries: Mapping[str, Entry]) -> bool:
        """Writes down what a call's reply was worth, whole or not at all. An answer that is there already stays.

        Returns whether there was none: whether `lookup` would find these entries.

        Raises KeyError for an unknown call, ValueError for an entry that has a value and isn't answered, or the reverse.
        """
        for item, one in entries.items():
            if (one.state == "answered") != (one.value is not None):
                raise ValueError(f"{item}: an entry has a value if, and only if, it is answered")
        rows = [(item, one.state, one.value, one.reason, one.call_id) for item, one in entries.items()]
        with self._transaction(at_once=False):
            if not self._db.execute("UPDATE calls SET status = ? WHERE call_id = ?", (status, call_id)).rowcount:
                raise KeyError(call_id)
            written = self._db.executemany(
                "INSERT INTO items VALUES (?, ?, ?, ?, ?) ON CONFLICT (item) DO UPDATE SET state = excluded.state,"
                " value = excluded.value, reason = excluded.reason, call_id = excluded.call_id"
                " WHERE state != 'answered' AND NOT (state = 'refused' AND excluded.state = 'tried')",
                rows,
            )
            return written.rowcount == len(rows)

    def forget_refused(self, purposes: Collection[str]) -> int:
        """Has the refused items of some purposes asked about again; how many there are."""
        names = sorted(purposes)
        marks = ", ".join("?" * len(names))
        with self._transaction():
            gone = self._db.execute(
                "DELETE FROM items WHERE state = 'refused'"
                f" AND call_id IN (SELECT call_id FROM calls WHERE purpose IN ({marks}))",
                names,
            )
            return gone.rowcount

    def calls_of(self, keys: Iterable[str]) -> list[str]:
        """The ids of all calls that hold any of the items, failed ones included, sorted."""
        with self._wanting(keys):
            return [call_id for (call_id,) in self._db.execute(f"{_HOLDING} ORDER BY call_id").fetchall()]

    def account(self, keys: Iterable[str]) -> Account:
        """What came of the items, and what all calls that hold any of them came to."""
        with self._wanting(keys):
            states = dict(
                self._db.execute("SELECT state, count(*) FROM items WHERE item IN wanted GROUP BY state").fetchall()
            )
            n, sent, got = self._db.execute(
                "SELECT count(*), sum(json_extract(CAST(reply AS TEXT), '$.prompt_tokens')),"
                f" sum(json_extract(CAST(reply AS TEXT), '$.completion_tokens')) FROM calls WHERE call_id IN ({_HOLDING})"
            ).fetchone()
            costs = self._db.execute(f"SELECT cost_usd FROM calls WHERE cost_usd NOTNULL AND call_id IN ({_HOLDING})")
            # Exact: the same in whatever order the calls are gone through.
            cost = math.fsum(one for (one,) in costs)
        return Account(states.get("answered", 0), states.get("refused", 0), n, sent or 0, got or 0, cost)

    @contextmanager
    def _wanting(self, keys: Iterable[str]) -> Iterator[None]:
        """Within the block, the items are in the table `wanted`."""
        # An index of the places would be written to at random, page by page, with each booking; this is asked once a build.
        with self._reading():
            self._db.execute("CREATE TEMP TABLE wanted (item TEXT PRIMARY KEY) WITHOUT ROWID")
            try:
                self._db.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", ((key,) for key in keys))
                yield
            finally:
                self._db.execute("DROP TABLE wanted")

    def batches(self, call_ids: Collection[str]) -> Iterator[pa.RecordBatch]:
        """Some calls as rows of the table `llm_calls`, by their ids, few at a time. Raises KeyError for an unknown one.

        The requests hold no key: none is ever in them.
        """
        ids, into = sorted(set(call_ids)), schema("llm_calls")
        for start in range(0, len(ids), _CHUNK):
            rows = [_row(self.call(call_id)) for call_id in ids[start : start + _CHUNK]]
            yield pa.RecordBatch.from_pylist(rows, schema=into)

    def table(self, call_ids: Collection[str]) -> pa.Table:
        """The same, all in one table."""
        return pa.Table.from_batches(self.batches(call_ids), schema("llm_calls"))

    def _in(self, keys: Sequence[str], query: str) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(keys), _CHUNK):
            some = keys[start : start + _CHUNK]
            with self._reading():
                rows = self._db.execute(query.format(", ".join("?" * len(some))), some).fetchall()
            yield from rows

    @contextmanager
    def together(self, *, at_once: bool = True) -> Iterator[None]:
        """What the block writes, it writes as one: all of it or, where it raises, nothing.

        It is on disk when the block ends if `at_once`, else with the next writing that is. Raises UsageError if the
        file can't be written.
        """
        with self._transaction(at_once=at_once):
            yield

    @contextmanager
    def _transaction(self, *, at_once: bool = True) -> Iterator[None]:
        """A transaction that waits for its turn at its start, so that it can't fail in its midst for another's sake.

        It is on disk when it ends if `at_once`, else with the next that is. Within another it is part of that.
        """
        nested = self._db.in_transaction
        if nested:
            yield
            return
        try:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if at_once else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            raise UsageError(f"the answer store can't be written ({error})", where=str(self.path)) from error

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise UsageError(f"the answer store can't be read ({error})", where=str(self.path)) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time: SQLite doesn't wait its turn where two make a file at once."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _row(call: Booked) -> dict[str, Any]:
    reply = call.outcome if isinstance(call.outcome, Reply) else None
    said = (reply.text or reply.refusal) if reply else None
    return {
        "call_id": call.call_id,
        "purpose": call.purpose,
        "model": call.request.model,
        "prompt_sha256": call.request.key,
        "request": msgspec.json.encode(call.request).decode(),
        "response": said,
        "prompt_tokens": reply and reply.prompt_tokens,
        "completion_tokens": reply and reply.completion_tokens,
        "cost_usd": call.cost_usd,
        "latency_s": reply and reply.latency_s,
        "status": call.status,
        "created_at": call.created_at,
    }
