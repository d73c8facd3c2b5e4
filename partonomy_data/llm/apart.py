"""`live.Live` in a process of its own: HTTP takes more of a processor than all else that a client does with a reply.

In one process the two would take turns, and some hundred requests a second would be the most, however fast the server is.
The other process takes a request only when it can send it, as `Live` does, and ends at once when this one does, however it
ended: what is lost by a crash is what was on the way, and no more. Both write lines of JSON into pipes; the key goes that way
too, and so is in no list of processes and in no environment.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.llm import keys
from partonomy_data.llm.protocol import address
from partonomy_data.llm.request import Failure, Reply, Request
from partonomy_data.llm.transport import Outcome

#: What begins a `send`; then each line is the next request, or says that there is none.
_SEND: Final = b'"send"'
_NO_MORE: Final = b"null"
_PACKAGES: Final = Path(__file__).resolve().parents[2]


class _Opening(msgspec.Struct):
    """The first line that the process gets: what `Live` is made with."""

    endpoint: str
    key: str | None
    concurrency: int
    timeout_s: float
    tries: int


class _Told(msgspec.Struct, omit_defaults=True):
    """A line that comes back."""

    kind: Literal["next", "came", "done", "refused"]
    """It wants the next request; an outcome came; all is done; or nothing can be sent."""
    number: int = 0
    reply: Reply | None = None
    failure: Failure | None = None
    error: tuple[str, str, str] | None = None
    """What, where, how to mend it."""


class Apart:
    """A server, by way of a process of its own, which is started by the first request. `close` ends it."""

    def __init__(self, *, endpoint: str, key: str | None, concurrency: int, timeout_s: float, tries: int) -> None:
        """As `Live`'s. Raises UsageError for an address or a key that can't be one."""
        self._opening = _Opening(
            address(endpoint), keys.checked(key, where="the key") if key else None, concurrency, timeout_s, tries
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._read = msgspec.json.Decoder(_Told)

    def send(self, requests: Iterable[Request]) -> Iterator[tuple[int, Outcome]]:
        """As `transport.Transport` says. An abandoned iterator ends the process, and so cancels what is under way."""
        process = self._started()
        whole = False
        try:
            self._write(process, _SEND)
            waiting = iter(requests)
            while (told := self._next(process)).kind not in ("done", "refused"):
                if told.kind == "next":
                    request = next(waiting, None)
                    self._write(process, _NO_MORE if request is None else msgspec.json.encode(request))
                else:
                    outcome = told.reply if told.reply is not None else told.failure
                    assert outcome is not None
                    yield told.number, outcome
            whole = True
        finally:
            if not whole:
                self._end(kill=True)
        if told.error is not None:
            what, where, mend = told.error
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

    def _next(self, process: subprocess.Popen[bytes]) -> _Told:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._died(process)
        return self._read.decode(line)

    @staticmethod
    def _died(process: subprocess.Popen[bytes]) -> UsageError:
        return UsageError(
            f"the process that sends requests ended by itself (exit code {process.wait()})",
            where="language model",
            mend="Run it again: what was answered is kept",
        )

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
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
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not get in between
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, lines), daemon=True).start()
    _work(lines, out)


def _listen(standard_input: BinaryIO, lines: queue.SimpleQueue[bytes]) -> None:
    for line in standard_input:
        lines.put(line.rstrip(b"\n"))
    # Whoever asked is gone, or wants no more: nobody is left to pay for what would still be sent.
    os._exit(0)


def _work(lines: queue.SimpleQueue[bytes], out: BinaryIO) -> None:
    from partonomy_data.llm.live import Live

    def tell(told: _Told) -> None:
        out.write(msgspec.json.encode(told) + b"\n")
        out.flush()

    def requests() -> Iterator[Request]:
        while True:
            tell(_Told("next"))
            line = lines.get()
            if line == _NO_MORE:
                return
            yield msgspec.json.decode(line, type=Request)

    live = Live(**msgspec.structs.asdict(msgspec.json.decode(lines.get(), type=_Opening)))
    while lines.get() == _SEND:
        try:
            for number, outcome in live.send(requests()):
                if isinstance(outcome, Reply):
                    tell(_Told("came", number, reply=outcome))
                else:
                    tell(_Told("came", number, failure=outcome))
            tell(_Told("done"))
        except UsageError as error:
            tell(_Told("refused", error=(error.what, error.where, error.mend)))


if __name__ == "__main__":
    main()
