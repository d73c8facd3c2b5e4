"""The splits of a version, and its questions and photographs in slices that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from partonomy_data.errors import UsageError
from partonomy_data.export.streams import batches
from partonomy_data.sources.buckets import PREFIX_DIGITS
from partonomy_data.store.reader import Store

#: Questions of a slice, about: their masks take some 100 MB. Each slice looks through all parts for them.
QUESTIONS_PER_SLICE: Final = 32_768
_PREFIX: Final = "qst_"
#: Objects and parts of a slice, about: their masks take some 20 MB.
ANNOTATIONS_PER_SLICE: Final = 32_768


def splits(store: Store, table: str, wanted: str | None) -> list[str]:
    """The splits that rows of `table` (`splits` or `questions`) are in, `train` first; or the one that is `wanted`.

    Raises UsageError if there is none, or not that one.
    """
    found = store.select(f"SELECT DISTINCT split FROM {table} ORDER BY split <> 'train', split").rows["split"]
    every: list[str] = found.to_pylist()
    what = "questions" if table == "questions" else "images that have a split"
    if not every:
        raise UsageError(f"version {store.version} has no {what}", where=str(store.root), mend="Build again")
    if wanted is not None and wanted not in every:
        raise UsageError(f"version {store.version} has no split {wanted!r}", mend=f"It is one of {', '.join(every)}")
    return every if wanted is None else [wanted]


def photograph_slices(n: int) -> Iterator[dict[str, str]]:
    """Parameters `low` and `high` of queries on photographs whose `n` objects and parts are to be read in slices, in order.

    They are bounds of the hex digits that stand for a photograph in the ids of all that it holds (`partonomy_data.ids`).
    """
    for low, high in _bounds(n, ANNOTATIONS_PER_SLICE):
        yield {"low": low, "high": high}


def question_slices(store: Store, split: str) -> Iterator[dict[str, str]]:
    """Parameters `split`, `low` and `high` of queries that read `low <= question_id < high`, in order, for all of a split."""
    (n,) = store.select("SELECT count(*) AS n FROM questions WHERE split = $split", {"split": split}).rows["n"]
    for low, high in _bounds(n.as_py(), QUESTIONS_PER_SLICE):
        yield {"split": split, "low": _PREFIX + low, "high": _PREFIX + high}


def _bounds(n: int, most: int) -> Iterator[tuple[str, str]]:
    """Ranges of hex digits that hold about `most` of `n` ids each: ids are hashes, so that equal ranges hold about equally many.

    The first begins with the least digits, and the last ends above all of them.
    """
    count, size = max(1, -(-n // most)), 16**PREFIX_DIGITS
    lows = [f"{number * size // count:0{PREFIX_DIGITS}x}" for number in range(count)]
    return zip(lows, [*lows[1:], "~"], strict=True)


def question_lines(store: Store, sql: str, split: str) -> Iterator[pa.Array]:
    """The only column of a SELECT, JSON texts, for each slice of a split's questions (`$split`, `$low`, `$high`)."""
    for one in question_slices(store, split):
        for batch in batches(store, sql, one):
            yield batch.column(0)
