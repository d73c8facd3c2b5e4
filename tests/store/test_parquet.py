"""The writer: equal rows are equal bytes, and nothing that isn't the table's gets in."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partonomy_data.store import parquet
from schemas.tables import EVALUATION_TABLES, TABLES
from schemas.tables import schema as schema_of

from .conftest import tables


def cut(rows: pa.Table, cuts: list[int]) -> pa.Table:
    """The same rows, in chunks that begin at `cuts`."""
    edges = [0, *sorted({c % (rows.num_rows + 1) for c in cuts}), rows.num_rows]
    return pa.concat_tables(rows.slice(start, end - start) for start, end in itertools.pairwise(edges))


@pytest.mark.parametrize("name", ["parts", "questions", "objects"])
@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 10_000), max_size=8), rows_per_group=st.integers(1, 30))
def test_equal_rows_are_equal_bytes_however_they_are_chunked(
    name: str, cuts: list[int], rows_per_group: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    rows = tables()[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROWS_PER_GROUP", rows_per_group)
        parquet.write(rows, folder / "whole", name)
        parquet.write(cut(rows, cuts), folder / "cut", name)
        parquet.write(iter(cut(rows, cuts).to_batches(max_chunksize=3)), folder / "streamed", name)
    whole = (folder / "whole").read_bytes()
    assert (folder / "cut").read_bytes() == whole
    assert (folder / "streamed").read_bytes() == whole
    assert pq.read_table(folder / "whole").equals(rows)
    assert pq.read_metadata(folder / "whole").num_row_groups == -(-rows.num_rows // rows_per_group)


def test_bytes_do_not_depend_on_encoding_offsets_or_what_lies_under_nulls(tmp_path: Path) -> None:
    rows = tables()["parts"]
    longer = pa.concat_tables([rows, rows, rows]).combine_chunks()
    encoded = rows.set_column(rows.column_names.index("source"), "source", rows["source"].dictionary_encode())
    garbage = pa.array([7] * rows.num_rows, pa.int16(), mask=np.full(rows.num_rows, True))
    under_nulls = rows.set_column(rows.column_names.index("ordinal"), "ordinal", garbage)
    shuffled = rows.select(list(reversed(rows.column_names)))
    large = rows.set_column(rows.column_names.index("part_id"), "part_id", rows["part_id"].cast(pa.large_string()))
    variants = [rows, longer.slice(rows.num_rows, rows.num_rows), encoded, under_nulls, shuffled, large]
    for i, variant in enumerate(variants):
        parquet.write(variant, tmp_path / str(i), "parts")
    assert {(tmp_path / str(i)).read_bytes() for i in range(len(variants))} == {(tmp_path / "0").read_bytes()}


def test_a_row_group_holds_16384_rows(tmp_path: Path) -> None:
    n = 40_000
    rows = pa.table({"child": [f"{i:06d}" for i in range(n)], "parent": ["entity"] * n, "source": ["paco"] * n})
    assert parquet.write(rows, tmp_path / "x.parquet", "category_graph") == n
    metadata = pq.read_metadata(tmp_path / "x.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [16384, 16384, 7232]
    first = metadata.row_group(1).column(0)
    assert (first.statistics.min, first.statistics.max, first.compression) == ("016384", "032767", "ZSTD")


@pytest.mark.parametrize("name", [*TABLES, *EVALUATION_TABLES])
def test_an_empty_file_has_the_tables_columns_and_types(name: str, tmp_path: Path) -> None:
    parquet.empty(name, tmp_path / "deep" / "empty.parquet")
    read = pq.read_table(tmp_path / "deep" / "empty.parquet")
    assert read.num_rows == 0
    assert read.schema.equals(parquet.written_schema(name))


def test_ids_masks_and_free_text_get_no_dictionary_but_repeated_names_do() -> None:
    columns = parquet.dictionary_columns("parts")
    assert {"part_id", "mask.counts", "source_key"}.isdisjoint(columns)
    assert {"image_id", "object_id", "part_category", "source", "side"} <= set(columns)
    assert "choices.list.element.parts.list.element" in parquet.dictionary_columns("questions")


def test_dictionary_columns_name_columns_that_the_file_has(tmp_path: Path) -> None:
    for name in [*TABLES, *EVALUATION_TABLES]:
        path = tmp_path / f"{name}.parquet"
        parquet.empty(name, path)
        leaves = pq.ParquetFile(path).schema
        paths = {leaves.column(i).path for i in range(len(leaves))}
        assert set(parquet.dictionary_columns(name)) <= paths


def test_missing_nullable_columns_are_filled_and_values_cast(tmp_path: Path) -> None:
    rows = tables()["images"]
    fewer = rows.drop_columns(["phash", "license"]).set_column(5, "width", rows["width"].cast(pa.int64()))
    parquet.write(fewer, tmp_path / "a", "images")
    parquet.write(rows, tmp_path / "b", "images")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_null_boxes_and_null_masks_are_read_back(tmp_path: Path) -> None:
    rows = tables()["objects"]
    boxes = [None, *rows["bbox"].to_pylist()[1:]]
    loose = rows.set_column(rows.column_names.index("bbox"), "bbox", pa.array(boxes, pa.list_(pa.float64(), 4)))
    longer = pa.concat_tables([loose, loose]).slice(rows.num_rows)
    parquet.write(longer, tmp_path / "x.parquet", "objects")
    read = pq.read_table(tmp_path / "x.parquet")
    assert read["bbox"].to_pylist() == boxes
    assert read["mask"].to_pylist() == rows["mask"].to_pylist()
    assert read["mask"][0].as_py() is None


def test_masks_are_equal_bytes_whatever_lies_under_the_null_ones(tmp_path: Path) -> None:
    rows = tables()["objects"]
    place = rows.column_names.index("mask")
    masks = rows["mask"].combine_chunks()
    sizes = [None if m is None else m["size"] for m in masks.to_pylist()]
    counts = [None if m is None else m["counts"] for m in masks.to_pylist()]
    kinds = [pa.field("size", pa.list_(pa.int64(), 2)), pa.field("counts", pa.large_string())]
    children = [pa.array(values, field.type) for values, field in zip([sizes, counts], kinds, strict=True)]
    from_children = pa.StructArray.from_arrays(children, fields=kinds, mask=masks.is_null())
    declared = pa.array(masks.to_pylist(), schema_of("objects").field("mask").type)
    padded = pa.concat_arrays([from_children, from_children]).slice(len(masks))
    for i, column in enumerate([masks, from_children, declared, padded]):
        parquet.write(rows.set_column(place, "mask", column), tmp_path / str(i), "objects")
        assert (tmp_path / str(i)).read_bytes() == (tmp_path / "0").read_bytes()
    for values, message in [
        (pa.nulls(len(masks), pa.string()), "nulls in counts"),
        (pa.array([["a"]] * len(masks)), "column mask"),
    ]:
        fields = [kinds[0], pa.field("counts", values.type)]
        torn = pa.StructArray.from_arrays([children[0], values], fields=fields, mask=masks.is_null())
        with pytest.raises(ValueError, match=message):
            parquet.write(rows.set_column(place, "mask", torn), tmp_path / "x", "objects")


def test_a_missing_column_of_masks_is_filled_with_nulls(tmp_path: Path) -> None:
    rows = tables()["objects"].drop_columns(["mask", "bbox"])
    parquet.write(rows, tmp_path / "x.parquet", "objects")
    read = pq.read_table(tmp_path / "x.parquet")
    assert read["mask"].null_count == read["bbox"].null_count == rows.num_rows


def test_boxes_of_another_length_are_refused(tmp_path: Path) -> None:
    rows = tables()["objects"]
    boxes = pa.array([[1.0, 2.0]] * rows.num_rows, pa.list_(pa.float32(), 2))
    wrong = rows.set_column(rows.column_names.index("bbox"), "bbox", boxes)
    with pytest.raises(ValueError, match="column bbox: lists of 2, not 4"):
        parquet.write(wrong, tmp_path / "x.parquet", "objects")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"child": ["a"], "parent": ["b"]}, "missing columns \\['source'\\]"),
        ({"child": ["a"], "parent": ["b"], "source": ["c"], "more": [1]}, "unknown columns \\['more'\\]"),
        ({"child": ["a", None], "parent": ["b", "b"], "source": ["c", "c"]}, "1 nulls in column child"),
        ({"child": [["a"]], "parent": ["b"], "source": ["c"]}, "column child"),
    ],
)
def test_rows_that_are_not_the_tables_are_refused_and_leave_no_file(
    columns: dict[str, list[object]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        parquet.write(pa.table(columns), tmp_path / "x.parquet", "category_graph")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    parquet.empty("category_graph", path)
    before = path.read_bytes()
    with pytest.raises(ValueError):
        parquet.write(pa.table({"child": ["a"]}), path, "category_graph")
    assert path.read_bytes() == before
