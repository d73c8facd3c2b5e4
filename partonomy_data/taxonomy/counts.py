"""Counts of objects and parts by category: made per shard, added up over all shards.

A photograph belongs to one shard, and an object to one photograph, so the counts of shards add up. A summary's size is
that of the vocabulary, whatever the number of rows that were counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_COUNTS: Final = ("n_objects", "n_images", "n_parts", "n_with_part")
_KEYS: Final = ("source", "object_category", "part_category")

#: One row per (source, object_category) with part_category null, and one per (source, object_category, part_category),
#: where object_category is null for parts that belong to no object.
SUMMARY: Final = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("object_category", pa.string()),
        pa.field("part_category", pa.string()),
        *(pa.field(name, pa.int64(), nullable=False) for name in _COUNTS),
    ]
)


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts of one shard or of several. `counts` has the schema `SUMMARY` and can be written as it is."""

    counts: pa.Table


def summarise(objects: pa.Table, parts: pa.Table) -> Summary:
    """The counts of one shard.

    `objects` has the columns object_id, image_id, source, object_category, and `parts` part_id, object_id, source,
    part_category (strings, plain or dictionary-encoded; more columns do no harm). Categories are canonical. Rows whose
    category is null are not counted. Raises KeyError if a column is missing.
    """
    # Only these columns: a filter copies all that it is given, masks too.
    objects = objects.select(["object_id", "image_id", "source", "object_category"])
    parts = parts.select(["object_id", "source", "part_category"])
    objects = objects.filter(pc.is_valid(objects["object_category"]))
    parts = parts.filter(pc.is_valid(parts["part_category"]))
    # No category pair is in both tables, so nothing needs adding up.
    return Summary(_sorted(pa.concat_tables([_count_objects(objects), _count_parts(objects, parts)])))


def merge(summaries: Iterable[Summary]) -> Summary:
    """The sum of `summaries`, sorted by category; the same whatever their order and grouping."""
    tables = [summary.counts.cast(SUMMARY) for summary in summaries]
    together = pa.concat_tables(tables) if tables else SUMMARY.empty_table()
    summed = together.group_by(list(_KEYS), use_threads=False).aggregate([(name, "sum") for name in _COUNTS])
    columns = [*(summed[key] for key in _KEYS), *(summed[f"{name}_sum"] for name in _COUNTS)]
    return Summary(_sorted(pa.Table.from_arrays(columns, schema=SUMMARY)))


def _sorted(counts: pa.Table) -> pa.Table:
    return counts.sort_by([(key, "ascending") for key in _KEYS]).combine_chunks()


def _count_objects(objects: pa.Table) -> pa.Table:
    keys = ["source", "object_category"]
    flat = pa.table({name: _plain(objects[name]) for name in (*keys, "image_id")})
    counted = flat.group_by(keys, use_threads=False).aggregate([([], "count_all"), ("image_id", "count_distinct")])
    return _rows(
        counted["source"],
        counted["object_category"],
        pa.nulls(counted.num_rows, pa.string()),
        n_objects=counted["count_all"],
        n_images=counted["image_id_count_distinct"],
    )


def _count_parts(objects: pa.Table, parts: pa.Table) -> pa.Table:
    """Counts per (source, category of the part's object, part category): parts, and objects with at least one."""
    place = pc.index_in(_plain(parts["object_id"]), value_set=_plain(objects["object_id"]))
    category = pc.take(_plain(objects["object_category"]), place)
    names = _plain(parts["part_category"]).dictionary_encode()
    owner = place.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    code = names.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    # The first part of each (object, part category) stands for the object; parts without an object stand for none.
    _, first = np.unique(owner * max(1, len(names.dictionary)) + code, return_index=True)
    stands = np.zeros(len(owner), dtype=np.int64)
    stands[first] = 1
    stands[owner < 0] = 0
    flat = pa.table(
        {
            "source": _plain(parts["source"]),
            "object_category": category,
            "part_category": _plain(parts["part_category"]),
            "stands": stands,
        }
    )
    counted = flat.group_by(list(_KEYS), use_threads=False).aggregate([([], "count_all"), ("stands", "sum")])
    return _rows(
        counted["source"],
        counted["object_category"],
        counted["part_category"],
        n_parts=counted["count_all"],
        n_with_part=counted["stands_sum"],
    )


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """The strings of `column` as one array, without a dictionary."""
    whole = column.combine_chunks()
    return whole.cast(pa.string()) if whole.type != pa.string() else whole


def _rows(source: Any, object_category: Any, part_category: Any, **counts: Any) -> pa.Table:
    zero = np.zeros(len(source), dtype=np.int64)
    return pa.Table.from_arrays(
        [source, object_category, part_category, *(pa.array(zero) if n not in counts else counts[n] for n in _COUNTS)],
        schema=SUMMARY,
    )
