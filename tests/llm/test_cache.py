"""The answer store: what was booked is there, whoever dies, and only good answers are served."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import UsageError
from partonomy_data.llm import cache
from partonomy_data.llm.cache import AnswerStore, Booked, Entry
from partonomy_data.llm.request import Failure, Message, Reply, Request
from schemas.tables import schema

NOW = datetime(2026, 3, 1, 12, 30, 15, 250_001, tzinfo=UTC)
REPLY = Reply(text='{"answers": []}', finish="stop", prompt_tokens=30, completion_tokens=7, latency_s=0.25)


def request(n: int = 0, **more: Any) -> Request:
    settings: dict[str, Any] = {
        "endpoint": "http://127.0.0.1/v1",
        "model": "small",
        "messages": (Message("system", "Judge."), Message("user", f"item {n}")),
        "schema": msgspec.Raw(b'{"type":"object"}'),
        "form": "auto",
        "max_tokens": 70,
        "temperature": 0.0,
    }
    return Request(**{**settings, **more})


def key(n: int) -> str:
    return f"{n:064x}"


def book(store: AnswerStore, n: int = 0, items: tuple[str, ...] = (), **more: Any) -> str:
    settings = {"purpose": "relations", "cost_usd": 0.5, "created_at": NOW, "outcome": REPLY}
    return store.book(request(n), **{**settings, **more}, items=items or (key(n),))


def answered(call_id: str, value: bytes = b"1") -> Entry:
    return Entry("answered", value, None, call_id)


def poor(state: Any, call_id: str) -> Entry:
    return Entry(state, None, f"{state}, it is", call_id)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AnswerStore]:
    with AnswerStore(tmp_path / "new" / "answers") as opened:
        yield opened


TEXT = st.text(max_size=30)
REPLIES = st.builds(
    Reply,
    text=st.none() | TEXT,
    finish=st.none() | TEXT,
    refusal=st.none() | TEXT,
    prompt_tokens=st.none() | st.integers(0, 2**53),
    completion_tokens=st.none() | st.integers(0, 2**53),
    latency_s=st.none() | st.floats(0, 1e6),
)
REQUESTS = st.builds(
    Request,
    endpoint=TEXT,
    model=TEXT,
    messages=st.lists(st.builds(Message, role=st.sampled_from(["system", "user", "assistant"]), content=TEXT)).map(
        tuple
    ),
    schema=st.dictionaries(TEXT, TEXT, max_size=3).map(lambda value: msgspec.Raw(msgspec.json.encode(value))),
    form=st.sampled_from(["auto", "json_schema", "json_object", "text"]),
    max_tokens=st.integers(1, 9999),
    temperature=st.floats(0, 2),
    seed=st.none() | st.integers(-(2**31), 2**31),
)
WHEN = st.datetimes(
    datetime(1, 1, 2),
    datetime(9999, 12, 30),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
)


@given(
    asked=REQUESTS,
    outcome=REPLIES | st.builds(Failure, TEXT),
    purpose=TEXT,
    items=st.lists(st.integers(0, 9).map(key) | st.just(""), max_size=6),
    cost=st.none() | st.floats(0, 1e6),
    when=WHEN,
)
def test_what_is_booked_comes_back_as_it_was(
    asked: Request, outcome: Any, purpose: str, items: list[str], cost: float | None, when: datetime
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with AnswerStore(Path(folder)) as store:
            call_id = store.book(asked, outcome, purpose=purpose, items=items, cost_usd=cost, created_at=when)
            status = "received" if isinstance(outcome, Reply) else "failed"
            expected = Booked(call_id, purpose, asked, outcome, tuple(items), cost, when, status)
            assert store.call(call_id) == expected
        with AnswerStore(Path(folder)) as store:
            found = store.call(call_id)
            assert found == expected
            assert found.request.key == asked.key
            assert store.calls_of([item for item in items if item]) == ([call_id] if any(items) else [])
            unjudged = store.unjudged([key(n) for n in range(10)])
            assert unjudged == ([expected] if any(items) and status == "received" else [])


STATES = st.sampled_from(["answered", "tried", "refused"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("book"), st.integers(0, 2), st.sampled_from(["relations", "wording"])),
        st.tuples(st.just("judge"), st.integers(0, 9), st.dictionaries(st.integers(0, 3), STATES, max_size=4)),
        st.tuples(st.just("forget"), st.sets(st.sampled_from(["relations", "wording", "names"]))),
        st.tuples(st.just("reopen")),
    ),
    max_size=25,
)


@given(steps=STEPS)
def test_it_does_what_plain_dictionaries_would(steps: list[Any]) -> None:
    rank = {"tried": 0, "refused": 1, "answered": 2}
    calls: list[str] = []
    purposes: dict[str, str] = {}
    judged: set[str] = set()
    entries: dict[str, Entry] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = AnswerStore(Path(folder))
        for at, step in enumerate(steps):
            if step[0] == "book":
                calls.append(book(store, step[1], tuple(map(key, range(4))), purpose=step[2]))
                purposes[calls[-1]] = step[2]
            elif step[0] == "judge" and calls:
                call_id = calls[step[1] % len(calls)]
                said = {
                    key(n): answered(call_id, b"%d" % at) if state == "answered" else poor(state, call_id)
                    for n, state in step[2].items()
                }
                store.judge(call_id, "admitted", said)
                judged.add(call_id)
                for item, entry in said.items():
                    if item not in entries or rank[entry.state] >= rank[entries[item].state] < 2:
                        entries[item] = entry
            elif step[0] == "forget":
                gone = [k for k, e in entries.items() if e.state == "refused" and purposes[e.call_id] in step[1]]
                assert store.forget_refused(step[1]) == len(gone)
                entries = {item: entry for item, entry in entries.items() if item not in gone}
            elif step[0] == "reopen":
                store.close()
                store = AnswerStore(Path(folder))
        assert store.lookup([key(n) for n in range(9)]) == entries
        assert [one.call_id for one in store.unjudged([key(3)])] == [one for one in calls if one not in judged]
        assert store.calls_of([key(0), key(8)]) == sorted(calls)
        assert len(set(calls)) == len(calls)
        store.close()


def test_an_id_depends_on_the_request_and_on_how_often_it_was_made(tmp_path: Path) -> None:
    ids = []
    for name in ("one", "two"):
        with AnswerStore(tmp_path / name) as store:
            ids.append([book(store, 1), book(store, 2), book(store, 1, outcome=Failure("no")), book(store, 1)])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 4
    assert {len(one) for one in ids[0]} == {len("call_") + 16}


def test_a_refused_answer_is_kept_with_its_cost_and_never_served(store: AnswerStore) -> None:
    call_id = book(store, 0, cost_usd=2.5)
    store.judge(call_id, "refused", {key(0): poor("refused", call_id)})
    assert store.lookup([key(0)])[key(0)].value is None
    assert store.forget_refused(["relations"]) == 1
    assert store.lookup([key(0)]) == {}
    assert store.call(call_id).outcome == REPLY
    assert store.call(call_id).cost_usd == 2.5
    assert store.unjudged([key(0)]) == [], "it was judged, and isn't again"


@pytest.mark.parametrize("entry", [Entry("refused", b"1", "bad", "call_x"), Entry("answered", None, None, "call_x")])
def test_a_value_goes_with_an_answer_and_with_nothing_else(store: AnswerStore, entry: Entry) -> None:
    call_id = book(store)
    with pytest.raises(ValueError, match="only if"):
        store.judge(call_id, "admitted", {key(0): entry})
    assert store.lookup([key(0)]) == {}
    assert store.call(call_id).status == "received"


def test_judging_is_whole_or_not_at_all(store: AnswerStore) -> None:
    call_id = book(store, 0, (key(0), key(1)))
    # The second entry can't be written.
    bad: Any = Entry("answered", b"2", ["no text"], call_id)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="can't be written"):
        store.judge(call_id, "admitted", {key(0): answered(call_id), key(1): bad})
    assert store.lookup([key(0), key(1)]) == {}
    assert store.call(call_id).status == "received"


def test_many_keys_are_looked_up_in_the_order_given(store: AnswerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_CHUNK", 7)
    items = tuple(key(n) for n in range(100))
    call_id = book(store, 0, items)
    store.judge(call_id, "admitted", {item: answered(call_id) for item in items[::2]})
    assert list(store.lookup(items[::-1])) == list(items[::-1][1::2])
    assert store.lookup([]) == {}
    other = book(store, 1, items)
    assert [one.call_id for one in store.unjudged(items)] == [other]
    assert store.calls_of(items) == sorted([call_id, other])


def test_calls_as_a_table(store: AnswerStore) -> None:
    good, bad = book(store, 0), book(store, 1, outcome=Failure("no server"), cost_usd=None)
    refused = book(store, 2, outcome=Reply(text=None, finish="stop", refusal="No."))
    store.judge(good, "admitted", {key(0): answered(good)})
    table = store.table([good, bad, refused, good])
    assert table.schema.equals(schema("llm_calls"), check_metadata=True)
    table.validate(full=True)
    rows = {row["call_id"]: row for row in table.to_pylist()}
    assert list(rows) == sorted([good, bad, refused])
    assert rows[good] == {
        "call_id": good,
        "purpose": "relations",
        "model": "small",
        "prompt_sha256": request(0).key,
        "request": msgspec.json.encode(request(0)).decode(),
        "response": REPLY.text,
        "prompt_tokens": 30,
        "completion_tokens": 7,
        "cost_usd": 0.5,
        "latency_s": 0.25,
        "status": "admitted",
        "created_at": NOW,
    }
    assert json.loads(rows[good]["request"])["messages"][1] == {"role": "user", "content": "item 0"}
    assert [rows[bad][name] for name in ("response", "cost_usd", "status")] == [None, None, "failed"]
    assert [rows[refused][name] for name in ("response", "status")] == ["No.", "received"]
    assert store.table([]).equals(pa.Table.from_pylist([], schema=schema("llm_calls")))
    with pytest.raises(KeyError):
        store.table([good, "call_none"])


def test_what_can_t_be_booked_or_judged_leaves_no_trace(store: AnswerStore) -> None:
    with pytest.raises(ValueError, match="time zone"):
        book(store, created_at=datetime(2026, 1, 1))
    with pytest.raises(KeyError):
        store.judge("call_none", "admitted", {key(0): answered("call_none")})
    assert store.calls_of([key(0)]) == []
    assert store.lookup([key(0)]) == {}
    assert store.unjudged([key(0)]) == []
    book(store)


def test_what_was_booked_is_in_the_files_before_the_store_is_closed(store: AnswerStore, tmp_path: Path) -> None:
    call_id = book(store)
    shutil.copytree(store.path.parent, tmp_path / "copy")
    with AnswerStore(tmp_path / "copy") as copy:
        assert [one.call_id for one in copy.unjudged([key(0)])] == [call_id]


def test_every_booking_is_forced_to_disk(store: AnswerStore) -> None:
    connection = store._db
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    for _ in range(2):
        call_id = book(store)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        store.judge(call_id, "refused", {})
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (60_000,)


def test_a_newer_layout_is_refused_and_left_alone(tmp_path: Path) -> None:
    with AnswerStore(tmp_path) as store:
        book(store)
    path = tmp_path / cache.FILE
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {cache.LAYOUT + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match=rf"layout {cache.LAYOUT + 1}; this tool knows up to {cache.LAYOUT}") as raised:
        AnswerStore(tmp_path)
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == before


def test_another_file_of_that_name_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / cache.FILE
    path.write_text("these are my answers\n" * 200)
    with pytest.raises(UsageError, match="file is not a database") as raised:
        AnswerStore(tmp_path)
    assert str(path) in str(raised.value)
    assert path.read_text() == "these are my answers\n" * 200
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(UsageError, match="not an answer store"):
        AnswerStore(tmp_path)
    with pytest.raises(UsageError, match=r"answers\.sqlite: it can't be opened"):
        AnswerStore(path)


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    with AnswerStore(tmp_path) as store:
        for n in range(40):
            book(store, n)
    path = tmp_path / cache.FILE
    content = bytearray(path.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    path.write_bytes(content)
    with AnswerStore(tmp_path) as store:
        with pytest.raises(UsageError, match=r"can't be read \(.*malformed"):
            store.unjudged([key(n) for n in range(40)])
        with pytest.raises(UsageError, match="can't be written"):
            book(store)


RUN = """
import os, signal, sys
from pathlib import Path
from tests.llm.test_cache import *
folder, name = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
"""


def run(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN + script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_process_killed_between_booking_and_judging_leaves_the_reply(tmp_path: Path) -> None:
    script = """
store = AnswerStore(folder)
print(book(store, 7, (key(7), key(8))), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    process = run(script, str(tmp_path), "")
    said, _ = process.communicate("go\n")
    assert process.returncode == -signal.SIGKILL
    call_id = said.split()[-1]
    with AnswerStore(tmp_path) as store:
        (left,) = store.unjudged([key(8)])
        assert left == Booked(call_id, "relations", request(7), REPLY, (key(7), key(8)), 0.5, NOW, "received")
        store.judge(call_id, "admitted", {key(8): answered(call_id)})
        assert store.unjudged([key(7), key(8)]) == []


def test_a_process_killed_while_it_judges_leaves_all_as_it_was(tmp_path: Path) -> None:
    script = """
store = AnswerStore(folder)
call_id = book(store, 7)
store._db.set_trace_callback(lambda sql: os.kill(os.getpid(), signal.SIGKILL) if sql == "COMMIT" else None)
store.judge(call_id, "admitted", {key(7): answered(call_id)})
"""
    process = run(script, str(tmp_path), "")
    process.communicate("go\n")
    assert process.returncode == -signal.SIGKILL
    with AnswerStore(tmp_path) as store:
        assert store.lookup([key(7)]) == {}
        assert len(store.unjudged([key(7)])) == 1
        book(store, 8)


def test_several_processes_write_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    """They make the store together as well; the same request made by all of them is as many calls."""
    script = """
for _ in range(5):
    with AnswerStore(folder) as store:
        for n in range(8):
            call_id = book(store, n)
            store.judge(call_id, "admitted", {key(n): answered(call_id, name.encode())})
            print(call_id, flush=True)
"""
    processes = [run(script, str(tmp_path / "answers"), name) for name in ("1", "2", "3")]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    ids = [call_id for one in said for call_id in one]
    assert len(ids) == len(set(ids)) == 3 * 5 * 8
    with AnswerStore(tmp_path / "answers") as store:
        assert store.calls_of([key(n) for n in range(8)]) == sorted(ids)
        assert store.unjudged([key(n) for n in range(8)]) == []
        assert {entry.state for entry in store.lookup([key(n) for n in range(8)]).values()} == {"answered"}
        by_request = {n: store.calls_of([key(n)]) for n in range(8)}
    assert all(len(calls) == 15 for calls in by_request.values())


# What all calls came to


def test_what_calls_came_to_is_what_their_rows_add_up_to(store: AnswerStore) -> None:
    first = book(store, 0, (key(0), key(1)), cost_usd=0.1)
    book(store, 1, (key(1), key(2)), cost_usd=0.2)
    book(store, 2, (key(2),), outcome=Failure("no route to host"), cost_usd=None)
    book(store, 3, (key(3),), cost_usd=0.7)
    store.judge(first, "partly admitted", {key(0): answered(first), key(1): poor("refused", first)})
    rows = store.table(store.calls_of([key(0), key(2)])).to_pylist()
    came_to = store.account([key(0), key(1), key(2), key(9)])
    assert (came_to.answered, came_to.refused, came_to.calls) == (1, 1, 3) == (1, 1, len(rows))
    assert came_to.prompt_tokens == sum(row["prompt_tokens"] or 0 for row in rows) == 60
    assert came_to.completion_tokens == sum(row["completion_tokens"] or 0 for row in rows) == 14
    assert came_to.cost_usd == pytest.approx(0.3)
    assert store.account([key(9)]) == cache.Account(0, 0, 0, 0, 0, 0.0)


def test_calls_are_read_few_at_a_time(store: AnswerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_CHUNK", 8)
    long = "a" * 50_000
    with store.together():
        for n in range(200):
            book(store, n, outcome=msgspec.structs.replace(REPLY, text=long))
    keys = [key(n) for n in range(200)]
    tracemalloc.start()
    try:
        n_rows = sum(batch.num_rows for batch in store.batches(store.calls_of(keys)))
        came_to = store.account(keys)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert n_rows == came_to.calls == 200
    assert peak < 20 * len(long)
