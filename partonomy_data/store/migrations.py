"""Versions of older schemas: what each rise of the schema version changed, and writing such a version anew.

A version of an older schema can be opened as it is: a column that it lacks reads as null. `migrate` publishes its rows
once more under the current schema. The old version stays, until it is pruned.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from partonomy_data.errors import StoreError
from partonomy_data.store import files, manifest, parquet
from partonomy_data.store.layout import CARD, PREVIEW, Layout
from partonomy_data.store.lock import build_lock
from partonomy_data.store.manifest import Manifest
from partonomy_data.store.pointer import read_current
from partonomy_data.store.publish import publish
from partonomy_data.store.reader import open
from partonomy_data.store.remote import copies, state
from schemas.columns import STRINGS
from schemas.tables import SCHEMA_VERSION

#: From a table's name and rows of one schema version to its rows of the next.
Step = Callable[[str, pa.Table], pa.Table]
#: What the manifest says that follows from the version's own files, and is not taken over.
_OWN: Final = frozenset({"version", "schema_version", "parent", "tables", "files"})


def to_2(name: str, rows: pa.Table) -> pa.Table:
    """Names what the answers call their parts; there was no other name for them. The table `splits` begins empty."""
    if name == "question_masks":
        rows = rows.append_column(pa.field("phrase", pa.string(), nullable=False), rows["part_category"])
        return rows.append_column("contrast_part", pa.nulls(len(rows), pa.string()))
    if name == "object_categories" and "source_categories" not in rows.column_names:
        # The first versions didn't say what each source calls a category.
        return rows.append_column("source_categories", pa.array([[]] * len(rows), STRINGS))
    return rows


def to_3(name: str, rows: pa.Table) -> pa.Table:
    """Adds `repairs`, null: what was repaired in a row wasn't written down, and only a build can tell."""
    if name in ("images", "objects", "parts", "quarantine"):
        return rows.append_column("repairs", pa.nulls(len(rows), STRINGS))
    return rows


#: The step from version n is at place n - 1.
STEPS: Final[tuple[Step, ...]] = (to_2, to_3)


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration came to."""

    old: str
    """The version that was to be migrated."""
    version: str
    """The one with its rows under the current schema; `old` itself if that has it already."""
    new: bool
    """Whether `version` was published by this."""
    current: bool
    """Whether `version` is the current one now."""


def migrate(root: str | Path, version: str | None = None, progress: Any = None) -> Migrated:
    """Publishes the rows of `version` (the current one by default) under the current schema, as a version of their own.

    If the old version is the current one, the new one takes its place; else CURRENT stays. Doing it again finds the
    version that it made, and does no more. One row group is held in memory. `progress` is told of the files (see
    pipeline.progress). Raises StoreError, with the store as it was, if there is no such version, it isn't whole, a
    newer tool made it, or a build is running.
    """
    root = state.local(root).expanduser().absolute()
    copies.version_here(root, version)
    with open(root, version) as store:
        old = manifest.read(root, store.version)
        if old.schema_version == SCHEMA_VERSION:
            return Migrated(old.version, old.version, False, read_current(root) == old.version)
        with build_lock(root, "migration"):
            state.begin(root)
            damages = manifest.damages(root, old.version)
            if damages:
                raise manifest.damaged(old.version, root, damages[0])
            staged = _staged(root, old, progress)
            given = {key: value for key, value in old.content.items() if key not in _OWN}
            card = store.folder / CARD
            readme = card.read_text(encoding="utf-8") if card.is_file() else ""
            extras = {PREVIEW: (store.folder / PREVIEW).read_bytes()} if given.get("preview") else {}
            given["migrated_from"] = old.version
            done = publish(root, staged, given, readme=readme, extras=extras, instead_of=old.version)
    return Migrated(old.version, done.version, done.new, read_current(root) == done.version)


def _staged(root: Path, old: Manifest, progress: Any) -> Path:
    """The old version's files under the current schema, in the staging folder of builds."""
    folder, staged = Layout(root).version(old.version), Layout(root).work / "staging"
    shutil.rmtree(staged, ignore_errors=True)  # what a build or a migration that was killed has left
    if progress is not None:
        progress.stage("migrating", len(old.files))
    for entry in old.files:
        _migrate_file(folder / entry.path, staged / entry.path, entry.table, old.schema_version)
        if progress is not None:
            progress.advance()
    return staged


def _migrate_file(source: Path, target: Path, table: str, schema_version: int) -> None:
    """Writes one file under the current schema; one that has it already is shared."""
    try:
        with pq.ParquetFile(source) as file:
            if file.schema_arrow.equals(parquet.written_schema(table)):
                files.link_or_copy(source, target)
            else:
                parquet.write(_migrated(file, table, schema_version), target, table)
    except ValueError as error:
        raise StoreError(f"can't be migrated ({error})", where=str(source)) from error


def _migrated(file: pq.ParquetFile, table: str, schema_version: int) -> Iterator[pa.RecordBatch]:
    """The rows of a file, taken through all the steps from `schema_version` on."""
    for batch in file.iter_batches(parquet.ROWS_PER_GROUP):
        rows = pa.Table.from_batches([batch])
        for step in STEPS[schema_version - 1 :]:
            rows = step(table, rows)
        yield from rows.to_batches()
