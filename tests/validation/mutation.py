"""Kinds of damage to a good version: what is done, the rule that must name it, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from partonomy_data.validation.suites import suites

#: Nothing is published; the questions go to quarantine with their blocks; it is only told.
Outcome = Literal["blocked", "quarantined", "told"]
_OF_LEVEL: dict[str, Outcome] = {"critical": "blocked", "row": "quarantined", "warning": "told"}
#: Damages a version, and returns the names of the rows that the rule must name.
Damage = Callable[[Path], Collection[str]]


@dataclass(frozen=True, slots=True)
class Mutation:
    """A kind of damage."""

    name: str
    suite: str
    rule: str
    damage: Damage
    outcome: Outcome
    settings: Mapping[str, Any]
    """Of the validation, where it needs others than the rest."""
    among_others: bool
    """Whether the rule may name other rows as well."""


@dataclass(slots=True)
class Mutations:
    """All kinds of a module, in its order."""

    kinds: list[Mutation] = field(default_factory=list)

    def breaks(
        self,
        rule: str,
        outcome: Outcome | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        among_others: bool = False,
    ) -> Callable[[Damage], Damage]:
        """Enters a damage, under the name of its function, as one that breaks `<suite>.<rule>`.

        What comes of it follows from the rule's level, unless it is said, as where other rules are broken as well.
        """
        suite, _, name = rule.partition(".")
        (level,) = (one.level for one in suites()[suite].expectations if one.rule == name)

        def enter(damage: Damage) -> Damage:
            title = damage.__name__.replace("_", " ")
            comes = outcome or _OF_LEVEL[level]
            self.kinds.append(Mutation(title, suite, name, damage, comes, settings or {}, among_others))
            return damage

        return enter
