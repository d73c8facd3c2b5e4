"""Rows by id, without a scan: files are sorted by id, so the statistics of their row groups tell which few hold some.

DuckDB prunes row groups as well, but makes each ready with all of its columns first, which for questions (nested choices, some
fifty leaves) takes longer than to read the one group that is left: 90 ms among five million, and 40 this way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

#: Rows of a group that are decoded at a time.
_ROWS: int = 1024
#: Look-ups that decode at a time.
_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    metadata: pq.FileMetaData
    ranges: tuple[tuple[str, str] | None, ...]
    """The least and greatest id of each row group; None where the file doesn't say."""


class Points:
    """A table's rows by ranges of a string column that its files are sorted by. Methods may be called from several threads."""

    def __init__(self, files: Sequence[Path], key: str) -> None:
        """Reads what the files say of themselves, and nothing else. Raises OSError and pyarrow.ArrowInvalid."""
        self._key = key
        self._files = [_opened(path, key) for path in files]
        told = [one.metadata.schema.to_arrow_schema() for one in self._files[:1]]
        self._nothing = told[0].empty_table() if told else pa.table({})

    @property
    def columns(self) -> list[str]:
        """What the files have."""
        return list(self._nothing.schema.names)

    def between(self, first: str, before: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows whose key is `first` or comes after it, and comes before `before`, in the order of their keys.

        All columns, or those named, which the files must have; the key among them.
        """
        found = _decoding(os.getpid()).submit(self._batches, first, before, columns).result()
        if not found:
            return self._nothing if columns is None else self._nothing.select(columns)
        return pa.Table.from_batches(found).sort_by(self._key)

    def _batches(self, first: str, before: str, columns: Sequence[str] | None) -> list[pa.RecordBatch]:
        return [batch for file in self._files for batch in self._of(file, first, before, columns)]

    def _of(self, file: _File, first: str, before: str, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        groups = [
            number
            for number, of in enumerate(file.ranges)
            if of is None or (of[0] < before and of[1] >= first and first < before)
        ]
        if not groups:
            return
        with pq.ParquetFile(file.path, metadata=file.metadata) as opened:
            for group in groups:
                keys = opened.read_row_group(group, columns=[self._key], use_threads=False)[self._key]
                inside = pc.and_(pc.greater_equal(keys, first), pc.less(keys, before))
                yield from _at(opened, group, pc.indices_nonzero(inside).to_pylist(), columns)


@cache
def _decoding(process: int) -> ThreadPoolExecutor:
    """The threads of a process that decode.

    A group of questions takes some 20 MB, and Arrow's allocator keeps for each thread what it once had: the forty threads of a
    server came to a gigabyte. Threads don't outlive a fork, so that each process has its own.
    """
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=f"points-{process}")


def _opened(path: Path, key: str) -> _File:
    metadata = pq.read_metadata(path)
    leaf = _leaf(metadata, key)
    ranges: list[tuple[str, str] | None] = []
    for group in range(metadata.num_row_groups):
        told = metadata.row_group(group).column(leaf).statistics
        ranges.append((told.min, told.max) if told is not None and told.has_min_max else None)
    return _File(path, metadata, tuple(ranges))


def _leaf(metadata: pq.FileMetaData, key: str) -> int:
    """The number of a flat column among the leaves of all columns."""
    return next(number for number in range(len(metadata.schema)) if metadata.schema.column(number).path == key)


def _at(
    file: pq.ParquetFile, group: int, places: Sequence[int], columns: Sequence[str] | None
) -> Iterator[pa.RecordBatch]:
    """The rows at these places of a row group, which is decoded up to the last of them."""
    if not places:
        return
    done = 0
    for batch in file.iter_batches(_ROWS, row_groups=[group], columns=columns, use_threads=False):
        wanted = [place - done for place in places if done <= place < done + batch.num_rows]
        if wanted:
            yield batch.take(pa.array(wanted))
        done += batch.num_rows
        if done > places[-1]:
            return
