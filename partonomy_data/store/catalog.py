"""catalog.duckdb: views over one version's Parquet files, for any DuckDB client.

A view names its files one by one and by absolute path, so that it works from any working directory, never mixes two
versions, and sees nothing that was put beside them. Moving the store's folder breaks these paths; `relink` writes
them anew. `partonomy_data.open` doesn't use the catalog.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from partonomy_data.errors import StoreError
from partonomy_data.store import manifest as manifests
from partonomy_data.store.files import fsync_file, written_aside
from partonomy_data.store.layout import Layout
from partonomy_data.store.lock import pointer_lock
from partonomy_data.store.manifest import Manifest
from partonomy_data.store.pointer import require_current
from schemas.tables import EVALUATION_TABLES, SCHEMA_VERSION, TABLES, table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: The oldest DuckDB whose clients can open the catalog.
STORAGE_VERSION: Final = "v1.0.0"
#: Arrow's name of a type → DuckDB's.
SQL_TYPES: Final = {
    "bool": "BOOLEAN",
    "double": "DOUBLE",
    "float": "FLOAT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "string": "VARCHAR",
    "timestamp[us, tz=UTC]": "TIMESTAMP WITH TIME ZONE",
    "uint64": "UBIGINT",
}

#: Errors of the system that DuckDB tells of in its own words.
_OF_THE_SYSTEM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES)


def files_of(root: Path, manifest: Manifest) -> dict[str, list[Path]]:
    """Every table's files by absolute path: a version's, and those of the models that were evaluated.

    `predictions` are those on the questions of this version; `evaluations` are those on all versions (the column
    `version` tells them apart).
    """
    layout = Layout(root.absolute())
    folder = layout.version(manifest.version)
    files = {name: manifest.paths(folder, name) for name in TABLES}
    files["predictions"] = layout.evaluation_files("predictions", manifest.version)
    files["evaluations"] = layout.evaluation_files("evaluations")
    return files


def views(root: Path, manifest: Manifest) -> dict[str, str]:
    """View name → the SELECT that it stands for."""
    older = manifest.schema_version < SCHEMA_VERSION
    selects = {
        name: select(name, files, columns(name, files) if older and name in TABLES else None)
        for name, files in files_of(root, manifest).items()
    }
    selects["current_version"] = current_version(manifest, str(root.absolute()))
    return selects


def current_version(manifest: Manifest, root: str) -> str:
    """The SELECT of the view that says which version the views show, and of which store."""
    return (
        f"SELECT {quoted(manifest.version)} AS version, {manifest.schema_version} AS schema_version, "
        f"{quoted(root)} AS root"
    )


def columns(name: str, files: Sequence[Path]) -> list[str]:
    """The columns that the files of table `name` have, those of one version; of no files, all that the table has.

    Raises StoreError for a file that can't be read.
    """
    if not files:
        return list(table(name).schema().names)
    try:
        return list(pq.read_schema(files[0]).names)
    except (pa.ArrowException, OSError) as error:
        raise StoreError("is not a Parquet file that can be read", where=str(files[0])) from error


def select(name: str, files: Iterable[Path], has: Collection[str] | None = None) -> str:
    """A SELECT of the rows of `files` of table `name`.

    If they `has` only some of the table's columns, as those of an older schema, it gives all, nulls for the others.
    """
    paths = ", ".join(quoted(str(path)) for path in files)
    if not paths:
        return empty_select(name)
    listed = "*"
    if has is not None:
        listed = ", ".join(f'"{f.name}"' if f.name in has else _null(f) for f in table(name).schema())
    return f"SELECT {listed} FROM read_parquet([{paths}], hive_partitioning = false)"


def empty_select(name: str) -> str:
    """A SELECT without rows whose columns have the names and types of table `name`."""
    return f"SELECT {', '.join(_null(field) for field in table(name).schema())} WHERE false"


def _null(field: pa.Field) -> str:
    return f'CAST(NULL AS {sql_type(field.type)}) AS "{field.name}"'


def sql_type(kind: pa.DataType) -> str:
    """DuckDB's name of an Arrow type. Raises KeyError for one that no table uses."""
    if pa.types.is_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    if pa.types.is_fixed_size_list(kind):
        return f"{sql_type(kind.value_type)}[{kind.list_size}]"
    if pa.types.is_struct(kind):
        return "STRUCT(" + ", ".join(f'"{f.name}" {sql_type(f.type)}' for f in kind.fields) + ")"
    return SQL_TYPES[str(kind)]


def quoted(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def create_views(connection: DuckDBPyConnection, selects: Mapping[str, str], database: str = "memory") -> None:
    """Creates the views in `database`. Raises duckdb.Error if a file of theirs can't be read."""
    for name, select in selects.items():
        connection.execute(f'CREATE VIEW "{database}".main."{name}" AS {select}')


@contextmanager
def following(root: Path, version: str) -> Iterator[None]:
    """Writes the catalog of `version` aside; it becomes the catalog when the block, which moves CURRENT there, has ended.

    So whatever can fail, as on a full disk, fails before CURRENT moves. If the block raises, all stays as it was. Readers
    of the old catalog keep it. The caller holds the pointer's lock. Raises StoreError if the version isn't whole, and
    OSError if the catalog can't be written.
    """
    path = Layout(root).catalog
    for left in root.glob(f".{path.name}.*.tmp*"):  # by a process that was killed: none but the lock's holder writes
        left.unlink(missing_ok=True)
    selects = views(root, manifests.read(root, version))
    with written_aside(path) as aside:
        _write(aside, selects)
        yield


def _write(aside: Path, selects: Mapping[str, str]) -> None:
    """Writes a catalog, and forces it to disk."""
    import duckdb

    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute(
                f"ATTACH {quoted(str(aside))} AS catalog_aside (STORAGE_VERSION {quoted(STORAGE_VERSION)})"
            )
            connection.execute("BEGIN")  # one transaction: each by itself would be forced to disk
            create_views(connection, selects, "catalog_aside")
            _comment(connection, "catalog_aside")
            connection.execute("COMMIT")
            connection.execute("DETACH catalog_aside")
        fsync_file(aside)
    except duckdb.Error as error:
        raise _explained(error, aside.parent) from error
    finally:
        aside.with_name(aside.name + ".wal").unlink(missing_ok=True)


def _explained(error: Exception, root: Path) -> Exception:
    """DuckDB's error in one line: as the system's own where that is what it tells of (a full disk, say)."""
    for number in _OF_THE_SYSTEM:
        if os.strerror(number) in str(error):
            return OSError(number, f"the catalog can't be written ({os.strerror(number)})", str(root))
    return StoreError(f"the catalog can't be written ({str(error).splitlines()[0]})", where=str(root))


def shown(root: Path) -> str | None:
    """The version that the catalog shows; None where it can't be read, or is that of a store elsewhere."""
    import duckdb

    try:
        with duckdb.connect(str(Layout(root).catalog), read_only=True) as connection:
            version, where = connection.sql("SELECT version, root FROM current_version").fetchall()[0]
    except (duckdb.Error, OSError):
        return None
    return str(version) if where == str(root.absolute()) else None


def _comment(connection: DuckDBPyConnection, database: str) -> None:
    for name in (*TABLES, *EVALUATION_TABLES):
        described = table(name)
        view = f'"{database}".main."{name}"'
        connection.execute(f"COMMENT ON VIEW {view} IS {quoted('one row: ' + described.row)}")
        for column in described.columns:
            connection.execute(f'COMMENT ON COLUMN {view}."{column.name}" IS {quoted(column.description)}')


def relink(root: Path) -> str:
    """Rebuilds the catalog, as is needed after the store's folder was moved; returns the version that it shows."""
    require_current(root)
    with pointer_lock(root):
        version = require_current(root)
        with following(root, version):
            return version
