"""The flow `build-partonomy`: sources in, a published and announced version out.

The number of tasks doesn't grow with the data: a source's shards run in a pool of processes inside its task. A task may
be run again at any time, because what it makes is kept under the digest of what went into it, by the library and not by
Prefect's cache: a retry, a second run, or a run after a crash takes up what is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
from prefect import flow
from prefect.logging import get_run_logger
from prefect.states import Completed
from prefect.utilities.annotations import quote

from flows import events, tasks
from flows.artifacts import publish_report
from flows.parameters import Cluster, Count, LanguageModel, Questions, Validation
from flows.progress import ArtifactProgress
from flows.refusing import failed, result
from partonomy_data import config as settings
from partonomy_data.config import BuildConfig
from partonomy_data.demo.job import prepare
from partonomy_data.errors import PartonomyError, UsageError
from partonomy_data.ingest.labels import Labels
from partonomy_data.ingest.shard import ShardResult
from partonomy_data.pipeline import ready, steps
from partonomy_data.pipeline.assemble import Assembled
from partonomy_data.pipeline.judging import model
from partonomy_data.pipeline.keeping import Kept
from partonomy_data.pipeline.progress import Progress, Silent
from partonomy_data.pipeline.reading import read
from partonomy_data.pipeline.runs import BuildReport
from partonomy_data.pipeline.validating import pages
from partonomy_data.pipeline.workers import Executors, pool
from partonomy_data.sources.base import Plan
from partonomy_data.store.remote.state import local

#: Whom `run` wants to be told of progress: it can't be a parameter of the flow, as those are JSON.
LISTENER: ContextVar[Progress] = ContextVar("listener", default=Silent())  # noqa: B039 - Silent has no state

#: What may be kept of sources that fail, where `run` says so: it isn't JSON either.
KEEP: ContextVar[Mapping[str, Kept]] = ContextVar("keep", default={})  # noqa: B039 - nobody changes it


@flow(name="build-partonomy", persist_result=False)
def build_partonomy(
    root: str = "partonomy",
    sources: dict[str, str] | None = None,
    images: dict[str, str] | None = None,
    exclude: str | None = None,
    limit: Count | None = None,
    overrides: str | None = None,
    questions: Questions = None,
    llm: LanguageModel = None,
    validation: Validation = None,
    preview: int | None = None,
    workers: Count | None = None,
    verify: bool = False,
    config: str | None = None,
    demo: Literal["small", "medium", "large"] | None = None,
    dask: Cluster | None = None,
) -> Any:
    """Reads the sources and publishes what they hold as a new version of the store at `root`.

    For one on S3 it works in the folder $PARTONOMY_STATE, else `partonomy-state`.

    `sources` and `images` map names to folders; `questions` and `llm` hold settings of the questions and of the language
    model, whose key is never one of them: `key_block` names a Secret block, `key_env` a variable of the worker. `config` is
    a YAML file with the same settings, which the others win over. `demo` draws a world of that size, if no source is given.
    `dask` has the shards done by the workers of a Dask cluster: `local`, one of this machine, or the address of a scheduler.
    """
    try:
        here = local(root)
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
            validation=validation,
            preview=preview,
            workers=workers,
            verify=verify or None,
        )
        if demo is not None and not wanted.sources:
            drawn = prepare(here, size=demo, world_seed=0, photo_seed=0, workers=workers, progress=LISTENER.get())
            wanted = msgspec.structs.replace(wanted, sources=drawn.sources)
        done = build(here, wanted, LISTENER.get(), KEEP.get(), executors(dask, here, wanted))
    except PartonomyError as error:
        return failed(error)
    return Completed(message=f"{'published' if done.new else 'unchanged'}: version {done.version}", data=done)


def build(
    root: Path,
    config: BuildConfig,
    listener: Progress,
    keep: Mapping[str, Kept] | None = None,
    executors: Executors = pool,
) -> BuildReport:
    """The steps of `partonomy_data.pipeline.build`, each as a task."""
    progress = ArtifactProgress(listener)
    config = config.absolute()
    with (
        ready(root, config) as workspace,
        pages(config) as report_pages,
        model(root, config, progress, key=_secret(config)) as asked,
    ):
        finished = read(root, config, workspace, asked, AsTasks(config, workspace, progress, executors), progress, keep)
        finished = replace(finished, pages=report_pages)
        assembled: Assembled = result(tasks.stage_tables(quote(finished), return_state=True))
        given = quote(finished), quote(assembled), quote(progress), quote(executors)
        assembled = result(tasks.make_questions(*given, return_state=True))
        assembled = result(tasks.validate(quote(finished), quote(assembled), quote(progress), return_state=True))
        done: BuildReport = result(tasks.publish(quote(finished), quote(assembled), return_state=True))
    announced = tasks.announce(root, done.version, return_state=True)
    publish_report(done, root)
    for line in done.warnings():
        get_run_logger().warning("%s", line)
    result(announced)
    return done


@dataclass(frozen=True, slots=True)
class AsTasks:
    """The steps of reading as tasks (`partonomy_data.pipeline.reading.Doing`)."""

    config: BuildConfig
    workspace: steps.Workspace
    progress: Progress
    executors: Executors

    def plan(self, name: str) -> Plan:
        """Looks at a source."""
        made: Plan = result(tasks.plan_source(name, quote(self.config), quote(self.workspace), return_state=True))
        return made

    def read(self, plan: Plan, labels: Labels) -> list[ShardResult]:
        """Does all shards of a source."""
        about = quote(plan), quote(labels), quote(self.config), quote(self.workspace)
        given = *about, quote(self.progress), quote(self.executors)
        made: list[ShardResult] = result(tasks.read_source(plan.source, *given, return_state=True))
        return made


def executors(dask: str | None, root: Path, config: BuildConfig) -> Executors:
    """Who does the shards: processes of this machine, or the workers of a Dask cluster. Raises UsageError without the extra."""
    if dask is None:
        return pool
    try:
        from flows.dask import cluster
    except ModuleNotFoundError as error:
        raise UsageError(
            f"it needs {error.name}, which is not installed",
            where="dask",
            mend="Run: pip install 'partonomy-data[dask]'",
        ) from error
    return partial(cluster, root, config.absolute(), None if dask == "local" else dask)


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


class AsFlow:
    """The runner `prefect` (see `partonomy_data.runners`): the flow, in this process, recorded by a Prefect server.

    The server is the one at $PREFECT_API_URL; else a temporary one is started.
    """

    #: Tells the server of a version that is published. The command `partonomy publish` finds it here.
    announce = staticmethod(events.announce_at_hand)

    def __call__(
        self,
        root: Path,
        config: BuildConfig,
        progress: Progress | None = None,
        *,
        keep: Mapping[str, Kept] | None = None,
    ) -> BuildReport:
        """Raises what `partonomy_data.pipeline.build` raises, and PartonomyError if the server can't be told."""
        tokens = LISTENER.set(progress or Silent()), KEEP.set(keep or {})
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
                validation=msgspec.to_builtins(config.validation),
                preview=config.preview,
                workers=config.workers,
                verify=config.verify,
                return_state=True,
            )
        finally:
            LISTENER.reset(tokens[0])
            KEEP.reset(tokens[1])
        done: BuildReport = result(state)
        return done


run = AsFlow()
