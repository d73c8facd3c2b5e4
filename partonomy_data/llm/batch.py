"""Requests in files, over the Batch API of OpenAI and of servers that have it too: half the price, within a day.

    written     as lines of files, as many as are needed
    uploaded    which costs nothing yet
    noted       in the answer store, with the ids of file and batch (`batch_log`): before the batch is made, and after
    made        the batch; from then on it is paid for, whether anybody waits for it or not
    waited for  with growing pauses, whatever the network does meanwhile
    handed on   what its files of results hold, by `custom_id`, which is the key of a request

A run that ends at any of these leaves the next one to take up what was noted. Requests that a batch brought no answer to
are sent again in a further batch, where that may help: in another form, or after an error that may pass.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.llm import keys
from partonomy_data.llm.batch_api import LATER, BatchApi, Said, Trouble
from partonomy_data.llm.batch_files import Part, TooLarge, Url, parts, scratch, url
from partonomy_data.llm.batch_log import BatchLog
from partonomy_data.llm.batch_results import results
from partonomy_data.llm.batch_run import Made, Run
from partonomy_data.llm.protocol import Dialect, address
from partonomy_data.llm.request import Failure, Reply, Request
from partonomy_data.llm.transport import Outcome

#: What the Batch API admits of a file. OpenAI has raised the bytes to 200 MB; others haven't.
MOST_REQUESTS: Final = 50_000
MOST_BYTES: Final = 100_000_000
#: How much longer each pause is than the one before.
_GROWTH: Final = 1.5
#: States that a batch stays in, and what they are to a request without a result. In all others it is waited for.
_ENDED: Final = {
    "completed": "the batch has no result for it",
    "failed": "the batch failed",
    "expired": "the batch expired before it was answered",
    "cancelled": "the batch was cancelled before it was answered",
    "lost": "the server doesn't know the batch any more",
}


@dataclass(frozen=True, slots=True)
class Pauses:
    """How a batch is waited for, in seconds."""

    first: float = 5.0
    """Until it is looked at."""
    longest: float = 120.0
    """Between two looks, in the end."""
    deaf: float = 1800.0
    """Without any answer from the server, until it is given up."""
    most: float = 26 * 3600.0
    """In all; servers end a batch after 24 hours by themselves."""


PAUSES: Final = Pauses()


class Batch:
    """A server. Nothing is opened before the first request; `close` lets go of all."""

    def __init__(
        self,
        folder: Path,
        *,
        endpoint: str,
        key: str | None,
        timeout_s: float,
        tries: int,
        pauses: Pauses | None = None,
        most_requests: int = MOST_REQUESTS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """`folder` is that of the answer store; `timeout_s` is for a single answer of the server.

        Raises UsageError for an address or a key that can't be one.
        """
        self._folder, self._endpoint = folder, address(endpoint)
        self._key = keys.checked(key, where="the key") if key else None
        self._timeout_s, self._tries, self._pauses = timeout_s, tries, pauses or PAUSES
        self._most_requests, self._most_bytes = most_requests, most_bytes
        # Whatever OpenAI offers takes the newer name; to find that out would take a batch.
        openai = urlsplit(self._endpoint).hostname == "api.openai.com"
        self._dialect = Dialect(tokens="max_completion_tokens") if openai else Dialect()
        self._open: ExitStack | None = None
        self.ignored: Counter[str] = Counter()
        """Lines of results that were of no use: `unreadable`, `given twice`, `not asked for`."""

    def send(self, requests: Iterable[Request]) -> Iterator[tuple[int, Outcome]]:
        """As `transport.Transport` says; takes all requests before it sends any. Equal ones are sent, and paid, once."""
        numbers: dict[str, list[int]] = {}
        by_key: dict[str, Request] = {}
        for number, request in enumerate(requests):
            key = request.key
            by_key.setdefault(key, request)
            numbers.setdefault(key, []).append(number)
        if not by_key:
            return
        run = Run(by_key, self._dialect, self._tries, self._key, list(by_key))
        try:
            for key, outcome in self._outcomes(run):
                first, *equal = numbers.pop(key)
                yield first, outcome
                yield from ((number, _free(outcome)) for number in equal)
        except OSError as error:
            raise UsageError(
                f"the files of a batch can't be written ({error.strerror or error})",
                where=str(self._folder),
                mend="Make room there",
            ) from error
        finally:
            self._dialect = run.dialect

    def close(self) -> None:
        """Closes all connections and files. May be called twice."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _outcomes(self, run: Run) -> Iterator[tuple[str, Outcome]]:
        if self._open is None:
            with ExitStack() as stack:
                self._log = BatchLog(self._folder)
                stack.callback(self._log.close)
                self._api = BatchApi(self._endpoint, self._key, timeout_s=self._timeout_s, tries=self._tries)
                stack.callback(self._api.close)
                self._open = stack.pop_all()
        self._log.settle()
        self._take_up(run)
        while run.to_send or run.made:
            yield from self._sent(run)
            yield from self._waited_for(run)
        if run.over is not None:
            raise UsageError(run.over.reason, where=self._endpoint, mend=run.over.mend)

    def _take_up(self, run: Run) -> None:
        """Finds the batches that earlier runs have made, and leaves to be sent what none of them holds."""
        held: set[str] = set()
        for stored in self._log.holding(run.to_send):
            batch_id = stored.batch_id or self._api.find(stored.file_id, stored.created_at.timestamp())
            state = batch_id if batch_id is None or isinstance(batch_id, Trouble) else self._api.state(batch_id)
            if state is None or (isinstance(state, Trouble) and state.kind == "missing"):
                self._log.drop(stored.number)
                continue
            if isinstance(state, Trouble):
                run.over = state
                break
            assert isinstance(batch_id, str)
            if stored.batch_id is None:
                self._log.name(stored.number, batch_id)
            run.dialect = stored.dialect
            run.made.append(Made(stored.number, batch_id, stored.dialect, stored.keys))
            held.update(stored.keys)
        run.to_send = [key for key in run.to_send if key not in held]

    def _sent(self, run: Run) -> Iterator[tuple[str, Failure]]:
        """Makes batches of all that is to be sent."""
        left, run.to_send = dict.fromkeys(run.to_send), []
        if run.over is None:
            requests = {key: run.requests[key] for key in left}
            limits = {"most_requests": self._most_requests, "most_bytes": self._most_bytes}
            for part in parts(requests, run.dialect, self._folder, **limits):
                if isinstance(part, TooLarge):
                    del left[part.key]
                    yield part.key, Failure(f"it has more than the {self._most_bytes:,} bytes that a file may have")
                    continue
                made = self._make(part, run.dialect, url(requests[part.keys[0]]))
                if isinstance(made, Trouble):
                    run.over = made
                    break
                run.made.append(made)
                for key in part.keys:
                    del left[key]
        for key in left:
            assert run.over is not None
            yield key, Failure(f"not sent: {run.over.reason}")

    def _make(self, part: Part, dialect: Dialect, to: Url) -> Made | Trouble:
        file_id = self._api.upload(part.file, f"partonomy-{part.sha256[:16]}.jsonl")
        if isinstance(file_id, Trouble):
            return file_id
        number = self._log.add(self._endpoint, file_id, part.sha256, dialect, part.keys)
        batch_id = self._api.create(file_id, part.sha256, to)
        if isinstance(batch_id, Trouble):
            # It stays noted: the batch may have been made all the same.
            return batch_id
        self._log.name(number, batch_id)
        return Made(number, batch_id, dialect, tuple(part.keys))

    def _waited_for(self, run: Run) -> Iterator[tuple[str, Outcome]]:
        """What comes of all batches that were made, each as soon as it has ended."""
        pause, begun = self._pauses.first, time.monotonic()
        heard, run.room_made = begun, False
        unknown: Counter[str] = Counter()
        while run.made:
            for one in tuple(run.made):
                with scratch(self._folder) as file:
                    state = self._looked_at(one, file)
                    if isinstance(state, Trouble) and state.kind == "missing":
                        # A batch that was just made may not be known everywhere.
                        unknown[one.batch_id] += 1
                        state = Said(one.batch_id, "lost" if unknown[one.batch_id] == self._tries else "unknown")
                    if isinstance(state, Trouble):
                        if state.kind == "passing" and time.monotonic() - heard < self._pauses.deaf:
                            break
                        yield from run.given_up(state)
                        return
                    if state.status in _ENDED:
                        run.made.remove(one)
                        yield from self._handed_on(run, one, state, file)
                        pause = self._pauses.first
                    heard = time.monotonic()
            if run.made and heard - begun > self._pauses.most:
                hours = self._pauses.most / 3600
                yield from run.given_up(Trouble("passing", f"no answer after {hours:.0f} hours", LATER))
            elif run.made:
                time.sleep(pause)
                pause = min(pause * _GROWTH, self._pauses.longest)

    def _looked_at(self, one: Made, file: IO[bytes]) -> Said | Trouble:
        """How a batch stands. Once it has ended, all its results are in the file."""
        state = self._api.state(one.batch_id)
        if isinstance(state, Trouble):
            return state
        for file_id in (state.output_file_id, state.error_file_id) if state.status in _ENDED else ():
            trouble = self._api.download(file_id, file) if file_id else None
            # One that the server keeps no longer holds nothing.
            if trouble is not None and trouble.kind != "missing":
                return trouble
        return state

    def _handed_on(self, run: Run, one: Made, state: Said, file: IO[bytes]) -> Iterator[tuple[str, Outcome]]:
        """What the results are to the requests, each once; those that there is none of fail."""
        if state.status == "failed":
            # Nothing of it was paid for.
            self._log.drop(one.number)
            yield from run.failed(one, state.errors)
            return
        run.room_made = True
        asked, left = frozenset(one.keys), dict.fromkeys(one.keys)
        unanswered: list[str] = []
        for result in results(file):
            if result is None or result.custom_id not in left:
                of_ours = result is not None and result.custom_id in asked
                self.ignored["unreadable" if result is None else "given twice" if of_ours else "not asked for"] += 1
                continue
            del left[result.custom_id]
            outcome = run.outcome(one, result)
            if isinstance(outcome, Failure):
                unanswered.append(result.custom_id)
            if outcome is not None:
                yield result.custom_id, outcome
        for key in left:
            yield key, Failure(_ENDED[state.status])
        self._log.release(one.number, [*unanswered, *left])


def _free(outcome: Outcome) -> Outcome:
    """The same again, for an equal request: it is charged once."""
    return (
        msgspec.structs.replace(outcome, prompt_tokens=0, completion_tokens=0)
        if isinstance(outcome, Reply)
        else outcome
    )
