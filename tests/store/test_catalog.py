"""The catalog: views over one version for any DuckDB client."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from partonomy_data.errors import StoreError
from partonomy_data.store import catalog, open, parquet, relink
from partonomy_data.store.layout import Layout
from schemas.tables import EVALUATION_TABLES, SCHEMA_VERSION, TABLES, table

from .conftest import publish_tables, tables


def client(root: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(Layout(root).catalog), read_only=True)


def test_it_shows_every_table_of_the_version_from_any_working_directory(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with client(published) as connection:
        for name, rows in tables().items():
            shown = connection.sql(f"SELECT * FROM {name}").to_arrow_table()
            assert shown.to_pylist() == rows.to_pylist()
        views = {row[0] for row in connection.sql("SHOW TABLES").fetchall()}
        assert views == {*TABLES, *EVALUATION_TABLES, "current_version"}
        version = Layout(published).current.read_text().strip()
        shown = connection.sql("SELECT version, schema_version, root FROM current_version").fetchall()
        assert shown == [(version, SCHEMA_VERSION, str(published))]


def test_tables_without_files_have_their_columns(published: Path) -> None:
    with client(published) as connection:
        for name in EVALUATION_TABLES:
            shown = connection.sql(f"SELECT * FROM {name}")
            assert shown.columns == table(name).schema().names
            assert shown.fetchall() == []
            expected = connection.from_arrow(table(name).schema().empty_table())
            assert shown.types == expected.types


def test_every_tables_types_have_a_name_in_sql() -> None:
    with duckdb.connect() as connection:
        for name in [*TABLES, *EVALUATION_TABLES]:
            shown = connection.sql(catalog.empty_select(name))
            expected = connection.from_arrow(table(name).schema().empty_table())
            assert (shown.columns, shown.types) == (expected.columns, expected.types)


def test_columns_are_documented(published: Path) -> None:
    with client(published) as connection:
        comments = connection.sql(
            "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
    found = {(t, c): comment for t, c, comment in comments if t != "current_version"}
    expected = {(n, c.name): c.description for n in [*TABLES, *EVALUATION_TABLES] for c in table(n).columns}
    assert found == expected


def test_it_is_written_in_the_storage_format_of_duckdb_1_0(published: Path) -> None:
    # The format's number follows the header's checksum (8 bytes) and the magic "DUCK"; DuckDB 1.0 reads up to 64.
    header = Layout(published).catalog.read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") == 64


def test_a_client_keeps_the_version_that_it_opened(published: Path) -> None:
    with client(published) as connection:
        before = connection.sql("SELECT version FROM current_version").fetchall()
        new = publish_tables(published, seed=1)
        assert connection.sql("SELECT version FROM current_version").fetchall() == before
        assert connection.sql("SELECT count(*) FROM parts").fetchall() == [(27,)]
    with client(published) as connection:
        assert connection.sql("SELECT version FROM current_version").fetchall() == [(new,)]


def test_relink_mends_it_after_the_store_was_moved(published: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    published.rename(moved)
    with client(moved) as connection, pytest.raises(duckdb.Error):
        connection.sql("SELECT count(*) FROM parts").fetchall()
    version = relink(moved)
    with client(moved) as connection:
        assert connection.sql("SELECT count(*) FROM parts").fetchall() == [(27,)]
        assert connection.sql("SELECT version, root FROM current_version").fetchall() == [(version, str(moved))]


def test_relink_without_a_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store here"):
        relink(tmp_path / "none")
    with pytest.raises(StoreError, match="nothing is published here yet"):
        relink(tmp_path)
    assert list(tmp_path.iterdir()) == []


def prediction(model: str, question: str) -> pa.Table:
    row = {"model_id": model, "question_id": question, "correct": True}
    row |= {"conditioning": "oracle", "seed": 0, "iou": [{"part": "leg", "iou": 0.5}]}
    return pa.Table.from_pylist([row], schema=parquet.written_schema("predictions"))


def test_predictions_are_those_on_the_questions_of_the_version(published: Path) -> None:
    layout = Layout(published)
    old = layout.current.read_text().strip()
    new = publish_tables(published, seed=1)
    for model, version in (("a", old), ("a", new), ("b", new)):
        path = layout.evaluation(model, version) / "predictions.parquet"
        parquet.write(prediction(model, version), path, "predictions")
    relink(published)
    query = "SELECT model_id, question_id FROM predictions ORDER BY ALL"
    with client(published) as connection:
        assert connection.sql(query).fetchall() == [("a", new), ("b", new)]
    with open(published, old) as store:
        assert store.sql(query).fetchall() == [("a", old)]


def test_a_failed_build_leaves_the_old_catalog(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Layout(published).catalog.read_bytes()
    monkeypatch.setattr(catalog, "views", lambda root, manifest: {"x": "SELECT FROM"})
    with pytest.raises(StoreError, match="the catalog can't be written"):
        relink(published)
    assert Layout(published).catalog.read_bytes() == before
    assert [p.name for p in published.glob("*.tmp*")] + [p.name for p in published.glob(".*")] == []
