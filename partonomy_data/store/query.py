"""One SELECT over a store, in a sandbox.

Two walls, since neither is enough alone. (1) The query is parsed by DuckDB itself, and its syntax tree must consist of
SELECTs: the type of the statement doesn't say so, because `WITH x AS (COPY … TO 'file') SELECT …` counts as a SELECT
too. Table functions are admitted by name, so that no text is run as SQL by a function. (2) The connection may read the
files of one version and no other file, loads no extension, sees no Python variable, and its settings are locked.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from partonomy_data.errors import QueryError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Parameters = Sequence[Any] | Mapping[str, Any]

#: The nodes of a syntax tree that only read.
READING_NODES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
#: Functions admitted after FROM. `query`, `json_execute_serialized_sql` and the readers of files are not among them.
TABLE_FUNCTIONS: Final = frozenset(
    {"unnest", "range", "generate_series", "json_each", "json_tree", "histogram", "histogram_values"}
    | {
        "duckdb_columns",
        "duckdb_functions",
        "duckdb_keywords",
        "duckdb_tables",
        "duckdb_types",
        "duckdb_views",
    }
    | {"pragma_table_info", "repeat", "repeat_row", "pragma_version"}
)
ONE_SELECT: Final = "write one SELECT"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may use. None leaves a limit to DuckDB: 80 % of the memory, all processors."""

    memory: str | None = None
    """Such as "2GB". What doesn't fit is refused, unless `spill_to` is given."""
    threads: int | None = None
    spill_to: Path | None = None
    """A folder for what doesn't fit into memory; made only when it is needed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of a query. `complete` is False where a limit on rows cut them short."""

    rows: pa.Table
    complete: bool


def sandbox(selects: Mapping[str, str], paths: Iterable[Path], limits: Limits | None = None) -> DuckDBPyConnection:
    """A connection in memory with the views `selects`, which may read the files `paths` and nothing else.

    Raises duckdb.Error if a view can't be made.
    """
    import duckdb

    limits = limits or Limits()
    connection = duckdb.connect(":memory:", config=_settings(limits))
    try:
        connection.execute("SET parquet_metadata_cache = true")
        for name, select in selects.items():
            connection.execute(f'CREATE VIEW "{name}" AS {select}')
        connection.execute("SET allowed_paths = ?", [[str(path) for path in paths]])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection


def _settings(limits: Limits) -> dict[str, str | bool | int]:
    settings: dict[str, str | bool | int] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
        "temp_directory": str(limits.spill_to) if limits.spill_to else "",
    }
    if limits.memory is not None:
        settings["memory_limit"] = limits.memory
    if limits.threads is not None:
        settings["threads"] = limits.threads
    return settings


def check(connection: DuckDBPyConnection, sql: str) -> None:
    """Raises QueryError unless `sql` is exactly one SELECT that only reads. Nothing is run."""
    import duckdb

    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1:
            raise QueryError(f"there are {len(statements)} statements, not one", mend=ONE_SELECT)
        kind = str(statements[0].type).rsplit(".", 1)[-1]
        if kind == "MULTI":
            raise QueryError("a PIVOT must list its values", mend="Write PIVOT … ON column IN (value, …)")
        if kind != "SELECT":
            raise QueryError(f"{kind.replace('_', ' ')} is not admitted", mend=ONE_SELECT)
        with connection.cursor() as cursor:
            row = cursor.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    except duckdb.Error as error:
        raise query_error(error, ()) from error
    try:
        tree = json.loads(row[0]) if row else {}
    except RecursionError as error:
        raise QueryError("it is nested too deeply", mend="Write it with fewer levels") from error
    if tree.get("error", True) or len(tree.get("statements", ())) != 1:
        raise QueryError(str(tree.get("error_message", "it can't be parsed")), mend=ONE_SELECT)
    for node in _nodes(tree["statements"]):
        kind = node["type"]
        if kind.endswith("_NODE") and kind not in READING_NODES:
            raise QueryError(f"{kind.removesuffix('_NODE').removesuffix('_QUERY')} is not admitted", mend=ONE_SELECT)
        if kind == "TABLE_FUNCTION":
            name = str(node.get("function", {}).get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                raise QueryError(f"the table function {name} is not admitted", mend="Select from the store's tables")


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree that says its type; without recursion, so that no query is too deep for it."""
    stack = [tree]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if isinstance(value.get("type"), str):
                yield value
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)


def select(
    connection: DuckDBPyConnection,
    sql: str,
    parameters: Parameters | None = None,
    *,
    seconds: float | None = None,
    max_rows: int | None = None,
) -> Answer:
    """Runs one SELECT and returns its rows as an Arrow table, after at most `seconds` and with at most `max_rows`.

    `parameters` fill `?` or `$1` (a sequence) or `$name` (a mapping). May be called from several threads at once.
    Raises QueryError, one line, if the query isn't admitted, is wrong, or takes too long or too much memory.
    """
    import duckdb

    check(connection, sql)
    with connection.cursor() as cursor, _interrupted_after(cursor, seconds):
        try:
            reader = cursor.sql(sql, params=parameters).to_arrow_reader()
            batches, n_rows = [], 0
            for batch in reader:
                batches.append(batch)
                n_rows += batch.num_rows
                if max_rows is not None and n_rows > max_rows:
                    break
        except duckdb.InterruptException as error:
            raise QueryError(
                f"it took longer than {seconds:g} seconds", mend="Ask for less, or raise the limit"
            ) from error
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise query_error(error, view_names(connection)) from error
        rows = pa.Table.from_batches(batches, schema=reader.schema)
    if max_rows is not None and n_rows > max_rows:
        return Answer(rows.slice(0, max_rows), complete=False)
    return Answer(rows, complete=True)


@contextmanager
def _interrupted_after(cursor: DuckDBPyConnection, seconds: float | None) -> Iterator[None]:
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, cursor.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def view_names(connection: DuckDBPyConnection) -> list[str]:
    """The names of the views that a query may select from."""
    with connection.cursor() as cursor:
        found = cursor.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    return sorted(str(name) for (name,) in found)


def query_error(error: Exception, tables: Iterable[str]) -> QueryError:
    """DuckDB's message as one line, with the names that were perhaps meant."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    mend = next(
        (
            line
            for line in lines[1:]
            if line.startswith("Did you mean") or (line.startswith("Candidate") and not line.endswith(":"))
        ),
        "",
    )
    if first.startswith("Catalog Error: Table with name "):
        wanted = first.removeprefix("Catalog Error: Table with name ").split(" ", 1)[0].strip('"')
        near = get_close_matches(wanted, list(tables), n=1)
        mend = f'Did you mean "{near[0]}"?' if near else "The tables are " + ", ".join(tables)
    return QueryError(first.rstrip(".!"), mend=mend.rstrip("."))
