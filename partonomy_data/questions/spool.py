"""The instances of each shard of questions, gathered from the shards of photographs into files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from partonomy_data.questions import keyed
from partonomy_data.questions.chosen import Chosen
from partonomy_data.questions.context import Taxonomy
from partonomy_data.questions.inputs import Inputs, ShardTables
from partonomy_data.questions.instances import INSTANCES, instances
from partonomy_data.questions.settings import QuestionSettings
from partonomy_data.splits import Assignment

#: (source, split, family)
Key = tuple[str, str, str]
_PLACED = ("cluster", "split", "family")
STORED = pa.schema([*INSTANCES, ("cluster", pa.string())])


def path_of(spool: Path, key: Key) -> Path:
    """The file of a shard's instances: an Arrow stream with the schema STORED."""
    return spool / f"{keyed.hexdigest(*key)}.arrow"


def spooled(
    inputs: Inputs,
    taxonomy: Taxonomy,
    settings: QuestionSettings,
    assigned: Assignment,
    image_ids: pa.ChunkedArray,
    spool: Path,
) -> dict[Key, dict[str, frozenset[str]]]:
    """Writes the instances of each shard to its file, and returns the parts of each shard's categories.

    `image_ids` are those of all photographs, in the order in which `inputs` gives them.
    """
    spool.mkdir(parents=True, exist_ok=True)
    chosen = Chosen(settings.seed, assigned.held_out)
    everything = spool / "all.arrow"
    kind = pa.schema([*INSTANCES, *((name, pa.string()) for name in _PLACED)])
    with pa.ipc.new_stream(str(everything), kind) as writer:
        # One look-up for all: the index of a million names is not made again for every shard.
        rows = pc.index_in(image_ids, value_set=assigned.table["image_id"].combine_chunks()).combine_chunks()
        start = 0
        for tables in inputs.shards():
            own = rows.slice(start, len(tables.images))
            start += len(tables.images)
            some = _placed(tables, taxonomy, settings, assigned.table.select(["cluster", "split"]).take(own))
            chosen.see(some)
            writer.write_table(some)
    parts: dict[Key, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    with ExitStack() as stack:
        source = stack.enter_context(pa.memory_map(str(everything)))
        writers: dict[Key, Any] = {}
        for batch in stack.enter_context(pa.ipc.open_stream(source)):
            for key, some in _by_key(chosen.filtered(pa.Table.from_batches([batch]))):
                if key not in writers:
                    writers[key] = stack.enter_context(pa.ipc.new_stream(str(path_of(spool, key)), STORED))
                writers[key].write_table(some.select(STORED.names))
                for category, part in _vocabulary(some):
                    parts[key][category].add(part)
    everything.unlink()
    return {key: {category: frozenset(names) for category, names in of.items()} for key, of in parts.items()}


def _placed(tables: ShardTables, taxonomy: Taxonomy, settings: QuestionSettings, assigned: pa.Table) -> pa.Table:
    """The instances of a shard of photographs, with the columns of _PLACED; `assigned` has a row for each photograph."""
    some = instances(
        tables.images,
        tables.objects,
        tables.parts,
        tables.part_evidence,
        taxonomy.relatives,
        settings.min_part_pixels,
    )
    place = pc.index_in(some["image_id"], value_set=tables.images["image_id"].combine_chunks())
    categories = some["object_category"].to_pylist()
    family = {name: taxonomy.kinds.family(name) for name in set(categories)}
    return (
        some.append_column("cluster", assigned["cluster"].take(place))
        .append_column("split", assigned["split"].take(place))
        .append_column("family", pa.array([family[name] for name in categories], pa.string()))
    )


def _by_key(some: pa.Table) -> Iterator[tuple[Key, pa.Table]]:
    """The instances by shard."""
    names = ("source", "split", "family")
    some = some.sort_by([(name, "ascending") for name in names])
    keys = list(zip(*(some[name].to_pylist() for name in names), strict=True))
    starts = [place for place, key in enumerate(keys) if not place or key != keys[place - 1]]
    for start, end in zip(starts, [*starts[1:], len(keys)], strict=True):
        yield keys[start], some.slice(start, end - start)


def _vocabulary(some: pa.Table) -> Iterator[tuple[str, str]]:
    """The distinct (category, part), where the part is visible, tiny or absent in an instance."""
    categories = some["object_category"].combine_chunks()
    pairs = []
    for column in ("visible", "tiny", "absent"):
        lists = some[column].combine_chunks()
        owner = pa.array(np.repeat(np.arange(len(lists)), np.asarray(pc.list_value_length(lists))))
        pairs.append(pa.table({"category": categories.take(owner), "part": pc.list_flatten(lists)}))
    distinct = pa.concat_tables(pairs).group_by(["category", "part"], use_threads=False).aggregate([])
    yield from zip(distinct["category"].to_pylist(), distinct["part"].to_pylist(), strict=True)
