"""The flow `build-partonomy`: one task for looking at each source, one for reading it; one each for putting the
tables together, for the questions, and for publishing.

The number of tasks doesn't grow with the data: a source's shards run in a pool of processes inside its task. A task may
be run again at any time, because what it makes is kept under the digest of what went into it, by the library and not by
Prefect's cache: a retry, a second run, or a run after a crash takes up what is there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

import msgspec
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed
from prefect.utilities.annotations import quote

from flows.artifacts import publish_report
from flows.progress import ArtifactProgress
from partonomy_data import config as settings
from partonomy_data.config import BuildConfig
from partonomy_data.demo.job import prepare
from partonomy_data.errors import UsageError
from partonomy_data.ingest.labels import Labels
from partonomy_data.ingest.shard import ShardResult
from partonomy_data.pipeline import Finished, finish, ready, stage, steps
from partonomy_data.pipeline.asking import ask
from partonomy_data.pipeline.assemble import Assembled
from partonomy_data.pipeline.judging import model
from partonomy_data.pipeline.progress import Progress, Silent
from partonomy_data.pipeline.runs import BuildReport, Clock
from partonomy_data.pipeline.workers import pool
from partonomy_data.sources.base import Plan

P = ParamSpec("P")
T = TypeVar("T")

#: Whom `run` wants to be told of progress: it can't be a parameter of the flow, as those are JSON.
_LISTENER: ContextVar[Progress] = ContextVar("listener", default=Silent())  # noqa: B039 - Silent has no state


def _retry(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Wrong input stays wrong; anything else (a full disk, a lost worker) is worth another try."""
    return not isinstance(state.data, UsageError)


#: What all tasks have in common. Prefect keeps no results: the library does, by content.
_SAFE_TO_REPEAT: dict[str, Any] = {
    "retry_delay_seconds": 5,
    "retry_condition_fn": _retry,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


def _refusing(call: Callable[[], T]) -> T | State[Any]:
    """What `call` returns; wrong input as a failed state with its one line, and no traceback in the log."""
    try:
        return call()
    except UsageError as error:
        return Failed(message=str(error), data=error)


@task(
    name="look at a source",
    task_run_name="look at {name}",
    retries=2,
    **_SAFE_TO_REPEAT,
)
def plan_source(name: str, config: BuildConfig, workspace: steps.Workspace) -> Any:
    """Finds the source's files, checks them, and splits them into shards."""
    return _refusing(lambda: steps.plan_source(name, config.sources[name], config.limit, workspace))


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
) -> Any:
    """Does the source's shards, several at once, in a pool of its own: a retry must not meet a broken one."""

    def read() -> list[ShardResult]:
        with pool(config.workers) as executor:
            return steps.ingest_source(plan, labels, config, workspace, executor, progress)

    return _refusing(read)


@task(
    name="stage tables",
    retries=1,
    **_SAFE_TO_REPEAT,
)
def stage_tables(finished: Finished) -> Any:
    """Makes the taxonomy, puts the version's tables together, and accounts for every row."""
    return _refusing(lambda: stage(finished))


@task(
    name="make questions",
    retries=2,
    **_SAFE_TO_REPEAT,
)
def make_questions(finished: Finished, assembled: Assembled, progress: Progress) -> Any:
    """Splits the photographs and makes the questions, in a pool of processes of its own."""

    def make() -> Assembled:
        with pool(finished.config.workers) as executor, finished.clock.measure("questions"):
            return ask(finished.workspace, finished.config.questions, assembled, executor, progress)

    return _refusing(make)


@task(
    name="publish",
    retries=1,
    **_SAFE_TO_REPEAT,
)
def publish(finished: Finished, assembled: Assembled) -> Any:
    """Renames the version into place, and records the run."""
    return _refusing(lambda: finish(finished, assembled))


@flow(name="build-partonomy", persist_result=False)
def build_partonomy(
    root: str = "partonomy",
    sources: dict[str, str] | None = None,
    images: dict[str, str] | None = None,
    exclude: str | None = None,
    limit: int | None = None,
    overrides: str | None = None,
    questions: dict[str, Any] | None = None,
    llm: dict[str, Any] | None = None,
    workers: int | None = None,
    config: str | None = None,
    demo: Literal["small", "medium", "large"] | None = None,
) -> Any:
    """Reads the sources and publishes what they hold as a new version of the store at `root`.

    `sources` and `images` map names to folders; `questions` and `llm` hold settings of the questions and of the language
    model, whose key is never one of them: `key_block` names a Secret block, `key_env` a variable of the worker. `config` is
    a YAML file with the same settings, which the others win over. `demo` draws a world of that size, if no source is given.
    """
    try:
        base = settings.load(Path(config)) if config else BuildConfig()
        wanted = settings.merged(
            base,
            sources=sources or {},
            images=images or {},
            exclude=exclude,
            limit=limit,
            overrides=overrides,
            questions=questions,
            llm=llm,
            workers=workers,
        )
        if demo is not None and not wanted.sources:
            drawn = prepare(
                Path(root), size=demo, world_seed=0, photo_seed=0, workers=workers, progress=_LISTENER.get()
            )
            wanted = msgspec.structs.replace(wanted, sources=drawn.sources)
        return Completed(message="published", data=_build(Path(root), wanted, _LISTENER.get()))
    except UsageError as error:
        return Failed(message=str(error), data=error)


def _build(root: Path, config: BuildConfig, listener: Progress) -> BuildReport:
    """The steps of `partonomy_data.pipeline.build`, each as a task."""
    progress = ArtifactProgress(listener)
    with ready(root, config) as workspace, model(root, config, progress, key=_secret(config)) as asked:
        overrides, clock = steps.load_overrides(config), Clock()
        plans: dict[str, Plan] = {}
        for name in sorted(config.sources):
            with clock.measure(f"plan {name}"):
                plans[name] = _result(plan_source(name, quote(config), quote(workspace), return_state=True))
            overrides = asked.names(plans, overrides)
        names = steps.name_categories(plans, overrides)
        results: dict[str, list[ShardResult]] = {}
        for name, plan in plans.items():
            labels = steps.labels_of(name, plan, names)
            with clock.measure(f"read {name}"):
                results[name] = _result(
                    read_source(
                        name,
                        quote(plan),
                        quote(labels),
                        quote(config),
                        quote(workspace),
                        quote(progress),
                        return_state=True,
                    )
                )
        finished = Finished(root, workspace, config, plans, names, overrides, results, clock, asked)
        assembled: Assembled = _result(stage_tables(quote(finished), return_state=True))
        assembled = _result(make_questions(quote(finished), quote(assembled), quote(progress), return_state=True))
        done: BuildReport = _result(publish(quote(finished), quote(assembled), return_state=True))
    publish_report(done, str(root))
    for line in done.warnings():
        get_run_logger().warning("%s", line)
    return done


def _secret(config: BuildConfig) -> str | None:
    """The language model's key, where a block holds it. It goes to the client, and nowhere else."""
    if not config.llm.enabled or config.llm.key_block is None:
        return None
    from prefect.blocks.system import Secret

    try:
        block: Any = Secret.load(config.llm.key_block)
    except ValueError as error:
        raise UsageError(
            f"there is no Secret block {config.llm.key_block!r}",
            where="llm.key_block",
            mend="Make it on the Prefect server, or name another",
        ) from error
    return str(block.get())


def _result(state: State[Any]) -> Any:
    """A task's result. Raises the UsageError that it met, or whatever made it fail."""
    if isinstance(state.data, UsageError):
        raise state.data
    return state.result()


def run(root: Path, config: BuildConfig, progress: Progress | None = None) -> BuildReport:
    """The runner `prefect` (see `partonomy_data.runners`): the flow, in this process, recorded by a Prefect server.

    The server is the one at $PREFECT_API_URL; else a temporary one is started. Raises what `build` raises.
    """
    token = _LISTENER.set(progress or Silent())
    try:
        state: Any = build_partonomy(
            root=str(root),
            sources={name: one.path for name, one in config.sources.items()},
            images={name: one.images for name, one in config.sources.items() if one.images},
            exclude=config.exclude,
            limit=config.limit,
            overrides=config.overrides,
            questions=msgspec.to_builtins(config.questions),
            llm=msgspec.to_builtins(config.llm),
            workers=config.workers,
            return_state=True,
        )
    finally:
        _LISTENER.reset(token)
    done: BuildReport = _result(state)
    return done
