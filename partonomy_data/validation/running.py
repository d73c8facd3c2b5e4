"""Runs the checks of all suites over a version, or over what of it has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from partonomy_data.validation.rules import Check, checks
from partonomy_data.validation.subject import Subject, damage, first_line
from partonomy_data.validation.suites import VERSION, Expectation, suites

if TYPE_CHECKING:
    from partonomy_data.validation.changes import Changes

#: What a check finds: the rows that break a rule, each once, in order, and why.
FOUND: Final = pa.schema([("row", pa.string()), ("reason", pa.string())])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a rule."""

    table: str
    """The suite: a table, or `version`."""
    expectation: Expectation
    checked: int
    """Rows of the table; of the version, the units that were looked at or, if they aren't counted, 1."""
    found: pa.Table
    """The rows that break it (`FOUND`)."""
    seconds: float = field(compare=False)
    judged: int | None = None
    """Rows that were looked at this time (of the version, files), as the others are as they were; None for all."""

    @property
    def rule(self) -> str:
        """Its name."""
        return self.expectation.rule

    @property
    def failed(self) -> int:
        """How many rows break it."""
        return int(self.found.num_rows)

    @property
    def within(self) -> bool:
        """Whether no more rows break it than may; the share is taken as Great Expectations does, so that 1 of 10 is 10 %."""
        rows = max(self.checked, self.failed)
        return rows == 0 or (rows - self.failed) / rows >= self.expectation.kwargs.mostly


def run(
    subject: Subject,
    told: Callable[[], None] | None = None,
    kept: Iterable[Outcome] = (),
    since: Changes | None = None,
    of_suite: Callable[[list[Outcome]], None] | None = None,
) -> list[Outcome]:
    """The outcome of every rule, in the order of the suites. `told` is called after each that is checked, and `of_suite` with
    those of each suite in which any is.

    Rules whose outcomes are `kept`, as nothing changed that they look at, are not checked again. Where it is known what has
    changed `since` a version that was validated, the others look at that, as far as it is all that they need.
    A file that turns out to be damaged while it is read breaks the rule `files_readable`, and is left out from then on.
    """
    outcomes: list[Outcome] = []
    still = {(one.table, one.rule): one for one in kept}
    for table, suite in suites().items():
        mine = []
        for one in suite.expectations:
            as_before = still.get((table, one.rule))
            mine.append(as_before or _outcome(subject, table, one, since))
            if told is not None and as_before is None:
                told()
        if of_suite is not None and any((table, one.rule) not in still for one in suite.expectations):
            of_suite(mine)
        outcomes += mine
    return outcomes


def _outcome(subject: Subject, table: str, expectation: Expectation, since: Changes | None) -> Outcome:
    """What comes of a rule now."""
    import duckdb

    start = time.perf_counter()
    check = checks()[table, expectation.rule]
    where, judged = (subject, None) if since is None else since.place(subject, table, expectation.rule)
    try:
        found = FOUND.empty_table() if where is None else _found(where, check)
    except (duckdb.Error, pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if not _blame(subject):
            raise
        found = pa.table({"row": ["all rows"], "reason": [f"a file is damaged ({first_line(error)})"]})
    checked = subject.rows.get(table, 0) if table != VERSION else max(1, found.num_rows)
    return Outcome(table, expectation, checked, _in_order(found), time.perf_counter() - start, judged)


def _found(subject: Subject, check: Check) -> pa.Table:
    return subject.found(check) if isinstance(check, str) else check(subject)


def _in_order(found: pa.Table) -> pa.Table:
    """Each row once, with the first of its reasons."""
    if not found.num_rows:
        return FOUND.empty_table()
    rows = found["row"].cast(pa.string())
    reasons = found["reason"].cast(pa.string()) if "reason" in found.column_names else pa.nulls(len(rows), pa.string())
    both = pa.table({"row": rows, "reason": reasons}, schema=FOUND)
    once = both.group_by("row").aggregate([("reason", "min")])
    return pa.table({"row": once["row"], "reason": once["reason_min"]}, schema=FOUND).sort_by("row")


def _blame(subject: Subject) -> bool:
    """Leaves out the files that can't be read to their end; whether there are any."""
    damaged = {path: how for paths in subject.files.values() for path in paths if (how := damage(subject, path))}
    for path, how in damaged.items():
        subject.leave_out(path, how)
    return bool(damaged)
