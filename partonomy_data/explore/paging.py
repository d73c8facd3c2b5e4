"""Pages of long lists. A page begins behind the place of the last row of the one before, so that the last page of millions
is as quick as the first: nothing is counted off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from partonomy_data.explore.opening import Opened, Row

#: Rows of a page.
PER_PAGE: Final = 24


@dataclass(frozen=True, slots=True)
class Rows:
    """A page of rows, and the places from which the pages before and after it go on; None where there is none."""

    rows: list[Row]
    before: int | None
    after: int | None


class Where:
    """Conditions that are joined by AND, with their parameters."""

    def __init__(self) -> None:
        self._conditions: list[str] = []
        self.parameters: list[Any] = []

    def add(self, condition: str, *parameters: Any) -> None:
        """Adds a condition with a `?` for each parameter."""
        self._conditions.append(condition)
        self.parameters.extend(parameters)

    def equal(self, column: str, value: str) -> None:
        """Adds that a column has a value, unless the value is empty."""
        if value:
            self.add(f"{column} = ?", value)

    def sql(self, *more: str) -> str:
        """WHERE and the conditions; empty if there is none."""
        every = [*self._conditions, *more]
        return f"WHERE {' AND '.join(every)}" if every else ""


def page(
    opened: Opened,
    columns: str,
    table: str,
    where: Where,
    *,
    before: int = 0,
    after: int = 0,
    size: int = PER_PAGE,
    own: Sequence[Any] = (),
) -> Rows:
    """The rows of `table` for which `where` holds, in the order of their column `n` (from 1), after or before a place.

    `own` are the parameters that `table` has itself, where it is a SELECT; `where` has them before its own.
    """
    backwards = before > 0
    order, condition, place = ("DESC", "n < ?", before) if backwards else ("ASC", "n > ?", after)
    # First the places alone, which reads the columns of the conditions and no text; then the rows at these places.
    found = opened.rows(
        f"SELECT n FROM {table} {where.sql(condition)} ORDER BY n {order} LIMIT {size + 1}", [*where.parameters, place]
    )
    more = len(found) > size
    places = sorted(row["n"] for row in found[:size])
    if not places:
        return Rows([], None, None)
    marks = ", ".join("?" * len(places))
    rows = opened.rows(
        f"SELECT {columns} FROM {table} WHERE n BETWEEN ? AND ? AND n IN ({marks}) ORDER BY n",
        [*own, places[0], places[-1], *places],
    )
    has_before = more if backwards else after > 0
    has_after = True if backwards else more
    return Rows(rows, places[0] if has_before else None, places[-1] if has_after else None)


def count(opened: Opened, table: str, where: Where) -> int:
    """How many rows there are; kept, as it is the same for every page of a list."""
    return int(opened.kept(f"SELECT count(*) AS n FROM {table} {where.sql()}", where.parameters)[0]["n"])


@dataclass(frozen=True, slots=True)
class Numbered:
    """A page of a list that is in memory."""

    rows: Sequence[Row]
    number: int
    pages: int
    total: int


def numbered(rows: Sequence[Row], number: int, size: int = 60) -> Numbered:
    """Page `number` (from 1) of the rows; the nearest there is, if there is none of that number."""
    pages = max(1, -(-len(rows) // size))
    number = min(max(1, number), pages)
    return Numbered(rows[(number - 1) * size : number * size], number, pages, len(rows))
