"""Versions that are damaged on purpose, and what the checks find in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partonomy_data.store import parquet
from partonomy_data.validation.rules import Check
from partonomy_data.validation.settings import ValidationSettings
from partonomy_data.validation.subject import Subject, opened
from schemas.tables import TABLES

Change = Callable[[pa.Table], pa.Table]
#: suite → rule → how it is checked, as a module's CHECKS.
Checks = Mapping[str, Mapping[str, Check]]
#: (suite, rule) → the rows that break it, and why.
Found = dict[tuple[str, str], dict[str, str | None]]


def read(folder: Path, table: str) -> pa.Table:
    """The rows of a table, those of all its files."""
    return pa.concat_tables([pq.ParquetFile(path).read() for path in sorted((folder / table).rglob("*.parquet"))])


def some(folder: Path, table: str, n: int, **wanted: Any) -> list[dict[str, Any]]:
    """The first `n` rows of a table that have these values."""
    rows = read(folder, table)
    for name, value in wanted.items():
        rows = rows.filter(pc.equal(rows[name], pa.scalar(value, rows[name].type)))
    assert rows.num_rows >= n, f"{rows.num_rows} rows of {table} have {wanted}"
    found: list[dict[str, Any]] = rows.slice(0, n).to_pylist()
    return found


def first(folder: Path, table: str, **wanted: Any) -> dict[str, Any]:
    """The first row of a table that has these values."""
    return some(folder, table, 1, **wanted)[0]


def called(table: str, row: Mapping[str, Any]) -> str:
    """What checks call a row."""
    keys = TABLES[table].key or ("source", "table_name", "row_id")
    return " / ".join(row[key] for key in keys)


def damaged(folder: Path, table: str, change: Change) -> None:
    """Applies `change` to the rows of each file of a table; files whose rows it changes are written anew."""
    n_changed = 0
    for path in sorted((folder / table).rglob("*.parquet")):
        before = pq.ParquetFile(path).read()
        after = change(before)
        if after is not before and not after.equals(before):
            parquet.write(after, path, table)
            n_changed += 1
    assert n_changed, f"nothing was changed in {table}"


def setting(row: Mapping[str, Any], /, **values: Any) -> Change:
    """A change of one row, which is given whole: these columns get other values."""
    return lambda rows: _replaced(rows, row, lambda old: [old | values])


def dropping(row: Mapping[str, Any]) -> Change:
    """A change that leaves one row out, which is given whole."""
    return lambda rows: _replaced(rows, row, lambda old: [])


def doubling(row: Mapping[str, Any], /, **values: Any) -> Change:
    """A change that puts a copy of one row beside it, which is given whole; the copy has these values."""
    return lambda rows: _replaced(rows, row, lambda old: [old, old | values])


def adding(**values: Any) -> Change:
    """A change that puts one row at the end of the first file of its source; columns that aren't named are null."""
    added = False

    def change(rows: pa.Table) -> pa.Table:
        nonlocal added
        if added or ("source" in rows.column_names and values["source"] not in rows["source"].to_pylist()):
            return rows
        added = True
        return pa.concat_tables([rows, pa.Table.from_pylist([values], rows.schema)])

    return change


def _replaced(rows: pa.Table, row: Mapping[str, Any], by: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> pa.Table:
    every: list[dict[str, Any]] = rows.to_pylist()
    if row not in every:
        return rows
    return pa.Table.from_pylist([new for old in every for new in (by(old) if old == row else [old])], rows.schema)


def with_subject(folder: Path, work: Path, look: Callable[[Subject], Any]) -> Any:
    """What `look` finds in the version in `folder`."""
    manifest = json.loads((folder / "manifest.json").read_text())
    with opened(folder, manifest, ValidationSettings(), spill_to=work / "spill", threads=1) as subject:
        assert not subject.unreadable
        return look(subject)


def found(folder: Path, work: Path, *checks: Checks) -> Found:
    """What the checks find: only rules that are broken."""

    def look(subject: Subject) -> Found:
        broken: Found = {}
        for suite, rule, check in _each(checks):
            rows = subject.found(check) if isinstance(check, str) else check(subject)
            if rows.num_rows:
                reasons = rows["reason"].to_pylist() if "reason" in rows.column_names else [None] * rows.num_rows
                broken[suite, rule] = dict(zip(rows["row"].to_pylist(), reasons, strict=True))
        return broken

    result: Found = with_subject(folder, work, look)
    return result


def _each(checks: Iterable[Checks]) -> Iterable[tuple[str, str, Check]]:
    for one in checks:
        for suite, rules in one.items():
            for rule, check in rules.items():
                yield suite, rule, check
