"""The splits of all photographs, and what they let through: taken up from the build before where they rest on the same.

What they rest on is a few columns of all photographs, and what is annotated in each. Of a photograph's digest it matters alone
which others share it, so that one that was saved anew changes nothing as long as it looks the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather

from partonomy_data import splits
from partonomy_data.questions.context import Taxonomy
from partonomy_data.questions.inputs import Inputs, ShardTables
from partonomy_data.questions.keyed import table_digest
from partonomy_data.questions.settings import QuestionSettings
from partonomy_data.sources.files import digest
from partonomy_data.splits import Assignment, HeldOut
from partonomy_data.store.files import sha256_of_all, written_aside

_IMAGES: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("image_id", "source", "source_split", "photograph", "sha256")),
        ("phash", pa.uint64()),
    ]
)
#: Names of categories come again and again, and are kept once.
_NAME: Final = pa.dictionary(pa.int32(), pa.string())
_LABELS: Final = pa.schema([("image_id", pa.string()), ("object_category", _NAME), ("part_category", _NAME)])
#: Where the file of splits says the rest.
_TOLD: Final = b"placed"


@dataclass(frozen=True, slots=True)
class Placed:
    """All photographs in their splits."""

    image_ids: pa.ChunkedArray
    """In the order of the shards."""
    assigned: Assignment
    leakage: dict[str, Any]
    """See `splits.leakage`."""


class _Told(msgspec.Struct, frozen=True):
    """What is kept beside the table of splits."""

    objects: list[str]
    parts: list[str]
    pairs: list[tuple[str, str]]
    leakage: dict[str, Any]


def placed(inputs: Inputs, taxonomy: Taxonomy, settings: QuestionSettings, folder: Path, code: str = "") -> Placed:
    """The splits of all photographs. `folder` keeps what was found for the next time; `code` is a digest of the code.

    Raises as `splits.assign` does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images, used = _images(inputs), set[Path]()
    labels = _labels(inputs, folder, code, used)
    on = table_digest(images), table_digest(labels), taxonomy.digest
    path = folder / f"{digest('splits', code, msgspec.json.encode(settings.splits), *on)}.arrow"
    used.add(path)
    if (found := _recalled(path)) is None:
        related, parents = taxonomy.any_relation, taxonomy.kinds.all_parents()
        assigned = splits.assign(images, labels, related, parents, settings.splits)
        leakage = splits.leakage(assigned.table, images, labels, assigned.held_out, settings.splits)
        found = Assignment(assigned.table.replace_schema_metadata(), assigned.held_out), leakage
        _note(path, *found)
    for left in set(folder.iterdir()) - used:
        left.unlink()
    return Placed(images["image_id"], *found)


def _images(inputs: Inputs) -> pa.Table:
    """The columns that splits go by; of digests those that several images have."""
    every = [table.select(_IMAGES.names).cast(_IMAGES) for table in inputs.images()]
    images = pa.concat_tables([_IMAGES.empty_table(), *every])
    counts = images["sha256"].value_counts()
    shared = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    # Taken by place, so that no buffer holds what is null: the table is digested.
    kept = shared.take(pc.index_in(images["sha256"], value_set=shared).combine_chunks())
    return images.set_column(_IMAGES.get_field_index("sha256"), _IMAGES.field("sha256"), kept)


def _labels(inputs: Inputs, folder: Path, code: str, used: set[Path]) -> pa.Table:
    """The distinct (image_id, object_category, part_category or null) of what is annotated."""
    return pa.concat_tables(
        [_LABELS.empty_table(), *_labels_of_shards(inputs, folder, code, used)]
    ).unify_dictionaries()


def _labels_of_shards(inputs: Inputs, folder: Path, code: str, used: set[Path]) -> Iterator[pa.Table]:
    for name in inputs.names():
        own = [inputs.folder / table / name for table in ("objects", "parts")]
        path = folder / f"{digest('labels', code, *sha256_of_all([one for one in own if one.is_file()]))}.arrow"
        used.add(path)
        yield _kept(path, lambda name=name: _labels_of(inputs.shard(name)).cast(_LABELS))  # type: ignore[misc]


def _labels_of(tables: ShardTables) -> pa.Table:
    objects = tables.objects.select(["object_id", "image_id", "object_category"])
    place = pc.index_in(tables.parts["object_id"], value_set=objects["object_id"].combine_chunks())
    names = _LABELS.names
    of_parts = pa.table(
        {
            "image_id": objects["image_id"].combine_chunks().take(place.combine_chunks()),
            "object_category": objects["object_category"].combine_chunks().take(place.combine_chunks()),
            "part_category": tables.parts["part_category"],
        }
    ).filter(pc.is_valid(place))
    alone = objects.select(["image_id", "object_category"]).append_column(
        "part_category", pa.nulls(len(objects), pa.string())
    )
    plain = pa.schema([(name, pa.string()) for name in names])
    both = pa.concat_tables([of_parts.cast(plain), alone.cast(plain)])
    return both.group_by(names, use_threads=False).aggregate([]).select(names)


def _kept(path: Path, find: Callable[[], pa.Table]) -> pa.Table:
    """What a file holds, which is made if there is none that is whole."""
    try:
        return feather.read_table(path, memory_map=False)
    except (OSError, pa.ArrowException):
        found = find()
    with written_aside(path) as aside:
        feather.write_feather(found, aside, compression="lz4")
    # In the chunks that it will have the next time, as they are digested.
    return feather.read_table(path, memory_map=False)


def _note(path: Path, assigned: Assignment, leakage: dict[str, Any]) -> None:
    """Keeps what was found."""
    out = assigned.held_out
    told = _Told(sorted(out.objects), sorted(out.parts), sorted(out.pairs), leakage)
    with written_aside(path) as aside:
        table = assigned.table.replace_schema_metadata({_TOLD: msgspec.json.encode(told)})
        feather.write_feather(table, aside, compression="lz4")


def _recalled(path: Path) -> tuple[Assignment, dict[str, Any]] | None:
    """What was found before for the same; None if nothing was, or it isn't whole."""
    try:
        table = feather.read_table(path, memory_map=False)
        told = msgspec.json.decode((table.schema.metadata or {}).get(_TOLD, b""), type=_Told)
    except (OSError, pa.ArrowException, msgspec.MsgspecError):
        return None
    held_out = HeldOut(frozenset(told.objects), frozenset(told.parts), frozenset(told.pairs))
    return Assignment(table.replace_schema_metadata(), held_out), told.leakage
