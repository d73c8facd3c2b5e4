"""How fast a server may be asked: by what its answers say it still grants, and by what it turns away.

    x-ratelimit-remaining-*    nothing is sent while nothing remains, until x-ratelimit-reset-* have passed
    retry-after                nothing is sent before, whichever request it was said to
    429                        half as many on the way from now on; each answer adds a little again

A `Pace` only reckons: it neither waits nor sends. One thread tells it what happens; others may look at it. A
`PacedClient` waits and sends by it.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2

from partonomy_data.llm.connections import Connections

#: A server that asks to wait for longer is not waited for, as the `openai` package doesn't either.
LONGEST_RETRY_AFTER_S: Final = 120.0
#: When so much time has passed since nothing remained, the server is asked all the same, whatever it said.
LONGEST_RESET_S: Final = 600.0
#: Seconds in which a server takes a connection, or is not there.
CONNECT_SECONDS: Final = 20.0
#: Where a server says that nothing remains, and not for how long.
_UNTOLD_RESET_S: Final = 1.0
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PIECE: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")


def seconds(text: str) -> float | None:
    """A span of time as servers write it ("1s", "6m0s", "120ms", "1.5"), in seconds; None if it is none."""
    compact = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        return _finite(float(compact))
    if not re.fullmatch(f"(?:{_PIECE.pattern})+", compact):
        return None
    return _finite(sum(float(amount) * _UNITS[unit] for amount, unit in _PIECE.findall(compact)))


def retry_after(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Seconds that the server asks to wait before the next try; None if it doesn't say. `now` as in `time.time`."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if re.fullmatch(r"\d+(\.\d+)?", headers.get(name, "").strip()):
            return min(float(headers[name]) * unit, 1e9)
    try:
        return max(parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - now(), 0.0)
    except (ValueError, OverflowError, OSError):
        return None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass(slots=True)
class _Grant:
    """What the server still grants of one thing (requests, tokens), as far as it has said."""

    name: str
    left: float = math.inf
    until: float = 0.0
    on_the_way: float = 0.0

    def wait(self, now: float) -> float:
        return 0.0 if self.left > 0 else max(self.until - now, 0.0)

    def take(self, amount: int, now: float) -> None:
        if self.left <= 0 and now >= self.until:
            # Granted anew; how much of it, the next answer says.
            self.left = math.inf
        self.left -= amount
        self.on_the_way += amount

    def learn(self, headers: Mapping[str, str], now: float) -> None:
        remaining = headers.get(f"x-ratelimit-remaining-{self.name}", "").strip()
        if not re.fullmatch(r"-?\d{1,15}", remaining):
            return
        # What is on the way may not have been counted yet.
        self.left = int(remaining) - self.on_the_way
        reset = seconds(headers.get(f"x-ratelimit-reset-{self.name}", ""))
        self.until = now + min(_UNTOLD_RESET_S if reset is None else reset, LONGEST_RESET_S)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request on the way."""

    tokens: int
    epoch: int


@dataclass(slots=True)
class Pace:
    """The state of it. `most` requests are on the way at once at the most."""

    most: int
    clock: Callable[[], float] = time.monotonic
    under_way: int = 0
    _limit: float = 0.0
    _not_before: float = 0.0
    _epoch: int = 0
    _grants: tuple[_Grant, _Grant] = field(default_factory=lambda: (_Grant("requests"), _Grant("tokens")))

    def __post_init__(self) -> None:
        self._limit = float(self.most)

    @property
    def limit(self) -> int:
        """Requests that may be on the way at once for now; at least 1."""
        return int(self._limit)

    def wait(self) -> float:
        """Seconds until the next request may be sent: 0 if at once, infinite if not before another one has ended.

        It may come to less when another one ends, so ask again then.
        """
        if self.under_way >= self.limit:
            return math.inf
        return self.hold()

    def hold(self) -> float:
        """Seconds for which the server wants nothing at all."""
        now = self.clock()
        return max(self._not_before - now, *(grant.wait(now) for grant in self._grants), 0.0)

    def begin(self, tokens: int) -> Sent:
        """A request of some `tokens` goes out."""
        now = self.clock()
        self.under_way += 1
        for grant, amount in zip(self._grants, (1, tokens), strict=True):
            grant.take(amount, now)
        return Sent(tokens, self._epoch)

    def end(self, sent: Sent, status: int | None = None, headers: Mapping[str, str] | None = None) -> None:
        """It has ended: with a status and headers, or without any answer."""
        reached = self.under_way
        self.under_way -= 1
        for grant, amount in zip(self._grants, (1, sent.tokens), strict=True):
            grant.on_the_way -= amount
        if status is None or headers is None:
            return
        now = self.clock()
        for grant in self._grants:
            grant.learn(headers, now)
        if status == 429 and sent.epoch == self._epoch:
            # Those that went out together are turned away together: that counts once.
            self._limit = float(max(1, min(self.limit, reached) // 2))
            self._epoch += 1
        elif 200 <= status < 300:
            self._limit = min(float(self.most), self._limit + 1.0 / self._limit)
        asked = retry_after(headers) if status >= 400 else None
        if asked is not None and asked <= LONGEST_RETRY_AFTER_S:
            self._not_before = max(self._not_before, now + asked)


class PacedClient(httpx2.AsyncClient):
    """An HTTP client that waits for its turn, and that gives an exchange as a whole a deadline.

    The timeouts of HTTP clients are between two bytes: a server that drips would never meet them.
    """

    def __init__(self, pace: Pace, deadline_s: float, *, trust_env: bool) -> None:
        """`deadline_s` is for an exchange; to connect takes a part of it, and no more than `CONNECT_SECONDS`."""
        # A transport of our own would not know of the proxies that the environment names.
        proxied = trust_env and bool(urllib.request.getproxies())
        super().__init__(
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=pace.most),
            transport=None if proxied else Connections(min(CONNECT_SECONDS, deadline_s)),
            follow_redirects=False,
            trust_env=trust_env,
        )
        self.on_wire: set[asyncio.Task[Any]] = set()
        self.last_tries: set[asyncio.Task[Any]] = set()
        """Tasks that are to send nothing after what they have on the wire."""
        self.heard = 0
        """Answers of whatever kind that have come from the server."""
        self._pace, self._deadline_s = pace, deadline_s
        self._changed = asyncio.Event()

    async def send(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
        """As the base class. Raises ReadTimeout at the deadline, which doesn't count the wait for a turn."""
        await self._turn()
        sent = self._pace.begin(int(request.headers.get("content-length", 0)) // 4)
        task = asyncio.current_task()
        assert task is not None
        self.on_wire.add(task)
        response: httpx2.Response | None = None
        try:
            async with asyncio.timeout(self._deadline_s):
                response = await super().send(request, **more)
        except TimeoutError:
            raise httpx2.ReadTimeout("the deadline has passed", request=request) from None
        finally:
            self.on_wire.discard(task)
            if task in self.last_tries:
                # One that has its answer runs to its end before this comes; one that would wait or try again doesn't.
                asyncio.get_running_loop().call_soon(task.cancel)
            if response is None:
                self._pace.end(sent)
            else:
                self.heard += 1
                self._pace.end(sent, response.status_code, response.headers)
            self._changed.set()
        return response

    async def _turn(self) -> None:
        while (wait := self._pace.wait()) > 0:
            self._changed.clear()
            try:
                async with asyncio.timeout(None if wait == math.inf else wait):
                    await self._changed.wait()
            except TimeoutError:
                continue
