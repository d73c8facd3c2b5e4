"""Counts by category, against counting row by row."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.taxonomy.counts import SUMMARY, Summary, merge, summarise

Rows = list[tuple[str, str | None, list[str | None]]]
_OBJECTS = st.lists(
    st.tuples(
        st.sampled_from(["i1", "i2", "i3", "i4"]),
        st.sampled_from(["dog", "cat", None]),
        st.lists(st.sampled_from(["leg", "tail", None]), max_size=4),
    ),
    max_size=12,
)


def as_tables(rows: Rows, source: str, encoded: bool = False) -> tuple[pa.Table, pa.Table]:
    objects: dict[str, list[str | None]] = {"object_id": [], "image_id": [], "source": [], "object_category": []}
    parts: dict[str, list[str | None]] = {"part_id": [], "object_id": [], "source": [], "part_category": []}
    for n, (image, category, some) in enumerate(rows):
        for column, value in zip(objects, (f"{source}{n}", image, source, category), strict=True):
            objects[column].append(value)
        for part in some:
            owner = None if part == "tail" and n % 3 == 0 else f"{source}{n}"
            for column, value in zip(parts, (f"p{len(parts['part_id'])}", owner, source, part), strict=True):
                parts[column].append(value)
    made = [pa.table({name: pa.array(v, pa.string()) for name, v in t.items()}) for t in (objects, parts)]
    if encoded:
        made = [pa.table({name: t[name].dictionary_encode() for name in t.column_names}) for t in made]
    return made[0], made[1]


def plainly(objects: pa.Table, parts: pa.Table) -> Counter[tuple[object, ...]]:
    counts: Counter[tuple[object, ...]] = Counter()
    category = {}
    for row in objects.to_pylist():
        if row["object_category"] is not None:
            category[row["object_id"]] = row["object_category"]
            counts[row["source"], row["object_category"], None, "n_objects"] += 1
    seen = {(row["source"], row["object_category"], row["image_id"]) for row in objects.to_pylist()}
    for source, name, _ in seen:
        counts[source, name, None, "n_images"] += name is not None
    with_part = set()
    for row in parts.to_pylist():
        if row["part_category"] is not None:
            whole = category.get(row["object_id"])
            counts[row["source"], whole, row["part_category"], "n_parts"] += 1
            if whole is not None:
                with_part.add((row["source"], whole, row["part_category"], row["object_id"]))
    for source, whole, part, _ in with_part:
        counts[source, whole, part, "n_with_part"] += 1
    return +counts


def as_counter(summary: Summary) -> Counter[tuple[object, ...]]:
    counts: Counter[tuple[object, ...]] = Counter()
    for row in summary.counts.to_pylist():
        for name in ("n_objects", "n_images", "n_parts", "n_with_part"):
            counts[row["source"], row["object_category"], row["part_category"], name] += row[name]
    return +counts


@given(_OBJECTS, st.booleans())
def test_counts_are_those_of_counting_row_by_row(rows: Rows, encoded: bool) -> None:
    objects, parts = as_tables(rows, "s", encoded)
    assert as_counter(summarise(objects, parts)) == plainly(*as_tables(rows, "s"))


@given(_OBJECTS, _OBJECTS)
def test_the_counts_of_shards_add_up_whatever_their_order(one: Rows, other: Rows) -> None:
    other = [(f"other-{image}", category, parts) for image, category, parts in other]
    shards = [as_tables(one, "s"), as_tables(other, "t")]
    together = [pa.concat_tables(tables) for tables in zip(*shards, strict=True)]
    summaries = [summarise(*shard) for shard in shards]
    whole = merge(summaries).counts
    assert whole.equals(summarise(*together).counts)
    assert whole.equals(merge(reversed(summaries)).counts)
    assert whole.equals(merge([merge(summaries), summarise(*as_tables([], "s"))]).counts)


def test_a_summary_can_be_written_and_read_back(tmp_path: object) -> None:
    summary = summarise(*as_tables([("i1", "dog", ["leg", "leg", "tail"])], "s"))
    pq.write_table(summary.counts, f"{tmp_path}/counts.parquet")
    assert merge([Summary(pq.read_table(f"{tmp_path}/counts.parquet"))]).counts.equals(summary.counts)
    assert merge([]).counts.schema.equals(SUMMARY)


def test_a_missing_column_is_named() -> None:
    objects, parts = as_tables([], "s")
    with pytest.raises(KeyError, match="part_category"):
        summarise(objects, parts.drop_columns(["part_category"]))


def test_a_shard_s_summary_is_no_larger_than_its_vocabulary() -> None:
    rows: Rows = [(f"i{n % 100}", "dog", ["leg", "leg", "tail", "leg"]) for n in range(20_000)]
    summary = summarise(*as_tables(rows, "s"))
    # The dog, its legs, its tails, and the tails that belong to no object.
    assert summary.counts.num_rows == 4
    assert sum(summary.counts["n_parts"].to_pylist()) == 80_000
