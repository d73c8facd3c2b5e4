"""A build's report as a Prefect artifact: counts, rules, times."""

from __future__ import annotations

from prefect.artifacts import create_markdown_artifact

from partonomy_data.pipeline.runs import BuildReport


def markdown(done: BuildReport, root: str) -> str:
    """The report as Markdown."""
    lines = [
        f"# {'Published' if done.new else 'Unchanged'}: version `{done.version}`",
        "",
        f"In `{root}`, run `{done.run_id}`, {sum(done.seconds.values()):.1f} s, {done.questions:,} questions.",
        "",
        "| source | table | read | derived | published | quarantined |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for source, tables in done.counts.items():
        for table, one in tables.items():
            numbers = (one.read, one.derived, one.out, one.quarantined)
            lines.append(f"| {source} | {table} | " + " | ".join(f"{n:,}" for n in numbers) + " |")
    lines += ["", "## Rules applied to the sources' quirks", "", "| source | rule | times |", "|---|---|---:|"]
    lines += [f"| {source} | `{rule}` | {n:,} |" for source, rules in done.rules.items() for rule, n in rules.items()]
    if done.language_model:
        lines += ["", "## Language model", "", "| purpose | items | stored | admitted | by rule | calls | USD |"]
        lines += ["|---|---:|---:|---:|---:|---:|---:|"]
        for purpose, account in done.language_model.items():
            cells = [account.items, account.stored, account.admitted, account.by_rule, account.calls]
            lines.append(f"| {purpose} | " + " | ".join(f"{n:,}" for n in cells) + f" | {account.cost_usd:.4f} |")
    lines += ["", "## Seconds", "", "| step | s |", "|---|---:|"]
    lines += [f"| {step} | {seconds:.1f} |" for step, seconds in done.seconds.items()]
    lines += [f"\n> {line}" for line in done.warnings()]
    return "\n".join(lines) + "\n"


def publish_report(done: BuildReport, root: str) -> None:
    """Makes the artifact `build-report` of the running flow."""
    create_markdown_artifact(markdown(done, root), key="build-report", description=f"Build of version {done.version}")
