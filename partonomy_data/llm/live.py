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
from collections import deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Final

import httpx2
import msgspec
import openai

from partonomy_data.errors import UsageError
from partonomy_data.llm import keys
from partonomy_data.llm.pace import CONNECT_SECONDS, LONGEST_RETRY_AFTER_S, Pace, PacedClient, retry_after
from partonomy_data.llm.protocol import (
    ABOUT_FORM,
    NO_SUCH_MODEL,
    Dialect,
    address,
    complaint_of,
    is_answer,
    loopback,
    path,
    reply_of,
    told,
    without_key,
)
from partonomy_data.llm.request import Failure, Form, Request
from partonomy_data.llm.transport import Outcome

_JSON: Final = {"Content-Type": "application/json"}
_GIVEN_UP: Final = Failure("given up, as every request would fail")
#: For so many requests that may be on the way at once, one more is kept ready.
_AHEAD: Final = 4


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a request, and why no other needs to be sent, if that is so."""

    outcome: Outcome
    mend: str | None = None
    """How to mend what makes every request fail; the outcome says what that is."""


class Live:
    """A server, for the time of an `async with` block. `Flight` sends by it."""

    def __init__(self, *, endpoint: str, key: str | None, concurrency: int, timeout_s: float, tries: int) -> None:
        """`timeout_s` is for a single try. Raises UsageError for an address or a key that can't be one."""
        self.endpoint = address(endpoint)
        self._key = keys.checked(key, where="the key") if key else None
        self._timeout_s, self._tries = timeout_s, tries
        self.pace = Pace(concurrency)
        self._dialect = Dialect()
        self._answered = False

    async def __aenter__(self) -> Live:
        # A proxy, if the environment names one, can't reach this machine's own servers.
        self._http = PacedClient(self.pace, self._timeout_s, trust_env=not loopback(self.endpoint))
        self._client = openai.AsyncOpenAI(
            # Without any, the package would send the key for OpenAI to whatever server this is.
            api_key=self._key or "none",
            base_url=self.endpoint,
            max_retries=self._tries - 1,
            timeout=httpx2.Timeout(self._timeout_s, connect=min(CONNECT_SECONDS, self._timeout_s)),
            http_client=self._http,
        )
        self._quiet = ExitStack()
        self._quiet.enter_context(keys.kept_from_logs(self._key))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._quiet:
            await self._client.close()

    async def ask(self, request: Request) -> Ended:
        """What comes of a request, after all tries."""
        while True:
            dialect, heard = self._dialect, self._http.heard
            try:
                # The body is in its final form: `chat.completions.create` would only go through all of it once more.
                response = await self._client.post(
                    self.endpoint + path(request),  # whole, so that nobody has to put it together again and again
                    cast_to=httpx2.Response,
                    content=msgspec.json.encode(dialect.body(request)),
                    options={"headers": _JSON},
                )
            except openai.APIStatusError as error:
                complaint = complaint_of(error.body)
                learned = dialect.after(request, error.status_code, complaint, error.param)
                if learned is None:
                    return self._refused(error, complaint, request.form)
                if self._dialect is dialect:
                    self._dialect = learned
            except openai.APIConnectionError as error:
                return self._unreached(error, silent=self._http.heard == heard)
            else:
                return self._read(response)

    def give_up(self, tasks: AbstractSet[asyncio.Task[Ended]]) -> None:
        """Ends what only waits. What is on the wire may be charged already, so its answer is waited for."""
        self._http.last_tries |= tasks
        for task in tasks - self._http.on_wire:
            task.cancel()

    def forget(self, task: asyncio.Task[Ended]) -> None:
        """A task has ended."""
        self._http.last_tries.discard(task)

    def _refused(self, error: openai.APIStatusError, complaint: str, form: Form) -> Ended:
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
            setting = "embeddings" if form == "embedding" else "model"
            mend = f"Check llm.{setting}, and that llm.endpoint is the server's base URL (it mostly ends in /v1)"
        elif code == "insufficient_quota":
            mend = "Add credit to the account, and run it again: what was answered is kept"
        elif 300 <= status < 400:
            answer += f" and sends on to {self._told(headers.get('location', 'nowhere'))}"
            mend = "Name the address itself with llm.endpoint"
        elif (
            form not in ("auto", "embedding")
            and status in (400, 422)
            and not self._answered
            and ABOUT_FORM.search(complaint.lower())
        ):
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


class Flight:
    """Some requests on their way: as many at once as the pace admits, and a few more kept ready to follow at once.

    `want` is told for how many more there is room, `tell` what came of each, by its number from 0 on. Whoever is told hands
    requests over with `give`, until there are no more, says with `kept` that what was told is safe, and waits for the end of
    all with `ended`. What came and is not safe yet takes up a place: a crash loses no more than may be on the way at once.
    """

    def __init__(self, live: Live, want: Callable[[int], None], tell: Callable[[int, Outcome], None]) -> None:
        """Belongs to the running event loop, as do all of its methods."""
        self._live, self._want, self._tell = live, want, tell
        self._ahead = live.pace.most // _AHEAD
        self._taken = self._wanted = self._told = 0
        self._ready: deque[tuple[int, Request]] = deque()
        self._tasks: set[asyncio.Task[Ended]] = set()
        self._more = True
        self._last: Ended | None = None
        self._later: asyncio.TimerHandle | None = None
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._look()

    def give(self, request: Request | None) -> None:
        """The next request; None for: no more."""
        self._wanted -= 1
        if request is None:
            self._more = False
        else:
            self._ready.append((self._taken, request))
            self._taken += 1
        self._look()

    def kept(self, count: int) -> None:
        """So many of the outcomes that were told are safe."""
        self._told -= count
        self._look()

    async def ended(self) -> None:
        """Until all have ended. Raises UsageError if that was since no more need to be sent."""
        await self._over
        if self._last is not None:
            assert isinstance(self._last.outcome, Failure)
            raise UsageError(self._last.outcome.reason, where=self._live.endpoint, mend=self._last.mend or "")

    def _look(self) -> None:
        """Sends what there are places for now, and wants more; looks again when the server may be asked again."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._last is not None:
            while self._ready:
                self._tell(self._ready.popleft()[0], _GIVEN_UP)
        if not self._tasks and not self._ready and not (self._more and (self._last is None or self._wanted > 0)):
            # Whoever was told of room may still be about to fill it.
            if not self._over.done():
                self._over.set_result(None)
        elif (hold := self._live.pace.hold()) > 0:
            self._later = asyncio.get_running_loop().call_later(hold, self._look)
        elif self._last is None:
            self._send()

    def _send(self) -> None:
        places = self._live.pace.limit - len(self._tasks) - self._told
        while self._ready and places > 0:
            number, request = self._ready.popleft()
            task = asyncio.ensure_future(self._live.ask(request))
            self._tasks.add(task)
            task.add_done_callback(partial(self._done, number))
            places -= 1
        room = places + self._ahead - len(self._ready) - self._wanted
        if self._more and room > 0:
            self._wanted += room
            self._want(room)

    def _done(self, number: int, task: asyncio.Task[Ended]) -> None:
        self._tasks.discard(task)
        self._live.forget(task)
        if task.cancelled():
            ended = Ended(_GIVEN_UP)
        elif (error := task.exception()) is not None:
            self._fail(error)
            return
        else:
            ended = task.result()
        if ended.mend is not None and self._last is None:
            self._last = ended
            self._live.give_up(self._tasks)
        self._told += 1
        try:
            self._tell(number, ended.outcome)
        except Exception as error:  # noqa: BLE001
            # An event loop would only print it, and whoever asked would wait for good.
            self._fail(error)
            return
        self._look()

    def _fail(self, error: BaseException) -> None:
        if not self._over.done():
            self._over.set_exception(error)
