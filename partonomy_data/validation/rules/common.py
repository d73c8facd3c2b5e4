"""What the checks of several tables need."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from partonomy_data.validation.running import FOUND
from partonomy_data.validation.subject import ROW
from schemas.tables import TABLES


def found(rows: Iterable[tuple[str, str]]) -> pa.Table:
    """Rows and reasons as a table of `FOUND`."""
    return pa.Table.from_pylist([{"row": row, "reason": reason} for row, reason in rows], FOUND)


def doubled(table: str) -> str:
    """The rows of `table` that share their key with another."""
    keys = ", ".join(TABLES[table].key)
    return f"SELECT {ROW[table]} AS row, count(*) || ' rows' AS reason FROM {table} GROUP BY {keys} HAVING count(*) > 1"


def orphans(table: str, column: str, target: str) -> str:
    """The rows of `table` whose `column` is in no row of `target`."""
    return f"SELECT {ROW[table]} AS row, 'there is no ' || {column} AS reason FROM {table} ANTI JOIN {target} USING ({column})"
