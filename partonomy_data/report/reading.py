"""The rows that the pages need, by SELECTs of few rows over tables of millions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from partonomy_data.store import Store

Row = dict[str, Any]

#: Question types in the order in which they are told of; others follow.
TYPES: Final = ("identification", "intersection", "difference", "contrast", "part_to_whole", "whole_to_part")
#: Splits, likewise.
SPLITS: Final = ("train", "val", "test", "test_unseen_object", "test_unseen_part", "test_unseen_pair")


class Reading:
    """A version that is open, to be asked by SELECTs of the report's own."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def version(self) -> str:
        """Its name."""
        return self.store.version

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The content of its manifest."""
        return self.store.manifest

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of a SELECT as dictionaries. Raises QueryError."""
        found: list[Row] = self.store.select(sql, list(parameters)).rows.to_pylist()
        return found

    def number(self, sql: str) -> int:
        """The one number that a SELECT gives. Raises QueryError."""
        return int(next(iter(self.rows(sql)[0].values())))


@dataclass(frozen=True, slots=True)
class Cross:
    """Counts by two things: `cells[row][column]`, 0 where there is none."""

    rows: list[str]
    columns: list[str]
    cells: dict[str, dict[str, int]]

    def of_row(self, row: str) -> int:
        """The sum of a row."""
        return sum(self.cells[row].values())

    def of_column(self, column: str) -> int:
        """The sum of a column."""
        return sum(self.cells[row][column] for row in self.rows)

    @property
    def total(self) -> int:
        """The sum of all."""
        return sum(map(self.of_row, self.rows))


def cross(
    counted: Iterable[Mapping[str, Any]], row: str, column: str, n: str = "n", *, order: Sequence[str] = ()
) -> Cross:
    """Counts of rows that have `row`, `column` and a number `n`, summed. `order`: names that come before others."""
    cells: dict[str, dict[str, int]] = {}
    for one in counted:
        line = cells.setdefault(str(one[row]), {})
        line[str(one[column])] = line.get(str(one[column]), 0) + int(one[n])
    rows = ordered(cells, order)
    columns = ordered({name for line in cells.values() for name in line}, order)
    return Cross(rows, columns, {name: {other: cells[name].get(other, 0) for other in columns} for name in rows})


def ordered(names: Iterable[str], order: Sequence[str] = ()) -> list[str]:
    """The names, those of `order` first and in its order, the others by alphabet."""
    places = {name: place for place, name in enumerate(order)}
    return sorted(set(names), key=lambda name: (places.get(name, len(places)), name))


def summed(counted: Iterable[Mapping[str, Any]], key: str, n: str = "n") -> dict[str, int]:
    """The sums of `n` by what `key` is, by alphabet."""
    found: dict[str, int] = {}
    for one in counted:
        found[str(one[key])] = found.get(str(one[key]), 0) + int(one[n])
    return dict(sorted(found.items()))
