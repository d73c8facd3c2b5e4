"""Asking a server by the live transport: what the tests of it share."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import closing
from typing import Any, TypeVar

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.llm.live import Flight, Live
from partonomy_data.llm.request import Message, Request
from partonomy_data.llm.transport import Outcome, Transport
from tests.llm.model_server import ModelServer

T = TypeVar("T")

KEY = "sk-proj-canary0123456789abcdefghijkl"
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{},"required":[],"additionalProperties":false}')
#: Tries again at once, so that a test doesn't wait for the usual backoff.
AT_ONCE = {"retry-after-ms": "1"}


def request(n: int = 0, **more: Any) -> Request:
    settings: dict[str, Any] = {
        "endpoint": "http://127.0.0.1/v1",
        "model": "small",
        "messages": (Message("system", "Judge."), Message("user", json.dumps({"n": n}))),
        "schema": SCHEMA,
        "form": "auto",
        "max_tokens": 70,
        "temperature": 0.0,
    }
    return Request(**{**settings, **more})


def asked(body: dict[str, Any]) -> int:
    number: int = json.loads(body["messages"][1]["content"])["n"]
    return number


def echo(body: dict[str, Any]) -> dict[str, Any]:
    return {"n": asked(body)}


class Here:
    """The live transport in this process, its event loop in a thread: what it does can be looked at."""

    def __init__(self, **settings: Any) -> None:
        self.live = Live(**settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open = False

    def send(self, requests: Iterable[Request]) -> Iterator[tuple[int, Outcome]]:
        """As `transport.Transport` says."""
        if not self._open:
            self._open = True
            self._thread.start()
            self._do(self.live.__aenter__())
        told: queue.SimpleQueue[int | tuple[int, Outcome] | None] = queue.SimpleQueue()

        async def begun() -> Flight:
            flight = Flight(self.live, told.put, lambda number, outcome: told.put((number, outcome)))
            flight._over.add_done_callback(lambda _: told.put(None))
            return flight

        flight, waiting = self._do(begun()), iter(requests)
        while (one := told.get()) is not None:
            if isinstance(one, tuple):
                yield one
                self._loop.call_soon_threadsafe(flight.kept, 1)
                continue
            for _ in range(one):
                request = next(waiting, None)
                self._loop.call_soon_threadsafe(flight.give, request)
                if request is None:
                    break
        self._do(flight.ended())

    def close(self) -> None:
        """Closes the connections and ends the thread."""
        if self._open:
            self._open = False
            self._do(self.live.__aexit__(None, None, None))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def _do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()


def live(server: ModelServer | str, **more: Any) -> Here:
    endpoint = server if isinstance(server, str) else server.endpoint
    settings: dict[str, Any] = {"key": KEY, "concurrency": 4, "timeout_s": 20.0, "tries": 3}
    return Here(endpoint=endpoint, **{**settings, **more})


def outcomes(one: Transport, requests: Iterable[Request]) -> dict[int, Outcome]:
    found, error = everything(one, requests)
    assert error is None
    return found


def everything(one: Transport, requests: Iterable[Request]) -> tuple[dict[int, Outcome], UsageError | None]:
    """All that is yielded, and what is raised after it, if anything is."""
    found: dict[int, Outcome] = {}
    try:
        for number, outcome in one.send(requests):
            assert number not in found, "an outcome twice"
            found[number] = outcome
    except UsageError as error:
        return found, error
    return found, None


def only(server: ModelServer, wanted: Request | None = None, **more: Any) -> Outcome:
    """What comes of a single request."""
    with closing(live(server, **more)) as one:
        found = outcomes(one, [wanted or request()])
    assert list(found) == [0]
    return found[0]


def failed(server: ModelServer, wanted: Request | None = None, **more: Any) -> tuple[list[Outcome], str]:
    """What was yielded before it was raised that nothing can be asked, and the line that says so."""
    with closing(live(server, **more)) as one:
        found, error = everything(one, [wanted or request()])
    assert error is not None
    assert "\n" not in str(error)
    return list(found.values()), str(error)
