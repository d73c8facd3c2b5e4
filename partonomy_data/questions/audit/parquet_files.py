"""Reads questions, and what is known of their objects, from Parquet files with the tables' columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partonomy_data.errors import UsageError
from partonomy_data.questions.audit.assemble import Known
from partonomy_data.questions.audit.encode import Encoder, hashed, plain
from partonomy_data.questions.audit.table import Hashes

BATCH_ROWS: Final = 8_192
#: Columns that questions can't be attacked without.
NEEDED: Final = ("image_id", "question_type", "question", "choices", "correct_index")
_SCALARS: Final = (
    "image_id",
    "object_id",
    "object_category",
    "source",
    "split",
    "question_type",
    "names_object",
    "question",
    "contrast_categories",
    "correct_index",
    "group_id",
    "block_id",
    "balanced",
    "chance",
    "evidence",
    "correct_object_index",
    "object_balanced",
)
_NESTED: Final = ("choices.text", "choices.parts", "object_choices.object_category", "region")
_LIST_LEVELS: Final = frozenset({"list", "element", "item", "array", "bag"})


def read_questions(files: Sequence[Path], splits: Collection[str] = ()) -> Encoder:
    """Encodes the questions of the files, those of `splits` where any are named. What it doesn't need it doesn't read.

    Raises UsageError for a file that can't be read or lacks a column of NEEDED, and for a question that can't be one.
    """
    encoder = Encoder()
    for path in files:
        try:
            for batch in _batches(path, [*_SCALARS, *_NESTED], NEEDED):
                kept = _of_splits(batch, splits)
                if kept.num_rows:
                    encoder.add(_plain(kept, path), str(path))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, KeyError) as error:
            raise UsageError(f"has a column of an unexpected type ({_first_line(error)})", where=str(path)) from error
    return encoder


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _batches(path: Path, wanted: Sequence[str], needed: Sequence[str]) -> Iterator[pa.RecordBatch]:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"is no Parquet file that can be read ({_first_line(error)})", where=str(path)) from error
    with file:
        missing = sorted(set(needed) - set(file.schema_arrow.names))
        if missing:
            raise UsageError(f"has no column {missing[0]!r}", where=str(path), mend="Name a table of questions")
        yield from file.iter_batches(BATCH_ROWS, columns=_leaves(file, wanted), use_threads=False)


def _leaves(file: pq.ParquetFile, wanted: Sequence[str]) -> list[str]:
    """The file's columns of values that lie at or under the wanted paths, whatever its writer calls a list's levels."""
    leaves = []
    for place in range(len(file.schema)):
        path = file.schema.column(place).path
        steps = [step for step in path.split(".") if step not in _LIST_LEVELS]
        if any(".".join(steps[: one.count(".") + 1]) == one for one in wanted):
            leaves.append(path)
    return leaves


def _of_splits(batch: pa.RecordBatch, splits: Collection[str]) -> pa.RecordBatch:
    if not splits:
        return batch
    if "split" not in batch.schema.names:
        return batch.slice(0, 0)
    return batch.filter(pc.is_in(batch["split"], value_set=pa.array(sorted(splits), pa.string())))


def _plain(batch: pa.RecordBatch, path: Path) -> pa.RecordBatch:
    rows = batch.num_rows
    columns: dict[str, Any] = {name: batch[name] for name in _SCALARS if name in batch.schema.names}
    for name in ("source", "split"):
        if name not in columns:
            columns[name] = pa.array(["unknown"] * rows)
    columns["texts"] = _field(batch["choices"], "text")
    columns["parts"] = _field(batch["choices"], "parts")
    if "object_choices" in batch.schema.names:
        columns["object_choices"] = _field(batch["object_choices"], "object_category")
    if "region" in batch.schema.names:
        columns["region_area"] = _area(batch["region"])
        columns["region"] = batch["region"]
    return plain(columns, rows)


def _field(lists: pa.Array, name: str) -> pa.Array:
    """One field of lists of structs, as lists."""
    values = pc.struct_field(lists.flatten(), name)
    lengths = np.asarray(pc.list_value_length(lists).fill_null(0)).astype(np.int32)
    offsets = pa.array(np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)]))
    return pa.ListArray.from_arrays(offsets, values, mask=lists.is_null())


def _area(boxes: pa.Array) -> pa.Array:
    """Width times height of each box (x, y, width, height); null where there is none."""
    there = np.asarray(boxes.is_valid())
    area = np.full(len(boxes), np.nan, np.float32)
    area[there] = np.asarray(boxes.filter(boxes.is_valid()).flatten()).reshape(-1, 4)[:, 2:].prod(axis=1)
    return pa.array(area, pa.float32(), mask=~there)


def read_known(objects: Sequence[Path], images: Sequence[Path], wanted: Encoder) -> Known:
    """What the tables `objects` and `images` say of the objects and images of the encoded questions.

    Memory grows with the questions' objects and images, not with the tables. Raises UsageError for a file that can't be read.
    """
    things = _rows(objects, ["object_id", "object_category", "bbox", "area"], "object_id", _ids(wanted, "object_id"))
    photos = _rows(images, ["image_id", "width", "height", "photograph"], "image_id", _ids(wanted, "image_id"))
    boxes = things["bbox"].combine_chunks().flatten() if len(things) else pa.array([], pa.float32())
    size = [np.asarray(photos[name]).astype(np.int64) for name in ("width", "height")]
    return Known(
        object_hash=hashed(things["object_id"]),
        category=things["object_category"].to_pylist(),
        box=np.asarray(boxes).reshape(-1, 4),
        area=np.asarray(things["area"]).astype(np.float64),
        image_hash=hashed(photos["image_id"]),
        size=np.stack(size, axis=1),
        photograph=hashed(photos["photograph"]) if "photograph" in photos.column_names else hashed(photos["image_id"]),
    )


def _ids(encoder: Encoder, name: str) -> Hashes:
    return np.unique(np.concatenate([piece.columns[name] for piece in encoder.pieces] or [np.zeros(0, np.uint64)]))


def _rows(files: Sequence[Path], columns: Sequence[str], key: str, wanted: Hashes) -> pa.Table:
    """The rows whose key's hash is wanted, in the order of these hashes."""
    kept = []
    for path in files:
        for batch in _batches(path, columns, [name for name in columns if name != "photograph"]):
            mask = np.isin(hashed(batch[key]), wanted)
            if mask.any():
                kept.append(batch.filter(pa.array(mask)))
    if not kept:
        empty = {name: pa.array([], pa.string()) for name in columns}
        return pa.table({**empty, **{n: pa.array([], pa.int64()) for n in ("area", "width", "height") if n in columns}})
    table = pa.Table.from_batches(kept)
    return table.take(pa.array(np.argsort(hashed(table[key]), kind="stable")))
