"""From Arrow batches of plain columns to the arrays of an AuditTable, in an order that depends on the content alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from partonomy_data.errors import UsageError
from partonomy_data.questions.audit.table import Codes, Hashes, Ints

#: The most choices that a question may have.
MOST_CHOICES: Final = 26
#: Questions of one photograph and object beyond this number count as another subject.
MOST_OF_SUBJECT: Final = 256
_STRINGS = pa.list_(pa.string())
#: The columns that readers give for each batch of questions.
PLAIN: Final = pa.schema(
    [
        ("image_id", pa.string()),
        ("object_id", pa.string()),
        ("object_category", pa.string()),
        ("source", pa.string()),
        ("split", pa.string()),
        ("question_type", pa.string()),
        ("names_object", pa.bool_()),
        ("question", pa.string()),
        ("contrast_categories", _STRINGS),
        ("texts", _STRINGS),
        ("parts", pa.list_(_STRINGS)),
        ("correct_index", pa.int64()),
        ("group_id", pa.string()),
        ("block_id", pa.string()),
        ("balanced", pa.bool_()),
        ("chance", pa.float32()),
        ("evidence", pa.string()),
        ("object_choices", _STRINGS),
        ("correct_object_index", pa.int64()),
        ("object_balanced", pa.bool_()),
        ("region_area", pa.float32()),
        ("region", pa.list_(pa.float32(), 4)),
    ]
)


def hash_of(text: str) -> int:
    """A 64-bit hash of a text."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def hashed(column: pa.Array | pa.ChunkedArray) -> Hashes:
    """uint64 hash of each string; 0 for null."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    encoded = column.dictionary_encode()
    table = np.array([hash_of(text) for text in encoded.dictionary.to_pylist()] + [0], np.uint64)
    codes = encoded.indices.fill_null(len(table) - 1)
    return np.asarray(table[np.asarray(codes)])


def mixed(values: Hashes) -> Hashes:
    """A bijection of 64-bit numbers that spreads every bit (the finalizer of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))


class Names:
    """Codes of strings, given in the order in which they are met; `sort` makes them alphabetical."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._hashes: list[int] = []

    def codes(self, column: pa.Array) -> Codes:
        """int32 code of each string; -1 for null."""
        encoded = column.dictionary_encode()
        table = [self._codes.setdefault(text, len(self._codes)) for text in encoded.dictionary.to_pylist()]
        codes = encoded.indices.fill_null(len(table))
        return np.asarray(np.array([*table, -1], np.int32)[np.asarray(codes)])

    def hashes(self) -> Hashes:
        """Hash of the name of each code so far."""
        for name in list(self._codes)[len(self._hashes) :]:
            self._hashes.append(hash_of(name))
        return np.array(self._hashes or [0], np.uint64)

    def sort(self) -> tuple[tuple[str, ...], Codes]:
        """The names in order, and the new code of each old one (-1 stays -1: the last item)."""
        names = sorted(self._codes)
        new = np.full(len(names) + 1, -1, np.int32)
        new[[self._codes[name] for name in names]] = np.arange(len(names), dtype=np.int32)
        return tuple(names), new


@dataclass(slots=True)
class Piece:
    """A batch of questions as arrays: one value for each question, or flat with counts."""

    columns: dict[str, Any]
    count: Ints
    set_size: Codes
    """(sum of count,)"""
    part: Codes
    text_length: Codes
    text_hash: Hashes
    set_hash: Hashes
    contrast_count: Ints
    contrast: Codes
    object_count: Ints
    object_choice: Codes


@dataclass(slots=True)
class Encoder:
    """Takes batches with the schema PLAIN; `pieces` holds what they came to."""

    pieces: list[Piece] = field(default_factory=list)
    names: dict[str, Names] = field(
        default_factory=lambda: {
            name: Names() for name in ("part", "category", "source", "split", "question_type", "evidence")
        }
    )
    n: int = 0

    def add(self, batch: pa.RecordBatch, where: str) -> None:
        """Encodes a batch. Raises UsageError, with the row, for a question that can't be one."""
        count = _lengths(batch["texts"])
        _check(batch, count, f"{where}, from row {self.n + 1:,}", self.n)
        choices = batch["parts"].flatten()
        texts = batch["texts"].flatten()
        set_size, part = _sets(choices, self.names["part"])
        columns: dict[str, Any] = {
            name: hashed(batch[name]) for name in ("image_id", "object_id", "group_id", "block_id", "question")
        }
        columns |= {
            name: self.names[name].codes(batch[name]) for name in ("source", "split", "question_type", "evidence")
        }
        columns["category"] = self.names["category"].codes(batch["object_category"])
        for name, empty in (("names_object", False), ("balanced", False), ("object_balanced", False)):
            columns[name] = np.asarray(batch[name].fill_null(empty))
        columns["correct"] = np.asarray(batch["correct_index"])
        columns["object_correct"] = np.asarray(batch["correct_object_index"].fill_null(-1))
        columns["declared"] = np.asarray(batch["chance"].fill_null(float("nan")))
        boxes = pc.fill_null(batch["region"], pa.scalar([float("nan")] * 4, batch["region"].type))
        columns["region"] = np.asarray(boxes.flatten()).reshape(-1, 4)
        columns["region_area"] = np.asarray(batch["region_area"].fill_null(float("nan")))
        self.pieces.append(
            Piece(
                columns,
                count,
                set_size,
                part,
                np.asarray(pc.utf8_length(texts)).astype(np.int32),
                hashed(texts),
                self._set_hashes(set_size, part),
                _lengths(batch["contrast_categories"]),
                self.names["category"].codes(batch["contrast_categories"].flatten()),
                _lengths(batch["object_choices"]),
                self.names["category"].codes(batch["object_choices"].flatten()),
            )
        )
        self.n += batch.num_rows

    def take(self, name: str) -> Any:
        """A column or flat array of all pieces, one after another; the pieces lose it."""
        found = []
        for piece in self.pieces:
            if name in piece.columns:
                found.append(piece.columns.pop(name))
            else:
                found.append(getattr(piece, name))
                delattr(piece, name)
        return np.concatenate(found)

    def _set_hashes(self, size: Codes, part: Codes) -> Hashes:
        """A hash of each set that depends on the names of its parts, not on their order."""
        weight = mixed(self.names["part"].hashes())
        total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(weight[part], dtype=np.uint64)])
        start = first_places(size)
        return mixed(total[start[1:]] - total[start[:-1]])


def _lengths(column: pa.Array) -> Ints:
    return np.asarray(pc.list_value_length(column).fill_null(0)).astype(np.int64)


def _sets(choices: pa.Array, names: Names) -> tuple[Codes, Codes]:
    """Size of each choice's set of parts, and the parts, each once."""
    owner = np.repeat(np.arange(len(choices)), _lengths(choices))
    codes = names.codes(choices.flatten()).astype(np.int64)
    key = np.unique((owner << 32) | codes)
    return np.bincount(key >> 32, minlength=len(choices)).astype(np.int32), (key & 0xFFFFFFFF).astype(np.int32)


def _check(batch: pa.RecordBatch, count: Ints, where: str, before: int) -> None:
    def refuse(bad: Any, what: str) -> None:
        if bad.any():
            row = before + int(np.flatnonzero(bad)[0]) + 1
            raise UsageError(what, where=f"{where.rsplit(', from row', 1)[0]}, question {row:,}")

    for name in ("image_id", "question_type", "question", "texts", "parts", "correct_index"):
        refuse(np.asarray(batch[name].is_null()), f"has no {name}")
    refuse((count < 2) | (count > MOST_CHOICES), f"must have 2 to {MOST_CHOICES} choices")
    refuse(_lengths(batch["parts"]) != count, "has not one list of parts for each choice")
    correct = np.asarray(batch["correct_index"])
    refuse((correct < 0) | (correct >= count), "has no right choice among its choices")
    items = batch["parts"].flatten()
    if batch["texts"].flatten().null_count or items.null_count or items.flatten().null_count:
        raise UsageError("has a choice or a part that is null", where=where)
    asked = _lengths(batch["object_choices"])
    right = np.asarray(batch["correct_object_index"].fill_null(-1))
    refuse((asked == 1) | (asked > MOST_CHOICES), f"must have 2 to {MOST_CHOICES} object choices, or none")
    refuse((asked > 0) & ((right < 0) | (right >= asked)), "has no right object among its object choices")
    if batch["object_choices"].flatten().null_count or batch["contrast_categories"].flatten().null_count:
        raise UsageError("has an object category that is null", where=where)


def first_places(counts: Ints | Codes) -> Ints:
    """Where each list begins in the flat array of all; one more for the end."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def codes_of(values: Hashes, *, none: bool = False) -> Codes:
    """int32 codes of hashes, in the order of the hashes; -1 for 0 where `none`."""
    if not none:
        return np.unique(values, return_inverse=True)[1].astype(np.int32)
    distinct = np.unique(values)
    distinct = distinct[distinct != 0]
    return np.where(values == 0, -1, np.searchsorted(distinct, values)).astype(np.int32)


def plain(columns: dict[str, Iterable[Any] | pa.Array], rows: int) -> pa.RecordBatch:
    """A batch with the schema PLAIN; columns that are missing are null."""
    arrays = []
    for one in PLAIN:
        value = columns.get(one.name)
        if value is None:
            arrays.append(pa.nulls(rows, one.type))
        elif isinstance(value, pa.Array):
            arrays.append(value if value.type == one.type else value.cast(one.type))
        else:
            arrays.append(pa.array(value, one.type))
    return pa.RecordBatch.from_arrays(arrays, schema=PLAIN)
