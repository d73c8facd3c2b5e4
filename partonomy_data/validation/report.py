"""What a validation came to: for machines, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from partonomy_data.validation.documents import shown
from partonomy_data.validation.running import Outcome

#: Rows of a broken rule that are named; how many there are is always told.
MOST_NAMED: Final = 20
#: Rules that an error's one line tells.
_MOST_TOLD: Final = 3
#: Rules that others can't be kept without: whoever reads but one line wants to know of these.
_CAUSES: Final = frozenset({"files_as_published", "files_readable"})


class Failure(msgspec.Struct, frozen=True):
    """A rule that is broken."""

    rule: str
    table: str
    """A table, or `version` for what is no row of one."""
    level: str
    """`critical`, `row` or `warning`."""
    says: str
    """What should hold."""
    n: int
    """How many rows break it."""
    rows: list[str]
    """Some of them."""
    reasons: list[str | None]
    """How each of those does."""
    tolerated: bool
    """Whether no more rows break it than may."""

    def line(self) -> str:
        """The failure on one line."""
        named = ", ".join(map(shown, self.rows[:3])) + (", …" if self.n > 3 else "")
        reason = f" ({shown(self.reasons[0])})" if self.reasons and self.reasons[0] else ""
        return f"{self.table}.{self.rule}: {self.n:,} {'row' if self.n == 1 else 'rows'}: {named}{reason}"


class Validation(msgspec.Struct, frozen=True):
    """The outcome of all rules."""

    success: bool
    """Whether every rule of level `critical` and `row` is kept."""
    failures: list[Failure]
    rules: int
    """How many rules were checked."""
    rows: dict[str, int]
    """Rows of each table."""
    seconds: dict[str, float] = {}
    """The time that each rule took, the slowest first."""
    quarantined: int = 0
    """Questions that went to quarantine for it."""
    since: str | None = None
    """The version that this one was held against, which keeps all rules but those that are told; None if all was judged."""
    judged: dict[str, int] = {}
    """Rule → how many rows (of the version, files) were judged of what has changed since; those left out judged all."""

    @property
    def blocking(self) -> list[Failure]:
        """Those for which nothing may be published."""
        return [one for one in self.failures if one.level != "warning" and not one.tolerated]

    @property
    def warnings(self) -> list[Failure]:
        """Those that are only told."""
        return [one for one in self.failures if one.level == "warning"]

    def told(self) -> str:
        """What blocks, on one line."""
        causes_first = sorted(self.blocking, key=lambda one: one.rule not in _CAUSES)
        some = "; ".join(one.line() for one in causes_first[:_MOST_TOLD])
        more = len(causes_first) - _MOST_TOLD
        return some + (f"; and {more} more rules" if more > 0 else "")

    def text(self) -> str:
        """All of it, a line for each broken rule."""
        kept = self.rules - len(self.failures)
        lines = [f"{kept} of {self.rules} rules are kept by {sum(self.rows.values()):,} rows"]
        order = {"critical": 0, "row": 1, "warning": 2}
        lines += [f"{one.level:<9} {one.line()}" for one in sorted(self.failures, key=lambda one: order[one.level])]
        return "\n".join(lines)


def validation(
    outcomes: Sequence[Outcome], rows: dict[str, int], quarantined: int = 0, since: str | None = None
) -> Validation:
    """The report of some outcomes. A warning that is within what is tolerated is no failure."""
    failures = [
        Failure(
            rule=one.rule,
            table=one.table,
            level=one.expectation.level,
            says=one.expectation.description,
            n=one.failed,
            rows=one.found["row"].slice(0, MOST_NAMED).to_pylist(),
            reasons=one.found["reason"].slice(0, MOST_NAMED).to_pylist(),
            tolerated=one.within,
        )
        for one in outcomes
        if one.failed and not (one.expectation.level == "warning" and one.within)
    ]
    slowest = sorted(outcomes, key=lambda one: -one.seconds)
    return Validation(
        success=all(one.level == "warning" for one in failures),
        failures=failures,
        rules=len(outcomes),
        rows=rows,
        seconds={f"{one.table}.{one.rule}": round(one.seconds, 3) for one in slowest},
        quarantined=quarantined,
        since=since,
        judged={f"{one.table}.{one.rule}": one.judged for one in outcomes if one.judged is not None},
    )
