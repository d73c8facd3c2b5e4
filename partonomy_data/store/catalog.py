"""catalog.duckdb: views over one version's Parquet files, for any DuckDB client.

A view names its files one by one and by absolute path, so that it works from any working directory, never mixes two
versions, and sees nothing that was put beside them. Moving the store's folder breaks these paths; `relink` writes
them anew. `partonomy_data.open` doesn't use the catalog.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from partonomy_data.errors import StoreError
from partonomy_data.store import manifest as manifests
from partonomy_data.store.files import written_aside
from partonomy_data.store.layout import Layout
from partonomy_data.store.lock import pointer_lock
from partonomy_data.store.manifest import Manifest
from partonomy_data.store.pointer import require_current
from schemas.tables import EVALUATION_TABLES, TABLES, table

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
    selects = {name: _select(name, files) for name, files in files_of(root, manifest).items()}
    schema_version = int(manifest.content["schema_version"])
    selects["current_version"] = (
        f"SELECT {quoted(manifest.version)} AS version, {schema_version} AS schema_version, "
        f"{quoted(str(root.absolute()))} AS root"
    )
    return selects


def _select(name: str, files: Iterable[Path]) -> str:
    paths = ", ".join(quoted(str(path)) for path in files)
    if paths:
        return f"SELECT * FROM read_parquet([{paths}], hive_partitioning = false)"
    return empty_select(name)


def empty_select(name: str) -> str:
    """A SELECT without rows whose columns have the names and types of table `name`."""
    columns = ", ".join(f'CAST(NULL AS {sql_type(field.type)}) AS "{field.name}"' for field in table(name).schema())
    return f"SELECT {columns} WHERE false"


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


def build(root: Path) -> str:
    """Writes the catalog of the published version aside and renames it; returns the version.

    Readers of the old catalog keep it. The caller holds the pointer's lock (`relink` takes it itself). Raises
    StoreError if nothing is published or the version isn't whole.
    """
    import duckdb

    version = require_current(root)
    selects = views(root, manifests.read(root, version))
    with written_aside(Layout(root).catalog) as aside:
        aside.unlink(missing_ok=True)
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
        except duckdb.Error as error:
            raise StoreError(f"the catalog can't be written ({str(error).splitlines()[0]})", where=str(root)) from error
        finally:
            aside.with_name(aside.name + ".wal").unlink(missing_ok=True)
    return version


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
        return build(root)
