"""A named rule: what a format does that surprises, and the one thing that is done about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A quirk of a format: what it is, and its one outcome."""

    name: str
    outcome: str
    """`repaired`, `quarantined`, `kept` (true as it is, easily taken for an error), or `refused` (the whole file)."""
    quirk: str
    """What the source does, in a sentence."""
    how: str
    """How it is repaired, or why it can't be used."""
