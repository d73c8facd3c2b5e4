"""From finished shards to a staged version: files linked, taxonomy made, every row accounted for."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from partonomy_data.config import BuildConfig, excluded
from partonomy_data.errors import PartonomyError
from partonomy_data.ingest import columns
from partonomy_data.ingest.shard import COUNTED, SUMMARY, Counts, ShardResult
from partonomy_data.pipeline.code import tool_version
from partonomy_data.pipeline.judging import Model
from partonomy_data.pipeline.steps import Workspace
from partonomy_data.questions.bank import Proposed
from partonomy_data.sources import files as source_files
from partonomy_data.sources.base import Plan
from partonomy_data.sources.records import Rejected
from partonomy_data.store import files, parquet
from partonomy_data.taxonomy import graph
from partonomy_data.taxonomy.names import Names
from partonomy_data.taxonomy.overrides import Overrides
from partonomy_data.validation.report import Validation
from schemas.tables import TABLES

_FROM_SHARDS = ("images", "objects", "parts", "part_evidence", "attributes", "quarantine")


@dataclass(frozen=True, slots=True)
class Assembled:
    """A staged version and what its manifest says."""

    staged: Path
    manifest: dict[str, Any]
    counts: dict[str, dict[str, Counts]]
    """Source → table → counts."""
    rules: dict[str, dict[str, int]]
    """Source → rule → how often."""
    templates: tuple[Proposed, ...] = ()
    """For the questions, beside the standard ones."""
    n_questions: int = 0
    reviewed: Any = None
    """What a language model said of a sample of the questions, as plain data."""
    validation: Validation | None = None
    """What came of the rules that a version must keep."""

    @property
    def filled(self) -> list[str]:
        """The tables that have rows."""
        return [name for name in TABLES if (self.staged / name).is_dir()]

    @property
    def splits(self) -> list[str]:
        """The splits that have questions."""
        return sorted(path.name.partition("=")[2] for path in (self.staged / "questions").glob("split=*"))


def assemble(
    workspace: Workspace,
    config: BuildConfig,
    plans: Mapping[str, Plan],
    names: Names,
    overrides: Overrides,
    results: Mapping[str, Sequence[ShardResult]],
    model: Model,
) -> Assembled:
    """Stages the tables of a version, with what the language model says of the taxonomy.

    Raises PartonomyError if any row was lost on the way, which must not happen.
    """
    staged = workspace.staging
    shutil.rmtree(staged, ignore_errors=True)  # what a first try left
    for result in (one for shards in results.values() for one in shards):
        _link(workspace, result, staged)
    rejected = _outside_shards(plans, names)
    for source, rows in sorted(rejected.items()):
        target = staged / "quarantine" / f"source={source}" / "outside-shards.parquet"
        parquet.write(columns.quarantine(rows, source), target, "quarantine")
    taxonomy = model.taxonomy(_taxonomy(workspace, plans, names, overrides, results), overrides)
    templates = model.templates(taxonomy)
    for name, table in taxonomy.items():
        if len(table):
            parquet.write(table, staged / name / f"{name}.parquet", name)
    counts = {source: _counts(results[source], rejected.get(source, [])) for source in sorted(plans)}
    rules = {source: _rules(plans[source], results[source], rejected.get(source, [])) for source in sorted(plans)}
    _check_nothing_lost(counts)
    return Assembled(staged, _manifest(config, plans, counts, rules), counts, rules, templates)


def _link(workspace: Workspace, result: ShardResult, staged: Path) -> None:
    folder = workspace.shards / result.key
    for name in _FROM_SHARDS:
        made = folder / f"{name}.parquet"
        if made.is_file():
            target = staged / name / f"source={result.source}" / f"{result.number:03d}-of-{result.of:03d}.parquet"
            files.link_or_copy(made, target)


def _outside_shards(plans: Mapping[str, Plan], names: Names) -> dict[str, list[Rejected]]:
    """Rows that belong to no photograph, and categories without a usable name, by source."""
    rejected: dict[str, list[Rejected]] = defaultdict(list)
    for source, plan in plans.items():
        if plan.rejected:
            rejected[source] += plan.rejected
    for source in plans:
        if names.sources[source].rejected:
            rejected[source] += names.sources[source].rejected
    return dict(rejected)


def _taxonomy(
    workspace: Workspace,
    plans: Mapping[str, Plan],
    names: Names,
    overrides: Overrides,
    results: Mapping[str, Sequence[ShardResult]],
) -> dict[str, pa.Table]:
    summaries = (
        graph.Summary(pq.read_table(workspace.shards / result.key / SUMMARY))
        for source in sorted(results)
        for result in results[source]
    )
    vocabularies = {name: plan.vocabulary for name, plan in plans.items()}
    return graph.tables(summaries, vocabularies, names, overrides)


def _counts(results: Sequence[ShardResult], rejected: Sequence[Rejected]) -> dict[str, Counts]:
    """Counts of one source by table, the rows that reached no shard included."""
    total = {table: Counts() for table in COUNTED}
    for result in results:
        for table, counts in result.counts.items():
            total[table] = total[table].plus(counts)
    outside = Counter(row.table for row in rejected)
    for table, n in outside.items():
        total[table] = total.get(table, Counts()).plus(Counts(read=n, quarantined=n))
    return total


def _rules(plan: Plan, results: Sequence[ShardResult], rejected: Sequence[Rejected]) -> dict[str, int]:
    total: Counter[str] = Counter(plan.repairs)
    for result in results:
        total.update(result.rules)
    total.update(row.rule for row in rejected)
    return dict(sorted((+total).items()))


def _check_nothing_lost(counts: Mapping[str, Mapping[str, Counts]]) -> None:
    for source, tables in counts.items():
        for table, one in tables.items():
            if not one.balanced():
                raise PartonomyError(
                    f"rows were lost in {source}.{table}: {one.read} read + {one.derived} derived"
                    f" ≠ {one.out} out + {one.quarantined} quarantined; nothing was published"
                )


def _manifest(
    config: BuildConfig,
    plans: Mapping[str, Plan],
    counts: Mapping[str, Mapping[str, Counts]],
    rules: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """What the manifest says beside names, rows and files: nothing in it depends on where or when the build ran."""
    return {
        "tool": {"name": "partonomy-data", "version": tool_version()},
        "config": {
            "limit": config.limit,
            "exclude": source_files.digest(excluded(config.exclude)) if config.exclude else None,
            "questions": msgspec.to_builtins(config.questions),
            "overrides": source_files.sha256(Path(config.overrides)) if config.overrides else None,
        },
        "inputs": {
            source: {
                "fingerprint": source_files.digest(*(shard.fingerprint for shard in plans[source].shards)),
                "shards": len(plans[source].shards),
                "files": [msgspec.to_builtins(file) for file in plans[source].files],
            }
            for source in sorted(plans)
        },
        "counts": {
            source: {
                table: {**msgspec.to_builtins(one), "in": one.read} for table, one in sorted(counts[source].items())
            }
            for source in sorted(counts)
        },
        "rules": {source: dict(rules[source]) for source in sorted(rules)},
    }
