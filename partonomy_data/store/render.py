"""The rows of a query as text for people, CSV or JSON for programs, or Parquet."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import shutil
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from partonomy_data.errors import QueryError
from partonomy_data.store.query import Answer

FORMATS: Final = ("table", "csv", "json", "parquet")
#: A column of a table is cut to this many characters where the rows would not fit otherwise.
NARROWEST: Final = 8


def render(answer: Answer, form: str = "table", *, width: int | None = None, guard_formulas: bool = False) -> bytes:
    """The rows of `answer` as bytes in one of FORMATS; text is UTF-8 and ends with a line end.

    `table` is aligned, cut to `width` columns (the terminal's by default), and says how many rows there are. `csv`
    has a header, and values that aren't scalars as JSON; `guard_formulas` puts a `'` before text that a spreadsheet
    would take for a formula. `json` is a list of objects. In `json` and `parquet`, which keep values by the names of their
    columns, a further column of a name gets a number: `area`, `area_1`. Raises QueryError for another format.
    """
    if form == "table":
        return table_text(answer, width or shutil.get_terminal_size((120, 24)).columns).encode()
    if form == "csv":
        return csv_text(answer.rows, guard_formulas=guard_formulas).encode()
    if form == "json":
        return json_text(_told_apart(answer.rows)).encode()
    if form == "parquet":
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(_told_apart(answer.rows), sink, compression="zstd")
        data: bytes = sink.getvalue().to_pybytes()
        return data
    raise QueryError(f"there is no format {form!r}", mend=f"Choose one of {', '.join(FORMATS)}")


def _told_apart(rows: pa.Table) -> pa.Table:
    """The same rows, no two columns of one name."""
    taken = set(rows.column_names)
    names: list[str] = []
    for name in rows.column_names:
        new, number = name, 0
        while new in names or (number and new in taken):
            number += 1
            new = f"{name}_{number}"
        names.append(new)
    return rows.rename_columns(names)


def table_text(answer: Answer, width: int) -> str:
    """An aligned table at most `width` characters wide, numbers to the right, and a last line with the count."""
    names = answer.rows.column_names
    columns = [[_cell(value) for value in column.to_pylist()] for column in answer.rows.columns]
    numeric = [_is_number(f.type) for f in answer.rows.schema]
    widths = _fitted([max(map(_width, [name, *cells])) for name, cells in zip(names, columns, strict=True)], width)
    lines = [_line(names, widths, numeric), "  ".join("─" * w for w in widths)]
    lines.extend(_line(row, widths, numeric) for row in zip(*columns, strict=True))
    n_rows = answer.rows.num_rows
    count = f"{n_rows:,} row{'' if n_rows == 1 else 's'}"
    lines.append(f"({count})" if answer.complete else f"(the first {count}; there are more)")
    return "\n".join(lines) + "\n"


def _is_number(kind: pa.DataType) -> bool:
    """Decimals are numbers too: DuckDB's sums and counts of conditions come as such."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = []
    for cell, width, right in zip(cells, widths, numeric, strict=True):
        text = _cut(cell, width)
        blank = " " * (width - _width(text))
        padded.append(blank + text if right else text + blank)
    return "  ".join(padded).rstrip()


def _fitted(widths: list[int], total: int) -> list[int]:
    """The widths, the widest columns cut until two blanks between them and all the rest fit into `total`."""
    fitted = list(widths)
    excess = sum(fitted) + 2 * (len(fitted) - 1) - total
    while excess > 0:
        widest = max(fitted)
        if widest <= NARROWEST:
            break
        at_widest = [i for i, w in enumerate(fitted) if w == widest]
        below = max([w for w in fitted if w < widest] + [NARROWEST])
        cut = min(widest - below, -(-excess // len(at_widest)))
        for i in at_widest:
            fitted[i] -= cut
        excess -= cut * len(at_widest)
    return fitted


def _cell(value: Any) -> str:
    """A value on one line; control characters are shown, not sent to the terminal."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else _text(value)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _width(text: str) -> int:
    """Columns of a terminal that `text` takes."""
    return len(text) if text.isascii() else sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    while _width(text) > width - 1:
        text = text[: min(len(text) - 1, width - 1)]
    return text + "…"


def csv_text(rows: pa.Table, *, guard_formulas: bool = False) -> str:
    """CSV with a header (RFC 4180, but lines end with a line feed); null is empty, nested values are JSON."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(rows.column_names)
    for batch in rows.to_batches():
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            cells = ["" if value is None else _text(value) for value in row]
            if guard_formulas:
                cells = [
                    "'" + cell if isinstance(value, str) and cell.startswith(tuple("=+-@\t\r")) else cell
                    for cell, value in zip(cells, row, strict=True)
                ]
            writer.writerow(cells)
    return buffer.getvalue()


def json_text(rows: pa.Table) -> str:
    """A JSON list with an object for each row, one row a line; numbers that JSON lacks (NaN, infinities) are null."""
    names = rows.column_names
    lines = [
        json.dumps(dict(zip(names, map(_plain, row), strict=True)), ensure_ascii=False, allow_nan=False)
        for batch in rows.to_batches()
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    ]
    return "[" + ",\n ".join(lines) + "]\n"


def _text(value: Any) -> str:
    plain = _plain(value)
    if isinstance(plain, str):
        return plain
    if isinstance(value, float):
        return repr(value)
    return json.dumps(plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """`value` in what JSON can hold: bytes as base64, times as ISO 8601, maps as lists of pairs."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
