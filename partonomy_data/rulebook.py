"""Every rule that a build can report: those of the sources' readers, and those that hold for all sources."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from partonomy_data import masks, matching
from partonomy_data.errors import SourceError
from partonomy_data.ingest import gather, unclear
from partonomy_data.photographs import inspecting
from partonomy_data.rules import Rule
from partonomy_data.sources.base import reader
from partonomy_data.taxonomy import names

#: Rules that hold for all sources, by where they are applied.
SHARED: Final[Mapping[str, tuple[Rule, ...]]] = {
    "Photographs": inspecting.RULES,
    "Masks": masks.RULES,
    "Rows": gather.RULES,
    "Parts and their objects": (*matching.RULES, *unclear.RULES),
    "Names": names.RULES,
}


@cache
def rules_of(source: str) -> Mapping[str, Rule]:
    """The rules that may be applied to rows of `source`, by name: its reader's own come before the shared ones.

    Of a source whose reader isn't installed, the shared ones.
    """
    rules = {rule.name: rule for shared in SHARED.values() for rule in shared}
    try:
        own = reader(source).rules
    except SourceError:
        own = ()
    return {**rules, **{rule.name: rule for rule in own}}
