"""The main job: sources in, a published version out.

steps      the steps, which the Prefect flow runs too
assemble   from finished shards to a staged version
judging    what a language model is asked
asking     its questions
card       the README.md of a version
runs       what is true of a run: times, settings, outcome
workers    a pool of processes that can't be orphaned
progress   how a build tells where it is
code       the version of the code, as a digest
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from partonomy_data.config import BuildConfig
from partonomy_data.ingest.shard import ShardResult
from partonomy_data.pipeline import steps
from partonomy_data.pipeline.asking import ask
from partonomy_data.pipeline.assemble import Assembled, assemble
from partonomy_data.pipeline.card import card
from partonomy_data.pipeline.judging import Model, model
from partonomy_data.pipeline.progress import Progress, Silent
from partonomy_data.pipeline.runs import BuildReport, Clock, record, report
from partonomy_data.pipeline.workers import pool
from partonomy_data.sources.base import Plan
from partonomy_data.store.lock import build_lock
from partonomy_data.store.publish import publish
from partonomy_data.taxonomy.names import Names
from partonomy_data.taxonomy.overrides import Overrides


@dataclass(frozen=True, slots=True)
class Finished:
    """Sources that were read, ready to be published."""

    root: Path
    workspace: steps.Workspace
    config: BuildConfig
    plans: Mapping[str, Plan]
    names: Names
    overrides: Overrides
    results: Mapping[str, Sequence[ShardResult]]
    clock: Clock
    model: Model


def build(root: Path, config: BuildConfig, progress: Progress | None = None) -> BuildReport:
    """Reads the sources of `config`, and publishes what they hold as a version of the store at `root`.

    Identical content publishes no new version. Shards that an earlier build finished, even one that was killed, are
    not done again. Raises UsageError (and its kinds SourceError and StoreError) with one clear line; the store is then
    as it was before.
    """
    progress = progress or Silent()
    with ready(root, config) as workspace, pool(config.workers) as executor, model(root, config, progress) as asked:
        finished = read(root, config, workspace, asked, executor, progress)
        assembled = stage(finished)
        with finished.clock.measure("questions"):
            assembled = ask(workspace, config.questions, assembled, executor, progress)
        progress.stage("publishing", 1)
        done = finish(finished, assembled)
        progress.advance()
    return done


def plan(root: Path, config: BuildConfig, progress: Progress | None = None) -> str:
    """What the language model of `config` would be asked by a build, and its price, as text. Nothing is sent or published.

    The sources are read for it; their finished shards serve the build that follows. Raises as `build` does.
    """
    progress = progress or Silent()
    dry = model(root, config, progress, dry=True)
    with ready(root, config) as workspace, pool(config.workers) as executor, dry as asked:
        finished = read(root, config, workspace, asked, executor, progress)
        stage(finished)
        workspace.clear()
    return asked.planned()


@contextmanager
def ready(root: Path, config: BuildConfig) -> Iterator[steps.Workspace]:
    """Holds the build lock, with a workspace that is fit for a new build. Raises UsageError for a config that can't be."""
    steps.check(config)
    root.mkdir(parents=True, exist_ok=True)
    workspace = steps.Workspace(root.resolve())
    with build_lock(root):
        workspace.clear()
        yield workspace


def read(
    root: Path,
    config: BuildConfig,
    workspace: steps.Workspace,
    asked: Model,
    executor: Executor,
    progress: Progress,
) -> Finished:
    """Reads all sources."""
    overrides, clock = steps.load_overrides(config), Clock()
    progress.stage("looking at the sources", len(config.sources))
    plans = {}
    for name, setting in sorted(config.sources.items()):
        with clock.measure(f"plan {name}"):
            plans[name] = steps.plan_source(name, setting, config.limit, workspace)
        progress.advance()
    overrides = asked.names(plans, overrides)
    names = steps.name_categories(plans, overrides)
    results = {}
    for name, one in plans.items():
        with clock.measure(f"read {name}"):
            labels = steps.labels_of(name, one, names)
            results[name] = steps.ingest_source(one, labels, config, workspace, executor, progress)
    return Finished(root, workspace, config, plans, names, overrides, results, clock, asked)


def stage(finished: Finished) -> Assembled:
    """Puts the version's tables together, but for the questions. Safe to run again."""
    with finished.clock.measure("assemble"):
        return assemble(
            finished.workspace,
            finished.config,
            finished.plans,
            finished.names,
            finished.overrides,
            finished.results,
            finished.model,
        )


def finish(finished: Finished, assembled: Assembled) -> BuildReport:
    """Publishes the staged version, records the run, and clears what is of no more use."""
    clock, workspace = finished.clock, finished.workspace
    reviewed = finished.model.review(assembled.staged)
    finished.model.book(assembled.staged)
    with clock.measure("publish"):
        manifest = {**assembled.manifest, "language_model": finished.model.said()}
        readme = card(manifest, assembled.filled, assembled.splits)
        published = publish(finished.root, assembled.staged, manifest, readme=readme)
    workspace.keep_only([result for shards in finished.results.values() for result in shards])
    done = report(finished.root, published, assembled, clock, finished.model)
    record(finished.root, finished.config, done, reviewed)
    return done
