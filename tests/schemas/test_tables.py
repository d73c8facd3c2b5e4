"""The tables of the contract exist with their columns, and go through Parquet and DuckDB with their types."""

from __future__ import annotations

import inspect
import pkgutil
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import schemas
from partonomy_data.store import parquet
from schemas import questions
from schemas.columns import BOX, CHOICES, EDITS, MASK, OBJECT_CHOICES, SPANS, STRINGS, Table
from schemas.tables import EVALUATION_TABLES, TABLES, schema, table

EVERY = [*TABLES.values(), *EVALUATION_TABLES.values()]
S, B = pa.string(), pa.bool_()
I16, I32, I64 = pa.int16(), pa.int32(), pa.int64()
F32, F64 = pa.float32(), pa.float64()

#: Table → the columns that users' queries rely on, with their types.
CONTRACT: dict[str, dict[str, pa.DataType]] = {
    "images": {
        **dict.fromkeys(("image_id", "source", "source_split", "uri", "file_name", "sha256", "license"), S),
        "width": I32,
        "height": I32,
        "phash": pa.uint64(),
        "exif_orientation": I16,
    },
    "objects": {
        **dict.fromkeys(("object_id", "image_id", "source", "object_category", "source_category", "mask_origin"), S),
        "bbox": BOX,
        "area": I64,
        "mask": MASK,
    },
    "parts": {
        **dict.fromkeys(("part_id", "object_id", "image_id", "source", "part_category", "source_category"), S),
        "side": S,
        "position": S,
        "ordinal": I16,
        "bbox": BOX,
        "area": I64,
        "mask": MASK,
        "match_method": S,
        "match_overlap": F32,
    },
    "part_evidence": dict.fromkeys(("object_id", "part_category", "status", "why"), S),
    "attributes": dict.fromkeys(("annotation_id", "attribute_type", "attribute"), S),
    "object_categories": {
        "object_category": S,
        "supercategory": S,
        "sources": STRINGS,
        "n_objects": I64,
        "n_images": I64,
    },
    "part_categories": {"part_category": S, "sources": STRINGS, "n_parts": I64, "n_object_categories": I64},
    "part_graph": {
        "object_category": S,
        "part_category": S,
        "n_objects": I64,
        "n_with_part": I64,
        "frequency": F64,
        "sources": STRINGS,
        "evidence": S,
    },
    "category_graph": dict.fromkeys(("child", "parent", "source"), S),
    "part_relations": {
        **dict.fromkeys(("part_a", "part_b", "relation", "method", "call_id"), S),
        "confidence": F32,
    },
    "plausibility": {
        **dict.fromkeys(("object_category", "part_category", "verdict", "method", "call_id"), S),
        "confidence": F32,
    },
    "splits": dict.fromkeys(("image_id", "source", "cluster", "split", "reason", "held_out"), S),
    "questions": {
        **dict.fromkeys(("question_id", "image_id", "object_id", "source", "split", "question_type", "question"), S),
        **dict.fromkeys(("referent", "group_id", "block_id", "evidence", "object_question", "wording"), S),
        **dict.fromkeys(("names_object", "balanced", "object_balanced"), B),
        **dict.fromkeys(("correct_index", "correct_object_index"), I16),
        "contrast_categories": STRINGS,
        "choices": CHOICES,
        "object_choices": OBJECT_CHOICES,
        "region": BOX,
        "chance": F32,
        "generator_version": S,
    },
    "question_masks": {"question_id": S, "part_category": S, "part_ids": STRINGS},
    "llm_calls": {
        **dict.fromkeys(("call_id", "purpose", "model", "prompt_sha256", "request", "response", "status"), S),
        "prompt_tokens": I64,
        "completion_tokens": I64,
        "cost_usd": F64,
        "latency_s": F64,
        "created_at": pa.timestamp("us", tz="UTC"),
    },
    "predictions": {
        **dict.fromkeys(("model_id", "question_id", "text", "conditioning"), S),
        "choice": I16,
        "scores": pa.list_(pa.field("element", F32, nullable=False)),
        "correct": B,
        "object_choice": I16,
        "spans": SPANS,
        "seed": I64,
        "masks": questions.PREDICTIONS.schema().field("masks").type,
        "iou": questions.PREDICTIONS.schema().field("iou").type,
    },
    "evaluations": {
        **dict.fromkeys(("model_id", "version", "split", "question_type", "slice", "metric"), S),
        "value": F64,
        "low": F64,
        "high": F64,
        "n": I64,
        "n_skipped": I64,
    },
    "quarantine": dict.fromkeys(("table_name", "row_id", "source", "rule", "reason", "row"), S),
}


def test_the_tables_are_those_of_the_contract() -> None:
    assert {one.name for one in EVERY} == set(CONTRACT)
    assert set(EVALUATION_TABLES) == {"predictions", "evaluations"}
    modules = [import_module(f"schemas.{found.name}") for found in pkgutil.iter_modules(schemas.__path__)]
    declared = [value for module in modules for _, value in inspect.getmembers(module)]
    assert {one.name for one in declared if isinstance(one, Table)} == set(CONTRACT), "a table that nothing lists"


@pytest.mark.parametrize("name", CONTRACT)
def test_columns_of_the_contract_have_their_types(name: str) -> None:
    found = {field.name: field.type for field in schema(name)}
    wanted = CONTRACT[name]
    assert {column: found.get(column) for column in wanted} == wanted


def test_structs_have_the_fields_of_the_contract() -> None:
    size, counts = MASK.field("size").type, MASK.field("counts").type
    assert (size.value_type, size.list_size, counts) == (I32, 2, S)
    assert (BOX.value_type, BOX.list_size) == (F32, 4)
    names = {kind: [f.name for f in kind.value_type.fields] for kind in (CHOICES, SPANS, EDITS, OBJECT_CHOICES)}
    assert names[CHOICES] == ["text", "parts", "spans", "is_correct", "edits"]
    assert names[SPANS] == ["start", "end", "part"]
    assert names[EDITS] == ["op", "part", "replacement"]
    assert names[OBJECT_CHOICES] == ["text", "object_category", "is_correct"]


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_every_column_is_described_and_the_key_is_never_null(one: Table) -> None:
    columns = {column.name: column for column in one.columns}
    assert len(columns) == len(one.columns), "two columns of one name"
    for column in one.columns:
        assert column.description.strip() == column.description != "", column.name
        assert not column.description.endswith("."), f"{column.name}: descriptions are clauses"
    assert one.row
    assert not [name for name in one.key if name not in columns or columns[name].nullable]
    assert bool(one.key) == (one.name != "quarantine"), "only a row of quarantine may be there twice"


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_descriptions_go_along_with_the_arrow_schema(one: Table) -> None:
    made = one.schema()
    assert made.metadata == {b"table": one.name.encode(), b"row": one.row.encode()}
    for field, column in zip(made, one.columns, strict=True):
        assert field.metadata == {b"description": column.description.encode()}
        assert (field.name, field.nullable) == (column.name, column.nullable)


def test_an_unknown_table_is_a_key_error() -> None:
    assert table("predictions") is EVALUATION_TABLES["predictions"]
    with pytest.raises(KeyError):
        table("prediction")


def value(kind: pa.DataType, seed: int = 1) -> Any:
    """A value of an Arrow type, other than its zero."""
    if pa.types.is_struct(kind):
        return {field.name: value(field.type, seed + i) for i, field in enumerate(kind.fields)}
    if pa.types.is_fixed_size_list(kind):
        return [value(kind.value_type, seed + i) for i in range(kind.list_size)]
    if pa.types.is_list(kind):
        return [value(kind.value_type, seed), value(kind.value_type, seed + 7)]
    if pa.types.is_timestamp(kind):
        return datetime(2024, 1, seed % 28 + 1, 12, tzinfo=UTC)
    if pa.types.is_boolean(kind):
        return True
    if pa.types.is_floating(kind):
        return seed + 0.5
    return seed if pa.types.is_integer(kind) else f"text “{seed}”"


def rows(name: str, count: int) -> pa.Table:
    """`count` rows with all columns filled, and then as many with nulls wherever these are allowed."""
    made = [{f.name: value(f.type, i + n) for i, f in enumerate(schema(name), 1)} for n in range(count)]
    bare = [{f.name: None if f.nullable else row[f.name] for f in schema(name)} for row in made]
    return pa.Table.from_pylist([*made, *bare], schema(name))


def spelled(kind: pa.DataType) -> str:
    """A type without what Parquet doesn't keep of it: the name of a list's element, and whether that may be null."""
    return str(kind).replace(" not null", "").replace("<item: ", "<element: ")


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("name", CONTRACT)
def test_parquet_keeps_types_and_values(name: str, count: int, tmp_path: Path) -> None:
    path, given = tmp_path / f"{name}.parquet", rows(name, count)
    assert parquet.write(given, path, name) == 2 * count
    read = pq.read_table(path)
    assert read.schema.equals(parquet.written_schema(name))
    for field in schema(name):
        own = read.schema.field(field.name)
        assert (own.nullable, spelled(own.type)) == (field.nullable, spelled(field.type))
    assert read.to_pylist() == given.to_pylist()


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("name", CONTRACT)
def test_duckdb_reads_every_table(name: str, count: int, tmp_path: Path) -> None:
    path, given = tmp_path / f"{name}.parquet", rows(name, count)
    parquet.write(given, path, name)
    with duckdb.connect() as connection:
        read = connection.sql(f"SELECT * FROM read_parquet('{path}')")
        types = dict(zip(read.columns, map(str, read.types), strict=True))
        assert list(types) == schema(name).names
        connection.execute("SET TimeZone = 'UTC'")
        first = connection.sql(f"SELECT * FROM read_parquet('{path}')").fetchall()[:1]
    assert len(first) == count
    for column, kind in CONTRACT[name].items():
        if kind == MASK:
            assert types[column].startswith("STRUCT(size INTEGER[")
            assert types[column].endswith("], counts VARCHAR)")
        elif kind == BOX:
            assert types[column] in ("FLOAT[4]", "FLOAT[]")
        elif kind == STRINGS:
            assert types[column] == "VARCHAR[]"
        if first and kind in (MASK, BOX, STRINGS, S, I64):
            found = first[0][schema(name).names.index(column)]
            assert (list(found) if isinstance(found, tuple) else found) == given[column][0].as_py(), column


def test_a_mask_is_a_struct_and_a_box_an_array_in_sql(tmp_path: Path) -> None:
    path = tmp_path / "parts.parquet"
    given = rows("parts", 1)
    parquet.write(given, path, "parts")
    with duckdb.connect() as connection:
        found = connection.sql(
            f"SELECT mask.size[1], mask.size[2], mask.counts, bbox[3] * bbox[4] FROM read_parquet('{path}') LIMIT 1"
        ).fetchall()
    mask, box = given["mask"][0].as_py(), given["bbox"][0].as_py()
    assert found == [(*mask["size"], mask["counts"], box[2] * box[3])]
