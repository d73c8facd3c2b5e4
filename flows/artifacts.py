"""What a build came to as Prefect artifacts: a report, the rows by table, and where to look further.

build-report    Markdown: counts, rules, validation, coverage of the questions, language model, seconds
rows-by-table   a table: rows of each table, and of the version before
explorer        a link to the explorer ($PARTONOMY_EXPLORER_URL, else where `partonomy explore` serves it)
validation      a link to the page of the validation, where there is one
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from partonomy_data.errors import StoreError
from partonomy_data.pipeline.runs import BuildReport
from partonomy_data.store import manifest
from partonomy_data.store.layout import Layout

EXPLORER: Final = "http://127.0.0.1:8321"


def publish_report(done: BuildReport, root: Path) -> None:
    """Makes the artifacts of the running flow."""
    said = manifest.read(root, done.version)
    description = f"Build of version {done.version}"
    create_markdown_artifact(markdown(done, root, said.content), key="build-report", description=description)
    create_table_artifact(rows(root, said), key="rows-by-table", description=description)
    for key, (link, text) in links(root, done).items():
        create_link_artifact(link, text, key=key, description=description)


def links(root: Path, done: BuildReport) -> dict[str, tuple[str, str]]:
    """Key → link and its text. Great Expectations' pages are there only where it is installed."""
    explorer = os.environ.get("PARTONOMY_EXPLORER_URL") or EXPLORER
    found = {"explorer": (explorer, f"Explore version {done.version}")}
    page = Layout(root.resolve()).runs / done.run_id / "validation" / "index.html"
    if page.is_file():
        found["validation"] = (page.as_uri(), f"How each rule fared: {page}")
    return found


def rows(root: Path, said: manifest.Manifest) -> list[dict[str, Any]]:
    """The rows of each table of a version, and of its parent where that is still there."""
    before: dict[str, int] = {}
    if said.content["parent"]:
        try:
            before = manifest.read(root, said.content["parent"]).rows()
        except StoreError:
            before = {}  # pruned, or damaged: there is nothing to compare with
    return [{"table": table, "rows": n, "before": before.get(table)} for table, n in said.rows().items()]


def markdown(done: BuildReport, root: Path, said: Mapping[str, Any]) -> str:
    """The report as Markdown. `said` is what the version's manifest says."""
    lines = [
        f"# {'Published' if done.new else 'Unchanged'}: version `{done.version}`",
        "",
        f"In `{root}`, run `{done.run_id}`, {sum(done.seconds.values()):.1f} s, {done.questions:,} questions.",
    ]
    counts = [
        (source, table, one.read, one.derived, one.out, one.quarantined)
        for source, tables in done.counts.items()
        for table, one in tables.items()
    ]
    lines += table(("source", "table", "read", "derived", "published", "quarantined"), counts, names=2)
    rules = [(source, f"`{rule}`", n) for source, rules in done.rules.items() for rule, n in rules.items()]
    lines += ["", "## Rules applied to the sources' quirks", *table(("source", "rule", "times"), rules, names=2)]
    lines += _validation(done)
    lines += _coverage(said.get("questions") or {})
    lines += _language_model(done)
    seconds = [(step, f"{n:.1f}") for step, n in done.seconds.items()]
    lines += ["", "## Seconds", *table(("step", "s"), seconds, names=1)]
    lines += [f"\n> {line}" for line in done.warnings()]
    return "\n".join(lines) + "\n"


def table(heads: Sequence[str], cells: Iterable[Sequence[Any]], *, names: int) -> list[str]:
    """A table in Markdown, an empty line before it. The first `names` columns are text, the others numbers."""
    lines = ["", "| " + " | ".join(heads) + " |", "|" + "---|" * names + "---:|" * (len(heads) - names)]
    told = ([f"{one:,}" if isinstance(one, int) else str(one) for one in row] for row in cells)
    return lines + ["| " + " | ".join(row) + " |" for row in told]


def _validation(done: BuildReport) -> list[str]:
    if done.validation is None:
        return []
    made = done.validation
    kept = made.rules - len(made.failures)
    lines = ["", "## Validation", "", f"{kept:,} of {made.rules:,} rules are kept by {sum(made.rows.values()):,} rows."]
    if made.quarantined:
        lines[-1] += f" {made.quarantined:,} questions went to quarantine."
    if made.failures:
        broken = [(one.level, f"`{one.table}.{one.rule}`", one.says, one.n) for one in made.failures]
        lines += table(("level", "rule", "what should hold", "rows"), broken, names=3)
    return lines


def _coverage(questions: Mapping[str, Any]) -> list[str]:
    """How many of the instances that can be asked about have a balanced question, by type and split."""
    if not questions.get("coverage"):
        return []
    total: dict[tuple[str, str], list[int]] = {}
    for row in questions["coverage"]:
        one = total.setdefault((row["split"], row["question_type"]), [0, 0, 0])
        for place, name in enumerate(("askable", "bound", "balanced")):
            one[place] += row[name]
    heads = ("split", "type", "can be asked", "could be balanced", "are balanced")
    return ["", "## Coverage of the questions", *table(heads, [(*key, *n) for key, n in total.items()], names=2)]


def _language_model(done: BuildReport) -> list[str]:
    if not done.language_model:
        return []
    accounts = [
        (purpose, one.items, one.stored, one.admitted, one.by_rule, one.calls, f"{one.cost_usd:.4f}")
        for purpose, one in done.language_model.items()
    ]
    heads = ("purpose", "items", "stored", "admitted", "by rule", "calls", "USD")
    return ["", "## Language model", *table(heads, accounts, names=1)]
