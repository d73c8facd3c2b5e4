"""The main job: sources in, a published version out.

steps      the steps, which the Prefect flow runs too
reading    reads all sources
keeping    what is kept of each, should it fail the next time
refreshing whether anything has changed since the last build
assemble   from finished shards to a staged version
judging    what a language model is asked
asking     its questions
validating the rules that a version must keep
card       the README.md of a version; preview  a few small photographs beside it
runs       what is true of a run: times, settings, outcome
workers    a pool of processes that can't be orphaned
progress   how a build tells where it is
code       the version of the code, as a digest
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from partonomy_data.config import BuildConfig
from partonomy_data.pipeline import refreshing, steps
from partonomy_data.pipeline.asking import ask
from partonomy_data.pipeline.assemble import Assembled, assemble
from partonomy_data.pipeline.card import card
from partonomy_data.pipeline.judging import model
from partonomy_data.pipeline.keeping import Kept
from partonomy_data.pipeline.preview import Preview, preview
from partonomy_data.pipeline.progress import Progress, Silent
from partonomy_data.pipeline.reading import AtOnce, Finished, read
from partonomy_data.pipeline.runs import BuildReport, record, report, take_back
from partonomy_data.pipeline.validating import pages, validate
from partonomy_data.pipeline.workers import Executors, pool
from partonomy_data.store.layout import PREVIEW
from partonomy_data.store.lock import build_lock
from partonomy_data.store.publish import Published, publish
from partonomy_data.store.remote import state


def build(
    root: str | Path,
    config: BuildConfig,
    progress: Progress | None = None,
    *,
    keep: Mapping[str, Kept] | None = None,
    executors: Executors = pool,
    state_folder: Path | None = None,
) -> BuildReport:
    """Reads the sources of `config`, and publishes what they hold as a version of the store at `root`.

    Identical content publishes no new version. Shards that an earlier build finished, even one that was killed, are
    not done again. What of a source is to `keep` takes its place if it can't be read (`refreshing.keep`). Raises
    UsageError (and its kinds SourceError and StoreError) with one clear line, and ValidationError where a rule is broken
    that a version must keep; the store is then as it was before. Shards are done where `executors` says; what is published
    doesn't depend on it. For a store on S3 it works in `state_folder`, else in $PARTONOMY_STATE or `./partonomy-state`.
    """
    root = state.local(root, state_folder)
    progress = progress or Silent()
    config = config.absolute()
    with (
        ready(root, config) as workspace,
        pages(config) as report_pages,
        executors(config.workers) as executor,
        model(root, config, progress) as asked,
    ):
        doing = AtOnce(config, workspace, executor, progress)
        finished = replace(read(root, config, workspace, asked, doing, progress, keep), pages=report_pages)
        assembled = stage(finished)
        assembled = pose(finished, assembled, executor, progress)
        assembled = check(finished, assembled, progress)
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
        finished = read(root, config, workspace, asked, AtOnce(config, workspace, executor, progress), progress)
        assembled = stage(finished)
        if asked.rewords:
            pose(finished, assembled, executor, progress)
        workspace.clear()
    return asked.planned()


@contextmanager
def ready(root: Path, config: BuildConfig) -> Iterator[steps.Workspace]:
    """Holds the build lock, with a workspace that is fit for a new build. Raises UsageError for a config that can't be.

    If the block raises, what it left half done is removed, but for what is staged.
    """
    steps.check(config)
    if not root.exists():  # nothing could be kept in the place of a source that isn't there: no store is begun for it
        for name, setting in config.sources.items():
            steps.request_of(name, setting, config.limit)
    root.mkdir(parents=True, exist_ok=True)
    workspace = steps.Workspace(root.resolve())
    with build_lock(root):
        workspace.clear()
        state.begin(root)
        try:
            yield workspace
        except BaseException:
            workspace.make_room()
            raise


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


def pose(finished: Finished, assembled: Assembled, executor: Executor, progress: Progress) -> Assembled:
    """Makes the questions of the staged tables, and has as many of them reworded as are to be. Safe to run again."""
    clock, asked = finished.clock, finished.model
    with clock.measure("questions"):
        assembled = ask(finished.workspace, finished.config.questions, assembled, executor, progress)
    if asked.rewords:
        with clock.measure("paraphrase"):
            asked.paraphrase(assembled.staged, assembled.templates)
    return assembled


def check(finished: Finished, assembled: Assembled, progress: Progress) -> Assembled:
    """Has the language model look at some questions, books its calls, and checks all rules on what is staged.

    Raises ValidationError if it may not be published.
    """
    reviewed = finished.model.review(assembled.staged)
    finished.model.book(assembled.staged)
    with finished.clock.measure("validate"):
        run_id, pages = finished.clock.run_id, finished.pages
        checked = validate(finished.root, finished.config, assembled, run_id, progress, pages)
    return replace(checked, reviewed=reviewed)


def finish(finished: Finished, assembled: Assembled) -> BuildReport:
    """Publishes the staged version, records the run, and clears what is of no more use.

    The run is recorded, and the validation's report written, before CURRENT moves: killed at any moment, it never leaves a
    current version that nothing says how to refresh. Raises OSError, with the store as it was, if the disk is full before
    that; after it, it is told in the report.
    """
    clock, root = finished.clock, finished.root

    def recorded(published: Published) -> BuildReport:
        done = report(root, published, assembled, clock, finished.model, finished.failed)
        record(root, finished.config, done, assembled.reviewed)
        return done

    def before(published: Published) -> None:
        if finished.pages is not None:
            finished.pages.wait()
        recorded(published)

    with clock.measure("preview"):
        shown = _preview(finished, assembled)
    with clock.measure("publish"):
        manifest = {**assembled.manifest, "language_model": finished.model.said()}
        if shown is not None:
            manifest["preview"] = shown.said()
        readme = card(manifest, assembled.filled, assembled.splits)
        extras = {PREVIEW: shown.content} if shown is not None else {}
        try:
            published = publish(root, assembled.staged, manifest, readme=readme, extras=extras, before=before)
        except BaseException:
            take_back(root, clock.run_id)
            raise
    try:
        done = recorded(published)
        finished.workspace.keep_only([result for shards in finished.results.values() for result in shards])
        unfinished = done.over_budget or any(one.failed for one in done.language_model.values())
        refreshing.remember(finished, complete=not unfinished)
    except OSError as error:
        done = report(root, published, assembled, clock, finished.model, finished.failed)
        done = msgspec.structs.replace(done, forgotten=error.strerror or str(error))
    return done


def _preview(finished: Finished, assembled: Assembled) -> Preview | None:
    """The preview of the staged version, if it is to have one."""
    if not finished.config.preview:
        return None
    folders = {name: plan.images_root for name, plan in finished.plans.items()}
    return preview(assembled.staged, folders, finished.config.preview)
