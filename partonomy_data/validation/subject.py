"""What is validated: a version's folder, staged or published, as DuckDB sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from partonomy_data.store import catalog, parquet
from partonomy_data.validation.cache import Cache
from partonomy_data.validation.settings import ValidationSettings
from schemas.tables import SCHEMA_VERSION, TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: How a row is called, as SQL over the row; `quarantine` has no key.
ROW: Final[Mapping[str, str]] = {
    **{name: " || ' / ' || ".join(table.key) for name, table in TABLES.items() if table.key},
    "quarantine": "source || ' / ' || table_name || ' / ' || row_id",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A version's folder, open. Make it with `opened`."""

    folder: Path
    manifest: Mapping[str, Any]
    """What is, or will be, in manifest.json."""
    settings: ValidationSettings
    spill_to: Path
    """A folder for what doesn't fit into memory."""
    connection: DuckDBPyConnection
    """A view for each table, of its readable files; those of the parent version in the schema `parent`."""
    files: Mapping[str, list[Path]]
    """The readable files of each table, in order."""
    unreadable: dict[Path, str]
    """Other files, and what is wrong with them."""
    rows: Mapping[str, int]
    """Rows of each table."""
    parent: Mapping[str, Any] | None = None
    """The manifest of the version before, if there is one."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What a rule found out that another one needs."""
    cache: Cache | None = None
    """Findings of earlier builds; none where all is to be looked at anew."""
    cursors: list[DuckDBPyConnection] = field(default_factory=list)
    """Further connections to the same database, which are closed with it."""

    def of_files(self, name: str, inputs: Sequence[Path], find: Callable[[], tuple[pa.Table, bool]]) -> pa.Table:
        """What `find` gives, or gave to an earlier build, for these files; with whether it follows from them alone."""
        return find()[0] if self.cache is None else self.cache.of(name, inputs, find)

    def found(self, sql: str) -> pa.Table:
        """The answer to a query."""
        return self.connection.sql(sql).to_arrow_table()

    def value(self, sql: str) -> Any:
        """The first value of a query's first row."""
        return self.connection.sql(sql).fetchall()[0][0]

    def leave_out(self, path: Path, how: str) -> None:
        """Takes a readable file out of its table: it isn't after all, which is told as `how`."""
        name = path.relative_to(self.folder).parts[0]
        self.files[name].remove(path)
        self.unreadable[path] = how
        _view(self.connection, f'main."{name}"', name, self.files[name], self.manifest)


def read_parquet(paths: Iterable[Path], *, filename: bool = False) -> str:
    """SQL of the rows of files, as they are; with `filename` each with its file."""
    listed = ", ".join(catalog.quoted(str(path)) for path in paths)
    return f"read_parquet([{listed}], filename = {str(filename).lower()}, hive_partitioning = false)"


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def damage(subject: Subject, path: Path, *, by_arrow: bool = False) -> str:
    """What is wrong with a file's content; empty if it can be read to its end.

    Arrow and DuckDB read it, as rules read some by the one and some by the other, or Arrow alone.
    """
    import duckdb

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(parquet.ROWS_PER_GROUP):
                batch.validate(full=True)
        if not by_arrow:
            subject.value(f"SELECT max(hash(columns(*))) FROM {read_parquet([path])}")
    except (duckdb.Error, pa.ArrowException, OSError, UnicodeDecodeError) as error:
        return f"it is damaged ({first_line(error)})"
    return ""


@contextmanager
def opened(
    folder: Path,
    manifest: Mapping[str, Any],
    settings: ValidationSettings,
    *,
    spill_to: Path,
    parent: tuple[Path, Mapping[str, Any]] | None = None,
    threads: int | None = None,
    cache: Cache | None = None,
) -> Iterator[Subject]:
    """Opens a folder that has `<table>/**/*.parquet`; a file that can't be read, or that doesn't fit, is left out and told.

    `spill_to` takes what doesn't fit into memory. `parent` is the version before: its folder and manifest.
    """
    import duckdb

    config: dict[str, str | bool | int] = {"memory_limit": settings.memory, "temp_directory": str(spill_to)}
    if threads is not None:
        config["threads"] = threads
    spill_to.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(":memory:", config=config)
    try:
        connection.execute("SET parquet_metadata_cache = true")
        connection.execute("SET preserve_insertion_order = false")
        unreadable: dict[Path, str] = {}
        files, rows = _views(connection, folder, "main", unreadable, manifest)
        if parent is not None:
            connection.execute("CREATE SCHEMA parent")
            _views(connection, parent[0], "parent", {}, parent[1])
        given = None if parent is None else parent[1]
        subject = Subject(folder, manifest, settings, spill_to, connection, files, unreadable, rows, given, cache=cache)
        try:
            yield subject
        finally:
            for cursor in subject.cursors:
                cursor.close()
    finally:
        connection.close()


def _views(
    connection: DuckDBPyConnection,
    folder: Path,
    schema: str,
    unreadable: dict[Path, str],
    manifest: Mapping[str, Any],
) -> tuple[dict[str, list[Path]], dict[str, int]]:
    files: dict[str, list[Path]] = {}
    rows: dict[str, int] = {}
    for name in TABLES:
        files[name], rows[name] = [], 0
        for path in sorted((folder / name).rglob("*.parquet")):
            try:
                with pq.ParquetFile(path) as file:
                    n, has = int(file.metadata.num_rows), file.schema_arrow
            except (pa.ArrowException, OSError) as error:
                unreadable[path] = f"it can't be read ({first_line(error)})"
                continue
            wanted = parquet.written_schema(name)
            if not (set(has.names) <= set(wanted.names) if _older(manifest) else has.equals(wanted)):
                unreadable[path] = f"it has other columns than table {name}"
                continue
            files[name].append(path)
            rows[name] += n
        _view(connection, f'{schema}."{name}"', name, files[name], manifest)
    return files, rows


def _view(
    connection: DuckDBPyConnection, view: str, table: str, files: list[Path], manifest: Mapping[str, Any]
) -> None:
    columns = catalog.columns(table, files) if _older(manifest) else None
    connection.execute(f"CREATE OR REPLACE VIEW {view} AS {catalog.select(table, files, columns)}")


def _older(manifest: Mapping[str, Any]) -> bool:
    return int(manifest.get("schema_version", SCHEMA_VERSION)) < SCHEMA_VERSION
