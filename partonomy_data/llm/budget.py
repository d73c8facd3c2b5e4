"""What requests cost, and the cap that stops them in time.

Before a request is sent, the most that it can cost is set aside: its prompt by length, its answer by `max_tokens`. When
the reply is in, what it did cost takes that place. A request for which too little is left is not sent, nor any after
it, so a cap is never passed by what a server charges for a single answer as long as its own counts are no larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.llm.request import Reply, Request
from partonomy_data.llm.settings import LlmSettings

#: Characters of a prompt that make a token, at the least: English prose has some four, JSON of short names fewer.
_CHARACTERS_PER_TOKEN: Final = 3.0
#: What the Batch API charges of the list price.
_BATCH_SHARE: Final = 0.5
#: Tokens that a message takes beside its text.
_MESSAGE_TOKENS: Final = 6
#: Tokens of an image of a thousand pixels a side, with most models; some of the small ones count twenty times as many.
_IMAGE_TOKENS: Final = 1_500


class _Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sent: float
    received: float


class _Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: str
    models: dict[str, _Listed]


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    sent: float
    received: float

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """US dollars."""
        return (prompt_tokens * self.sent + completion_tokens * self.received) / 1e6


def price(settings: LlmSettings) -> Price | None:
    """What the model that is to be asked charges, by the way in which it is; None where nobody knows it.

    The Batch API charges half of what is listed, or given. A model on this machine costs nothing. Raises UsageError if
    only one of the two prices is given, or if a cap in dollars is set and the price isn't known.
    """
    listed = _list_price(settings)
    if listed is None or settings.transport != "openai-batch":
        return listed
    return Price(listed.sent * _BATCH_SHARE, listed.received * _BATCH_SHARE)


def embedding_price(settings: LlmSettings) -> Price | None:
    """The same of the model of embeddings."""
    if not settings.embeddings:
        return None
    host = urlsplit(settings.endpoint).hostname or ""
    listed = _listed(settings.embeddings) if host == "api.openai.com" else None
    if settings.usd_per_million_embedded is not None:
        sent = settings.usd_per_million_embedded
    elif host in ("localhost", "::1") or host.startswith("127."):
        sent = 0.0
    elif listed is not None:
        sent = listed.sent
    elif settings.usd is not None:
        raise UsageError(
            f"the price of {settings.embeddings!r} is not known, so a cap in dollars can't be kept",
            where="llm.usd",
            mend="Give llm.usd_per_million_embedded, or cap calls or tokens",
        )
    else:
        return None
    return Price(sent * (_BATCH_SHARE if settings.transport == "openai-batch" else 1.0), 0.0)


def _list_price(settings: LlmSettings) -> Price | None:
    given = settings.usd_per_million_in, settings.usd_per_million_out
    if (given[0] is None) != (given[1] is None):
        raise UsageError("give both prices, or neither", where="llm.usd_per_million_in, llm.usd_per_million_out")
    if given[0] is not None and given[1] is not None:
        return Price(given[0], given[1])
    host = urlsplit(settings.endpoint).hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        return Price(0.0, 0.0)
    listed = _listed(settings.model) if host == "api.openai.com" else None
    if listed is not None:
        return Price(listed.sent, listed.received)
    if settings.usd is not None:
        raise UsageError(
            f"the price of {settings.model!r} at {host or settings.endpoint} is not known, so a cap in dollars can't be kept",
            where="llm.usd",
            mend="Give llm.usd_per_million_in and llm.usd_per_million_out, or cap calls or tokens",
        )
    return None


def _listed(model: str) -> _Listed | None:
    prices = _list()
    names = [name for name in prices.models if model == name or model.startswith(f"{name}-")]
    return prices.models[max(names, key=len)] if names else None


@cache
def _list() -> _Prices:
    text = files("partonomy_data.llm").joinpath("prices.yaml").read_bytes()
    return msgspec.yaml.decode(text, type=_Prices)


def prompt_tokens(request: Request) -> int:
    """About how many tokens a request sends; rather too many than too few."""
    characters = sum(len(message.content) for message in request.messages) + len(bytes(request.schema))
    images = sum(len(message.images) for message in request.messages)
    return int(characters / _CHARACTERS_PER_TOKEN) + _MESSAGE_TOKENS * len(request.messages) + _IMAGE_TOKENS * images


class Budget:
    """What may still be spent. `reached` once a request was held back."""

    def __init__(self, settings: LlmSettings) -> None:
        self.price = price(settings)
        self._embedded = embedding_price(settings)
        self.reached = False
        self._usd, self._calls, self._tokens = settings.usd, settings.calls, settings.tokens
        self._spent_usd, self._spent_calls, self._spent_tokens = 0.0, 0, 0
        self._aside: dict[str, tuple[int, int]] = {}
        """By the key of a request that has no outcome yet, the tokens that it may take, sent and received."""
        self._held_sent = self._held_received = 0
        """Of all of these together: to add them up each time would take the longer, the more a transport takes at once."""

    def cost(self, request: Request, sent: int, received: int) -> float | None:
        """US dollars for so many tokens of the model that a request is for; None where the price isn't known."""
        known = self._embedded if request.form == "embedding" else self.price
        return known.of(sent, received) if known else None

    def cost_of(self, request: Request, reply: Reply) -> float | None:
        """What a reply cost; where the server counted no tokens, as much as it can have cost at the most."""
        return self.cost(request, *_counted(request, reply))

    def set_aside(self, request: Request) -> bool:
        """Whether a request may be sent; if so, the most that it can cost is set aside."""
        sent, received = prompt_tokens(request), request.max_tokens
        all_sent, all_received = self._held_sent + sent, self._held_received + received
        # What is on the way is of one purpose, and so of one model.
        usd = self.cost(request, all_sent, all_received) or 0.0
        left = (
            (self._usd is None or self._spent_usd + usd <= self._usd + 1e-12)
            and (self._calls is None or self._spent_calls + len(self._aside) + 1 <= self._calls)
            and (self._tokens is None or self._spent_tokens + all_sent + all_received <= self._tokens)
        )
        if self.reached or not left:
            self.reached = True
            return False
        self._release(request)
        self._aside[request.key] = sent, received
        self._held_sent, self._held_received = self._held_sent + sent, self._held_received + received
        return True

    def settle(self, request: Request, reply: Reply | None) -> None:
        """Puts what a request did cost (nothing that is known, where no reply came) in the place of what was set aside."""
        self._release(request)
        self._spent_calls += 1
        if reply is not None:
            sent, received = _counted(request, reply)
            self._spent_tokens += sent + received
            self._spent_usd += self.cost(request, sent, received) or 0.0

    def _release(self, request: Request) -> None:
        sent, received = self._aside.pop(request.key, (0, 0))
        self._held_sent, self._held_received = self._held_sent - sent, self._held_received - received


def _counted(request: Request, reply: Reply) -> tuple[int, int]:
    sent = reply.prompt_tokens if reply.prompt_tokens is not None else prompt_tokens(request)
    received = reply.completion_tokens if reply.completion_tokens is not None else request.max_tokens
    return sent, received
