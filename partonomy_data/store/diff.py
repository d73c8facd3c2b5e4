"""What changed from one version to another: rows added, gone and changed, table by table.

Files that both versions have are left out, and the rows of the others are compared by hashes that DuckDB makes of them, so
that a comparison costs what differs, and what doesn't fit into memory goes to disk. Rows are told apart by the table's
key; those of a table without one by all that they hold, as often as they come.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from partonomy_data.store import catalog, manifest, query
from partonomy_data.store.facts import Fact, facts
from partonomy_data.store.manifest import FileEntry, Manifest
from partonomy_data.store.reader import open
from partonomy_data.store.remote.address import Address, address_of
from partonomy_data.store.row_hash import hashed
from schemas.tables import TABLES, schema, table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Memory and processors for the comparison; what it needs beyond that memory goes to disk.
MEMORY: Final = "1GB"
THREADS: Final = 4
#: What stands for the key of a row of quarantine, where keys are listed.
_SHOWN: Final = {"quarantine": ("table_name", "row_id", "rule")}

_COUNTS: Final = "count(*) FILTER (NOT side) AS n_old, count(*) FILTER (side) AS n_new"

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class TableDiff:
    """How the rows of one table differ."""

    table: str
    key: tuple[str, ...]
    """The columns that `added_keys` and the like have the values of: the table's key, or what stands for it."""
    added: int = 0
    gone: int = 0
    changed: int = 0
    """Rows of one key with other content."""
    columns: Mapping[str, int] = field(default_factory=dict)
    """Column → in how many changed rows it differs; the most frequent first."""
    not_compared: tuple[str, ...] = ()
    """Columns that only one of the versions has, as their schemas differ."""
    added_keys: tuple[Key, ...] = ()
    gone_keys: tuple[Key, ...] = ()
    changed_keys: tuple[Key, ...] = ()
    """The first of their keys in ascending order, as many as were asked for."""

    @property
    def same(self) -> bool:
        """Whether no row differs."""
        return not (self.added or self.gone or self.changed)


@dataclass(frozen=True, slots=True)
class Diff:
    """What changed from version `old` to version `new`: every table, and what the manifests say of how they were made."""

    old: str
    new: str
    tables: tuple[TableDiff, ...]
    facts: tuple[Fact, ...]

    @property
    def same(self) -> bool:
        """Whether the two have the same rows."""
        return all(one.same for one in self.tables)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two versions: its folder and manifest."""

    folder: Path
    manifest: Manifest

    def entries(self, name: str) -> list[FileEntry]:
        """The files of table `name`."""
        return [entry for entry in self.manifest.files if entry.table == name]

    def paths(self, entries: Sequence[FileEntry]) -> list[Path]:
        """Where these files are."""
        return [self.folder / entry.path for entry in entries]


def diff(root: str | Path, old: str, new: str, *, rows: int = 0, progress: Any = None) -> Diff:
    """Compares two versions of the store at `root`; the keys of up to `rows` rows of each kind are listed.

    Numbers are compared by value (-0 is 0), texts by their characters. `progress` is told of the tables (see
    pipeline.progress). Raises StoreError if one of the versions isn't there or isn't whole.
    """
    address = address_of(root)
    with _sides(Path(root), old, new) if address is None else _sides_of(address, old, new) as (one, other):
        if progress is not None:
            progress.stage("comparing", len(TABLES))
        tables = []
        for name in TABLES:
            tables.append(_table(name, one, other, rows))
            if progress is not None:
                progress.advance()
        made = facts(one.manifest.content, other.manifest.content)
        return Diff(one.manifest.version, other.manifest.version, tuple(tables), made)


@contextmanager
def _sides(root: Path, old: str, new: str) -> Iterator[tuple[Side, Side]]:
    """Two versions in a folder, which `prune` spares meanwhile."""
    with open(root, old) as before, open(root, new) as after:
        yield Side(before.folder, manifest.read(root, old)), Side(after.folder, manifest.read(root, new))


def _sides_of(address: Address, old: str, new: str) -> AbstractContextManager[tuple[Side, Side]]:
    from partonomy_data.store.remote import sides

    return sides.sides(address, old, new)


def _table(name: str, before: Side, after: Side, rows: int) -> TableDiff:
    """One table's differences."""
    ours, theirs = unpaired(before.entries(name), after.entries(name))
    key = table(name).key or _SHOWN[name]
    if not sum(entry.rows for entry in (*ours, *theirs)):
        return TableDiff(name, key)
    paths = {"old": before.paths(ours), "new": after.paths(theirs)}
    has = {side: catalog.columns(name, files) for side, files in paths.items()}
    selects = {side: catalog.select(name, files, has[side]) for side, files in paths.items()}
    with tempfile.TemporaryDirectory(prefix="partonomy-diff-") as folder:
        limits = query.Limits(memory=MEMORY, threads=min(THREADS, os.cpu_count() or 1), spill_to=Path(folder))
        connection = query.sandbox(selects, [file for files in paths.values() for file in files], limits)
        try:
            rest = [
                f for f in schema(name) if f.name not in table(name).key and all(f.name in one for one in has.values())
            ]
            compare = _by_key if table(name).key else _by_content
            found = compare(connection, key, rest, rows)
        finally:
            connection.close()
    lacking = tuple(n for n in schema(name).names if sum(n in one for one in has.values()) == 1)
    return TableDiff(name, key, **found, not_compared=lacking)


def unpaired(ours: Sequence[FileEntry], theirs: Sequence[FileEntry]) -> tuple[list[FileEntry], list[FileEntry]]:
    """The files of both sides without those that both have, one for one. Their rows are the same, wherever they lie."""
    shared = Counter(one.sha256 for one in ours) & Counter(one.sha256 for one in theirs)
    return _without(ours, shared), _without(theirs, shared)


def _without(entries: Sequence[FileEntry], shared: Mapping[str, int]) -> list[FileEntry]:
    left, kept = Counter(shared), []
    for entry in entries:
        if left[entry.sha256]:
            left[entry.sha256] -= 1
        else:
            kept.append(entry)
    return kept


def _by_key(connection: DuckDBPyConnection, key: Sequence[str], rest: Sequence[pa.Field], rows: int) -> dict[str, Any]:
    """Differences of the views `old` and `new`, in which a key comes once; `rest` are the other columns that both have."""
    keys = _listed(key)
    hashes = [hashed(_name(one.name), one.type) for one in rest]
    whole = f"hash({', '.join(hashes)})" if hashes else "0::UBIGINT"
    both = " UNION ALL ".join(
        f"SELECT {keys}, {whole} AS h, {side == 'new'} AS side FROM {side}" for side in ("old", "new")
    )
    connection.execute(
        f"CREATE TEMP TABLE differing AS SELECT {keys}, {_COUNTS} FROM ({both}) GROUP BY {keys} HAVING n_old <> n_new "
        "OR sum(h) FILTER (NOT side) IS DISTINCT FROM sum(h) FILTER (side)"
    )
    added, gone, changed = _one(
        connection,
        "SELECT coalesce(sum(n_new) FILTER (n_old = 0), 0), coalesce(sum(n_old) FILTER (n_new = 0), 0), "
        "count(*) FILTER (n_old > 0 AND n_new > 0) FROM differing",
    )
    return {
        "added": added,
        "gone": gone,
        "changed": changed,
        "columns": _columns(connection, key, rest, hashes) if changed else {},
        "added_keys": _keys(connection, keys, "n_old = 0", rows),
        "gone_keys": _keys(connection, keys, "n_new = 0", rows),
        "changed_keys": _keys(connection, keys, "n_old > 0 AND n_new > 0", rows),
    }


def _columns(
    connection: DuckDBPyConnection, key: Sequence[str], rest: Sequence[pa.Field], hashes: Sequence[str]
) -> dict[str, int]:
    """Column → in how many of the changed rows it differs."""
    keys = _listed(key)
    own = ", ".join(f"{one} AS h{i}" for i, one in enumerate(hashes))
    one, other = (
        f"(SELECT {keys}, {own} FROM {side} SEMI JOIN (FROM differing WHERE n_old > 0 AND n_new > 0) USING ({keys}))"
        for side in ("old", "new")
    )
    counts = ", ".join(f"count(*) FILTER (a.h{i} <> b.h{i})" for i in range(len(hashes)))
    found = _one(connection, f"SELECT {counts} FROM {one} AS a JOIN {other} AS b USING ({keys})")
    named = sorted(zip((column.name for column in rest), found, strict=True), key=lambda pair: (-pair[1], pair[0]))
    return {name: n for name, n in named if n}


def _by_content(
    connection: DuckDBPyConnection, shown: Sequence[str], rest: Sequence[pa.Field], rows: int
) -> dict[str, Any]:
    """Differences of the views as multisets of rows."""
    keys = _listed(shown)
    whole = f"hash({', '.join(hashed(_name(one.name), one.type) for one in rest)})"
    both = " UNION ALL ".join(
        f"SELECT {keys}, {whole} AS h, {side == 'new'} AS side FROM {side}" for side in ("old", "new")
    )
    connection.execute(
        f"CREATE TEMP TABLE differing AS SELECT {keys}, {_COUNTS} FROM ({both}) GROUP BY {keys}, h HAVING n_old <> n_new"
    )
    added, gone = _one(
        connection,
        "SELECT coalesce(sum(greatest(n_new - n_old, 0)), 0), coalesce(sum(greatest(n_old - n_new, 0)), 0) FROM differing",
    )
    return {
        "added": added,
        "gone": gone,
        "added_keys": _keys(connection, keys, "n_new > n_old", rows),
        "gone_keys": _keys(connection, keys, "n_old > n_new", rows),
    }


def _keys(connection: DuckDBPyConnection, keys: str, condition: str, rows: int) -> tuple[Key, ...]:
    found = connection.execute(f"SELECT {keys} FROM differing WHERE {condition} ORDER BY {keys} LIMIT ?", [rows])
    return tuple(found.fetchall())


def _one(connection: DuckDBPyConnection, sql: str) -> list[int]:
    (row,) = connection.execute(sql).fetchall()
    return [int(value) for value in row]


def _name(column: str) -> str:
    return f'"{column}"'


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(map(_name, columns))
