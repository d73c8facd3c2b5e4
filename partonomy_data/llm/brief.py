"""What is asked of a language model: briefs, the items that they are about, and what came of each item.

A purpose (relations, plausibility, wording, …) states once, in a `Brief`, what it wants to know and how an answer is
checked. What it wants to know it *of* are `Item`s. Many items travel in one call, but each is answered, checked, kept
and charged by itself: a bad answer to one costs the others nothing, and a different number of items in a call asks
nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

#: refused: the model answered, and neither answer nor its second try held. failed: no answer came. budget: not sent,
#: as the cap was reached. not_stored: not sent, as only stored answers were to be used.
Why: TypeAlias = Literal["refused", "failed", "budget", "not_stored"]


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that is shown with an item."""

    url: str
    """A data URL."""
    key: str
    """A digest of what is seen: pictures with equal keys have equal answers, however their files are written."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be judged or worded."""

    id: str
    """Unique among the items of one ask. Not shown to the model."""
    shown: Mapping[str, Any]
    """What the model sees of it, as JSON. Equal items of a brief have equal answers, whatever their ids."""
    pictures: tuple[Picture, ...] = ()
    """What it sees before that; for briefs of which an item travels alone."""


@dataclass(frozen=True, slots=True)
class Brief(Generic[T]):
    """A kind of question: what to tell the model, what an answer is, and what makes it a good one."""

    purpose: str
    """`relations`, `plausibility`, `wording`, `names`, `paraphrase`, `judge`, `embeddings`: what the ledger goes by."""
    instructions: str
    """What the model is told, whatever the items."""
    answer: type[T]
    """An answer to one item: a Struct of plain fields (str, int, bool, list of them, Literal), each documented."""
    check: Callable[[Item, T], str | None]
    """What is wrong with an answer, in words that the model can mend it by; None if nothing is."""
    pack: int = 20
    """Items in one call."""
    tokens: int = 40
    """Tokens that an answer to one item may take."""
    temperature: float = 0.0
    embedding_model: str | None = None
    """The model that is asked in the place of the other: for an embedding of each item's `text`, and nothing else."""


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """An answer that was checked."""

    value: T
    call_id: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """None that can be used: the rule takes its place."""

    why: Why
    reason: str


class Asks(Protocol):
    """Whom a purpose asks: `client.Client`."""

    def ask(self, brief: Brief[T], items: Sequence[Item]) -> dict[str, Answered[T] | Unanswered]:
        """An outcome for each item, by its id, in the order of the items."""
        ...
