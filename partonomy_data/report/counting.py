"""Rows by table, source, split and type: as the manifest tells them, counted again from the tables themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from partonomy_data.report.reading import SPLITS, TYPES, Cross, Reading, Row, cross
from schemas.tables import TABLES

#: Tables whose rows the manifest tells by source.
_BY_SOURCE: Final = ("images", "objects", "parts", "attributes")
#: Whose columns the counts by source have.
SHOWN: Final = ("images", "objects", "parts", "attributes", "questions")
_PLACED: Final = "SELECT source, split, reason, count(*) AS n FROM splits GROUP BY ALL ORDER BY ALL"
_ASKED: Final = (
    "SELECT source, split, question_type, balanced, evidence = 'verified' AS verified, names_object, count(*) AS n "
    "FROM questions GROUP BY ALL ORDER BY ALL"
)
_REJECTED: Final = "SELECT source, table_name, count(*) AS n FROM quarantine GROUP BY ALL ORDER BY ALL"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are of everything."""

    tables: list[Row]
    """`name`, what a `row` is, how many (`n`)."""
    accounts: list[Row]
    """The manifest's account of each `source` and `table`: `read`, `derived`, `out`, `quarantined`."""
    sources: Cross
    """Rows by source and table."""
    images: Cross
    """Photographs by split and source."""
    asked: list[Row]
    """Questions (`n`) by source, split, question_type, balanced, verified, names_object."""
    types: Cross
    """Questions by type and split."""
    askers: Cross
    """Questions by split and source."""
    placed: list[Row]
    """Photographs (`n`) by source, split and reason."""
    disagreements: list[str]
    """What isn't as the manifest says; a line each."""

    def of(self, table: str) -> int:
        """Rows of a table."""
        return int(next(one["n"] for one in self.tables if one["name"] == table))


def count(reading: Reading) -> Counts:
    """All of them, by a pass over small columns of each table."""
    manifest = reading.manifest
    counted = {name: reading.number(f'SELECT count(*) AS n FROM "{name}"') for name in TABLES}
    by_source = [
        {"table": table, **row}
        for table in SHOWN
        for row in reading.rows(f"SELECT source, count(*) AS n FROM {table} GROUP BY ALL ORDER BY ALL")
    ]
    asked, placed = reading.rows(_ASKED), reading.rows(_PLACED)
    sources = cross(by_source, "source", "table", order=SHOWN)
    rejected = {(row["source"], row["table_name"]): int(row["n"]) for row in reading.rows(_REJECTED)}
    accounts = [
        {"source": source, "table": table, **told}
        for source, tables in manifest.get("counts", {}).items()
        for table, told in tables.items()
    ]
    images = cross(placed, "split", "source", order=SPLITS)
    return Counts(
        tables=[{"name": name, "row": table.row, "n": counted[name]} for name, table in TABLES.items()],
        accounts=accounts,
        sources=sources,
        images=images,
        asked=asked,
        types=cross(asked, "question_type", "split", order=(*TYPES, *SPLITS)),
        askers=cross(asked, "split", "source", order=SPLITS),
        placed=placed,
        disagreements=list(_disagreements(manifest, counted, sources, rejected, placed)),
    )


def _disagreements(
    manifest: Mapping[str, Any],
    counted: Mapping[str, int],
    sources: Cross,
    rejected: Mapping[tuple[str, str], int],
    placed: list[Row],
) -> Iterator[str]:
    """Where the manifest and the tables tell different numbers."""
    for name, n in manifest["tables"].items():
        if counted.get(name) != n:
            yield f"{name}: the manifest says {n:,} rows, there are {counted.get(name, 0):,}"
    for source, tables in manifest.get("counts", {}).items():
        for table, told in tables.items():
            if table not in _BY_SOURCE:
                continue
            there = sources.cells.get(source, {}).get(table, 0)
            if told["out"] != there:
                yield f"{table} of {source}: the manifest says {told['out']:,} rows, there are {there:,}"
            lost = rejected.get((source, table), 0)
            if told["quarantined"] != lost:
                yield f"{table} of {source}: the manifest says {told['quarantined']:,} in quarantine, there are {lost:,}"
    leakage = (manifest.get("questions") or {}).get("leakage")
    if leakage:
        told_of = {(one["source"], one["split"], one["reason"]): one["images"] for one in leakage["counts"]}
        found = {(one["source"], one["split"], one["reason"]): one["n"] for one in placed}
        for key in sorted(told_of.keys() | found.keys()):
            if told_of.get(key, 0) != found.get(key, 0):
                yield (
                    f"photographs of {key[0]} in {key[1]} by {key[2]}: the manifest says {told_of.get(key, 0):,}, there are "
                    f"{found.get(key, 0):,}"
                )
