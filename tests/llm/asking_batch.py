"""Asking a server by the batch transport: what the tests of it share.

Also as a process of its own, for tests that kill it:

    python -m tests.llm.asking_batch --endpoint URL --folder F [--die-at-booking N]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.llm.batch import Batch, Pauses
from partonomy_data.llm.brief import Answered, Brief, Item, Unanswered
from partonomy_data.llm.cache import AnswerStore
from partonomy_data.llm.client import Client
from partonomy_data.llm.request import Request
from partonomy_data.llm.settings import LlmSettings
from partonomy_data.llm.transport import Outcome, Transport
from tests.llm.asking_live import KEY
from tests.llm.batch_server import BatchServer

#: No test waits for longer than it must.
SHORT = Pauses(first=0.0, longest=0.001)
#: Gives a server up at its first silence.
DEAF = Pauses(first=0.0, longest=0.0, deaf=0.0)
ITEMS = [Item(f"{n}", {"name": f"part {n}"}) for n in range(24)]


class Verdict(msgspec.Struct, frozen=True):
    verdict: Literal["yes", "no"]


def judged(body: dict[str, Any]) -> dict[str, Any]:
    """An answer to every item; parts whose number has a 3 get a wrong one at first."""
    again = len(body["messages"]) > 2
    answers = []
    for line in body["messages"][1]["content"].splitlines():
        item = json.loads(line)
        answers.append({"n": item["n"], "verdict": "yes" if again or "3" not in item["name"] else "perhaps"})
    return {"answers": answers}


def brief() -> Brief[Verdict]:
    return Brief("judge", "Judge.", Verdict, lambda _item, _answer: None, pack=2)


def batch(server: BatchServer | str, folder: Path, **more: Any) -> Batch:
    endpoint = server if isinstance(server, str) else server.endpoint
    folder.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {"key": KEY, "timeout_s": 20.0, "tries": 3, "pauses": SHORT}
    return Batch(folder, endpoint=endpoint, **{**settings, **more})


def everything(
    server: BatchServer | str, folder: Path, requests: Iterable[Request], **more: Any
) -> tuple[dict[int, Outcome], UsageError | None]:
    """All that is yielded, and what is raised after it, if anything is."""
    found: dict[int, Outcome] = {}
    with closing(batch(server, folder, **more)) as one:
        try:
            for number, outcome in one.send(requests):
                assert number not in found, "an outcome twice"
                found[number] = outcome
        except UsageError as error:
            return found, error
    return found, None


def outcomes(server: BatchServer | str, folder: Path, requests: Iterable[Request], **more: Any) -> dict[int, Outcome]:
    found, error = everything(server, folder, requests, **more)
    assert error is None, error
    return found


def settings_for(endpoint: str, **more: Any) -> LlmSettings:
    wanted = {"transport": "openai-batch", "endpoint": endpoint, "model": "small", **more}
    return msgspec.convert(wanted, LlmSettings)


def ask(
    folder: Path, transport: Transport | None, settings: LlmSettings, items: list[Item] = ITEMS
) -> tuple[dict[str, Answered[Verdict] | Unanswered], Client]:
    """What a client makes of it."""
    with AnswerStore(folder) as store:
        client = Client(settings, store, transport)
        return client.ask(brief(), items), client


def small(endpoint: str, folder: Path) -> Batch:
    """The transport of the tests that kill it: five requests in a file."""
    return batch(endpoint, folder, most_requests=5)


def main() -> None:
    """Asks about all items, and says when it is done; or ends, as `kill -9` does it, before a booking."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--die-at-booking", type=int, default=-1)
    options = parser.parse_args()
    book, booked = AnswerStore.book, [0]

    def dying(*given: Any, **more: Any) -> str:
        if booked[0] == options.die_at_booking:
            os.kill(os.getpid(), signal.SIGKILL)
        booked[0] += 1
        return book(*given, **more)

    AnswerStore.book = dying  # type: ignore[method-assign]
    with closing(small(options.endpoint, options.folder)) as transport:
        ask(options.folder, transport, settings_for(options.endpoint))
    print("done", flush=True)


if __name__ == "__main__":
    main()
