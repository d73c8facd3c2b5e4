"""The live transport in a process of its own: the same outcomes, the same refusals, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from partonomy_data.errors import UsageError
from partonomy_data.llm.apart import Apart
from partonomy_data.llm.request import Failure, Reply, Request
from tests.llm.asking_live import KEY, echo, everything, live, request
from tests.llm.model_server import Fault, ModelServer, held, script, status

PROJECT = Path(__file__).resolve().parents[2]


def apart(server: ModelServer | str, **more: Any) -> Apart:
    endpoint = server if isinstance(server, str) else server.endpoint
    settings: dict[str, Any] = {"key": KEY, "concurrency": 4, "timeout_s": 20.0, "tries": 1}
    return Apart(endpoint=endpoint, **{**settings, **more})


def alive(pid: int) -> bool:
    """Whether a process that isn't our child still runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_yields_what_the_transport_in_this_process_does() -> None:
    requests = [request(n) for n in range(20)]
    faults: list[Fault | None] = [None, status(400), None]
    found = []
    for make in (apart, live):
        with ModelServer(echo, faults=script(faults)) as server, closing(make(server, concurrency=1, tries=1)) as one:
            came, error = everything(one, requests)
        assert error is None
        assert [seen.headers["authorization"] for seen in server.seen] == [f"Bearer {KEY}"] * len(server.seen)
        told = {n: (each.text if isinstance(each, Reply) else each.reason) for n, each in came.items()}
        found.append((told, server.bodies))
    assert found[0] == found[1]
    assert sum("400" in (said or "") for said in found[0][0].values()) == 1


def test_it_can_be_asked_again_and_then_is_the_same_process() -> None:
    with ModelServer(echo) as server, closing(apart(server)) as one:
        for count in (3, 0, 5):
            came, error = everything(one, [request(n) for n in range(count)])
            assert error is None
            assert sorted(came) == list(range(count))
        process = one._process
        assert process is not None
    assert process.returncode == 0


def test_a_request_is_taken_only_when_it_can_be_sent() -> None:
    """Those that are on the way, and none ahead of them."""
    taken: list[int] = []
    gate = threading.Event()

    def requests() -> Iterator[Request]:
        for n in range(8):
            taken.append(n)
            yield request(n)

    def look() -> list[int]:
        server.wait_for(lambda it: it.at_once == 3)
        found = list(taken)
        gate.set()
        return found

    with (
        ModelServer(echo, faults=lambda number, _: held(gate) if number < 3 else None) as server,
        closing(apart(server, concurrency=3)) as one,
        ThreadPoolExecutor(1) as pool,
    ):
        before = pool.submit(look)
        came, error = everything(one, requests())
    assert error is None
    assert sorted(came) == list(range(8))
    assert before.result() == [0, 1, 2]


def test_what_came_and_was_not_taken_over_takes_up_a_place() -> None:
    """So that a crash loses no more than may be on the way at once, however fast the server answers."""
    with ModelServer(echo) as server, closing(apart(server, concurrency=4)) as one:
        came = one.send(request(n) for n in range(40))
        found = [next(came)]
        server.wait_for(lambda it: len(it.seen) == 4 and it.at_once == 0)
        assert len(server.seen) == 4
        found += came
    assert sorted(number for number, _ in found) == list(range(40))
    assert server.most_at_once <= 4


@pytest.mark.parametrize(
    ("endpoint", "key", "what"),
    [("not an address", None, "this is no address of a server"), ("http://127.0.0.1:1/v1", "two\nlines", "the key")],
)
def test_what_cannot_be_is_refused_before_any_process_is_started(endpoint: str, key: str | None, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        apart(endpoint, key=key)


def test_what_makes_every_request_fail_is_raised_as_it_was_there() -> None:
    errors = []
    for make in (apart, live):
        with ModelServer(echo, faults=lambda *_: status(401)) as server, closing(make(server, tries=1)) as one:
            came, error = everything(one, [request(n) for n in range(9)])
        assert error is not None
        assert all(isinstance(each, Failure) for each in came.values())
        errors.append((error.what, error.mend))
    assert errors[0] == errors[1]
    assert KEY not in str(errors)


def test_an_abandoned_iterator_ends_what_is_under_way_and_the_next_send_begins_anew() -> None:
    with ModelServer(echo) as server, closing(apart(server)) as one:
        came = one.send(request(n) for n in range(100))
        next(came)
        process = one._process
        assert process is not None
        came.close()  # type: ignore[attr-defined]
        assert process.returncode == -signal.SIGKILL
        found, error = everything(one, [request(7)])
        assert error is None
        assert isinstance(found[0], Reply)


def test_an_error_of_the_one_who_asks_ends_it_too() -> None:
    def requests() -> Iterator[Request]:
        yield request(0)
        raise ValueError("the cap can't be read")

    with ModelServer(echo) as server, closing(apart(server)) as one:
        with pytest.raises(ValueError, match="the cap"):
            everything(one, requests())
        assert one._process is None


def test_a_process_that_dies_is_told_in_a_line() -> None:
    with ModelServer(echo) as server, closing(apart(server)) as one:
        came = one.send(request(n) for n in range(100))
        next(came)
        assert one._process is not None
        one._process.kill()
        with pytest.raises(
            UsageError, match=r"ended by itself \(exit code -9\). Run it again: what was answered is kept"
        ):
            for _ in came:
                pass


def test_it_ends_with_the_one_who_asked_however_that_ended(tmp_path: Path) -> None:
    """Killed while its requests are held back: the other process sends nothing more, and is gone."""
    code = (
        "import sys\n"
        "from tests.llm.test_apart import apart, request\n"
        "one = apart(sys.argv[1])\n"
        "for number, _ in one.send(request(n) for n in range(100)):\n"
        "    print(one._process.pid, flush=True)\n"
    )
    gate = threading.Event()
    with ModelServer(echo, faults=lambda number, _: held(gate) if number else None) as server:
        with subprocess.Popen(
            [sys.executable, "-c", code, server.endpoint], stdout=subprocess.PIPE, text=True, cwd=PROJECT
        ) as asking:
            assert asking.stdout is not None
            pid = int(asking.stdout.readline())
            server.wait_for(lambda it: it.at_once == 4)
            asking.kill()
            # The pipe from it ends when the last process that holds it does.
        while alive(pid):
            os.sched_yield()
        assert len(server.seen) == 5
        gate.set()


def test_the_key_is_in_no_list_of_processes_and_no_environment() -> None:
    with ModelServer(echo) as server, closing(apart(server)) as one:
        came = one.send(request(n) for n in range(20))
        next(came)
        assert one._process is not None
        folder = Path("/proc") / str(one._process.pid)
        if not folder.is_dir():
            pytest.skip("this system doesn't show processes as files")
        assert KEY.encode() not in (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        came.close()  # type: ignore[attr-defined]
