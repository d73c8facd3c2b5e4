"""A model behind the seam that the client has, whose answers are checked as the client checks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from partonomy_data.llm.brief import Answered, Brief, Item, Unanswered

T = TypeVar("T", bound=msgspec.Struct)

#: What is shown of an item, and what was wrong with the answer before (None the first time) → the fields of its answer.
Model = Callable[[Mapping[str, Any], str | None], Mapping[str, Any] | Unanswered]


@dataclass
class Checked:
    """Asks each item twice if need be; the second answer counts, or there is none."""

    model: Model
    shown: list[Mapping[str, Any]] = field(default_factory=list)
    objections: list[str] = field(default_factory=list)
    briefs: list[Brief[Any]] = field(default_factory=list)

    def ask(self, brief: Brief[T], items: Sequence[Item]) -> dict[str, Answered[T] | Unanswered]:
        """An outcome for each item; its call's id has the number of the try."""
        assert len({item.id for item in items}) == len(items)
        self.briefs.append(brief)
        return {item.id: self._outcome(brief, place // brief.pack, item) for place, item in enumerate(items)}

    def _outcome(self, brief: Brief[T], pack: int, item: Item) -> Answered[T] | Unanswered:
        wrong: str | None = None
        for attempt in (1, 2):
            self.shown.append(item.shown)
            said = self.model(item.shown, wrong)
            if isinstance(said, Unanswered):
                return said
            value = msgspec.convert(said, brief.answer)
            wrong = brief.check(item, value)
            if wrong is None:
                return Answered(value, f"call_{pack}{attempt}")
            self.objections.append(wrong)
        return Unanswered("refused", wrong or "")
