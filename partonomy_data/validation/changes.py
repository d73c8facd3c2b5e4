"""What a staged version has otherwise than the version before, which was validated: what rules must look at again.

Files are told by their digests. Of those that only one of both versions has, rows are compared by their content
(`store.row_hash`), and a row that only one of both has is *changed*. A row is *touched* if it is linked, by however many
steps (`reach.LINKS`), with a changed one. Rows that are not touched are linked with the same rows as before, so that a rule
which goes by linked rows alone says of them what it said. The same holds of blocks of questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from partonomy_data.sources.files import digest
from partonomy_data.store import catalog
from partonomy_data.store.parquet import EMPTY_FILE
from partonomy_data.store.row_hash import hashed
from partonomy_data.validation.cache import Record
from partonomy_data.validation.reach import LINKS, NAMES, reaches
from partonomy_data.validation.rules.files import how_damaged
from partonomy_data.validation.settings import ValidationSettings
from partonomy_data.validation.subject import Subject
from partonomy_data.validation.suites import VERSION
from partonomy_data.validation.touched import blocks_of, closed, loaded
from schemas.tables import SCHEMA_VERSION, TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Where more than this share of the photographs is touched, all is judged.
MOST: Final = 0.5


@dataclass(frozen=True, slots=True)
class Changes:
    """How a staged version differs from the one before."""

    version: str
    """The one before."""
    broken: frozenset[tuple[str, str]]
    """(suite, rule) of those that it breaks."""
    tables: frozenset[str]
    """Tables of which a file is another."""
    names: frozenset[str]
    """Tables of names that rules of single photographs would see to be others."""
    rows: Mapping[str, int]
    """Table → rows of the files that the version before doesn't have; `version` → how many files these are."""
    photographs: Subject
    """The touched rows, and the tables of names."""
    blocks: Subject
    """The questions of touched blocks, and the splits of their photographs."""

    def place(self, subject: Subject, table: str, rule: str) -> tuple[Subject | None, int | None]:
        """Where a rule is to look for rows that break it, None for nowhere; and how many rows that are, None for all."""
        reach = reaches()[table, rule]
        if (table, rule) in self.broken:
            return subject, None
        if reach.scope == "file":
            return subject, self.rows.get(table, 0)
        if reach.scope == "block":
            return self._of(self.blocks, "questions")
        if reach.tables is None or reach.tables & (self.tables if reach.scope == "whole" else self.names):
            return subject, None
        return (None, 0) if reach.scope == "whole" else self._of(self.photographs, table)

    def _of(self, touched: Subject, table: str) -> tuple[Subject | None, int]:
        """Touched rows, if there are any."""
        there = any(touched.rows[name] for name in LINKS if name in touched.rows)
        return touched if there else None, touched.rows[table]


def summed(settings: ValidationSettings, manifest: Mapping[str, Any]) -> str:
    """Digest of what rules go by that are judged by what has changed, beside the files."""
    plain = [settings.blind_questions, settings.drift, manifest.get("config", {}), sorted(manifest.get("inputs", {}))]
    return digest(msgspec.json.encode(plain, order="deterministic"))


def content(files: Mapping[str, str]) -> str:
    """Digest of a version's files: path → SHA-256. What stands for a table without rows is added when it is published."""
    filled = sorted((path, sha256) for path, sha256 in files.items() if not path.endswith(f"/{EMPTY_FILE}"))
    return digest(*(part for one in filled for part in one))


def staged_files(subject: Subject) -> dict[str, str]:
    """Path → SHA-256 of the readable files of a subject that has a cache. Raises OSError."""
    assert subject.cache is not None
    paths = [path for files in subject.files.values() for path in files]
    digests = subject.cache.digests(paths)
    return {path.relative_to(subject.folder).as_posix(): one for path, one in zip(paths, digests, strict=True)}


def changes(subject: Subject, parent: tuple[Path, Mapping[str, Any]] | None) -> Changes | None:
    """What differs from the version before, its folder and manifest; None if all is to be judged.

    That is so where the version before wasn't validated by the same code and settings, where a file of either can't be
    read or isn't what it was, and where more than `MOST` of the photographs are touched.
    """
    import duckdb

    record = _record(subject, parent)
    if record is None or parent is None:
        return None
    try:
        return _since(subject, record, *parent)
    except (duckdb.Error, pa.ArrowException, OSError):
        return None  # who judges everything comes upon it again, and names the file that is to blame


def _since(subject: Subject, record: Record, folder: Path, manifest: Mapping[str, Any]) -> Changes | None:
    here, before = staged_files(subject), _published(manifest)
    new, gone = _only(here, before), _only(before, here)
    if not _sound(subject, folder, new, gone, before):
        return None
    new_files, gone_files = _by_table(subject.folder, new), _by_table(folder, gone)
    tables = frozenset({*new_files, *gone_files})
    _find_changed(subject.connection, new_files, gone_files)
    files = closed(subject)
    n = subject.value("SELECT count(*) FROM images WHERE image_id IN (SELECT value FROM reached WHERE kind = 'image')")
    if n > MOST * subject.rows["images"]:
        return None
    return Changes(
        version=str(manifest.get("version", "")),
        broken=frozenset(record.broken),
        tables=tables,
        names=frozenset(one for one in tables & NAMES.keys() if _renamed(subject, one, new_files, gone_files)),
        rows={**_counted(new_files), VERSION: len(new)},
        photographs=loaded(subject, files),
        blocks=blocks_of(subject),
    )


def _record(subject: Subject, parent: tuple[Path, Mapping[str, Any]] | None) -> Record | None:
    """The record of the version before, if that is one to go by."""
    if subject.cache is None or subject.unreadable or parent is None:
        return None
    if parent[1].get("schema_version") != SCHEMA_VERSION:
        return None
    record = subject.cache.recall(content(_published(parent[1])))
    same = record is not None and record.given == summed(subject.settings, subject.manifest)
    return record if same else None


def _published(manifest: Mapping[str, Any]) -> dict[str, str]:
    return {str(one["path"]): str(one["sha256"]) for one in manifest["files"]}


def _only(files: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The paths of `files` that `other` hasn't with the same content."""
    return [path for path in files if files[path] != other.get(path)]


def _sound(subject: Subject, folder: Path, new: Sequence[str], gone: Sequence[str], before: Mapping[str, str]) -> bool:
    """Whether the new files can be read, and those that are gone are as they were published."""
    assert subject.cache is not None
    try:
        digests = subject.cache.digests([folder / path for path in gone])
    except OSError:
        return False
    as_published = digests == [before[path] for path in gone]
    return as_published and not any(how_damaged(subject, subject.folder / path) for path in new)


def _by_table(folder: Path, paths: Sequence[str]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(path.partition("/")[0], []).append(folder / path)
    return found


def _find_changed(
    connection: DuckDBPyConnection, new: Mapping[str, list[Path]], gone: Mapping[str, list[Path]]
) -> None:
    """Makes the tables `reached` (what links with changed rows) and `changed_blocks` (blocks of changed questions)."""
    connection.execute("CREATE OR REPLACE TEMP TABLE reached (kind VARCHAR, value VARCHAR)")
    connection.execute("CREATE OR REPLACE TEMP TABLE changed_blocks (block_id VARCHAR)")
    for table, links in LINKS.items():
        if table not in new and table not in gone:
            continue
        columns = sorted({column for column, _ in links} | ({"block_id"} if table == "questions" else set()))
        connection.execute(f"CREATE OR REPLACE TEMP TABLE changed AS {_changed(table, columns, new, gone)}")
        for column, kind in links:
            connection.execute(
                f"INSERT INTO reached SELECT DISTINCT '{kind}', {column} FROM changed WHERE {column} NOTNULL"
            )
        if table == "questions":
            connection.execute(
                "INSERT INTO changed_blocks SELECT DISTINCT block_id FROM changed WHERE block_id NOTNULL"
            )


def _changed(table: str, columns: Sequence[str], new: Mapping[str, list[Path]], gone: Mapping[str, list[Path]]) -> str:
    """SQL of the `columns` of the rows that only one of both versions has, or more often than the other."""
    row = ", ".join(hashed(f'"{field.name}"', field.type) for field in TABLES[table].schema())
    sides = (
        f"SELECT {', '.join(columns)}, hash({row}) AS content, {side} AS side FROM ({catalog.select(table, files)})"
        for side, files in ((1, new.get(table, [])), (-1, gone.get(table, [])))
    )
    both = " UNION ALL ".join(sides)
    return f"SELECT {', '.join(columns)} FROM ({both}) GROUP BY {', '.join(columns)}, content HAVING sum(side) <> 0"


def _renamed(subject: Subject, table: str, new: Mapping[str, list[Path]], gone: Mapping[str, list[Path]]) -> bool:
    """Whether rules of single photographs would see another table of names."""
    columns = ", ".join(NAMES[table])
    now, then = (f"SELECT {columns} FROM ({catalog.select(table, of.get(table, []))})" for of in (new, gone))
    return bool(subject.value(f"SELECT count(*) FROM (({now} EXCEPT ALL {then}) UNION ALL ({then} EXCEPT ALL {now}))"))


def _counted(new: Mapping[str, list[Path]]) -> dict[str, int]:
    return {table: sum(int(pq.read_metadata(path).num_rows) for path in files) for table, files in new.items()}
