"""The tasks of a build. Each may be run again at any time: what it makes is kept by the library, under what went into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger

from flows import events
from flows.refusing import REFUSED, refusing
from partonomy_data.config import BuildConfig
from partonomy_data.ingest.labels import Labels
from partonomy_data.ingest.shard import ShardResult
from partonomy_data.pipeline import check, finish, pose, stage, steps
from partonomy_data.pipeline.assemble import Assembled
from partonomy_data.pipeline.progress import Progress
from partonomy_data.pipeline.reading import Finished
from partonomy_data.pipeline.workers import Executors
from partonomy_data.sources.base import Plan


def _retry(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Wrong input stays wrong; anything else (a full disk, a lost worker) is worth another try."""
    return not isinstance(state.data, REFUSED)


#: What all tasks have in common. Prefect keeps no results: the library does, by content.
_SAFE_TO_REPEAT: dict[str, Any] = {
    "retry_delay_seconds": 5,
    "retry_condition_fn": _retry,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


@task(
    name="look at a source",
    task_run_name="look at {name}",
    retries=2,
    **_SAFE_TO_REPEAT,
)
def plan_source(name: str, config: BuildConfig, workspace: steps.Workspace) -> Any:
    """Finds the source's files, checks them, and splits them into shards."""
    return refusing(
        lambda: steps.plan_source(name, config.sources[name], config.limit, workspace, verify=config.verify)
    )


@task(
    name="read a source",
    task_run_name="read {name}",
    retries=2,
    **_SAFE_TO_REPEAT,
)
def read_source(
    name: str,
    plan: Plan,
    labels: Labels,
    config: BuildConfig,
    workspace: steps.Workspace,
    progress: Progress,
    executors: Executors,
) -> Any:
    """Does the source's shards, several at once, in a pool of its own: a retry must not meet a broken one."""

    def shards() -> list[ShardResult]:
        with executors(config.workers) as executor:
            return steps.ingest_source(plan, labels, config, workspace, executor, progress)

    return refusing(shards)


@task(
    name="stage tables",
    retries=1,
    **_SAFE_TO_REPEAT,
)
def stage_tables(finished: Finished) -> Any:
    """Makes the taxonomy, puts the version's tables together, and accounts for every row."""
    return refusing(lambda: stage(finished))


@task(
    name="make questions",
    retries=2,
    **_SAFE_TO_REPEAT,
)
def make_questions(finished: Finished, assembled: Assembled, progress: Progress, executors: Executors) -> Any:
    """Splits the photographs, makes the questions, in a pool of processes of its own, and has some of them reworded."""

    def make() -> Assembled:
        with executors(finished.config.workers) as executor:
            return pose(finished, assembled, executor, progress)

    return refusing(make)


@task(
    name="validate",
    retries=0,  # questions that break a rule have left what is staged: it isn't what it was
    **_SAFE_TO_REPEAT,
)
def validate(finished: Finished, assembled: Assembled, progress: Progress) -> Any:
    """Checks all rules on what is staged; nothing is published if one is broken."""
    return refusing(lambda: check(finished, assembled, progress))


@task(
    name="publish",
    retries=0,  # once it is renamed nothing is staged any more; a further run takes up what is there
    **_SAFE_TO_REPEAT,
)
def publish(finished: Finished, assembled: Assembled) -> Any:
    """Renames the version into place, and records the run."""
    return refusing(lambda: finish(finished, assembled))


@task(
    name="announce",
    retries=2,
    **_SAFE_TO_REPEAT,
)
def announce(root: Path, version: str) -> Any:
    """Tells the Prefect server that the version is published, unless it was told before."""
    told = events.announce(root, version)
    get_run_logger().info("%s", told.why)
    return told
