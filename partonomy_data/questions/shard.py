"""One shard of questions: a family of categories in one source and split, from its instances to Parquet.

A shard that was finished before is not done again: its folder is named by a digest of its instances (`pieces`), of what the
taxonomy says of their categories, of the settings, of the proposed templates and of the code. It appears whole, by
renaming.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.ipc

from partonomy_data.questions.arrays import Instances, Ints, arrays
from partonomy_data.questions.blocks import Block, blocks
from partonomy_data.questions.context import Context
from partonomy_data.questions.grouping import Coverage, group
from partonomy_data.questions.pieces import Piece
from partonomy_data.questions.rows import Builder
from partonomy_data.questions.settings import OBJECT_FIRST
from partonomy_data.questions.truth import Bools
from partonomy_data.questions.ungrouped import ungrouped
from partonomy_data.questions.units import Unit, units
from partonomy_data.sources.files import digest
from partonomy_data.store import parquet
from partonomy_data.store.files import folder_aside

#: Questions that are held before they are written.
_BATCH = 4096
#: What says that a shard is finished, and what came of it.
_MADE = "made.json"


class Job(msgspec.Struct, frozen=True):
    """What a worker needs to make a shard."""

    context: Context
    pieces: list[Piece]
    """Its instances."""
    folder: str
    """Where finished shards are kept."""
    code: str

    @property
    def key(self) -> str:
        """Digest of all that the shard follows from: the name of its folder."""
        context = msgspec.json.encode(self.context, order="deterministic")
        return digest(self.code, context, *(piece.content for piece in self.pieces))


class CoverageRow(msgspec.Struct, frozen=True):
    """Of one type in one source and split: how many instances can be asked, and have a balanced question."""

    source: str
    split: str
    question_type: str
    askable: int
    """Instances that a question of the type can be asked about."""
    bound: int
    """Those of them that could be in groups, if the buckets' groups served this type alone."""
    balanced: int
    """Those that have a balanced question of the type."""


class Made(msgspec.Struct, frozen=True):
    """A finished shard."""

    key: str
    source: str
    split: str
    family: str
    n_instances: int
    n_questions: int
    n_groups: int
    coverage: list[CoverageRow]


def finished(job: Job) -> Made | None:
    """What `made.json` in the shard's folder holds; None if it was not made yet."""
    path = Path(job.folder) / job.key / _MADE
    return msgspec.json.decode(path.read_bytes(), type=Made) if path.is_file() else None


def make(job: Job) -> Made:
    """Makes the shard, unless that was done before, and returns what `made.json` in its folder holds."""
    if (before := finished(job)) is not None:
        return before
    key = job.key
    table = pa.concat_tables([piece.read() for piece in job.pieces]).sort_by("object_id").combine_chunks()
    with folder_aside(Path(job.folder) / key, _MADE) as folder:
        made = _write(_arrays(table, job.context), job.context, key, folder)
        (folder / _MADE).write_bytes(msgspec.json.encode(made))
    return made


def _arrays(table: pa.Table, context: Context) -> Instances:
    parts = tuple(sorted(context.related))
    at = {part: place for place, part in enumerate(parts)}
    related: Bools = np.eye(len(parts), dtype=bool)
    for part, others in context.related.items():
        related[at[part], [at[other] for other in others]] = True
    return arrays(table, parts, related, table["cluster"], context.settings.seed)


def _write(instances: Instances, context: Context, key: str, folder: Path) -> Made:
    coverage = Coverage()
    groups, left = group(instances, context, coverage)
    asked = units(instances, context, groups)
    _count_balanced(instances, asked, coverage)
    builder = Builder(instances, context)
    n_questions = 0
    spool = folder / "question_masks.arrow"
    with (
        pa.OSFile(str(spool), "wb") as sink,
        pa.ipc.new_stream(sink, parquet.written_schema("question_masks")) as masks,
    ):

        def taken() -> pa.RecordBatch:
            questions, of_masks = builder.take()
            masks.write_batch(of_masks.cast(masks_schema))
            return questions

        masks_schema = parquet.written_schema("question_masks")
        n_questions = parquet.write(
            _batches(builder, _in_order(instances, context, asked, left), taken),
            folder / "questions.parquet",
            "questions",
        )
    with pa.memory_map(str(spool)) as source, pa.ipc.open_stream(source) as reader:
        parquet.write(iter(reader), folder / "question_masks.parquet", "question_masks")
    spool.unlink()
    return Made(
        key=key,
        source=context.source,
        split=context.split,
        family=context.family,
        n_instances=len(instances),
        n_questions=n_questions,
        n_groups=len(groups),
        coverage=_coverage(context, coverage),
    )


def _batches(builder: Builder, made: Iterator[Block], taken: Callable[[], pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for block in made:
        builder.add(block)
        if len(builder) >= _BATCH:
            yield taken()
    if len(builder):
        yield taken()


def _in_order(instances: Instances, context: Context, asked: list[Unit], left: Ints) -> Iterator[Block]:
    """All blocks, in the order of the keys of those that are asked together."""
    together = ((unit.key, blocks(instances, context, unit)) for unit in asked)
    alone = iter(()) if context.evaluation else ungrouped(instances, context, left)
    for _, made in heapq.merge(together, alone, key=lambda one: one[0]):
        yield from made


def _count_balanced(instances: Instances, asked: list[Unit], coverage: Coverage) -> None:
    for unit in asked:
        n = sum(len(group.rows) for group in unit.groups)
        types = {ask.question_type for ask in unit.asks}
        coverage.balanced.update(dict.fromkeys(types - {OBJECT_FIRST} if unit.mixed(instances) else types, n))


def _coverage(context: Context, coverage: Coverage) -> list[CoverageRow]:
    return [
        CoverageRow(
            context.source, context.split, kind, coverage.askable[kind], coverage.bound[kind], coverage.balanced[kind]
        )
        for kind in context.settings.types
    ]
