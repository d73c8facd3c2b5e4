"""`live.Live` in a process of its own: HTTP takes more of a processor than all else that a client does with a reply.

In one process the two would take turns, and some hundred requests a second would be the most, however fast the server is. The
other process says for how many it has room (`live.Flight`), is told how many of its outcomes were taken over, and ends at
once when this one does, however it ended: what is lost by a crash is what was on the way, and no more. Both write lines of
JSON into pipes; the key goes that way too, and so is in no list of processes and in no environment.
"""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.llm import keys
from partonomy_data.llm.protocol import address
from partonomy_data.llm.request import Failure, Reply, Request
from partonomy_data.llm.transport import Outcome

#: What begins a `send`; then each line is the next request, or says that there is none, or is a number: so many outcomes
#: were taken over.
_SEND: Final = b'"send"'
_NO_MORE: Final = b"null"
#: Bytes read from a pipe in one go.
_MOST_READ: Final = 1 << 16
_PACKAGES: Final = Path(__file__).resolve().parents[2]


class _Opening(msgspec.Struct):
    """The first line that the process gets: what `live.Live` is made with."""

    endpoint: str
    key: str | None
    concurrency: int
    timeout_s: float
    tries: int


class _Told(msgspec.Struct, omit_defaults=True):
    """A line that comes back."""

    kind: Literal["next", "came", "done", "refused"]
    """It has room for more requests; an outcome came; all is done; or nothing can be sent."""
    number: int = 0
    """For how many; the number of the request that the outcome is of."""
    reply: Reply | None = None
    failure: Failure | None = None
    error: tuple[str, str, str] | None = None
    """What, where, how to mend it."""


class Apart:
    """A server, by way of a process of its own, which is started by the first request. `close` ends it."""

    def __init__(self, *, endpoint: str, key: str | None, concurrency: int, timeout_s: float, tries: int) -> None:
        """As `live.Live`'s. Raises UsageError for an address or a key that can't be one."""
        self._opening = _Opening(
            address(endpoint), keys.checked(key, where="the key") if key else None, concurrency, timeout_s, tries
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._begun: list[bytes] = []
        """A line of which the end has not come yet, in pieces."""
        self._read = msgspec.json.Decoder(_Told)

    def send(self, requests: Iterable[Request]) -> Iterator[tuple[int, Outcome]]:
        """As `transport.Transport` says. An abandoned iterator ends the process, and so cancels what is under way."""
        process = self._started()
        whole = False
        try:
            self._write(process, _SEND)
            waiting = iter(requests)
            places = 0
            last: _Told | None = None
            while last is None:
                kept = 0
                for told in self._heard(process, wait=not places):
                    if told.kind == "next":
                        places += told.number
                    elif told.kind == "came":
                        outcome = told.reply if told.reply is not None else told.failure
                        assert outcome is not None
                        yield told.number, outcome
                        kept += 1
                    else:
                        last = told
                if kept:
                    self._write(process, b"%d" % kept)
                if places and last is None:
                    request = next(waiting, None)
                    self._write(process, _NO_MORE if request is None else msgspec.json.encode(request))
                    places = 0 if request is None else places - 1
            whole = True
        finally:
            if not whole:
                self._end(kill=True)
        if last.error is not None:
            what, where, mend = last.error
            raise UsageError(what, where=where, mend=mend)

    def close(self) -> None:
        """Ends the process. May be called twice."""
        self._end(kill=False)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            paths = os.pathsep.join([str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])])
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": paths},
            )
            self._write(self._process, msgspec.json.encode(self._opening))
        return self._process

    def _write(self, process: subprocess.Popen[bytes], line: bytes) -> None:
        assert process.stdin is not None
        try:
            process.stdin.write(line + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise self._died(process) from None

    def _heard(self, process: subprocess.Popen[bytes], *, wait: bool) -> list[_Told]:
        """What it has told since; nothing perhaps, unless something is waited for."""
        assert process.stdout is not None
        found: list[_Told] = []
        pipe, more = process.stdout.fileno(), select.poll()  # `select` knows no file beyond the 1,024th
        more.register(pipe, select.POLLIN)
        while (wait and not found) or more.poll(0):
            heard = os.read(pipe, _MOST_READ)
            if not heard:
                raise self._died(process)
            begins, *others = heard.split(b"\n")
            self._begun.append(begins)
            for begins in others:
                found.append(self._read.decode(b"".join(self._begun)))
                self._begun = [begins]
        return found

    @staticmethod
    def _died(process: subprocess.Popen[bytes]) -> UsageError:
        return UsageError(
            f"the process that sends requests ended by itself (exit code {process.wait()})",
            where="language model",
            mend="Run it again: what was answered is kept",
        )

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        self._begun = []
        if process is None:
            return
        if kill:
            process.kill()
        with process:  # closes its pipes, upon which it ends, and waits for that
            pass


def main() -> None:
    """The process: reads requests from standard input, and writes what comes of them to standard output."""
    # Ctrl-C is for the one who asked; this process ends when the other one closes its pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not get in between
    asyncio.run(_work(out))


class _Lines(asyncio.Protocol):
    """Standard input, line by line: kept until `handed_to` says to whom they go."""

    def __init__(self) -> None:
        self.first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._lines: deque[bytes] = deque()
        self._begun: list[bytes] = []
        self._take: Callable[[bytes], None] | None = None

    def handed_to(self, take: Callable[[bytes], None]) -> None:
        """All lines but the first, from now on."""
        self._take = take
        self._hand_over()

    def data_received(self, data: bytes) -> None:
        begins, *others = data.split(b"\n")
        self._begun.append(begins)
        for begins in others:
            self._lines.append(b"".join(self._begun))
            self._begun = [begins]
        if self._lines and not self.first.done():
            self.first.set_result(self._lines.popleft())
        self._hand_over()

    def connection_lost(self, exc: Exception | None) -> None:
        # Whoever asked is gone, or wants no more: nobody is left to pay for what would still be sent.
        os._exit(0)

    def _hand_over(self) -> None:
        while self._take is not None and self._lines:
            try:
                self._take(self._lines.popleft())
            except BaseException:  # noqa: BLE001
                # An event loop would only print it, and whoever asked would wait for good.
                traceback.print_exc()
                os._exit(1)


async def _work(out: BinaryIO) -> None:
    from partonomy_data.llm.live import Flight, Live

    # All that was imported stays: to go through it again and again for garbage takes a twentieth of the time.
    gc.collect()
    gc.freeze()
    loop = asyncio.get_running_loop()
    _, lines = await loop.connect_read_pipe(_Lines, sys.stdin.buffer)
    to, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, out)

    def tell(told: _Told) -> None:
        to.write(msgspec.json.encode(told) + b"\n")

    def came(number: int, outcome: Outcome) -> None:
        reply, failure = (outcome, None) if isinstance(outcome, Reply) else (None, outcome)
        tell(_Told("came", number, reply=reply, failure=failure))

    asked: asyncio.Queue[Flight] = asyncio.Queue()
    request = msgspec.json.Decoder(Request)
    flight: Flight | None = None

    def take(line: bytes) -> None:
        nonlocal flight
        if line == _SEND:
            flight = Flight(live, lambda room: tell(_Told("next", room)), came)
            asked.put_nowait(flight)
        elif flight is not None and line.isdigit():
            flight.kept(int(line))
        elif flight is not None:
            flight.give(None if line == _NO_MORE else request.decode(line))

    async with Live(**msgspec.structs.asdict(msgspec.json.decode(await lines.first, type=_Opening))) as live:
        lines.handed_to(take)
        while True:
            try:
                await (await asked.get()).ended()
                tell(_Told("done"))
            except UsageError as error:
                tell(_Told("refused", error=(error.what, error.where, error.mend)))


if __name__ == "__main__":
    main()
