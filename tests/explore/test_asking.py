"""The SQL box: one SELECT within its limits, and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from partonomy_data.explore import asking
from tests.explore.crawling import Page


def asked(client: TestClient, base: str, sql: str) -> tuple[list[str], str]:
    """The cells of the answer's table, and what the page says is wrong."""
    text = client.get(f"{base}sql", params={"q": sql}).text
    table = text.split('<table id="answer">')[1].split("</table>")[0] if 'id="answer"' in text else ""
    error = Page(text.split('role="alert">')[1].split("</p>")[0]).text if 'role="alert">' in text else ""
    return [Page(cell.split("</td>")[0]).text for cell in table.split("<td>")[1:]], error


def test_a_select_is_answered(client: TestClient, base: str) -> None:
    assert asked(client, base, "SELECT count(*) FROM parts") == (["3,770".replace(",", "")], "")
    assert asked(client, base, "SELECT 1 AS a, 2 AS a, '<b>' AS c")[0] == ["1", "2", "<b>"]


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{file}'", "WITH x AS (COPY (SELECT 1) TO '{file}') SELECT * FROM x",
        "COPY parts TO '{file}' (FORMAT parquet)", "EXPORT DATABASE '{file}'", "ATTACH '{file}' AS other",
        "CREATE TABLE t AS SELECT 1", "INSERT INTO asked SELECT 1", "DROP VIEW parts", "INSTALL httpfs", "LOAD json",
        "SET enable_external_access = true", "PRAGMA database_list", "SELECT 1; SELECT 2", "CALL pragma_version()",
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM '/etc/passwd'", "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/*')", "SELECT * FROM read_parquet('{store}/work/explore/x.parquet')",
        "SELECT * FROM query('SELECT 1')", "SELECT getenv('HOME')", "EXPLAIN ANALYZE SELECT 1", "VACUUM", "",
    ],
)  # fmt: skip
def test_nothing_else_is_admitted_and_nothing_is_written(
    client: TestClient, base: str, world: Path, tmp_path: Path, sql: str
) -> None:
    before = sorted(path for path in world.rglob("*"))
    file = tmp_path / "out.csv"
    cells, error = asked(client, base, sql.format(file=file, store=world))
    assert cells == []
    assert bool(error) == bool(sql)
    assert list(tmp_path.iterdir()) == []
    assert sorted(path for path in world.rglob("*")) == before


def test_a_query_that_takes_too_long_is_stopped(client: TestClient, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.3)
    started = time.monotonic()
    _, error = asked(client, base, "SELECT sum(sin(range)) FROM range(1000000000000)")
    assert "longer than 0.3 seconds" in error
    assert time.monotonic() - started < 20


def test_rows_memory_and_values_have_limits(client: TestClient, base: str) -> None:
    text = client.get(f"{base}sql", params={"q": "SELECT * FROM range(1000)"}).text
    assert text.count("<tr>") == asking.MOST_ROWS + 1
    assert "there are more" in text
    _, error = asked(client, base, "SELECT count(DISTINCT concat(range, 'x', range)) FROM range(90000000)")
    assert "memory" in error.lower() or "longer" in error
    cells, _ = asked(client, base, "SELECT repeat('a', 100000)")
    assert cells[0] == "a" * asking.LONGEST_VALUE + "…"
    assert "characters" in asked(client, base, "SELECT 1 " + "-" * asking.LONGEST)[1]


def test_the_examples_work(client: TestClient, base: str) -> None:
    for _, sql in asking.EXAMPLES:
        cells, error = asked(client, base, sql)
        assert cells
        assert error == ""
