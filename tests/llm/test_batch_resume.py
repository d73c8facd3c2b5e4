"""A run that ends while a batch is made, waited for or handed on leaves the next one to take it up: nothing is paid twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from partonomy_data.errors import UsageError
from partonomy_data.llm import batch_log
from partonomy_data.llm.batch import Pauses
from partonomy_data.llm.batch_log import BatchLog
from partonomy_data.llm.brief import Answered
from partonomy_data.llm.cache import AnswerStore
from partonomy_data.llm.protocol import Dialect
from partonomy_data.llm.request import Failure, Reply, Request
from tests.llm import batch_server as faulty
from tests.llm.asking_batch import DEAF, ask, batch, everything, judged, outcomes, settings_for, small
from tests.llm.asking_live import AT_ONCE, echo, request
from tests.llm.batch_server import BatchServer, at
from tests.llm.model_server import Exchange, Fault, body, reset, status
from tests.llm.test_batch import LESSONS, in_place, lacking, only, said

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partonomy_data.llm.batch_api._FIRST_WAIT_S", 0.001)


def start(server: BatchServer, folder: Path, *options: str) -> subprocess.Popen[str]:
    """A run in a process of its own."""
    command = [sys.executable, "-m", "tests.llm.asking_batch", "--endpoint", server.endpoint, "--folder", str(folder)]
    return subprocess.Popen([*command, *options], cwd=PROJECT, stdout=subprocess.PIPE, text=True)


def run(server: BatchServer, folder: Path) -> dict[str, str]:
    """A run to its end, in this process: the verdict on each item."""
    with closing(small(server.endpoint, folder)) as transport:
        found, _ = ask(folder, transport, settings_for(server.endpoint))
    return {name: one.value.verdict for name, one in found.items() if isinstance(one, Answered)}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], list[int], Counter[str]]:
    """What a run comes to that nobody ends: verdicts, sizes of its batches, calls of the server."""
    with BatchServer(judged) as server:
        verdicts = run(server, tmp_path_factory.mktemp("unbroken"))
    assert len(verdicts) == 24
    assert [len(one.keys) for one in server.batches] == [5, 5, 2, 3]
    return verdicts, [len(one.keys) for one in server.batches], server.calls


def check_all_is_paid_once(
    server: BatchServer, folder: Path, unbroken: tuple[dict[str, str], list[int], Counter[str]]
) -> None:
    verdicts, sizes, _ = unbroken
    assert run(server, folder) == verdicts
    assert [len(one.keys) for one in server.batches] == sizes
    assert set(server.sent.values()) == {1}
    calls = server.calls.copy()
    assert run(server, folder) == verdicts
    assert server.calls == calls, "all is known"
    with AnswerStore(folder) as store:
        booked = store._db.execute("SELECT request_key FROM calls WHERE reply IS NOT NULL").fetchall()
    assert sorted(key for (key,) in booked) == sorted(server.sent), "each reply is booked once"


@pytest.mark.parametrize(
    ("name", "number", "done"),
    [
        ("upload", 1, False),
        ("create", 0, True),
        ("create", 3, False),
        ("state", 7, True),
        ("content", 1, False),
        pytest.param("upload", 1, True, marks=pytest.mark.soak),
        pytest.param("create", 0, False, marks=pytest.mark.soak),
        pytest.param("create", 3, True, marks=pytest.mark.soak),
        pytest.param("state", 7, False, marks=pytest.mark.soak),
        pytest.param("content", 1, True, marks=pytest.mark.soak),
    ],
)
def test_a_run_killed_in_a_call_is_taken_up(
    name: str,
    number: int,
    done: bool,
    tmp_path: Path,
    unbroken: tuple[dict[str, str], list[int], Counter[str]],
) -> None:
    """Before the server has done anything, and after it has done all but answer."""
    assert unbroken[2][name] > number

    def killed(_exchange: Exchange) -> None:
        process.kill()
        process.wait()

    with BatchServer(judged, **in_place(done, at(name, number, killed))) as server:
        with start(server, tmp_path) as process:
            assert process.wait() == -signal.SIGKILL
        check_all_is_paid_once(server, tmp_path, unbroken)


@pytest.mark.parametrize("booking", [4, *(pytest.param(n, marks=pytest.mark.soak) for n in (0, 13))])
def test_a_run_killed_while_it_books_is_taken_up(
    booking: int, tmp_path: Path, unbroken: tuple[dict[str, str], list[int], Counter[str]]
) -> None:
    with BatchServer(judged) as server:
        with start(server, tmp_path, "--die-at-booking", str(booking)) as process:
            assert process.wait() == -signal.SIGKILL
        check_all_is_paid_once(server, tmp_path, unbroken)


def test_a_run_killed_again_and_again_is_taken_up(
    tmp_path: Path, unbroken: tuple[dict[str, str], list[int], Counter[str]]
) -> None:
    def killed(_exchange: Exchange) -> None:
        process.kill()
        process.wait()

    def late(name: str, before: int) -> Fault | None:
        return killed if name == "create" and before < 3 else None

    with BatchServer(judged, late=late) as server:
        for _ in range(3):
            with start(server, tmp_path) as process:
                assert process.wait() == -signal.SIGKILL
        check_all_is_paid_once(server, tmp_path, unbroken)


def test_ctrl_c_while_waiting_leaves_the_batch_to_the_next_run(
    tmp_path: Path, unbroken: tuple[dict[str, str], list[int], Counter[str]]
) -> None:
    def pressed(exchange: Exchange) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        status(500)(exchange)

    with BatchServer(judged, api=at("state", 4, pressed)) as server:
        with pytest.raises(KeyboardInterrupt):
            run(server, tmp_path)
        check_all_is_paid_once(server, tmp_path, unbroken)


def test_what_isn_t_asked_any_more_is_left_and_what_is_new_is_sent(tmp_path: Path) -> None:
    with BatchServer(echo) as server:
        with closing(batch(server, tmp_path)) as one:
            next(one.send(map(request, range(6))))
        with closing(batch(server, tmp_path)) as one:
            found = dict(one.send(request(n) for n in (9, 2, 4)))
        assert one.ignored == {"not asked for": 4}
    assert said(found) == {0: 9, 1: 2, 2: 4}
    assert [len(made.keys) for made in server.batches] == [6, 1]


def book(store: AnswerStore, asked: Request, outcome: Any) -> None:
    now = datetime.now(UTC)
    store.book(asked, outcome, purpose="judge", items=["i"], cost_usd=None, created_at=now)


def test_a_request_whose_reply_was_booked_and_refused_is_asked_anew(tmp_path: Path) -> None:
    """So are those that failed; those whose reply wasn't booked aren't."""
    with BatchServer(echo, items=only({2: faulty.refused(400)})) as server:
        found = outcomes(server, tmp_path, map(request, range(4)))
        with AnswerStore(tmp_path) as store:
            book(store, request(0), found[0])
            book(store, request(2), found[2])
        assert said(outcomes(server, tmp_path, map(request, range(4)))) == said(found)
    assert server.sent == {request(n).key: 1 + (n in (0, 2)) for n in range(4)}


def test_a_failure_that_was_booked_doesn_t_make_a_batch_that_still_runs_forgotten(tmp_path: Path) -> None:
    gone = [status(500, headers=AT_ONCE)] * 3
    with BatchServer(echo, api=at("state", 1, *gone)) as server:
        found, raised = everything(server, tmp_path, [request()], pauses=DEAF)
        assert raised is not None
        assert "no answer yet: the server answered 500" in str(said(found)[0])
        assert "are kept, and waited for then" in str(raised)
        with AnswerStore(tmp_path) as store:
            book(store, request(), found[0])
        assert said(outcomes(server, tmp_path, [request()])) == {0: 0}
    assert len(server.batches) == 1


def test_an_outage_is_sat_out(tmp_path: Path) -> None:
    with BatchServer(echo, api=at("state", 1, *[reset, status(503), body(200, "<html>")] * 7)) as server:
        assert said(outcomes(server, tmp_path, [request()], tries=1)) == {0: 0}
    assert server.calls["state"] > 20


def test_a_batch_that_never_ends_is_left_to_a_later_run(tmp_path: Path) -> None:
    with BatchServer(echo) as server:
        found, raised = everything(server, tmp_path, [request()], pauses=Pauses(0.0, 0.0, most=0.0))
        assert isinstance(found[0], Failure)
        assert raised is not None
        assert "no answer after 0 hours" in str(raised)
        assert said(outcomes(server, tmp_path, [request()])) == {0: 0}
    assert len(server.batches) == 1


@pytest.mark.parametrize("named", [True, False])
def test_a_batch_that_the_server_has_forgotten_is_made_anew(named: bool, tmp_path: Path) -> None:
    with BatchServer(echo, late=lambda name, n: None if named or name != "create" or n else reset) as server:
        with closing(batch(server, tmp_path, tries=1)) as one:
            sending = one.send([request(), request(1)])
            if named:
                next(sending)
            else:
                with pytest.raises(UsageError, match="connection broke"):
                    list(sending)
        server.batches.clear()
        assert said(outcomes(server, tmp_path, [request(), request(1)])) == {0: 0, 1: 1}
    assert [len(made.keys) for made in server.batches] == [2]


LOST = "the server doesn't know the batch any more"


def test_a_batch_that_vanishes_while_it_is_waited_for_fails_its_requests_alone(tmp_path: Path) -> None:
    def forget(_exchange: Exchange) -> None:
        server.batches[0].id = "gone"
        status(404)(_exchange)

    with BatchServer(echo, api=at("state", 2, forget)) as server:
        found = outcomes(server, tmp_path, map(request, range(4)), most_requests=2)
        assert said(found) == {0: LOST, 1: LOST, 2: 2, 3: 3}
        assert said(outcomes(server, tmp_path, map(request, range(4)))) == {n: n for n in range(4)}
    assert server.sent == {request(n).key: 1 + (n < 2) for n in range(4)}


def test_a_batch_that_isn_t_known_everywhere_yet_is_waited_for(tmp_path: Path) -> None:
    with BatchServer(echo, api=at("state", 0, status(404), status(404))) as server:
        assert said(outcomes(server, tmp_path, [request()])) == {0: 0}


def test_results_that_the_server_keeps_no_longer_are_none(tmp_path: Path) -> None:
    api: Callable[[str, int], Fault | None] = lambda name, _n: status(404) if name == "content" else None  # noqa: E731
    with BatchServer(echo, api=api) as server:
        found = outcomes(server, tmp_path, [request()], tries=1)
    assert said(found) == {0: "the batch has no result for it"}


@pytest.mark.parametrize("made", [False, True])
def test_without_a_list_a_batch_that_may_have_been_made_is_made(made: bool, tmp_path: Path) -> None:
    """There is no other way on, on a server that can't say."""
    with BatchServer(echo, lists=False, **in_place(made, at("create", 0, reset))) as server:
        assert everything(server, tmp_path, [request()], tries=1)[1] is not None
        assert said(outcomes(server, tmp_path, [request()])) == {0: 0}
    assert len(server.batches) == 1 + made


def test_what_was_learned_is_taken_up_with_the_batch(tmp_path: Path) -> None:
    """The form that a batch was sent in is what its errors are about, and the form of what is sent beside it."""
    with BatchServer(echo, items=lacking("max_tokens")) as server:
        with closing(batch(server, tmp_path)) as one:
            next(one.send([request(0), request(1)]))
        assert len(server.batches) == 2
        assert said(outcomes(server, tmp_path, map(request, range(4)))) == {n: n for n in range(4)}
    assert len(server.batches) == 3
    assert all("max_completion_tokens" in line["body"] for line in server.batches[2].lines)
    items = lambda body, before: None if before else LESSONS["max_tokens"]  # noqa: E731
    with BatchServer(echo, items=items, api=at("state", 1, status(500))) as server:
        assert everything(server, tmp_path / "b", [request(7)], tries=1, pauses=DEAF)[1]
        assert said(outcomes(server, tmp_path / "b", [request(7)], tries=1)) == {0: 7}
    assert ["max_tokens" in body for body in server.sent_bodies] == [True, False]


def test_one_process_sends_batches_from_a_store_at_a_time(tmp_path: Path) -> None:
    with BatchServer(echo) as server, closing(batch(server, tmp_path)) as one:
        next(one.send([request(), request(1)]))
        with closing(batch(server, tmp_path)) as other:
            assert list(other.send([])) == []
            with pytest.raises(UsageError, match="another run sends batches") as raised:
                next(other.send([request(2)]))
        assert "\n" not in str(raised.value)
        one.close()
        assert said(outcomes(server, tmp_path, [request(2)])) == {0: 2}


def test_the_log_holds_a_request_until_its_reply_is_booked(tmp_path: Path) -> None:
    keys = [request(n).key for n in range(6)]
    with BatchLog(tmp_path) as log:
        assert isinstance(log, BatchLog)
        book(log, request(0), Reply(text="before", finish="stop"))
        first = log.add("http://e/v1", "file-1", "0" * 64, Dialect(), keys[:4])
        second = log.add("http://e/v1", "file-2", "0" * 64, Dialect(seed=False), keys[3:5])
        log.name(second, "batch-2")
        log.settle()
        held = log.holding(keys[::-1])
        assert [(one.number, one.keys) for one in held] == [
            (first, (keys[2], keys[1], keys[0])),
            (second, (keys[4], keys[3])),
        ]
        assert [one.batch_id for one in held] == [None, "batch-2"]
        assert [one.dialect.seed for one in held] == [True, False]
        book(log, request(0), Reply(text="after", finish="stop"))
        book(log, request(1), Failure("no"))
        log.settle()
        log.release(second, [keys[4], keys[0]])
        assert [one.keys for one in log.holding(keys)] == [(keys[1], keys[2]), (keys[3],)]
    with BatchLog(tmp_path) as log:
        assert isinstance(log, BatchLog)
        log.drop(first)
        assert [one.keys for one in log.holding(keys)] == [(keys[3],)]
        book(log, request(3), Reply(text=None, finish=None))
        log.settle()
        assert log.holding(keys) == []
        assert log._db.execute("SELECT * FROM batches").fetchall() == []


def test_a_batch_is_on_disk_before_it_is_made(tmp_path: Path) -> None:
    def looked(exchange: Exchange) -> None:
        with AnswerStore(tmp_path) as store:
            noted.extend(store._db.execute("SELECT file_id, batch_id FROM batches").fetchall())
        status(500, headers=AT_ONCE)(exchange)

    noted: list[Any] = []
    with BatchServer(echo, api=at("create", 0, looked)) as server:
        outcomes(server, tmp_path, [request()])
    assert noted == [("file-0", None)]
    with BatchLog(tmp_path) as log:
        assert log._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert (tmp_path / batch_log.LOCK).stat().st_size == 0
