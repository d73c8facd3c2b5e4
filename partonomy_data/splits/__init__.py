"""Splits by photograph: what trains, what is set aside for tests, and things that training never sees.

`assign` gives every photograph one split, whatever sources, copies or crops it comes in; `leakage` checks a table of
splits by other means. Both are loaded when they are first asked for, as configuration needs the settings alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from partonomy_data.splits.settings import SPLITS, SplitSettings

if TYPE_CHECKING:
    from partonomy_data.splits.assignment import REASONS, Assignment, assign
    from partonomy_data.splits.leaks import leakage
    from partonomy_data.splits.unseen import HeldOut

_HOMES = {
    "REASONS": "assignment",
    "Assignment": "assignment",
    "HeldOut": "unseen",
    "assign": "assignment",
    "leakage": "leaks",
}

__all__ = ["REASONS", "SPLITS", "Assignment", "HeldOut", "SplitSettings", "assign", "leakage"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
