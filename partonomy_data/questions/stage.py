"""All questions of a version: photographs split, instances chosen, shards made, several at once."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from partonomy_data.questions import keyed
from partonomy_data.questions.bank import Bank, Proposed
from partonomy_data.questions.context import Taxonomy
from partonomy_data.questions.inputs import Inputs
from partonomy_data.questions.pieces import gather
from partonomy_data.questions.placing import placed
from partonomy_data.questions.settings import QuestionSettings
from partonomy_data.questions.shard import CoverageRow, Job, Made, finished, make
from partonomy_data.store import files, parquet

#: The tables that are made; what `target` has of them is replaced.
TABLES: Final = ("splits", "questions", "question_masks")


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

    `work` keeps finished shards, and what they are made of, for the next time; it is on the file system of `target`. `code`
    is a digest of the code that shards of other code are not taken for. `templates` word questions beside the standard
    ones; their order doesn't matter. Raises UsageError for settings that can't be, ValueError for templates that can't.
    """
    settings.checked()
    Bank.extended(templates)
    inputs = Inputs(tables)
    taxonomy = Taxonomy(inputs, settings)
    for name in TABLES:
        shutil.rmtree(target / name, ignore_errors=True)
    found = placed(inputs, taxonomy, settings, work / "placed", code)
    assigned, made_files = found.assigned, []
    if len(assigned.table):
        made_files.append(target / "splits" / "splits.parquet")
        parquet.write(assigned.table, made_files[0], "splits")
    gathered = gather(inputs, taxonomy, settings, assigned, found.image_ids, work / "pieces", code)
    jobs = [
        Job(taxonomy.context(*key, of.parts, assigned.held_out, templates), of.pieces, str(work / "shards"), code)
        for key, of in sorted(gathered.items(), key=lambda one: one[0])
    ]
    if progress is not None:
        progress.stage("making questions", len(jobs))
    done = _run(jobs, executor, progress)
    for one in done:
        made_files += _linked(one, work / "shards", target)
    return Generated(
        sum(one.n_questions for one in done),
        sum(one.n_instances for one in done),
        _coverage(done),
        found.leakage,
        made_files,
        done,
    )


def _run(jobs: list[Job], executor: Executor, progress: Any) -> list[Made]:
    """The shards, in the order of the jobs. The first that fails stops the others; finished ones are kept."""
    done = {place: before for place, job in enumerate(jobs) if (before := finished(job)) is not None}
    if progress is not None and done:
        progress.advance(len(done))
    # The largest are begun first: one of them alone at the end would have all workers but its own wait.
    sizes = [sum(piece.rows for piece in job.pieces) for job in jobs]
    order = sorted(set(range(len(jobs))) - done.keys(), key=lambda place: (-sizes[place], place))
    running = {executor.submit(make, jobs[place]): place for place in order}
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
