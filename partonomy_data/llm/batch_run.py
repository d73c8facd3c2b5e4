"""The requests of one `Batch.send`: what is to be sent, what is waited for, and what results come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from partonomy_data.llm.batch_api import Trouble, mend_of
from partonomy_data.llm.batch_results import Passing, Result, fault_of, verdict
from partonomy_data.llm.protocol import Dialect, told
from partonomy_data.llm.request import Failure, Request
from partonomy_data.llm.transport import Outcome

_NO_ROOM: Final = "token_limit_exceeded"
_LESS_AT_ONCE: Final = "Send less at once, as with --budget 1000000tokens, and run it again for the rest"
_NOT_IN_BATCHES: Final = "Check llm.model: not every model is offered in batches"


@dataclass(frozen=True, slots=True)
class Made:
    """A batch that is to be waited for."""

    number: int
    """In the answer store."""
    batch_id: str
    dialect: Dialect
    """What its requests were sent in."""
    keys: tuple[str, ...]
    """Of the requests that it is to answer."""


@dataclass(slots=True)
class Run:
    """It belongs to one thread. Each request is in `to_send`, or in one batch of `made`, until it has an outcome."""

    requests: dict[str, Request]
    """By their keys."""
    dialect: Dialect
    """What the next requests are sent in."""
    tries: int
    """Of a request that meets an error that may pass."""
    secret: str | None
    """The key to the server, which is in nothing that comes out of here."""
    to_send: list[str] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)
    over: Trouble | None = None
    """Why nothing more is sent."""
    room_made: bool = False
    """Whether a batch was worked off since requests were sent last."""
    met: Counter[str] = field(default_factory=Counter)
    """How many such errors a request has met."""

    def outcome(self, one: Made, result: Result) -> Outcome | None:
        """What a result of a batch is to its request; None if that is to be sent again."""
        key = result.custom_id
        found = verdict(self.requests[key], one.dialect, result, self.secret)
        match found:
            case Dialect():
                self._learn(one.dialect, found)
                self.to_send.append(key)
                return None
            case Passing(reason):
                self.met[key] += 1
                if self.met[key] < self.tries:
                    self.to_send.append(key)
                    return None
                return Failure(reason + (f" after {self.tries} tries" if self.tries > 1 else ""))
            case Trouble():
                self.over = self.over or found
                return Failure(found.reason)
        return found

    def failed(self, one: Made, errors: Any) -> Iterator[tuple[str, Failure]]:
        """A batch that the server didn't begin. Its requests fail, unless there will be room for them later."""
        code, said = fault_of(errors)
        if code == _NO_ROOM and (self.made or self.room_made):
            self.to_send += one.keys
            return
        reason = f"the batch failed ({told(said, self.secret)})"
        mend = _LESS_AT_ONCE if code == _NO_ROOM else mend_of(0, code) or _NOT_IN_BATCHES
        self.over = self.over or Trouble("lasting", reason, mend)
        yield from ((key, Failure(reason)) for key in one.keys)

    def given_up(self, why: Trouble) -> Iterator[tuple[str, Failure]]:
        """Nothing is waited for any longer."""
        self.over = self.over or why
        for one in self.made:
            yield from ((key, Failure(f"no answer yet: {why.reason}")) for key in one.keys)
        self.made.clear()

    def _learn(self, sent: Dialect, learned: Dialect) -> None:
        """Sends the next without what wasn't taken. Of many requests, one may complain of this and another of that."""
        for name in Dialect.__struct_fields__:
            old, new = getattr(sent, name), getattr(learned, name)
            if new != old == getattr(self.dialect, name):
                self.dialect = msgspec.structs.replace(self.dialect, **{name: new})
