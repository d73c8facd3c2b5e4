"""The steps of a build. `partonomy_data.pipeline.build` runs them in order; the Prefect flow runs the same ones as tasks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from partonomy_data.config import BuildConfig, SourceSetting, excluded
from partonomy_data.errors import PartonomyError, SourceError, UsageError
from partonomy_data.ingest import seen
from partonomy_data.ingest.labels import Labels, make
from partonomy_data.ingest.shard import ShardJob, ShardResult, ingest, recalled
from partonomy_data.pipeline import replanning
from partonomy_data.pipeline.code import code_digest
from partonomy_data.pipeline.progress import Progress
from partonomy_data.sources import listing
from partonomy_data.sources.base import OfFiles, Plan, SourceRequest, reader
from partonomy_data.store.layout import Layout
from partonomy_data.taxonomy import names as taxonomy_names
from partonomy_data.taxonomy import overrides as taxonomy_overrides
from partonomy_data.taxonomy.names import Names
from partonomy_data.taxonomy.overrides import Overrides

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a build keeps what it makes on the way: all under the store's `work/`, on the store's file system."""

    root: Path

    @property
    def shards(self) -> Path:
        """Finished shards, each in a folder named by its content."""
        return Layout(self.root).work / "shards"

    @property
    def questions(self) -> Path:
        """Finished shards of questions, and what lies between."""
        return Layout(self.root).work / "questions"

    @property
    def spool(self) -> Path:
        """Sources split by photograph; of no use after the build."""
        return Layout(self.root).work / "spool"

    @property
    def last(self) -> Path:
        """What the last build saw (`refreshing`), and what it may do without the next time (`keeping`)."""
        return Layout(self.root).work / "last"

    @property
    def staging(self) -> Path:
        """The next version, until it is published."""
        return Layout(self.root).work / "staging"

    def clear(self) -> None:
        """Removes what an earlier build left half done; finished shards stay. Call it with the build lock held."""
        self.make_room()
        for folder in (self.staging, *Layout(self.root).work.glob("damaged-*")):
            shutil.rmtree(folder, ignore_errors=True)

    def make_room(self) -> None:
        """Removes what is of use to a running build only, as the disk may be full. Call it with the build lock held."""
        shutil.rmtree(self.spool, ignore_errors=True)
        for kept in (self.shards, *(self.questions / name for name in ("shards", "placed", "pieces")), self.last):
            for path in kept.glob("*.tmp") if kept.is_dir() else ():
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    def keep_only(self, results: Sequence[ShardResult]) -> None:
        """Removes finished shards that this build did not use, what is known of them, and the spool."""
        used = {result.key for result in results}
        for path in self.shards.iterdir() if self.shards.is_dir() else ():
            if path.is_dir() and path.name not in used:
                shutil.rmtree(path, ignore_errors=True)
            elif path.suffix == seen.SUFFIX and seen.key_of(path) not in used:
                path.unlink(missing_ok=True)
        shutil.rmtree(self.spool, ignore_errors=True)


def request_of(name: str, setting: SourceSetting, limit: int | None) -> SourceRequest:
    """What is asked of a source. Raises SourceError if it isn't there."""
    path = Path(setting.path)
    if not path.exists():
        raise SourceError(
            "there is no such file or folder", where=f"{name}: {path}", mend="Check the path given to --source"
        )
    images = Path(setting.images) if setting.images else None
    if images is not None and not images.is_dir():
        raise SourceError("there is no such folder", where=f"{name}: {images}", mend="Check the path given to --images")
    return SourceRequest(name, path.resolve(), images and images.resolve(), limit)


def plan_source(
    name: str, setting: SourceSetting, limit: int | None, workspace: Workspace, *, verify: bool = False
) -> Plan:
    """Looks at one source, or takes up what the last build found where its files are as they were (`replanning`).

    With `verify` they are hashed to find out. Raises SourceError if the source isn't there or isn't that dataset.
    """
    request = request_of(name, setting, limit)
    return replanning.planned(request, workspace.last, workspace.shards, verify=verify) or plan_anew(request, workspace)


def plan_anew(request: SourceRequest, workspace: Workspace) -> Plan:
    """Looks at one source. Raises SourceError if it isn't that dataset."""
    # A worker that outlived its build must not take this one's pieces for those that it was told of.
    spool = workspace.spool / request.name / uuid4().hex
    spool.mkdir(parents=True, exist_ok=True)
    return reader(request.name).plan(request, spool)


def name_categories(plans: Mapping[str, Plan], overrides: Overrides) -> Names:
    """The canonical names of all sources' categories."""
    return taxonomy_names.build({name: plan.vocabulary for name, plan in plans.items()}, overrides)


def labels_of(source: str, plan: Plan, names: Names) -> Labels:
    """The names of one source as look-ups for its shards."""
    return make(plan.vocabulary, names.sources[source])


def ingest_source(
    plan: Plan, labels: Labels, config: BuildConfig, workspace: Workspace, executor: Executor, progress: Progress
) -> list[ShardResult]:
    """Does all shards of a source, several at once, and returns their results in order.

    The first shard that fails stops the others; those that were finished are kept for the next build.
    """
    jobs = _jobs(plan, labels, config, workspace)
    progress.stage(f"reading {plan.source}", sum(job.shard.n_images for job in jobs))
    results = []
    if plan.remembered:
        results = [one for one in _done(recalled, jobs, executor, progress) if one is not None]
        if len(results) < len(jobs):
            numbers = {one.number for one in results}
            again = _jobs(_replanned(plan, config, workspace), labels, config, workspace)
            jobs = [job for job in again if job.shard.number not in numbers]
        else:
            jobs = []
    results += _done(ingest, jobs, executor, progress)
    return sorted(results, key=lambda result: result.number)


def _replanned(plan: Plan, config: BuildConfig, workspace: Workspace) -> Plan:
    """A remembered plan with what it takes to read its shards. Raises SourceError if it turns out to be another."""
    request = request_of(plan.source, config.sources[plan.source], config.limit)
    made = plan_anew(request, workspace)
    now, before = ([(one.number, one.of, one.fingerprint) for one in of.shards] for of in (made, plan))
    if now != before or made.vocabulary != plan.vocabulary:
        raise SourceError(
            "its files change while they are read",
            where=str(request.path),
            mend="Build again when nothing writes to them",
        )
    return made


def _jobs(plan: Plan, labels: Labels, config: BuildConfig, workspace: Workspace) -> list[ShardJob]:
    exclude, names = excluded(config.exclude), listing.names_digest(plan.images_root)
    made = reader(plan.source)
    code = code_digest(type(made).__module__.partition(".")[0])
    return [
        ShardJob(
            shard=shard,
            labels=labels,
            images_root=None if plan.images_root is None else str(plan.images_root),
            folder=str(workspace.shards),
            code=code,
            exclude=exclude,
            names=names,
            verify=config.verify,
            apart=isinstance(made, OfFiles),
        )
        for shard in plan.shards
    ]


def _done(
    do: Callable[[ShardJob], Result], jobs: Sequence[ShardJob], executor: Executor, progress: Progress
) -> list[Result]:
    """What comes of each of some shards, in any order; progress is told of those of which something does.

    The first that fails stops the others; those that were finished are kept for the next build.
    """
    running = {executor.submit(do, job): job for job in jobs}
    results = []
    try:
        for future in as_completed(running):
            results.append(future.result())
            if results[-1] is not None:
                progress.advance(running[future].shard.n_images)
    except BrokenProcessPool as error:
        source = jobs[0].shard.source
        raise PartonomyError(
            f"a worker process ended while reading {source}: out of memory (try fewer --workers), or a script that"
            ' calls build() outside of `if __name__ == "__main__":`; what was finished is kept for the next build'
        ) from error
    finally:
        for future in running:
            future.cancel()
    return results


def load_overrides(config: BuildConfig) -> Overrides:
    """The overrides file of a config, or none. Raises UsageError."""
    return taxonomy_overrides.load(Path(config.overrides)) if config.overrides else taxonomy_overrides.overrides()


def check(config: BuildConfig) -> None:
    """Raises UsageError for a config that can't be built: no source, or --images for a source that isn't one."""
    if not config.sources:
        raise UsageError("no source was given", mend="Name at least one, as in --source pascal_part=/data/pascal_part")
    for name in config.sources:
        reader(name)
    excluded(config.exclude)
    config.questions.checked()
