"""One SELECT and nothing else: what is refused, and that nothing was read or written."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from partonomy_data.errors import QueryError
from partonomy_data.store import Limits, Store, open, query
from partonomy_data.store.layout import Layout

ADMITTED = [
    "SELECT count(*) FROM parts",
    "FROM parts LIMIT 1;",
    "TABLE part_graph -- a comment",
    "(SELECT 1)",
    "VALUES (1), (2)",
    "DESCRIBE parts",
    "SUMMARIZE images",
    "SHOW TABLES",
    "WITH p AS (SELECT * FROM parts) SELECT count(*) FROM p",
    "WITH p AS MATERIALIZED (SELECT * FROM parts) SELECT count(*) FROM p, p AS q",
    "WITH RECURSIVE up(c) AS (SELECT 'dog' UNION SELECT parent FROM category_graph, up WHERE child = c) FROM up",
    "SELECT part_category FROM parts INTERSECT SELECT part_category FROM part_graph",
    "SELECT unnest(choices).text FROM questions",
    "SELECT c.text FROM questions, unnest(choices) AS t(c)",
    "SELECT i FROM range(3) AS t(i)",
    "SELECT list_transform([1, 2], lambda x: x + 1), {'type': 'COPY_NODE'}.type",
    "SELECT *, row_number() OVER (PARTITION BY source ORDER BY part_id) AS r FROM parts QUALIFY r = 1",
    "PIVOT parts ON source IN ('paco', 'pascal_part') USING count(*) GROUP BY part_category",
    "SELECT * EXCLUDE (mask), mask.counts, bbox[1] FROM parts USING SAMPLE 2 ROWS",
    "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'parts'",
    "SELECT table_name FROM information_schema.tables",
    "SELECT (SELECT max(area) FROM parts), EXISTS (FROM objects), 1 IN (SELECT 1)",
    "SELECT 'COPY x TO y; DROP TABLE z' AS text",
    "SELECT source, part_category, count(*) FROM parts GROUP BY ROLLUP (source, part_category) ORDER BY ALL",
]


@pytest.mark.parametrize("sql", ADMITTED)
def test_a_select_is_admitted(sql: str, store: Store) -> None:
    rows = store.select(sql).rows
    assert rows.num_columns > 0
    assert store.sql(sql).to_arrow_table().num_rows == rows.num_rows


#: {out} is a file to write, {secret} one to read, {part} a file of the version.
REFUSED = [
    ("", "0 statements"),
    ("-- nothing", "0 statements"),
    ("SELECT 1; SELECT 2", "2 statements"),
    ("SELECT 1; COPY parts TO '{out}'", "2 statements"),
    ("SELEC 1", "syntax error"),
    ("COPY parts TO '{out}'", "COPY is not admitted"),
    ("COPY (SELECT 1) TO '{out}' (FORMAT parquet)", "COPY is not admitted"),
    ("WITH x AS (COPY parts TO '{out}') SELECT * FROM x", "COPY is not admitted"),
    ("SELECT * FROM (WITH x AS (COPY parts TO '{out}') FROM x)", "COPY is not admitted"),
    ("SELECT (WITH x AS (COPY parts TO '{out}') SELECT 1)", "COPY is not admitted"),
    (
        "WITH x AS (COPY (SELECT 1 AS a) TO '{part}' (FORMAT parquet, USE_TMP_FILE false)) SELECT 1",
        "COPY is not admitted",
    ),
    ("WITH x AS (INSERT INTO parts FROM parts RETURNING *) FROM x", "INSERT is not admitted"),
    ("WITH x AS (DELETE FROM parts RETURNING *) FROM x", "DELETE is not admitted"),
    ("WITH x AS (UPDATE parts SET area = 0 RETURNING *) FROM x", "UPDATE is not admitted"),
    ("EXPORT DATABASE '{out}'", "EXPORT is not admitted"),
    ("ATTACH '{out}' AS other", "ATTACH is not admitted"),
    ("CREATE TABLE t AS SELECT 1", "CREATE is not admitted"),
    ("CREATE OR REPLACE VIEW parts AS SELECT 1", "CREATE is not admitted"),
    ("DROP VIEW parts", "DROP is not admitted"),
    ("INSERT INTO parts SELECT * FROM parts", "INSERT is not admitted"),
    ("SET threads = 1", "SET is not admitted"),
    ("SET enable_external_access = true", "SET is not admitted"),
    ("RESET lock_configuration", "SET is not admitted"),
    ("PRAGMA database_list", "PRAGMA is not admitted"),
    ("CALL pragma_version()", "CALL is not admitted"),
    ("INSTALL httpfs", "LOAD is not admitted"),
    ("LOAD httpfs", "LOAD is not admitted"),
    ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN is not admitted"),
    ("PREPARE p AS SELECT 1", "PREPARE is not admitted"),
    ("VACUUM", "VACUUM is not admitted"),
    ("BEGIN", "TRANSACTION is not admitted"),
    ("PIVOT parts ON source", "a PIVOT must list its values"),
    ("SELECT * FROM read_csv('{secret}')", "read_csv is not admitted"),
    ("SELECT * FROM read_text('{secret}')", "read_text is not admitted"),
    ("SELECT * FROM READ_BLOB('{secret}')", "read_blob is not admitted"),
    ("SELECT * FROM read_parquet('{part}')", "read_parquet is not admitted"),
    ("SELECT * FROM glob('/*')", "glob is not admitted"),
    ("SELECT * FROM sniff_csv('{secret}')", "sniff_csv is not admitted"),
    ("SELECT * FROM query('COPY parts TO ''{out}''')", "query is not admitted"),
    ("SELECT * FROM query('WITH x AS (COPY parts TO ''{out}'') FROM x')", "query is not admitted"),
    ("SELECT * FROM json_execute_serialized_sql('{{}}')", "json_execute_serialized_sql is not admitted"),
    ("SELECT * FROM parts, (FROM enable_logging(storage = 'file'))", "enable_logging is not admitted"),
    ("SELECT * FROM duckdb_secrets()", "duckdb_secrets is not admitted"),
    ("SELECT * FROM '{secret}'", "file system operations are disabled|does not exist"),
    ("SELECT * FROM 'https://example.org/x.parquet'", "disabled|does not exist|not loaded"),
    ("SELECT getenv('HOME')", "getenv does not exist"),
    ("SELECT * FROM local_rows", "local_rows does not exist"),
]


@pytest.mark.parametrize(("sql", "message"), REFUSED)
def test_all_else_is_refused_in_one_line_and_does_nothing(sql: str, message: str, store: Store, tmp_path: Path) -> None:
    local_rows = pa.table({"seen": [1]})  # what a Python variable holds must not be seen
    secret, out = tmp_path / "secret.csv", tmp_path / "out.csv"
    secret.write_text("word\nxyzzy\n")
    part = store.files("parts")[0]
    before = part.read_bytes()
    text = sql.format(out=out, secret=secret, part=str(part).replace("'", "''"))
    for run in (store.sql, store.select):
        with pytest.raises(QueryError, match=message) as error:
            run(text)
        assert "\n" not in str(error.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["it's a store", "secret.csv"]
    assert part.read_bytes() == before
    assert local_rows.num_rows == 1


UNCHECKED = [
    "COPY parts TO '{out}'",
    "WITH x AS (COPY parts TO '{out}') SELECT * FROM x",
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_csv('{manifest}')",
    "ATTACH '{out}' AS other",
    "SET enable_external_access = true",
    "SET allowed_paths = ['/']",
    "SET lock_configuration = false",
    "INSTALL httpfs",
    "LOAD httpfs",
]


@pytest.mark.parametrize("sql", UNCHECKED)
def test_the_connection_itself_refuses_what_would_reach_out(sql: str, store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("word\nxyzzy\n")
    names = {"out": tmp_path / "out", "secret": tmp_path / "secret.csv"}
    names["manifest"] = str(store.folder / "manifest.json").replace("'", "''")
    with pytest.raises(duckdb.Error, match=r"disabled|locked|configuration"):
        store._connection.execute(sql.format(**names)).fetchall()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["it's a store", "secret.csv"]


def test_parameters_fill_a_query_and_are_never_sql(store: Store) -> None:
    found = store.select("SELECT count(*) AS n FROM parts WHERE source = ?", ["paco"]).rows
    named = store.sql("SELECT count(*) AS n FROM parts WHERE source = $source", {"source": "paco"})
    assert found["n"].to_pylist() == [n for (n,) in named.fetchall()] == [14]
    hostile = "'; DROP VIEW parts; --"
    assert store.select("SELECT ? AS text", [hostile]).rows["text"].to_pylist() == [hostile]
    with pytest.raises(QueryError, match="parameters"):
        store.select("SELECT ?")


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT * FROM part", 'Did you mean "parts"?'),
        ("SELECT * FROM zzz", "The tables are attributes, category_graph"),
        ("SELECT part_categoy FROM parts", "part_category"),
        ("SELECT cuont(*) FROM parts", "count"),
    ],
)
def test_a_misspelt_name_is_answered_with_a_near_one(sql: str, hint: str, store: Store) -> None:
    with pytest.raises(QueryError) as error:
        store.select(sql)
    assert hint in str(error.value)


def test_errors_while_running_are_one_line(store: Store) -> None:
    with pytest.raises(QueryError, match="Conversion Error: Could not convert string 'x' to INT32"):
        store.select("SELECT CAST(t AS INTEGER) FROM (VALUES ('1'), ('x')) AS v(t)")


def test_a_query_ends_at_its_time_limit_and_the_next_one_runs(store: Store) -> None:
    with pytest.raises(QueryError, match=r"longer than 0\.2 seconds"):
        store.select("SELECT sum(a.i * b.i) FROM range(10000000) a(i), range(10000000) b(i)", seconds=0.2)
    assert store.select("SELECT 1 AS x", seconds=60).rows["x"].to_pylist() == [1]


def test_a_query_stops_at_its_row_limit(store: Store) -> None:
    answer = store.select("SELECT i FROM range(100000000000) AS t(i)", max_rows=1000)
    assert (answer.rows.num_rows, answer.complete) == (1000, False)
    exact = store.select("SELECT i FROM range(1000) AS t(i)", max_rows=1000)
    assert (exact.rows.num_rows, exact.complete) == (1000, True)
    none = store.select("SELECT part_id FROM parts WHERE false", max_rows=1)
    assert (none.rows.num_rows, none.rows.column_names) == (0, ["part_id"])


def test_a_query_that_needs_more_memory_than_allowed_is_refused_and_spills_nothing(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        open(published, limits=Limits(memory="50MB", threads=1)) as store,
        pytest.raises(QueryError, match="Out of Memory"),
    ):
        store.select("SELECT list(hash(i)) FROM range(20000000) AS t(i)")
    assert [p.name for p in tmp_path.iterdir()] == ["it's a store"]


def test_what_does_not_fit_is_spilled_where_allowed(published: Path) -> None:
    spill = Layout(published).work / "spill"
    sql = "SELECT h FROM (SELECT hash(i) AS h FROM range(3000000) AS t(i) ORDER BY h) LIMIT 1 OFFSET 2999999"
    with open(published, limits=Limits(memory="40MB", threads=1, spill_to=spill)) as store:
        assert store.select(sql).rows.num_rows == 1


def test_a_very_deep_query_is_answered_or_refused_in_one_line(store: Store) -> None:
    refused = []
    for depth in (50, 300, 900, 5000):
        for sql in (
            "SELECT " + "(" * depth + "1" + ")" * depth,
            "SELECT " + "1 + (" * depth + "1" + ")" * depth,
        ):
            try:
                assert store.select(sql).rows.num_rows == 1
            except QueryError as error:
                refused.append((depth, str(error)))
    assert {depth for depth, _ in refused} >= {5000}
    assert not [line for depth, line in refused if depth == 50 or "\n" in line]


def test_several_threads_may_query_at_once(store: Store) -> None:
    results: list[object] = []

    def work() -> None:
        for _ in range(10):
            results.append(store.sql("SELECT count(*) FROM parts").fetchall())
            results.append(store.select("SELECT count(*) FROM objects").rows.to_pylist())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 80
    assert all(r in ([(27,)], [{"count_star()": 10}]) for r in results)


def test_the_admitted_table_functions_neither_read_files_nor_run_text() -> None:
    forbidden = ("read_", "scan", "glob", "sniff", "query", "execute", "logging", "profiling", "checkpoint")
    assert not [name for name in query.TABLE_FUNCTIONS if any(word in name for word in forbidden)]
    with duckdb.connect() as connection:
        known = {name for (name,) in connection.execute("SELECT function_name FROM duckdb_functions()").fetchall()}
    assert known >= query.TABLE_FUNCTIONS


def test_a_serialized_copy_is_not_run(store: Store, tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        copy = f"WITH x AS (COPY (SELECT 1) TO '{tmp_path / 'out'}') FROM x"
        row = connection.execute("SELECT json_serialize_sql(?)", [copy]).fetchone()
    assert row is not None
    assert json.loads(row[0])["error"] is False
    with pytest.raises(QueryError, match="not admitted"):
        store.select("SELECT * FROM json_execute_serialized_sql(?)", [row[0]])
    assert not (tmp_path / "out").exists()
