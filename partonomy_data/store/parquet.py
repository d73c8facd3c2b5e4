"""The one writer of Parquet files: fixed settings, so that equal rows are equal bytes.

Measured on a million parts with 464-byte masks (two cores, DuckDB 2.0): a point look-up takes about 10 ms with row
groups of 8,192 to 32,768 rows. Smaller groups slow down whole-column queries, because every group costs a seek for
each column. Bloom filters gained nothing over the statistics of sorted ids and the dictionaries of repeated ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partonomy_data.store.files import written_aside
from schemas.tables import schema as schema_of
from schemas.tables import table as table_of

ROWS_PER_GROUP: Final = 16_384
#: Name of the file that stands for a table without rows.
EMPTY_FILE: Final = "empty.parquet"
#: Text that hardly repeats within a row group: a dictionary of it costs time and gains no space.
FREE_TEXT: Final = frozenset(
    {
        "counts",
        "file_name",
        "photograph",
        "prompt_sha256",
        "reason",
        "request",
        "response",
        "row",
        "row_id",
        "sha256",
    }
    | {"source_key", "text", "uri"}
)


def written_schema(name: str) -> pa.Schema:
    """The Arrow schema of table `name` as files carry it.

    The descriptions are left out: a better wording of one must not make a new version of the data. A list of fixed
    size within a struct may be null: Arrow can't read it back from a null struct otherwise.
    """
    return pa.schema([pa.field(f.name, _readable(f.type), nullable=f.nullable) for f in schema_of(name)])


def _readable(kind: pa.DataType) -> pa.DataType:
    if not pa.types.is_struct(kind):
        return kind
    fixed = pa.types.is_fixed_size_list
    return pa.struct([pa.field(f.name, f.type, nullable=f.nullable or fixed(f.type)) for f in kind.fields])


def dictionary_columns(name: str) -> list[str]:
    """Parquet paths of the string columns of table `name` whose values repeat: categories, sources, foreign keys."""
    key = table_of(name).key
    unique = {key[0]} if len(key) == 1 else set()
    return [
        path
        for field in schema_of(name)
        if field.name not in unique
        for path in _string_leaves(field.name, field.type)
        if path.rsplit(".", 1)[-1] not in FREE_TEXT
    ]


def _string_leaves(path: str, kind: pa.DataType) -> Iterator[str]:
    if pa.types.is_struct(kind):
        for field in kind.fields:
            yield from _string_leaves(f"{path}.{field.name}", field.type)
    elif pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _string_leaves(f"{path}.list.element", kind.value_type)
    elif pa.types.is_string(kind):
        yield path


def write(rows: pa.Table | Iterable[pa.RecordBatch], path: Path, name: str) -> int:
    """Writes `rows` of table `name` to `path`, whole or not at all, and returns how many there were.

    Columns are put in the schema's order and cast to its types; nullable ones that are missing are filled with nulls.
    The bytes depend on the rows and their order alone, not on how they are cut into batches or chunks.
    At most one row group and one batch are held beside what the caller holds.
    Raises ValueError if a column is missing, unknown, of a type that can't be cast, or null where it may not be.
    """
    target = written_schema(name)
    batches = rows.to_batches() if isinstance(rows, pa.Table) else rows
    count = 0
    with written_aside(path) as aside, pq.ParquetWriter(aside, target, **_settings(name)) as writer:
        for group in _row_groups(batches):
            writer.write_table(conformed(group, name), row_group_size=ROWS_PER_GROUP)
            count += group.num_rows
    return count


def _settings(name: str) -> dict[str, Any]:
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": dictionary_columns(name) or False,
        "write_statistics": True,
        "version": "2.6",
        "data_page_version": "1.0",
        "store_schema": True,
    }


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows again, in tables of ROWS_PER_GROUP rows, the last one smaller."""
    held: list[pa.RecordBatch] = []
    n_held = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, ROWS_PER_GROUP - n_held)
            held.append(piece)
            start, n_held = start + piece.num_rows, n_held + piece.num_rows
            if n_held == ROWS_PER_GROUP:
                yield pa.Table.from_batches(held)
                held, n_held = [], 0
    if held:
        yield pa.Table.from_batches(held)


def conformed(rows: pa.Table, name: str) -> pa.Table:
    """`rows` with exactly the columns and types of table `name`, in one chunk. Raises ValueError if that can't be."""
    target = written_schema(name)
    unknown = sorted(set(rows.column_names) - set(target.names))
    missing = [f.name for f in target if f.name not in rows.column_names and not f.nullable]
    if unknown or missing:
        raise ValueError(f"table {name}: unknown columns {unknown}, missing columns {missing}")
    columns = []
    for field in target:
        if field.name not in rows.column_names:
            columns.append(_cast(pa.chunked_array([pa.nulls(rows.num_rows, field.type)]), field.type))
            continue
        column = rows[field.name]
        if column.null_count and not field.nullable:
            raise ValueError(f"table {name}: {column.null_count} nulls in column {field.name}")
        try:
            columns.append(_cast(column, field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise ValueError(f"table {name}, column {field.name}: {error}") from error
    return pa.Table.from_arrays(columns, schema=target)


def filled(rows: pa.Table, name: str) -> pa.Table:
    """`rows` as a file of table `name` gives them, with nulls for the columns that a file of an older schema lacks."""
    target = written_schema(name)
    has = set(rows.column_names)
    columns = [rows[one.name] if one.name in has else pa.nulls(rows.num_rows, one.type) for one in target]
    return pa.Table.from_arrays(
        columns, schema=pa.schema([one if one.name in has else one.with_nullable(True) for one in target])
    )


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    """The column in one chunk and of another type. Raises one of Arrow's errors if that can't be."""
    chunk = column.combine_chunks()
    if isinstance(chunk, pa.ChunkedArray):  # beyond two gigabytes of text
        raise pa.ArrowInvalid(f"{ROWS_PER_GROUP} rows are too large for one row group")
    if pa.types.is_struct(kind) and pa.types.is_struct(chunk.type) and chunk.null_count:
        return _cast_null_structs(chunk, kind)
    if chunk.type == kind:
        return chunk
    if pa.types.is_fixed_size_list(kind) and pa.types.is_fixed_size_list(chunk.type):
        # Arrow refuses to cast one with null rows if its elements may not be null.
        size = kind.list_size
        if chunk.type.list_size != size:
            raise pa.ArrowInvalid(f"lists of {chunk.type.list_size}, not {size}")
        elements = chunk.values.slice(chunk.offset * size, len(chunk) * size).cast(kind.value_type)
        return pa.FixedSizeListArray.from_arrays(elements, type=kind, mask=chunk.is_null())
    return chunk.cast(kind)


def _cast_null_structs(chunk: pa.StructArray, kind: pa.StructType) -> pa.StructArray:
    """Structs some of which are null; what lies under these is filled, since Arrow refuses to write nulls there."""
    if chunk.type.names != kind.names:
        raise pa.ArrowInvalid(f"structs of {chunk.type.names}, not {kind.names}")
    children = []
    for field in kind.fields:
        child = chunk.field(field.name)
        if not field.nullable and child.null_count:
            if chunk.flatten()[kind.get_field_index(field.name)].null_count > chunk.null_count:
                raise pa.ArrowInvalid(f"nulls in {field.name}")
            child = pc.fill_null(child, pa.scalar("" if pa.types.is_string(field.type) else 0, child.type))
        children.append(_cast(pa.chunked_array([child]), field.type))
    return pa.StructArray.from_arrays(children, fields=kind.fields, mask=chunk.is_null())


def empty(name: str, path: Path) -> None:
    """Writes a file of table `name` that has its columns and no rows."""
    write(written_schema(name).empty_table(), path, name)
