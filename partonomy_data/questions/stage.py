"""All questions of a version: photographs split, instances chosen, shards made, several at once."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from partonomy_data import splits
from partonomy_data.questions import keyed
from partonomy_data.questions.bank import Bank, Proposed
from partonomy_data.questions.context import Taxonomy
from partonomy_data.questions.inputs import Inputs, ShardTables
from partonomy_data.questions.settings import QuestionSettings
from partonomy_data.questions.shard import CoverageRow, Job, Made, make
from partonomy_data.questions.spool import path_of, spooled
from partonomy_data.store import files, parquet

#: The tables that are made; what `target` has of them is replaced.
TABLES: Final = ("splits", "questions", "question_masks")
#: Names of categories come again and again, and are kept once.
_NAME: Final = pa.dictionary(pa.int32(), pa.string())
_LABELS: Final = pa.schema([("image_id", pa.string()), ("object_category", _NAME), ("part_category", _NAME)])


@dataclass(frozen=True, slots=True)
class Generated:
    """What was made."""

    n_questions: int
    n_instances: int
    """Instances that were considered, one of a photograph where models are measured."""
    coverage: list[CoverageRow]
    leakage: dict[str, Any]
    files: list[Path]
    shards: list[Made] = field(default_factory=list)


def generate(
    tables: Path,
    target: Path,
    settings: QuestionSettings,
    *,
    work: Path,
    executor: Executor,
    code: str = "",
    progress: Any = None,
    templates: Sequence[Proposed] = (),
) -> Generated:
    """Writes `splits`, `questions` and `question_masks` below `target`, from the tables below `tables`.

    `work` keeps finished shards for the next time, and what lies between; it is on the file system of `target`. `code`
    is a digest of the code that shards of other code are not taken for. `templates` word questions beside the standard
    ones; their order doesn't matter. Raises UsageError for settings that can't be, ValueError for templates that can't.
    """
    settings.checked()
    Bank.extended(templates)
    inputs = Inputs(tables)
    taxonomy = Taxonomy(inputs, settings)
    spool = work / "instances"
    for folder in (spool, *(target / name for name in TABLES)):
        shutil.rmtree(folder, ignore_errors=True)
    images, labels = _images(inputs), _labels(inputs)
    assigned = splits.assign(images, labels, taxonomy.any_relation, taxonomy.kinds.all_parents(), settings.splits)
    made_files = []
    if len(assigned.table):
        made_files.append(target / "splits" / "splits.parquet")
        parquet.write(assigned.table, made_files[0], "splits")
    leakage = splits.leakage(assigned.table, images, labels, assigned.held_out, settings.splits)
    del labels
    parts = spooled(inputs, taxonomy, settings, assigned, images["image_id"], spool)
    del images
    jobs = [
        Job(
            taxonomy.context(*key, parts[key], assigned.held_out, templates),
            str(path_of(spool, key)),
            str(work / "shards"),
            code,
        )
        for key in sorted(parts)
    ]
    if progress is not None:
        progress.stage("making questions", len(jobs))
    done = _run(jobs, executor, progress)
    for one in done:
        made_files += _linked(one, work / "shards", target)
    shutil.rmtree(spool, ignore_errors=True)
    return Generated(
        sum(one.n_questions for one in done),
        sum(one.n_instances for one in done),
        _coverage(done),
        leakage,
        made_files,
        done,
    )


def _images(inputs: Inputs) -> pa.Table:
    texts = ("image_id", "source", "source_split", "photograph", "sha256")
    kind = pa.schema([*((name, pa.string()) for name in texts), ("phash", pa.uint64())])
    return pa.concat_tables([kind.empty_table(), *(table.select(kind.names).cast(kind) for table in inputs.images())])


def _labels(inputs: Inputs) -> pa.Table:
    """The distinct (image_id, object_category, part_category or null) of what is annotated."""
    both = pa.concat_tables([_LABELS.empty_table(), *(_labels_of(tables).cast(_LABELS) for tables in inputs.shards())])
    return both.unify_dictionaries()


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


def _run(jobs: list[Job], executor: Executor, progress: Any) -> list[Made]:
    """The shards, in the order of the jobs. The first that fails stops the others; finished ones are kept."""
    # The largest are begun first: one of them alone at the end would have all workers but its own wait.
    sizes = [Path(job.instances).stat().st_size for job in jobs]
    order = sorted(range(len(jobs)), key=lambda place: (-sizes[place], place))
    running = {executor.submit(make, jobs[place]): place for place in order}
    done: dict[int, Made] = {}
    try:
        for future in as_completed(running):
            done[running[future]] = future.result()
            if progress is not None:
                progress.advance()
    finally:
        for future in running:
            future.cancel()
    return [done[place] for place in range(len(jobs))]


def _linked(one: Made, shards: Path, target: Path) -> list[Path]:
    """The shard's tables in their places."""
    name = f"{keyed.hexdigest(one.source, one.split, one.family, size=4)}.parquet"
    linked = []
    for table in ("questions", "question_masks") if one.n_questions else ():
        place = target / table / f"split={one.split}" / f"source={one.source}" / name
        files.link_or_copy(shards / one.key / f"{table}.parquet", place)
        linked.append(place)
    return linked


def _coverage(done: list[Made]) -> list[CoverageRow]:
    """The rows of all shards, added up by source, split and type."""
    total: dict[tuple[str, str, str], np.ndarray[Any, Any]] = {}
    for row in (row for one in done for row in one.coverage):
        key = row.source, row.split, row.question_type
        total[key] = total.get(key, np.zeros(3, np.int64)) + np.array([row.askable, row.bound, row.balanced])
    return [CoverageRow(*key, *map(int, total[key])) for key in sorted(total)]
