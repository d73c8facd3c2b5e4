"""Reads all sources: each is looked at, its categories are named among those of all, its shards are done.

Where a refresh meets a source that fails, it may keep what the last build had of it (`keeping`), and say so.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa

from partonomy_data.config import BuildConfig
from partonomy_data.errors import SourceError
from partonomy_data.ingest.labels import Labels
from partonomy_data.ingest.seen import Seen
from partonomy_data.ingest.shard import ShardResult
from partonomy_data.pipeline import keeping, replanning, steps
from partonomy_data.pipeline.judging import Model
from partonomy_data.pipeline.keeping import Kept
from partonomy_data.pipeline.progress import Progress
from partonomy_data.pipeline.runs import Clock
from partonomy_data.sources import listing
from partonomy_data.sources.base import Plan
from partonomy_data.taxonomy.names import Names
from partonomy_data.taxonomy.overrides import Overrides
from partonomy_data.validation.pages_apart import Pages

#: Errors that no reading gives: they tell of the disk that is written to, or of this machine.
_NOT_OF_SOURCES: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
)


class Doing(Protocol):
    """How the steps of reading are done: at once, or as tasks of a flow."""

    def plan(self, name: str) -> Plan:
        """Looks at a source. Raises SourceError."""
        ...

    def read(self, plan: Plan, labels: Labels) -> list[ShardResult]:
        """Does all shards of a source."""
        ...


@dataclass(frozen=True, slots=True)
class AtOnce:
    """The steps done in this process, and shards in the executor's."""

    config: BuildConfig
    workspace: steps.Workspace
    executor: Executor
    progress: Progress

    def plan(self, name: str) -> Plan:
        """See Doing."""
        config = self.config
        return steps.plan_source(name, config.sources[name], config.limit, self.workspace, verify=config.verify)

    def read(self, plan: Plan, labels: Labels) -> list[ShardResult]:
        """See Doing."""
        return steps.ingest_source(plan, labels, self.config, self.workspace, self.executor, self.progress)


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
    failed: Mapping[str, SourceError] = field(default_factory=dict)
    """Sources of which what the last build had is kept, and why."""
    listings: Mapping[str, Mapping[str, pa.Table]] = field(default_factory=dict)
    """Source → folder → its files as they were before they were read."""
    pages: Pages | None = None
    """Who writes Great Expectations' report, if one is wanted."""

    def kept(self) -> dict[str, Kept]:
        """What a later refresh may keep of each source that was read, or do without."""
        start_ns = int(self.clock.started.timestamp() * 1e9)
        return {
            name: keeping.kept(
                plan,
                steps.labels_of(name, plan, self.names),
                self.results[name],
                *self._rests_on(name, plan, start_ns),
            )
            for name, plan in self.plans.items()
            if name not in self.failed
        }

    def _rests_on(self, name: str, plan: Plan, start_ns: int) -> tuple[str, list[Seen]]:
        """What a plan was asked for, and the files that it follows from; nothing if these can't be told."""
        try:
            request = steps.request_of(name, self.config.sources[name], self.config.limit)
            files = replanning.looked_at(request, plan, self.listings.get(name, {}), start_ns)
        except SourceError:
            return "", []  # it is gone by now: the next build tells that
        return replanning.asked(request), files


def read(
    root: Path,
    config: BuildConfig,
    workspace: steps.Workspace,
    asked: Model,
    doing: Doing,
    progress: Progress,
    keep: Mapping[str, Kept] | None = None,
) -> Finished:
    """Reads all sources. Of those in `keep` a failure is no end: what is kept takes the place of what can't be read.

    Raises SourceError for any other that can't be read, and where all fail.
    """
    overrides, clock, keep = steps.load_overrides(config), Clock(), keep or {}
    progress.stage("looking at the sources", len(config.sources))
    plans: dict[str, Plan] = {}
    failed: dict[str, SourceError] = {}
    listings: dict[str, Mapping[str, pa.Table]] = {}
    for name, setting in sorted(config.sources.items()):
        with clock.measure(f"plan {name}"):
            try:
                listings[name] = {folder: listing.listing(Path(folder)) for folder in setting.folders()}
                plans[name] = doing.plan(name)
            except (SourceError, OSError) as error:
                plans[name] = _instead(name, error, keep, failed)
        progress.advance()
    if len(failed) == len(plans):
        raise next(iter(failed.values()))
    overrides = asked.names(plans, overrides)
    names = steps.name_categories(plans, overrides)
    results: dict[str, list[ShardResult]] = {}
    for name, plan in plans.items():
        labels = steps.labels_of(name, plan, names)
        with clock.measure(f"read {name}"):
            results[name] = _results(name, plan, labels, doing, keep, failed)
    return Finished(root, workspace, config, plans, names, overrides, results, clock, asked, failed, listings)


def _instead(name: str, error: SourceError | OSError, keep: Mapping[str, Kept], failed: dict[str, SourceError]) -> Plan:
    if name not in keep or (isinstance(error, OSError) and error.errno in _NOT_OF_SOURCES):
        raise error
    failed[name] = error if isinstance(error, SourceError) else SourceError(error.strerror or str(error), where=name)
    return keep[name].plan()


def _results(
    name: str, plan: Plan, labels: Labels, doing: Doing, keep: Mapping[str, Kept], failed: Mapping[str, SourceError]
) -> list[ShardResult]:
    if name not in failed:
        return doing.read(plan, labels)
    if keep[name].labels != keeping.digest(labels):
        # Another source's new names have changed what this one's categories are called: its rows would have to be read.
        raise failed[name]
    return list(keep[name].results)
