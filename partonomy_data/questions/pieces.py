"""The instances of each shard of questions, gathered from the shards of photographs.

What a shard of photographs gives to a shard of questions is a *piece*. The pieces of a shard of photographs are kept in a file
that is named by a digest of all that they follow from, so that the next build gathers those of changed shards only. Each
piece has a digest of its own content: a shard of questions whose pieces are as they were is known without being read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from partonomy_data.questions.chosen import Chosen
from partonomy_data.questions.context import TRAINING, Taxonomy
from partonomy_data.questions.inputs import COLUMNS, Inputs, ShardTables
from partonomy_data.questions.instances import INSTANCES, instances
from partonomy_data.questions.keyed import table_digest
from partonomy_data.questions.settings import QuestionSettings
from partonomy_data.sources.files import digest
from partonomy_data.splits import Assignment
from partonomy_data.store.files import sha256_of_all, written_aside

#: (source, split, family)
Key: TypeAlias = tuple[str, str, str]
STORED: Final = pa.schema([*INSTANCES, ("cluster", pa.string())])
#: What is needed to tell which instance of a photograph is asked about.
_CHOOSING: Final = ("object_id", "object_category", "visible", "cluster")
#: Where a file says what is in it.
_INDEX: Final = b"pieces"


class Piece(msgspec.Struct, frozen=True):
    """Some instances: a batch of a file."""

    file: str
    batch: int
    rows: int
    content: str
    """Digest of the instances."""
    without: tuple[str, ...] = ()
    """Instances of the batch that are left out: others of their photographs, in other files, are asked about."""

    def read(self) -> pa.Table:
        """The instances, with the schema STORED."""
        with pa.memory_map(self.file) as source:
            table = pa.Table.from_batches([pa.ipc.open_file(source).get_batch(self.batch)]).replace_schema_metadata()
        return _without(table, self.without)


class _Indexed(msgspec.Struct, frozen=True):
    """A piece as its file's metadata have it."""

    source: str
    split: str
    family: str
    rows: int
    content: str
    parts: list[tuple[str, str]]
    """The distinct (category, part) where the part is visible, tiny or absent in an instance."""


@dataclass(slots=True)
class Gathered:
    """The instances of a shard of questions."""

    pieces: list[Piece] = field(default_factory=list)
    parts: dict[str, frozenset[str]] = field(default_factory=dict)
    """Category → its parts, those that are visible, tiny or absent in an instance."""

    def add(self, piece: Piece, parts: Sequence[tuple[str, str]]) -> None:
        """Adds a piece that has these parts."""
        self.pieces.append(piece)
        found: dict[str, set[str]] = defaultdict(set)
        for category, part in parts:
            found[category].add(part)
        for category, names in found.items():
            self.parts[category] = self.parts.get(category, frozenset()) | names


def gather(
    inputs: Inputs,
    taxonomy: Taxonomy,
    settings: QuestionSettings,
    assigned: Assignment,
    image_ids: pa.ChunkedArray,
    folder: Path,
    code: str = "",
) -> dict[Key, Gathered]:
    """The instances of each shard of questions. Pieces that an earlier build made in `folder` are not made again, others go.

    `image_ids` are those of all photographs, in the order in which `inputs` gives them. `code` is a digest of the code.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = inputs.names()
    of_all = digest(code, taxonomy.digest, settings.min_part_pixels, settings.seed, *_told(assigned))
    # One look-up for all: the index of a million names is not made again for every shard.
    rows = pc.index_in(image_ids, value_set=assigned.table["image_id"].combine_chunks()).combine_chunks()
    start, files = 0, []
    for name, n in zip(names, inputs.lengths(), strict=True):
        placed = assigned.table.select(["cluster", "split"]).take(rows.slice(start, n)).combine_chunks()
        start += n
        key = digest(of_all, *_content(inputs, name), table_digest(placed))
        path = folder / f"{key}.arrow"
        if _index(path) is None:
            _write(path, inputs.shard(name), taxonomy, settings, assigned, placed)
        files.append(path)
    for path in set(folder.iterdir()) - set(files):
        path.unlink()
    return _by_key(files, settings, assigned)


def _told(assigned: Assignment) -> Iterator[tuple[object, ...]]:
    """What is held out, in an order."""
    out = assigned.held_out
    yield from (tuple(sorted(out.objects)), tuple(sorted(out.parts)), tuple(sorted(out.pairs)))


def _content(inputs: Inputs, name: str) -> list[str]:
    """The digests of a shard's tables, empty for one that has no rows."""
    paths = [inputs.folder / table / name for table in COLUMNS]
    there = [path for path in paths if path.is_file()]
    known = dict(zip(there, sha256_of_all(there), strict=True))
    return [known.get(path, "") for path in paths]


def _index(path: Path) -> list[_Indexed] | None:
    """What a file of pieces says is in it; None if there is none that is whole."""
    try:
        with pa.memory_map(str(path)) as source:
            reader = pa.ipc.open_file(source)
            found = msgspec.json.decode(reader.schema.metadata[_INDEX], type=list[_Indexed])
            return found if reader.num_record_batches == len(found) else None
    except (OSError, pa.ArrowException, msgspec.MsgspecError, KeyError, TypeError):
        return None


def _write(
    path: Path,
    tables: ShardTables,
    taxonomy: Taxonomy,
    settings: QuestionSettings,
    assigned: Assignment,
    placed: pa.Table,
) -> None:
    """Writes the pieces of a shard of photographs; `placed` has the cluster and the split of each photograph."""
    some = _placed(tables, taxonomy, settings, placed)
    chosen = Chosen(settings.seed, assigned.held_out)
    chosen.see(some)
    some = chosen.filtered(some).sort_by([(name, "ascending") for name in ("source", "split", "family", "object_id")])
    found, batches = [], []
    for (source, split, family), piece in _parted(some):
        batches.append(piece)
        found.append(_Indexed(source, split, family, len(piece), table_digest(piece), _parts(piece)))
    kind = STORED.with_metadata({_INDEX: msgspec.json.encode(found)})
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with written_aside(path) as aside, pa.ipc.new_file(str(aside), kind, options=options) as writer:
        for piece in batches:
            writer.write_batch(piece.to_batches()[0])


def _placed(tables: ShardTables, taxonomy: Taxonomy, settings: QuestionSettings, placed: pa.Table) -> pa.Table:
    """The instances of a shard of photographs, with the columns `cluster`, `split` and `family`."""
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
        some.append_column("cluster", placed["cluster"].take(place))
        .append_column("split", placed["split"].take(place))
        .append_column("family", pa.array([family[name] for name in categories], pa.string()))
    )


def _parted(some: pa.Table) -> Iterator[tuple[Key, pa.Table]]:
    """Sorted instances by shard of questions, each in buffers of its own."""
    keys = list(zip(*(some[name].to_pylist() for name in ("source", "split", "family")), strict=True))
    starts = [place for place, key in enumerate(keys) if not place or key != keys[place - 1]]
    if not keys:
        return
    for start, end in zip(starts, [*starts[1:], len(keys)], strict=True):
        # A slice would bring bits of its neighbours along, and so have another digest when they change.
        yield keys[start], some.select(STORED.names).take(pa.array(range(start, end))).cast(STORED).combine_chunks()


def _parts(some: pa.Table) -> list[tuple[str, str]]:
    """The distinct (category, part), where the part is visible, tiny or absent in an instance."""
    categories = some["object_category"].combine_chunks()
    pairs = []
    for column in ("visible", "tiny", "absent"):
        lists = some[column].combine_chunks()
        owner = pa.array(np.repeat(np.arange(len(lists)), np.asarray(pc.list_value_length(lists))))
        pairs.append(pa.table({"category": categories.take(owner), "part": pc.list_flatten(lists)}))
    distinct = pa.concat_tables(pairs).group_by(["category", "part"], use_threads=False).aggregate([])
    return list(zip(distinct["category"].to_pylist(), distinct["part"].to_pylist(), strict=True))


def _by_key(files: Sequence[Path], settings: QuestionSettings, assigned: Assignment) -> dict[Key, Gathered]:
    """The pieces of all files by shard of questions."""
    found: dict[Key, Gathered] = defaultdict(Gathered)
    indices = {path: _index(path) or [] for path in files}
    gone = _not_chosen(indices, settings, assigned)
    for path, index in indices.items():
        for batch, one in enumerate(index):
            piece, parts = Piece(str(path), batch, one.rows, one.content), one.parts
            if leave := gone.get((path, batch)):
                left = msgspec.structs.replace(piece, without=tuple(sorted(leave))).read()
                if not len(left):
                    continue
                parts = _parts(left)
                piece = msgspec.structs.replace(
                    piece, without=tuple(sorted(leave)), rows=len(left), content=table_digest(left.combine_chunks())
                )
            found[one.source, one.split, one.family].add(piece, parts)
    return dict(found)


def _not_chosen(
    indices: Mapping[Path, Sequence[_Indexed]], settings: QuestionSettings, assigned: Assignment
) -> dict[tuple[Path, int], list[str]]:
    """(file, batch) → its instances that are not asked about, since one of the same photograph in another file is.

    Each file has one instance of each photograph where models are measured; few photographs are in several files.
    """
    measured = [
        (path, i) for path, index in indices.items() for i, one in enumerate(index) if one.split not in TRAINING
    ]
    clusters = pa.chunked_array([_columns(*one, ["cluster"])["cluster"] for one in measured], pa.string())
    counts = pa.table({"cluster": clusters}).group_by("cluster").aggregate([([], "count_all")])
    several = counts.filter(pc.greater(counts["count_all"], 1))["cluster"].combine_chunks()
    if not len(several):
        return {}
    chosen = Chosen(settings.seed, assigned.held_out)
    seen: dict[tuple[Path, int], pa.Table] = {}
    for path, i in measured:
        some = _columns(path, i, _CHOOSING)
        some = some.filter(pc.is_in(some["cluster"], value_set=several))
        if len(some):
            split = pa.array([indices[path][i].split] * len(some), pa.string())
            seen[path, i] = some.append_column("split", split)
            chosen.see(seen[path, i])
    return {
        one: sorted({*some["object_id"].to_pylist()} - {*chosen.filtered(some)["object_id"].to_pylist()})
        for one, some in seen.items()
    }


def _columns(path: Path, batch: int, names: Sequence[str]) -> pa.Table:
    """Some columns of a batch."""
    with pa.memory_map(str(path)) as source:
        options = pa.ipc.IpcReadOptions(included_fields=[STORED.get_field_index(name) for name in names])
        return pa.Table.from_batches([pa.ipc.open_file(source, options=options).get_batch(batch)])


def _without(table: pa.Table, ids: Sequence[str]) -> pa.Table:
    """A table without the instances of some ids."""
    return table.filter(pc.invert(pc.is_in(table["object_id"], value_set=pa.array(ids, pa.string())))) if ids else table
