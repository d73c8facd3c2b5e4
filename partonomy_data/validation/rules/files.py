"""The files of a version: all readable, none too many, none missing, each with the rows of its place, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partonomy_data import ids
from partonomy_data.store.files import files_under, is_leftover
from partonomy_data.store.layout import CARD, CROISSANT, MANIFEST, PREVIEW
from partonomy_data.store.manifest import damages_of_preview, is_table_file
from partonomy_data.store.parquet import ROWS_PER_GROUP
from partonomy_data.validation.rules.common import found
from partonomy_data.validation.subject import Subject, damage
from schemas.tables import TABLES

#: What lies at the top of a version's folder.
_TOPS: Final = frozenset({MANIFEST, CARD, CROISSANT, PREVIEW})
#: Characters of a question's id that stand for those that are asked together, which lie together.
_UNIT: Final = len("qst_") + 12


def files_readable(subject: Subject) -> pa.Table:
    """Files of the tables that can't be read to their end, or have other columns than their table.

    All columns are read, as there are some that no rule looks at.
    """
    for path in [path for files in subject.files.values() for path in files]:
        if how := how_damaged(subject, path):
            subject.leave_out(path, how)
    return found((_name(subject, path), how) for path, how in subject.unreadable.items())


def how_damaged(subject: Subject, path: Path) -> str:
    """What is wrong with a file's content; empty if Arrow can read it to its end."""

    def look() -> tuple[pa.Table, bool]:
        how = damage(subject, path, by_arrow=True)
        return pa.table({"how": pa.array([how] if how else [], pa.string())}), not how  # a disk may do better next time

    return "".join(subject.of_files("readable", [path], look)["how"].to_pylist())


def files_belong(subject: Subject) -> pa.Table:
    """Files that are neither a table's nor one of those at the top; half-written ones go when a version is published."""
    names = {_name(subject, path): path for path in files_under(subject.folder)}
    staged = "files" not in subject.manifest
    return found(
        (name, "it is no table's file")
        for name, path in names.items()
        if not is_table_file(name) and name not in _TOPS and not (staged and is_leftover(path))
    )


def files_as_listed(subject: Subject) -> pa.Table:
    """Files that aren't as the manifest of a published version lists them."""
    if "files" not in subject.manifest:
        return found([])
    listed = {one["path"]: one for one in subject.manifest["files"]}
    here = {name: path for path in files_under(subject.folder) if is_table_file(name := _name(subject, path))}
    wrong = [(name, "it isn't in the manifest") for name in sorted(here.keys() - listed.keys())]
    wrong += [(name, "it is missing") for name in sorted(listed.keys() - here.keys())]
    for name in sorted(here.keys() & listed.keys()):
        path, due = here[name], listed[name]
        if (size := path.stat().st_size) != due["bytes"]:
            wrong.append((name, f"it has {size:,} bytes, listed {due['bytes']:,}"))
        elif path not in subject.unreadable and (rows := pq.read_metadata(path).num_rows) != due["rows"]:
            wrong.append((name, f"it has {rows:,} rows, listed {due['rows']:,}"))
    wrong += [(PREVIEW, how) for how in damages_of_preview(subject.folder, subject.manifest)]
    return found(wrong)


def rows_in_their_place(subject: Subject) -> pa.Table:
    """Files in a folder `<column>=<value>` with rows of another value."""
    return _of_each(subject, "place", _out_of_place)


def _of_each(subject: Subject, what: str, judge: Callable[[Subject, Path], list[str]]) -> pa.Table:
    """The files that something is wrong with, and what; it follows from a file and from where it lies."""

    def look(path: Path) -> tuple[pa.Table, bool]:
        return pa.table({"how": pa.array(judge(subject, path), pa.string())}), True

    wrong = []
    for path in [path for files in subject.files.values() for path in files]:
        name = _name(subject, path)
        how = subject.of_files(f"{what} of {name}", [path], partial(look, path))["how"].to_pylist()
        wrong += [(name, one) for one in how]
    return found(wrong)


def _out_of_place(subject: Subject, path: Path) -> list[str]:
    due = dict(_partitions(path.relative_to(subject.folder)))
    other: set[tuple[str, str]] = set()
    if due:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_PER_GROUP, columns=list(due)):
                other |= {(name, str(one)) for name in due for one in batch[name].unique().to_pylist()} - set(
                    due.items()
                )
    return [f"it has rows of {column} {value}" for column, value in sorted(other)]


def _partitions(path: Path) -> Iterator[tuple[str, str]]:
    for folder in path.parts[1:-1]:
        column, equals, value = folder.partition("=")
        if equals and column in TABLES[path.parts[0]].schema().names:
            yield column, value


def numbers_finite(subject: Subject) -> pa.Table:
    """Files with a number that is none, or infinite. Arrow reads them all: Parquet's statistics, by which DuckDB goes,
    leave out what is no number, so that queries may not see it."""
    return _of_each(subject, "numbers", _not_finite)


def _not_finite(subject: Subject, path: Path) -> list[str]:
    schema = TABLES[_table(subject, path)].schema()
    columns = [field.name for field in schema if pa.types.is_floating(_element(field.type))]
    bad: set[str] = set()
    if columns:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_PER_GROUP, columns=columns):
                bad |= {name for name in batch.schema.names if not _finite(batch[name])}
    return [f"not all of {name} are numbers" for name in sorted(bad)]


def _element(kind: pa.DataType) -> pa.DataType:
    lists = pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)
    return kind.value_type if lists else kind


def _finite(column: Any) -> bool:
    values = column.flatten() if _element(column.type) != column.type else column
    return pc.all(pc.is_finite(values)).as_py() is not False


def files_sorted(subject: Subject) -> pa.Table:
    """Files whose rows aren't in their order, so that equal rows might not be equal bytes, nor a look-up be quick."""
    return _of_each(subject, "order", _out_of_order)


def _out_of_order(subject: Subject, path: Path) -> list[str]:
    table = _table(subject, path)
    columns, order = _ORDER.get(table, (TABLES[table].key, _as_they_are))
    row = _first_out_of_order(path, columns, order)
    return [] if row is None else [f"row {row + 1:,} belongs before the one that it follows"]


def _as_they_are(columns: list[Any]) -> list[Any]:
    return columns


def _by_prefix(columns: list[Any]) -> list[Any]:
    """Photographs lie in the order of the digits that their objects' ids begin with."""
    return [pa.array(map(ids.image_prefix, columns[0].to_pylist()), pa.string()), *columns]


def _by_unit(columns: list[Any]) -> list[Any]:
    return [pc.utf8_slice_codeunits(columns[0], 0, _UNIT)]


#: Table → the columns that its files are sorted by, and what of them, where that isn't the key.
_ORDER: Final[dict[str, tuple[tuple[str, ...], Callable[[list[Any]], list[Any]]]]] = {
    "images": (("image_id",), _by_prefix),
    "questions": (("question_id",), _by_unit),
    "question_masks": (("question_id",), _by_unit),
    "quarantine": (("table_name", "row_id", "rule", "reason"), _as_they_are),
}


def _first_out_of_order(path: Path, columns: Sequence[str], order: Callable[[list[Any]], list[Any]]) -> int | None:
    """The first row of a file that is less than the one before it; a batch is held at a time."""
    start, last = 0, None
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_PER_GROUP, columns=list(columns)):
            if not batch.num_rows:
                continue
            keys = order([batch[name] for name in columns])
            if last is not None:
                keys = [pa.concat_arrays([before, key]) for before, key in zip(last, keys, strict=True)]
            falls = _falls(keys)
            if falls is not None:
                return start + falls + (last is None)
            start, last = start + batch.num_rows, [key.slice(len(key) - 1) for key in keys]
    return None


def _falls(keys: list[Any]) -> int | None:
    """The first place whose row is greater than the next one, by the first of the keys in which they differ."""
    falls: Any = None
    for key in reversed(keys):
        before, after = key.slice(0, len(key) - 1), key.slice(1)
        less = pc.less(after, before)
        falls = less if falls is None else pc.or_(less, pc.and_(pc.equal(after, before), falls))
    place = int(pc.index(falls, True).as_py())
    return None if place < 0 else place


def _table(subject: Subject, path: Path) -> str:
    return path.relative_to(subject.folder).parts[0]


def _name(subject: Subject, path: Path) -> str:
    return path.relative_to(subject.folder).as_posix()
