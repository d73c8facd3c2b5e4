"""What is true of a run, not of the data: when it ran, how long each step took, what it was asked, what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from partonomy_data.config import BuildConfig
from partonomy_data.errors import SourceError
from partonomy_data.ingest.shard import Counts
from partonomy_data.llm.ledger import Entry
from partonomy_data.pipeline.assemble import Assembled
from partonomy_data.pipeline.code import tool_version
from partonomy_data.pipeline.judging import Model
from partonomy_data.store import files
from partonomy_data.store.layout import Layout, new_run_id
from partonomy_data.store.publish import Published
from partonomy_data.validation.report import Validation


class Clock:
    """Seconds by step, in the order of the steps."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC)
        self.run_id = new_run_id(self.started)
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, step: str) -> Iterator[None]:
        """Adds the seconds that the block takes to `step`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - start


class BuildReport(msgspec.Struct, frozen=True):
    """What a build came to."""

    run_id: str
    version: str
    new: bool
    """False if the content was published before."""
    counts: dict[str, dict[str, Counts]]
    rules: dict[str, dict[str, int]]
    seconds: dict[str, float]
    questions: int = 0
    language_model: dict[str, Entry] = {}
    """What this run asked of a language model, and paid for, by purpose."""
    judged: tuple[str, ...] = ()
    """How far the language model was believed, a line for each purpose."""
    over_budget: bool = False
    """Whether some of it was left to the rules because a cap was reached."""
    validation: Validation | None = None
    """What came of the rules that a version must keep."""
    kept_sources: dict[str, str] = {}
    """Sources that could not be read, so that their rows are those of the last build, and why."""
    forgotten: str = ""
    """Why what the version rests on could not be written down once it was published; empty if it was."""

    def total(self, table: str) -> Counts:
        """The counts of a table over all sources."""
        total = Counts()
        for tables in self.counts.values():
            total = total.plus(tables.get(table, Counts()))
        return total

    def warnings(self) -> list[str]:
        """One line for each thing that the user should know, and would not see in the counts."""
        lines = [f"{error} Its rows are those of the last build." for error in self.kept_sources.values()]
        if self.forgotten:
            lines.append(
                f"it is published, but what it rests on can't be noted ({self.forgotten}): a refresh builds again"
            )
        for source, rules in self.rules.items():
            missing, images = rules.get("photograph_missing", 0), self.counts[source]["images"].out
            if missing and missing == images:
                lines.append(
                    f"{source}: none of its photographs was found; give their folder with --images {source}=PATH"
                )
            elif missing:
                lines.append(
                    f"{source}: {missing:,} of {images:,} photographs were not found (rule photograph_missing)"
                )
            if not images:
                lines.append(f"{source}: no photograph could be used; see the table quarantine")
        if self.validation is not None:
            lines += [f"rule {one.line()}" for one in self.validation.warnings]
            if self.validation.quarantined:
                lines.append(
                    f"{self.validation.quarantined:,} questions broke a rule, or shared a block with one that did; see the"
                    " table quarantine"
                )
        if self.over_budget:
            left = sum(one.over_budget for one in self.language_model.values())
            lines.append(
                f"the budget of the language model was reached: {left:,} items were left to the rules;"
                " a further build with the same answer store goes on where this one stopped"
            )
        failed = sum(one.failed for one in self.language_model.values())
        if failed:
            lines.append(f"the language model gave no answer to {failed:,} items, which were left to the rules")
        return lines


def report(
    root: Path,
    published: Published,
    assembled: Assembled,
    clock: Clock,
    model: Model,
    failed: Mapping[str, SourceError] | None = None,
) -> BuildReport:
    """The report of a build that has just published; makes the run's folder. `failed` are sources that were kept."""
    run_id = clock.run_id
    seconds = {step: round(value, 3) for step, value in clock.seconds.items()}
    (Layout(root).runs / run_id).mkdir(parents=True, exist_ok=True)
    return BuildReport(
        run_id,
        published.version,
        published.new,
        assembled.counts,
        assembled.rules,
        seconds,
        assembled.n_questions,
        model.ledger(),
        tuple(model.notes()),
        model.capped,
        assembled.validation,
        {name: str(error) for name, error in (failed or {}).items()},
    )


def newest(root: Path) -> Iterator[dict[str, Any]]:
    """What builds that published have recorded, the newest first."""
    for path in sorted(Layout(root).runs.glob("*/run.json"), key=_when, reverse=True):
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue  # damaged: an older one tells
        if isinstance(content, dict):
            yield content


def _when(path: Path) -> tuple[str, int]:
    """When a run began, to the second, and when it was recorded."""
    try:
        return path.parent.name.partition("-")[0], path.stat().st_mtime_ns
    except OSError:
        return path.parent.name.partition("-")[0], 0


def record(root: Path, config: BuildConfig, done: BuildReport, reviewed: Any = None) -> None:
    """Writes `runs/<run_id>/run.json`: the report, the settings (with the places of the sources), the tool's version.

    What a language model said of a sample of questions goes beside it, as `review.json`.
    """
    content = {
        "tool": tool_version(),
        "config": msgspec.to_builtins(config.absolute()),
        "report": msgspec.to_builtins(done),
    }
    folder = Layout(root).runs / done.run_id
    files.write_json(folder / "run.json", content)
    if reviewed is not None:
        files.write_json(folder / "review.json", reviewed)


def take_back(root: Path, run_id: str) -> None:
    """Removes the record of a run that came to nothing."""
    with suppress(OSError):
        (Layout(root).runs / run_id / "run.json").unlink()
