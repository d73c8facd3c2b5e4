"""Requests one by one, many at once, over the chat completions of any OpenAI-compatible server.

The `openai` package sends them and tries again; this module says when (`pace`), gives each try one deadline from its first
byte to its last, finds out what form of request the server takes, and sorts what comes back:

    answered, in whatever way    Reply; refusals, cut and empty answers too
    refused as such, or broken   Failure, after all tries
    key, model, address wrong,   Failure for what was taken, then UsageError: every other request would fail as well
    credit used up, no server,
    a longer wait than is waited
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

import httpx2
import openai

from partonomy_data.errors import UsageError
from partonomy_data.llm import keys
from partonomy_data.llm.pace import LONGEST_RETRY_AFTER_S, Pace, PacedClient, retry_after
from partonomy_data.llm.protocol import (
    ABOUT_FORM,
    NO_SUCH_MODEL,
    Dialect,
    address,
    complaint_of,
    is_answer,
    loopback,
    reply_of,
    told,
    without_key,
)
from partonomy_data.llm.request import Failure, Request
from partonomy_data.llm.transport import Outcome

_CONNECT_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a request, and why no other needs to be sent, if that is so."""

    outcome: Outcome
    mend: str | None = None
    """How to mend what makes every request fail; the outcome says what that is."""


@dataclass(slots=True)
class _Flight:
    """The requests of one `send`. Its tasks belong to the loop's thread; what has ended, to the caller's."""

    ended: queue.SimpleQueue[tuple[int, Ended | BaseException]] = field(default_factory=queue.SimpleQueue)
    tasks: set[asyncio.Task[Ended]] = field(default_factory=set)
    over: bool = False
    """Whether nothing more is to be sent."""

    def come(self, timeout: float | None) -> list[tuple[int, Ended | BaseException]]:
        """What has ended since; waits, if nothing has, for as long as it may."""
        found = []
        try:
            found.append(self.ended.get(timeout=timeout))
            while True:
                found.append(self.ended.get_nowait())
        except queue.Empty:
            return found


class Live:
    """A server. Nothing is opened before the first request; `close` lets go of all."""

    def __init__(self, *, endpoint: str, key: str | None, concurrency: int, timeout_s: float, tries: int) -> None:
        """`timeout_s` is for a single try. Raises UsageError for an address or a key that can't be one."""
        self._endpoint = address(endpoint)
        self._key = keys.checked(key, where="the key") if key else None
        self._timeout_s, self._tries = timeout_s, tries
        self._pace = Pace(concurrency)
        self._dialect = Dialect()
        self._answered = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def send(self, requests: Iterable[Request]) -> Iterator[tuple[int, Outcome]]:
        """As `transport.Transport` says. An abandoned iterator cancels what is under way."""
        loop = self._started()
        flight = _Flight()
        numbered = enumerate(requests)
        under_way, more = 0, True
        last: Ended | None = None
        try:
            while True:
                while more and last is None and under_way < self._pace.limit and self._pace.hold() <= 0:
                    number, request = next(numbered, (-1, None))
                    if request is None:
                        more = False
                    else:
                        under_way += 1
                        loop.call_soon_threadsafe(self._launch, flight, number, request)
                if not under_way and (last is not None or not more):
                    break
                room = more and last is None and under_way < self._pace.limit
                # All that has come is handed over before more is taken: who writes it down does so once.
                for number, ended in flight.come(self._pace.hold() if room else None):
                    under_way -= 1
                    if isinstance(ended, BaseException):
                        raise ended
                    if ended.mend is not None and last is None:
                        last = ended
                        loop.call_soon_threadsafe(self._give_up, flight)
                    yield number, ended.outcome
        finally:
            if under_way:
                asyncio.run_coroutine_threadsafe(_cancelled(flight), loop).result()
        if last is not None:
            assert isinstance(last.outcome, Failure)
            raise UsageError(last.outcome.reason, where=self._endpoint, mend=last.mend or "")

    def close(self) -> None:
        """Closes all connections and ends the thread. May be called twice."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._loop = self._thread = None

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            ready: Future[asyncio.AbstractEventLoop] = Future()
            self._thread = threading.Thread(
                target=lambda: asyncio.run(self._serve(ready)), name="language model", daemon=True
            )
            self._thread.start()
            self._loop = ready.result()
        return self._loop

    async def _serve(self, ready: Future[asyncio.AbstractEventLoop]) -> None:
        self._stop = asyncio.Event()
        try:
            # A proxy, if the environment names one, can't reach this machine's own servers.
            self._http = PacedClient(self._pace, self._timeout_s, trust_env=not loopback(self._endpoint))
            self._client = openai.AsyncOpenAI(
                # Without any, the package would send the key for OpenAI to whatever server this is.
                api_key=self._key or "none",
                base_url=self._endpoint,
                max_retries=self._tries - 1,
                timeout=httpx2.Timeout(self._timeout_s, connect=min(_CONNECT_SECONDS, self._timeout_s)),
                http_client=self._http,
            )
        except BaseException as error:  # noqa: BLE001
            ready.set_exception(error)
            return
        with keys.kept_from_logs(self._key):
            async with self._client:
                ready.set_result(asyncio.get_running_loop())
                await self._stop.wait()

    def _launch(self, flight: _Flight, number: int, request: Request) -> None:
        task = asyncio.ensure_future(self._ask(request))
        flight.tasks.add(task)

        def done(task: asyncio.Task[Ended]) -> None:
            flight.tasks.discard(task)
            self._http.last_tries.discard(task)
            if task.cancelled():
                flight.ended.put((number, Ended(Failure("given up, as every request would fail"))))
            else:
                flight.ended.put((number, task.exception() or task.result()))

        task.add_done_callback(done)
        if flight.over:
            task.cancel()

    def _give_up(self, flight: _Flight) -> None:
        """Ends what only waits. What is on the wire may be charged already, so its answer is waited for."""
        flight.over = True
        self._http.last_tries |= flight.tasks
        for task in flight.tasks - self._http.on_wire:
            task.cancel()

    async def _ask(self, request: Request) -> Ended:
        while True:
            dialect, heard = self._dialect, self._http.heard
            try:
                # The body is in its final form: `chat.completions.create` would only go through all of it once more.
                response = await self._client.post(
                    "/chat/completions", cast_to=httpx2.Response, body=dialect.body(request)
                )
            except openai.APIStatusError as error:
                complaint = complaint_of(error.body)
                learned = dialect.after(request, error.status_code, complaint, error.param)
                if learned is None:
                    return self._refused(error, complaint, formed=request.form != "auto")
                if self._dialect is dialect:
                    self._dialect = learned
            except openai.APIConnectionError as error:
                return self._unreached(error, silent=self._http.heard == heard)
            else:
                return self._read(response)

    def _refused(self, error: openai.APIStatusError, complaint: str, *, formed: bool) -> Ended:
        status, headers = error.status_code, error.response.headers
        said = self._told(complaint)
        answer = f"the server answered {status}" + (f" ({said})" if said else "")
        code = error.code or ""
        asked = retry_after(headers)
        mend: str | None = None
        if asked is not None and asked > LONGEST_RETRY_AFTER_S:
            answer += f" and asks to wait {asked:,.0f} s, longer than the {LONGEST_RETRY_AFTER_S:.0f} s that are waited"
            mend = "Run it again then: what was answered is kept"
        elif status == 401 or (status == 403 and not self._answered):
            what = "the key was refused" if self._key else "a key is needed"
            answer, mend = f"{what}: {answer}", "Set the variable that llm.key_env names to a key of this server"
        elif code in NO_SUCH_MODEL or (status == 404 and not self._answered):
            mend = "Check llm.model, and that llm.endpoint is the server's base URL (it mostly ends in /v1)"
        elif code == "insufficient_quota":
            mend = "Add credit to the account, and run it again: what was answered is kept"
        elif 300 <= status < 400:
            answer += f" and sends on to {self._told(headers.get('location', 'nowhere'))}"
            mend = "Name the address itself with llm.endpoint"
        elif formed and status in (400, 422) and not self._answered and ABOUT_FORM.search(complaint.lower()):
            mend = "Let it be found out what the server takes: llm.form: auto"
        else:
            answer += self._after(error.request)
        return Ended(Failure(answer), mend)

    def _unreached(self, error: openai.APIConnectionError, *, silent: bool) -> Ended:
        cause = error.__cause__
        times = self._after(error.request)
        if silent and isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.UnsupportedProtocol):
            said = self._told(str(cause))
            reason = f"no server could be reached{times}" + (f" ({said})" if said else "")
            return Ended(Failure(reason), "Start it, or name another with llm.endpoint")
        if isinstance(error, openai.APITimeoutError):
            return Ended(Failure(f"no answer within {self._timeout_s:g} s{times}"))
        said = self._told(f"{type(cause).__name__} {cause}" if cause else "")
        return Ended(Failure(f"the connection broke{times} ({said})"))

    def _read(self, response: httpx2.Response) -> Ended:
        """The reply, whatever it says, as long as it has the form of one."""
        try:
            body = json.loads(response.content)
        except (ValueError, RecursionError):
            body = None
        if not is_answer(body):
            said = self._told(complaint_of(body) if body is not None else response.text)
            return Ended(Failure(f"the server answered {response.status_code} without an answer ({said})"))
        self._answered = True
        return Ended(without_key(reply_of(body, response.elapsed.total_seconds()), self._key))

    def _told(self, text: str) -> str:
        return told(text, self._key)

    def _after(self, request: httpx2.Request) -> str:
        tries = int(request.headers.get("x-stainless-retry-count", 0)) + 1
        return f" after {tries} tries" if tries > 1 else ""


async def _cancelled(flight: _Flight) -> None:
    """Cancels what is under way, and waits until it has ended."""
    tasks = list(flight.tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
