"""Reading a version in a bucket: DuckDB's views are Arrow datasets there, so that a query fetches what it needs of the files.

DuckDB hands a query's columns and filters to Arrow, which reads the footers of the files that the filters leave, and of
these the row groups and columns that are asked for. Footers are kept for as long as the store is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa

from partonomy_data.errors import QueryError, StoreError
from partonomy_data.store import catalog, parquet, query
from partonomy_data.store.reader import Encoded, Store
from partonomy_data.store.remote import manifests, pointer, saying
from partonomy_data.store.remote.address import Address
from partonomy_data.store.remote.bucket import Bucket
from partonomy_data.store.remote.connecting import connect, file_system
from partonomy_data.store.remote.manifests import Published
from schemas.tables import EVALUATION_TABLES, TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyarrow.dataset import FileSystemDataset
    from pyarrow.fs import S3FileSystem

#: How often opening looks at CURRENT again when the version that it named was removed in between.
_ATTEMPTS = 5


class Connection:
    """A DuckDB connection each of whose cursors has the datasets as views: what is registered belongs to one cursor."""

    def __init__(self, connection: DuckDBPyConnection, datasets: Mapping[str, Any]) -> None:
        self._connection, self._datasets = connection, datasets

    def cursor(self) -> DuckDBPyConnection:
        """A cursor that has the views."""
        cursor = self._connection.cursor()
        for name, dataset in self._datasets.items():
            cursor.register(name, dataset)
        return cursor

    def extract_statements(self, sql: str) -> Any:
        """DuckDB's parser."""
        return self._connection.extract_statements(sql)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


class RemoteStore(Store):
    """A published version in a bucket, open for reading: a `Store`, but that it has no files on this disk.

    It holds no lock: a prune may take its version once it hasn't been current for the prune's time of grace.
    """

    def __init__(self, bucket: Bucket, version: Published, evaluated: Mapping[str, int], limits: query.Limits) -> None:
        self.root = self._address = bucket.address
        self._manifest = version.manifest
        self._lock = None
        self._limits = limits
        self._datasets = datasets(bucket, version, evaluated, file_system(bucket))
        selects = {"current_version": catalog.current_version(version.manifest, str(bucket.address))}
        views = {name: _as_sql(one) for name, one in self._datasets.items()}
        self._connection = Connection(query.sandbox(selects, [], limits), views)

    @property
    def folder(self) -> NoReturn:
        """None is on this disk: raises StoreError."""
        raise self._no_files()

    def files(self, table: str) -> NoReturn:
        """None are on this disk: raises StoreError."""
        raise self._no_files()

    def _no_files(self) -> StoreError:
        return StoreError(
            "its files are in a bucket, and have no path here", where=str(self.root), mend="Use sql() or table()"
        )

    def _dataset(self, name: str) -> FileSystemDataset:
        if name not in self._datasets:
            raise StoreError(f"there is no table {name!r}", mend=f"The tables are {', '.join(sorted(self._datasets))}")
        return self._datasets[name]

    def select(
        self,
        sql: str,
        parameters: query.Parameters | None = None,
        *,
        seconds: float | None = None,
        max_rows: int | None = None,
    ) -> query.Answer:
        """One SELECT run to its end, or to a limit: see `query.select`. Raises StoreError too, if the bucket can't be read."""
        try:
            return super().select(sql, parameters, seconds=seconds, max_rows=max_rows)
        except QueryError as error:
            raise saying.of_arrow(error, self._address) or error from error

    def table(self, name: str, columns: Sequence[str] | None = None, filters: Any | None = None) -> pa.Table:
        """A table's rows in their stored order: see `Store.table`. Raises StoreError too, if the bucket can't be read."""
        try:
            return super().table(name, columns, filters)
        except OSError as error:
            raise saying.of_arrow(error, self._address) or error from error

    def between(self, table: str, first: str, before: str, columns: Sequence[str] | None = None) -> pa.Table:
        """See `Store.between`: here by the dataset's own way of leaving out row groups."""
        key, wanted = self._key(table), self._columns(table, columns)
        return self.table(table, wanted, [(key, ">=", first), (key, "<", before)]).sort_by(key)

    def _encoded(self, table: str, key: str, ids: list[str]) -> dict[str, Encoded | None]:
        if not ids:
            return {}
        found = self.table(table, [key, "mask"], [(key, "in", ids)]).to_pylist()
        masks = {row[key]: row["mask"] for row in found}
        return {name: mask and (*mask["size"], mask["counts"]) for name, mask in masks.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.root, self.version, self._limits)


def open(address: Address, version: str | None = None, limits: query.Limits | None = None) -> RemoteStore:
    """Opens the current version of the store at `address`, or the one named.

    Raises StoreError if the bucket can't be read, nothing is published there, there is no such version, it isn't whole,
    or a newer tool wrote it.
    """
    bucket = connect(address)
    for attempt in range(_ATTEMPTS):
        name = version or pointer.require(bucket).version
        try:
            published = manifests.whole(bucket, name)
        except StoreError:
            if version is None and attempt + 1 < _ATTEMPTS and pointer.require(bucket).version != name:
                continue  # it was removed between reading CURRENT and reading it
            raise
        evaluated = {path: one.size for path, one in bucket.listing("evaluations").items()}
        return RemoteStore(bucket, published, evaluated, limits or query.Limits())
    raise StoreError("versions are removed faster than they can be opened", where=str(address))


def datasets(
    bucket: Bucket, version: Published, evaluated: Mapping[str, int], file_system: S3FileSystem
) -> dict[str, FileSystemDataset]:
    """Table → its files as an Arrow dataset. Nothing is read by making one.

    `evaluated` is path → size of what is under `evaluations/`.
    """
    found: dict[str, dict[str, int]] = {name: {} for name in (*TABLES, *EVALUATION_TABLES)}
    for entry in version.manifest.files:
        found[entry.table][f"{manifests.folder(version.manifest.version)}/{entry.path}"] = entry.bytes
    for path, size in sorted(evaluated.items()):
        parts = path.split("/")
        for table in EVALUATION_TABLES:
            mine = len(parts) == 3 and parts[2].startswith(table) and path.endswith(".parquet")
            ours = table == "evaluations" or parts[1:2] == [version.manifest.version]
            if mine and ours:
                found[table][f"evaluations/{path}"] = size
    return {name: _dataset(name, bucket, files, file_system) for name, files in found.items()}


def _dataset(name: str, bucket: Bucket, files: Mapping[str, int], file_system: S3FileSystem) -> FileSystemDataset:
    import pyarrow.dataset as ds

    schema = parquet.written_schema(name)
    kind = ds.ParquetFileFormat(default_fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=True))
    fragments = [
        kind.make_fragment(
            f"{bucket.address.bucket}/{bucket.address.key(path)}",
            file_system,
            partition_expression=_said_by(path, schema),
            file_size=size,
        )
        for path, size in files.items()
    ]
    return ds.FileSystemDataset(fragments, schema, kind, file_system)


def _said_by(path: str, schema: pa.Schema) -> Any:
    """What a path says of all rows in its file (`source=paco`), so that a file is left out without a look at it."""
    import pyarrow.compute as pc

    said = pc.scalar(True)
    for part in path.split("/"):
        name, equals, value = part.partition("=")
        if equals and name in schema.names and pa.types.is_string(schema.field(name).type):
            said = said & (pc.field(name) == value)
    return said


def _as_sql(dataset: FileSystemDataset) -> FileSystemDataset:
    """The same files, with lists of any size for those of a fixed one, as DuckDB reads them from Parquet."""
    import pyarrow.dataset as ds

    schema = pa.schema([pa.field(f.name, _any_size(f.type), nullable=f.nullable) for f in dataset.schema])
    return ds.FileSystemDataset(list(dataset.get_fragments()), schema, dataset.format, dataset.filesystem)


def _any_size(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field)
    if pa.types.is_list(kind):
        return pa.list_(pa.field(kind.value_field.name, _any_size(kind.value_type), nullable=kind.value_field.nullable))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, _any_size(f.type), nullable=f.nullable) for f in kind.fields])
    return kind
