"""Downloads one file into its `.part`, by ranges, until it is whole: across cut connections, busy servers, and kills."""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO
from urllib.request import OpenerDirector

from partonomy_data.fetch import space, transport
from partonomy_data.fetch.meter import Meter
from partonomy_data.fetch.records import Beside, PartState
from partonomy_data.fetch.space import FetchError, megabytes
from partonomy_data.fetch.transport import Passing, Response
from partonomy_data.pipeline.progress import Progress

_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Patience:
    """How long it is tried. Times in seconds."""

    tries: int = 8
    """So many failures in a row, none of which brought a byte, end it."""
    first: float = 1.0
    """The first wait; it doubles from try to try, up to `most`, and chance takes up to half of it off."""
    most: float = 60.0
    longest: float = 600.0
    """A server that asks for more than that is not waited for."""
    timeout: float = 60.0
    """Silence that ends a connection."""
    sleep: Callable[[float], None] = time.sleep

    def wait(self, failures: int, asked: float | None) -> None:
        """Waits after so many failures, as long as the server asked if it did."""
        if asked is not None:
            self.sleep(asked)
            return
        self.sleep(min(self.most, self.first * 2 ** (failures - 1)) * random.uniform(0.5, 1.0))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be downloaded."""

    name: str
    url: str
    size: int | None
    """Bytes that it must have, if that is known."""
    sure: bool
    """Whether a checksum will tell if pieces of two different files were joined."""


def download(wanted: Wanted, beside: Beside, progress: Progress, patience: Patience) -> PartState:
    """Has the whole file in `beside.part(name)`; says what the server told of it.

    Goes on from what is there if the file is still the same. Raises FetchError, and keeps what has come.
    """
    through, meter, failures = transport.opener(), Meter(progress), 0
    while True:
        attempt = _Attempt(wanted, beside, progress, meter, patience.timeout)
        try:
            return attempt.run(through)
        except Passing as trouble:
            failures = 1 if attempt.received else failures + 1
            _bear(wanted, trouble, failures, patience, progress)


def _bear(wanted: Wanted, trouble: Passing, failures: int, patience: Patience, progress: Progress) -> None:
    """Waits for another try; raises FetchError if there have been enough."""
    kept = "What has come is kept; run it again to go on from there."
    if trouble.wait is not None and trouble.wait > patience.longest:
        raise FetchError(f"{wanted.url}: {trouble}, and asks for {trouble.wait:,.0f} s of rest. {kept}") from trouble
    if failures >= patience.tries:
        raise FetchError(f"{wanted.url}: {trouble}, {failures} times in a row. {kept}") from trouble
    progress.note(f"{wanted.name}: {trouble}; trying again")
    patience.wait(failures, trouble.wait)


class _Attempt:
    """One connection."""

    def __init__(self, wanted: Wanted, beside: Beside, progress: Progress, meter: Meter, timeout: float) -> None:
        self._wanted, self._beside, self._progress, self._meter = wanted, beside, progress, meter
        self._timeout = timeout
        self._part = beside.part(wanted.name)
        self.received = 0
        """Bytes that came over this connection."""

    def run(self, through: OpenerDirector) -> PartState:
        """Until the file is whole. Raises Passing, FetchError."""
        have, state = self._resumable()
        if state is not None and have == state.total:
            return state  # whole already, and stopped before it was checked
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and state is not None and state.validator is not None:
            headers["If-Range"] = state.validator
        response = transport.ask(through, self._wanted.url, headers, self._timeout)
        try:
            if response.status == 416:
                raise self._anew("the server has another file now")
            if response.status == 206:
                state = self._goes_on(response, have, state)
            else:
                if have:
                    self._progress.note(f"{self._wanted.name}: changed, or not sent by pieces; from its beginning")
                state, have = self._begins(response), 0
            self._receive(response, have, state)
        finally:
            response.close()
        return state

    def _resumable(self) -> tuple[int, PartState | None]:
        """Bytes that may be kept, and of what; (0, None) if there is nothing to go on from."""
        state = self._beside.part_state(self._wanted.name)
        if state is None or state.url != self._wanted.url or not self._part.exists():
            return 0, None
        if state.validator is None and not self._wanted.sure:
            return 0, None  # nothing would tell if the rest were another file's
        have = self._part.stat().st_size
        return (0, None) if state.total is not None and have > state.total else (have, state)

    def _goes_on(self, response: Response, have: int, state: PartState | None) -> PartState:
        sent = transport.content_range(response.headers)
        if state is None or sent is None or sent.start != have or sent.total not in (None, state.total):
            raise self._anew("the server sent another piece than was asked for")
        if transport.validator(response.headers) not in (None, state.validator):
            raise self._anew("it changed, which the server wasn't asked to overlook")
        return state

    def _begins(self, response: Response) -> PartState:
        headers = response.headers
        if headers.get("Content-Encoding", "identity") != "identity":
            raise FetchError(f"{self._wanted.url}: the server sends it in an encoding that wasn't asked for.")
        state = PartState(self._wanted.url, transport.validator(headers), transport.length(headers))
        self._beside.forget_part(self._wanted.name)
        _check_size(self._wanted, state.total)
        try:
            self._beside.note_part(self._wanted.name, state)
        except OSError as error:
            raise space.failed(error, self._part, "Nothing was fetched.") from error
        return state

    def _anew(self, reason: str) -> Passing:
        self._beside.forget_part(self._wanted.name)
        return Passing(f"{reason}, so that it begins anew", 0.0)

    def _receive(self, response: Response, have: int, state: PartState) -> None:
        if state.total is not None:
            rest = state.total - have + space.unpacked(self._wanted.name, state.total)
            space.require(self._beside.home, rest, f"the rest of {self._wanted.name}, with what is unpacked from it,")
        self._meter.go_on(self._wanted.name, state.total or self._wanted.size, have)
        try:
            with self._part.open("ab" if have else "wb") as file:
                self._copy(response, file, None if state.total is None else state.total - have)
        except OSError as error:
            raise space.failed(error, self._part, "What has come is kept.") from error
        got = have + self.received
        if state.total is not None and got < state.total:
            raise Passing(f"the connection was cut at {megabytes(got)} of {megabytes(state.total)}")
        _check_size(self._wanted, got)
        if state.total is None:
            self._beside.note_part(self._wanted.name, PartState(state.url, state.validator, got))

    def _copy(self, response: Response, file: BinaryIO, rest: int | None) -> None:
        # What comes is written at once, so that a cut loses nothing. Python's response doesn't count what `read1` takes.
        while rest is None or self.received < rest:
            try:
                chunk = response.read1(_CHUNK if rest is None else min(_CHUNK, rest - self.received))
            except (OSError, http.client.HTTPException) as error:
                raise Passing(transport.cut(error)) from error
            if not chunk:
                return
            file.write(chunk)
            self.received += len(chunk)
            self._meter.add(len(chunk))


def _check_size(wanted: Wanted, found: int | None) -> None:
    if wanted.size is not None and found is not None and found != wanted.size:
        raise FetchError(
            f"{wanted.url}: it has {found:,} bytes, and {wanted.size:,} are known of it."
            " It isn't the file that it was, and is not used."
        )
