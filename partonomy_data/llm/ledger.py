"""What was asked, what came of it and what it cost, by purpose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec


class Entry(msgspec.Struct, kw_only=True):
    """The account of one purpose."""

    items: int = 0
    """Things that were to be judged or worded; equal ones count once."""
    stored: int = 0
    """Of these, settled by the answer store: answered or refused before."""
    admitted: int = 0
    """With an answer that passed all checks, stored ones included."""
    asked_again: int = 0
    """That needed the second try."""
    refused: int = 0
    """Whose second answer failed as well: a rule takes its place, as it does for all that follow."""
    failed: int = 0
    """That no answer came for."""
    over_budget: int = 0
    """Not sent, as the cap was reached."""
    not_sent: int = 0
    """Not sent, as nothing was to be sent (`--dry-run`, or replay)."""
    calls: int = 0
    """Requests that were sent, second tries included."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def by_rule(self) -> int:
        """Items that a rule decides."""
        return self.items - self.admitted


class Ledger:
    """Accounts by purpose, in the order in which they were opened."""

    def __init__(self) -> None:
        self.purposes: dict[str, Entry] = {}

    def of(self, purpose: str) -> Entry:
        """The account of a purpose; opened if need be."""
        return self.purposes.setdefault(purpose, Entry())

    def total(self) -> Entry:
        """All purposes together."""
        return total(self.purposes.values())

    def table(self) -> dict[str, Entry]:
        """A copy, for reports."""
        return {name: msgspec.structs.replace(one) for name, one in self.purposes.items()}


def total(entries: Iterable[Entry]) -> Entry:
    """The sum of some accounts."""
    rows = [msgspec.structs.astuple(one) for one in entries]
    return Entry(
        **{name: sum(row[i] for row in rows) for i, name in enumerate(Entry.__struct_fields__)} if rows else {}
    )


_PLANNED: Final = ("items", "stored", "to ask", "calls", "tokens up to", "USD up to")
_DONE: Final = ("items", "stored", "admitted", "again", "refused", "failed", "by rule", "calls", "USD")


def text(purposes: Mapping[str, Entry], *, planned: bool = False) -> str:
    """The accounts as lines of text. `planned`: nothing was sent yet; calls, tokens and price are what it would take."""
    if not purposes:
        return "no language model was asked"
    rows = dict(purposes)
    if len(rows) > 1:
        rows["total"] = total(purposes.values())
    heads = _PLANNED if planned else _DONE
    lines = [f"{'purpose':<14}" + "".join(f"{head:>{_width(head)}}" for head in heads)]
    for name, one in rows.items():
        cells = [*_counts(one, planned), f"{one.cost_usd:,.4f}" if one.cost_usd else "0"]
        lines.append(
            f"{name:<14}" + "".join(f"{cell:>{_width(head)}}" for cell, head in zip(cells, heads, strict=True))
        )
    return "\n".join(lines)


def _width(head: str) -> int:
    return max(len(head) + 2, 9)


def _counts(one: Entry, planned: bool) -> list[str]:
    if planned:
        counts = [one.items, one.stored, one.not_sent, one.calls, one.prompt_tokens + one.completion_tokens]
    else:
        counts = [one.items, one.stored, one.admitted, one.asked_again, one.refused, one.failed, one.by_rule, one.calls]
    return [f"{n:,}" for n in counts]
