"""How requests reach a model: the one seam between the client and whatever answers.

    live      `apart.Apart`: one by one, many at once, over the chat completions of any OpenAI-compatible server, in a process
              of its own (`live.Live`)
    batch     `batch.Batch`: in files, over the Batch API
    replay    `Replay`: not at all; only what the answer store holds is used

Another transport is any object with the method `send`; the client does everything else (packs, stored answers, caps,
checks, the second try).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias

from partonomy_data.llm.request import Failure, Reply, Request

#: What came of a request: an answer of whatever kind, or none.
Outcome: TypeAlias = Reply | Failure


class Transport(Protocol):
    """Whom requests are handed to."""

    def send(self, requests: Iterable[Request]) -> Iterator[tuple[int, Outcome]]:
        """Sends requests, and yields what came of each as it comes, in any order: (its number from 0 on, outcome).

        The next request is taken from `requests` only when it can be sent soon (a few may be kept ready; a transport
        that sends files takes all), so that `requests` may end as soon as a cap is reached. All that was taken is
        yielded, exactly once, and counts as safe when the next outcome is asked for. A
        request that no answer came for, after all tries, is a Failure; only what makes every request fail (a wrong
        key, an unknown model, no server) is raised, as UsageError, after what has come in was yielded.
        """
        ...

    def close(self) -> None:
        """Lets go of connections. Nothing may be under way."""
        ...


class Replay:
    """Sends nothing: whatever the answer store doesn't hold fails."""

    def send(self, requests: Iterable[Request]) -> Iterator[tuple[int, Outcome]]:
        """A Failure for each."""
        for number, _ in enumerate(requests):
            yield number, Failure(reason="no stored answer")

    def close(self) -> None:
        """Nothing to let go of."""
