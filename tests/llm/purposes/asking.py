"""Whom purposes ask in these tests: a function of what is shown, behind the seam that the client has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from partonomy_data.llm.brief import Answered, Brief, Item, Unanswered

T = TypeVar("T", bound=msgspec.Struct)

#: What is shown of an item → the fields of its answer, or why there is none.
Model = Callable[[Mapping[str, Any]], Mapping[str, Any] | Unanswered]


@dataclass
class Asked:
    """Answers by a function; notes what was asked, in packs as they would travel."""

    model: Model
    packs: list[list[Mapping[str, Any]]] = field(default_factory=list)

    @property
    def shown(self) -> list[Mapping[str, Any]]:
        """All items, in the order in which they were asked."""
        return [one for pack in self.packs for one in pack]

    def ask(self, brief: Brief[T], items: Sequence[Item]) -> dict[str, Answered[T] | Unanswered]:
        """An outcome for each item. No two are equal or have one id: either would be a mistake of these purposes."""
        assert (
            len({item.id for item in items}) == len({msgspec.json.encode(item.shown) for item in items}) == len(items)
        )
        outcomes: dict[str, Answered[T] | Unanswered] = {}
        for at in range(0, len(items), brief.pack):
            pack = items[at : at + brief.pack]
            self.packs.append([item.shown for item in pack])
            for item in pack:
                said = self.model(item.shown)
                if isinstance(said, Unanswered):
                    outcomes[item.id] = said
                    continue
                value = msgspec.convert(said, brief.answer)
                assert brief.check(item, value) is None
                outcomes[item.id] = Answered(value, f"call_{len(self.packs)}")
        return outcomes
