"""Rows of a query as they come, and JSON arrays of them: what is in memory is a batch, however many rows there are.

DuckDB writes each row as JSON text (`to_json`), Arrow joins the texts of a batch, and the file takes the joined bytes: no
row passes through Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from partonomy_data.store.query import query_error
from partonomy_data.store.reader import Store

#: Rows of a batch. A row with its masks takes a few kilobytes as JSON.
BATCH_ROWS: Final = 4_096


def batches(store: Store, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of one SELECT in batches of BATCH_ROWS at most.

    Raises QueryError if DuckDB can't carry it out, for lack of memory or disk, say.
    """
    import duckdb

    try:
        yield from store.sql(sql, parameters).to_arrow_reader(BATCH_ROWS)
    except (duckdb.Error, pa.ArrowException) as error:
        raise query_error(error, ()) from error


def lines(store: Store, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[pa.Array]:
    """The only column of one SELECT, JSON texts, batch by batch."""
    for batch in batches(store, sql, parameters):
        yield batch.column(0)


def write_array(file: BinaryIO, texts: Iterable[pa.Array], told: Callable[[int], object] | None = None) -> int:
    """Writes a JSON array of JSON `texts`, one a line, and returns how many there were. `told` hears of each batch's number."""
    count = 0
    file.write(b"[")
    for batch in texts:
        if not len(batch):
            continue
        file.write(b",\n" if count else b"\n")
        whole = pa.ListArray.from_arrays([0, len(batch)], batch)
        file.write(pc.binary_join(whole, ",\n")[0].as_buffer())
        count += len(batch)
        if told is not None:
            told(len(batch))
    file.write(b"\n]" if count else b"]")
    return count


def json_bytes(value: Any) -> bytes:
    """A small value as compact JSON."""
    return msgspec.json.encode(value)
