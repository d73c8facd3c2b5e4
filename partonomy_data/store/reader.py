"""Reading a store: one version, kept for as long as it is open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from partonomy_data import masks
from partonomy_data.errors import MaskError, StoreError
from partonomy_data.store import catalog, manifest, parquet, query
from partonomy_data.store.layout import Layout
from partonomy_data.store.lock import Lock
from partonomy_data.store.manifest import Manifest
from partonomy_data.store.pointer import require_current
from partonomy_data.store.points import Points
from partonomy_data.store.remote.address import Address, address_of
from schemas.tables import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation
    from pyarrow.dataset import Dataset

#: How often opening looks at CURRENT again when the version that it named was removed in between.
ATTEMPTS: Final = 20
#: Height, width and compressed counts of a mask.
Encoded = tuple[int, int, str]


class Store:
    """A published version, open for reading. Use `open`; close it, or use it in a `with` block.

    It goes on showing the version that it opened, whatever is published meanwhile, and `prune` spares that version
    until the store is closed or the process ends. Methods may be called from several threads. A store can be pickled:
    the copy opens the same version.
    """

    def __init__(self, root: Path, version: Manifest, lock: Lock | None, limits: query.Limits) -> None:
        self.root: Path | Address = root
        self._manifest = version
        self._lock = lock
        self._limits = limits
        self._folder = Layout(root).version(version.version)
        self._points: dict[str, Points] = {}
        self._files = catalog.files_of(root, version)
        selects = catalog.views(root, version)
        paths = [path for files in self._files.values() for path in files]
        self._connection: DuckDBPyConnection = query.sandbox(selects, paths, limits)

    @property
    def version(self) -> str:
        """The name of the version that is open."""
        return self._manifest.version

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The content of the version's manifest.json."""
        return self._manifest.content

    @property
    def folder(self) -> Path:
        """The version's folder. Its files must not be changed."""
        return self._folder

    def files(self, table: str) -> list[Path]:
        """The Parquet files of `table`, in the order of its rows. Raises StoreError if there is no such table."""
        if table not in self._files:
            raise StoreError(f"there is no table {table!r}", mend=f"The tables are {', '.join(sorted(self._files))}")
        return list(self._files[table])

    def sql(self, sql: str, parameters: query.Parameters | None = None) -> DuckDBPyRelation:
        """One SELECT as a DuckDB relation, which runs when its rows are asked for (`.fetchall()`, `.to_arrow_table()`).

        Views are the tables, `predictions`, `evaluations` and `current_version`. A relation can't write files; the
        Arrow tables and data frames that it gives can. Raises QueryError if `sql` isn't one SELECT that only reads, or
        names what isn't there.
        """
        import duckdb

        query.check(self._connection, sql)
        try:
            return self._connection.cursor().sql(sql, params=parameters)
        except duckdb.Error as error:
            raise query.query_error(error, query.view_names(self._connection)) from error

    def select(
        self,
        sql: str,
        parameters: query.Parameters | None = None,
        *,
        seconds: float | None = None,
        max_rows: int | None = None,
    ) -> query.Answer:
        """One SELECT run to its end, or to a limit: see `query.select`."""
        return query.select(self._connection, sql, parameters, seconds=seconds, max_rows=max_rows)

    def table(self, name: str, columns: Sequence[str] | None = None, filters: Any | None = None) -> pa.Table:
        """A table's rows in their stored order, as an Arrow table.

        `filters` is a `pyarrow.compute` expression or pyarrow's lists of tuples, such as
        `[("split", "=", "train")]`. Raises StoreError if there is no such table or column.
        """
        import pyarrow.parquet as pq

        dataset = self._dataset(name)
        schema = dataset.schema
        unknown = sorted(set(columns or ()) - set(schema.names))
        if unknown:
            raise StoreError(f"table {name} has no column {unknown[0]!r}", mend=f"It has {', '.join(schema.names)}")
        expression = pq.filters_to_expression(filters) if isinstance(filters, list) else filters
        try:
            return dataset.to_table(columns=list(columns) if columns is not None else None, filter=expression)
        except pa.ArrowInvalid as error:
            raise StoreError(f"table {name}: {str(error).splitlines()[0]}") from error

    def _dataset(self, name: str) -> Dataset:
        """The files of a table as an Arrow dataset. Raises StoreError if there is no such table."""
        import pyarrow.dataset as ds

        files = [str(path) for path in self.files(name)]
        schema = parquet.written_schema(name)
        return ds.dataset(files, schema=schema, format="parquet") if files else ds.dataset(schema.empty_table())

    def questions(
        self,
        split: str | None = None,
        question_type: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """The questions, of one split or one type where these are named, as an Arrow table."""
        wanted = [("split", "=", split), ("question_type", "=", question_type)]
        filters = [condition for condition in wanted if condition[2] is not None]
        return self.table("questions", columns, filters or None)

    def between(self, table: str, first: str, before: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of a table whose id (its first key) is `first` or after it, and before `before`, sorted by it.

        Ids of what belongs together begin alike, and files are sorted by id, so that this takes about as long in the largest
        store as in a small one; `columns` are read beside the id. Raises StoreError if there is no such table or column, its
        rows have no id, or a file can't be read.
        """
        key, wanted = self._key(table), self._columns(table, columns)
        try:
            if table not in self._points:
                self._points[table] = Points(self.files(table), key)
            known = self._points[table].columns
            rows = self._points[table].between(first, before, [one for one in wanted if one in known])
        except (pa.ArrowException, OSError) as error:
            raise manifest.damaged(self.version, self.root, f"table {table} ({str(error).splitlines()[0]})") from error
        return parquet.filled(rows, table).select(wanted)

    def _key(self, table: str) -> str:
        """The column that a table is sorted by. Raises StoreError if there is no such table."""
        if table not in TABLES:
            raise StoreError(f"there is no table {table!r}", mend=f"The tables are {', '.join(sorted(TABLES))}")
        if not TABLES[table].key:
            raise StoreError(f"the rows of table {table} have no id", mend="Use table() or sql()")
        return TABLES[table].key[0]

    def _columns(self, table: str, columns: Sequence[str] | None) -> list[str]:
        """All columns of a table; or those named, and its id. Raises StoreError for one that it hasn't."""
        every = TABLES[table].schema().names
        unknown = sorted(set(columns or ()) - set(every))
        if unknown:
            raise StoreError(f"table {table} has no column {unknown[0]!r}", mend=f"It has {', '.join(every)}")
        return every if columns is None else [one for one in every if one in {self._key(table), *columns}]

    def mask(self, annotation_id: str) -> NDArray[np.uint8]:
        """The mask of a part or an object, by its id: uint8 zeros and ones, shape (h, w).

        Raises StoreError if there is no such part or object, or if it has no mask.
        """
        return self.masks([annotation_id])[annotation_id]

    def masks(self, annotation_ids: Iterable[str]) -> dict[str, NDArray[np.uint8]]:
        """Several masks at once, by id; one query for the parts, and one for the objects. See `mask`."""
        wanted = list(dict.fromkeys(annotation_ids))
        objects = [name for name in wanted if name.startswith("obj_")]
        parts = [name for name in wanted if not name.startswith("obj_")]
        found = {**self._encoded("objects", "object_id", objects), **self._encoded("parts", "part_id", parts)}
        for name in wanted:
            if name not in found:
                raise StoreError(f"{name} is no part or object of it", where=f"{self.root}, version {self.version}")
        return {name: self._decoded(name, found[name]) for name in wanted}

    def _decoded(self, name: str, encoded: Encoded | None) -> NDArray[np.uint8]:
        if encoded is None:
            raise StoreError(f"{name} has no mask", where=f"{self.root}, version {self.version}")
        height, width, counts = encoded
        try:
            return masks.decode(masks.from_compressed(counts, (height, width), height, width))
        except MaskError as error:
            raise manifest.damaged(self.version, self.root, f"the mask of {name} ({error})") from error

    def _encoded(self, table: str, key: str, ids: list[str]) -> dict[str, Encoded | None]:
        if not ids:
            return {}
        # One id is compared by "=", which DuckDB checks against the statistics of row groups faster than a list.
        condition = f"{key} = $1" if len(ids) == 1 else f"{key} IN (SELECT unnest($1))"
        with self._connection.cursor() as cursor:
            rows = cursor.execute(
                f"SELECT {key}, mask.size[1], mask.size[2], mask.counts FROM {table} WHERE {condition}",
                [ids[0] if len(ids) == 1 else ids],
            ).fetchall()
        return {name: None if counts is None else (height, width, counts) for name, height, width, counts in rows}

    def close(self) -> None:
        """Ends reading; `prune` may remove the version from now on. Closing again does nothing."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.root, self.version, self._limits)

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r}, version={self.version!r})"


def open(root: str | Path | Address, version: str | None = None, limits: query.Limits | None = None) -> Store:
    """Opens the current version of the store in `root`, a folder or `s3://bucket/prefix`, or the one named.

    Raises StoreError if there is no store, nothing published, no such version, if it isn't whole, or if a newer tool
    wrote it.
    """
    import duckdb

    address = address_of(root)
    if address is not None:
        from partonomy_data.store.remote import reading

        return reading.open(address, version, limits)
    root = Path(str(root)).expanduser().absolute()
    for attempt in range(ATTEMPTS):
        name = version or require_current(root)
        lock = _read_lock(root, name)
        try:
            return Store(root, manifest.read(root, name), lock, limits or query.Limits())
        except (StoreError, duckdb.Error) as error:
            if lock is not None:
                lock.release()
            if version is None and attempt + 1 < ATTEMPTS and (attempt == 0 or require_current(root) != name):
                continue  # it was removed between reading CURRENT and taking the lock, and perhaps published again
            if isinstance(error, StoreError):
                raise _explained(error, root, name, asked_for=version is not None) from error
            raise manifest.damaged(name, root, str(error).splitlines()[0]) from error
        except BaseException:
            if lock is not None:
                lock.release()
            raise
    raise StoreError("versions are removed faster than they can be opened", where=str(root))


def _explained(error: StoreError, root: Path, name: str, *, asked_for: bool) -> StoreError:
    if asked_for or Layout(root).version(name).is_dir():
        return error
    return StoreError(
        f"CURRENT names version {name}, which is not there",
        where=str(root),
        mend="`partonomy rollback VERSION` to one that is, or build again",
    )


def _read_lock(root: Path, version: str) -> Lock | None:
    """A shared lock on the version, so that `prune` spares it; None where the store is on a read-only medium."""
    lock = Lock(Layout(root).reader_lock(version))
    try:
        lock.acquire(shared=True, wait=True)
    except OSError:
        return None
    return lock
