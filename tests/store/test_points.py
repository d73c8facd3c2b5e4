"""Rows by id from sorted files: the same as a filter over the whole table finds, from the row groups that may hold them alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import StoreError
from partonomy_data.store import Store, points
from partonomy_data.store.points import Points
from schemas.tables import TABLES

ids = st.text("abq_\0é😀", max_size=4)


def written(folder: Path, files: list[list[str]], rows_of_group: int, statistics: bool = True) -> list[Path]:
    """Files of sorted keys, each with a nested column that tells its place."""
    nested = pa.list_(pa.struct({"file": pa.int64(), "row": pa.int64()}))
    paths = []
    for number, keys in enumerate(files):
        rows = pa.table({
            "id": pa.array(sorted(keys), pa.string()),
            "place": [[{"file": number, "row": row}] * (row % 3) for row in range(len(keys))],
        }, schema=pa.schema({"id": pa.string(), "place": nested}))  # fmt: skip
        paths.append(folder / f"{number}.parquet")
        pq.write_table(rows, paths[-1], row_group_size=rows_of_group, write_statistics=statistics)
    return paths


@given(st.lists(st.lists(ids, max_size=30), min_size=1, max_size=3), st.integers(1, 9), ids, ids, st.booleans())
def test_it_finds_what_a_filter_over_all_rows_finds(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[str]],
    rows_of_group: int,
    first: str,
    before: str,
    statistics: bool,
) -> None:
    paths = written(tmp_path_factory.mktemp("points"), files, rows_of_group, statistics)
    whole = pa.concat_tables([pq.read_table(path) for path in paths])
    inside = pc.and_(pc.greater_equal(whole["id"], first), pc.less(whole["id"], before))
    expected = whole.filter(inside).sort_by("id")
    known = points._ROWS
    points._ROWS = 3  # so that a row group is decoded in several batches
    try:
        found = Points(paths, "id").between(first, before)
    finally:
        points._ROWS = known
    assert found.schema.equals(expected.schema)
    assert found["id"].equals(expected["id"])
    assert sorted(map(str, found.to_pylist())) == sorted(map(str, expected.to_pylist()))
    assert Points(paths, "id").between(first, before, ["id"]).equals(expected.select(["id"]))


def test_no_other_row_group_is_read_and_none_beyond_the_last_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"qst_{number:04d}" for number in range(1000)]
    one = Points(written(tmp_path, [keys], 100), "id")
    groups: list[int] = []
    batches: list[int] = []
    read, decoded = pq.ParquetFile.read_row_group, pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile, "read_row_group", lambda file, group, **how: groups.append(group) or read(file, group, **how)
    )

    def counted(file: pq.ParquetFile, rows: int, **how: object) -> object:
        for batch in decoded(file, 10, **how):
            batches.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    found = one.between("qst_0523", "qst_0527")
    assert found["id"].to_pylist() == keys[523:527]
    assert (groups, batches) == ([5], [10] * 3), "its ids first; then three batches, to the last of the rows"
    assert one.between("qst_0523", "qst_0500").num_rows == one.between("r", "s").num_rows == 0
    assert groups == [5]


def test_of_no_files_there_is_nothing() -> None:
    assert Points([], "id").between("", "z").num_rows == 0


def test_a_store_gives_rows_as_its_tables_have_them(store: Store) -> None:
    for name, told in TABLES.items():
        if not told.key:
            with pytest.raises(StoreError, match=f"the rows of table {name} have no id"):
                store.between(name, "", "z")
            continue
        key = told.key[0]
        whole = store.table(name).sort_by(key)
        assert store.between(name, "", "\U0010ffff").equals(whole), name
        for value in set(whole[key].to_pylist()):
            assert store.between(name, value, f"{value}\0").equals(whole.filter(pc.field(key) == value)), name
    assert store.between("parts", "prt_", "prt_z", ["area"]).column_names == ["part_id", "area"]
    with pytest.raises(StoreError, match="there is no table 'none'"):
        store.between("none", "", "z")
    with pytest.raises(StoreError, match="table parts has no column 'none'"):
        store.between("parts", "", "z", ["none"])


def test_several_threads_may_ask(store: Store) -> None:
    wanted = store.table("parts").sort_by("part_id")
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(20):
            found = store.between("parts", "", "\U0010ffff")
            if not found.equals(wanted):
                wrong.append(found)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []
