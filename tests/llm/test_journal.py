"""The journal: what came in outlives a killed process, is booked by the next one, and by nobody twice."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import UsageError
from partonomy_data.llm import journal
from partonomy_data.llm.cache import AnswerStore
from partonomy_data.llm.journal import Arrival, Journal, left_behind
from partonomy_data.llm.request import Failure, Reply
from tests.llm.test_cache import request

PROJECT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def arrival(n: int = 0, outcome: Reply | Failure | None = None) -> Arrival:
    outcome = outcome or Reply(text=f'{{"n": {n}}}', finish="stop", prompt_tokens=n, completion_tokens=1)
    reply, failure = (outcome, None) if isinstance(outcome, Reply) else (None, outcome)
    return Arrival(
        purpose="relations",
        request=request(n),
        items=(f"{n:064x}", ""),
        reply=reply,
        failure=failure,
        cost_usd=0.5,
        created_at=NOW + timedelta(microseconds=n),
    )


class Died(Exception):
    pass


def die_after(folder: Path, arrivals: list[Arrival], tail: bytes = b"") -> None:
    """Leaves what a process leaves that writes these, and perhaps a piece of one more, and is killed."""
    with suppress(Died), Journal(folder) as written:
        for one in arrivals:
            written.write(one)
        for path in folder.glob("arrived-*"):
            path.write_bytes(path.read_bytes() + tail)
        raise Died


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "answers"
    AnswerStore(folder).close()
    yield folder
    assert not list(folder.glob("arrived-*")), "what was taken over is gone"


outcomes = st.one_of(
    st.builds(
        Reply,
        text=st.none() | st.text(),
        finish=st.none() | st.text(),
        refusal=st.none() | st.text(),
        prompt_tokens=st.none() | st.integers(0, 2**31),
        latency_s=st.none() | st.floats(0, 1e6),
    ),
    st.builds(Failure, st.text()),
)


@given(st.lists(outcomes, min_size=1, max_size=5))
def test_what_a_process_wrote_is_read_as_it_was(come: list[Reply | Failure]) -> None:
    written = [arrival(n, outcome) for n, outcome in enumerate(come)]
    with TemporaryDirectory() as folder:
        die_after(Path(folder), written)
        assert list(left_behind(Path(folder))) == [written]
        assert list(left_behind(Path(folder))) == []


def test_a_block_that_ends_well_leaves_nothing(left: Path) -> None:
    with Journal(left) as written:
        written.write(arrival())
        assert len(list(left.glob("arrived-*"))) == 1
    with Journal(left):
        assert not list(left.glob("arrived-*")), "without a line there is no file"


def test_what_a_killed_process_had_not_booked_is_booked_when_the_store_is_opened_next(left: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from partonomy_data.llm.cache import AnswerStore\n"
        "from tests.llm.test_journal import arrival\n"
        "store = AnswerStore(Path(sys.argv[1]))\n"
        "with store.journal() as written:\n"
        "    for n in range(3):\n"
        "        written.write(arrival(n))\n"
        "    one = arrival(1)\n"
        "    store.book(one.request, one.outcome, purpose=one.purpose, items=one.items, cost_usd=one.cost_usd,\n"
        "               created_at=one.created_at)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(left)], cwd=PROJECT, check=False)
    assert done.returncode == -signal.SIGKILL
    for _ in range(2):  # the second time there is nothing more to take over
        with AnswerStore(left) as store:
            waiting = store.unjudged([f"{n:064x}" for n in range(3)])
            assert sorted(call.outcome.prompt_tokens or 0 for call in waiting if isinstance(call.outcome, Reply)) == [
                0,
                1,
                2,
            ]
            assert {(call.cost_usd, call.items[1:], call.status) for call in waiting} == {(0.5, ("",), "received")}


def test_what_a_living_process_has_come_in_is_its_own(left: Path) -> None:
    with Journal(left) as written, closing(AnswerStore(left)) as store:
        written.write(arrival())
        with AnswerStore(left) as other:
            assert other.unjudged([f"{0:064x}"]) == []
        assert store.unjudged([f"{0:064x}"]) == []
        assert len(list(left.glob("arrived-*"))) == 1


@pytest.mark.parametrize("tail", [b'{"purpose": "rel', b"\x00" * 4096 + b"\n", b"\xff\xfe\n{}\n[1]\n"])
def test_what_is_in_pieces_never_came_in(left: Path, tail: bytes) -> None:
    die_after(left, [arrival(0), arrival(1)], tail)
    with AnswerStore(left) as store:
        assert len(store.unjudged([f"{n:064x}" for n in range(3)])) == 2


def test_a_journal_that_is_full_begins_anew(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FULL", 2_000)
    with Journal(left) as written:
        fill(written)
        was_full = written.full
        (path,) = left.glob("arrived-*")
        assert path.stat().st_size >= 2_000
        written.clear()
        assert (was_full, written.full) == (True, False)
        assert path.stat().st_size == 0
        written.write(arrival(8))
        assert b"\x00" not in path.read_bytes(), "it goes on at the beginning"


def fill(written: Journal) -> None:
    for n in range(1, 9):
        written.write(arrival(n))


def test_a_full_disk_is_said_in_a_line(left: Path) -> None:
    """The system's limit on a file's size stands for the disk's: the write is cut in the same way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGXFSZ, signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
        stack.callback(resource.setrlimit, resource.RLIMIT_FSIZE, before)
        with Journal(left) as written:
            written.write(arrival(0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (700, before[1]))
            with pytest.raises(UsageError, match=r"arrived-.*: what came in can't be written down \("):
                fill(written)
