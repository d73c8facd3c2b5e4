"""What changed since the version before: sources and tables that are gone, and distributions that moved.

The distance of two distributions is their total variation: half the sum of the absolute differences of the shares, from 0
(the same) to 1 (nothing in common).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import pyarrow as pa

from partonomy_data.validation.rules.common import found
from partonomy_data.validation.subject import Subject
from schemas.tables import TABLES

#: Values whose shares moved most, that a reason tells.
_TOLD: Final = 3
#: What is compared → the table, and the value of a row.
DISTRIBUTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "sources": ("images", "source"),
    "object_categories": ("objects", "object_category"),
    "part_categories": ("parts", "part_category"),
    "splits": ("questions", "split"),
    "question_types": ("questions", "question_type"),
    "question_sources": ("questions", "source"),
    "answer_sizes": ("question_masks", "n"),
}
#: Table → SQL of the rows that are counted, where they aren't its own. The parts that a correct choice names, counted from
#: their masks: to read all choices would take ten times as long.
_ROWS: Final[Mapping[str, str]] = {"question_masks": "(SELECT count(*) AS n FROM {table} GROUP BY hash(question_id))"}


def sources_kept(subject: Subject) -> pa.Table:
    """Sources of which the version before has photographs, and this one none."""
    if subject.parent is None:
        return found([])
    gone = subject.found(
        """SELECT source, count(*) AS n FROM parent.images ANTI JOIN images USING (source) GROUP BY source"""
    )
    return found(
        (f"source {row['source']}", f"version {_version(subject)} has {row['n']:,} photographs of it")
        for row in gone.to_pylist()
    )


def tables_kept(subject: Subject) -> pa.Table:
    """Tables that have rows in the version before, and none in this one."""
    if subject.parent is None:
        return found([])
    empty = {
        name: int(subject.value(f"SELECT count(*) FROM parent.{name}")) for name in TABLES if not subject.rows[name]
    }
    return found((f"table {name}", f"version {_version(subject)} has {n:,} rows") for name, n in empty.items() if n)


def unmoved(subject: Subject, what: str) -> pa.Table:
    """Whether the distribution of `what` is farther from the one of the version before than the settings allow."""
    if subject.parent is None:
        return found([])
    table, value = DISTRIBUTIONS[what]
    rows = _ROWS.get(table, "{table}")
    shares = _shares(subject, rows.format(table=f"main.{table}"), value)
    before = _shares(subject, rows.format(table=f"parent.{table}"), value)
    if not shares or not before:
        return found([])
    moves = {name: shares.get(name, 0.0) - before.get(name, 0.0) for name in sorted({*shares, *before})}
    distance = sum(map(abs, moves.values())) / 2
    if distance <= subject.settings.drift:
        return found([])
    most = sorted(moves, key=lambda name: -abs(moves[name]))[:_TOLD]
    told = ", ".join(f"{name}: {before.get(name, 0.0):.1%} → {shares.get(name, 0.0):.1%}" for name in most)
    return found([(what.replace("_", " "), f"{distance:.2f} from version {_version(subject)} ({told})")])


def _shares(subject: Subject, table: str, value: str) -> dict[str, float]:
    """Value → share of the rows."""
    counts = subject.found(
        f"SELECT coalesce(({value})::VARCHAR, 'none') AS value, count(*) AS n FROM {table} GROUP BY 1"
    )
    n = counts["n"].to_pylist()
    return {name: one / sum(n) for name, one in zip(counts["value"].to_pylist(), n, strict=True)}


def _version(subject: Subject) -> str:
    return str((subject.parent or {}).get("version", "before"))


CHECKS: Final[Mapping[str, Callable[[Subject], pa.Table]]] = {
    "sources_kept": sources_kept,
    "tables_kept": tables_kept,
    **{f"{what}_unmoved": partial(unmoved, what=what) for what in DISTRIBUTIONS},
}
