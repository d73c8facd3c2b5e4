"""The command `partonomy audit`: what it reads, where it writes, what it prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from partonomy_data.errors import UsageError
from partonomy_data.questions.audit import render
from partonomy_data.questions.audit.auditing import audit
from partonomy_data.questions.audit.loading import load
from partonomy_data.questions.audit.report import Report
from partonomy_data.store.layout import Layout, new_run_id

#: The slice whose questions must not be answered without the image.
BALANCED = "balanced=true"


def run(
    root: Path,
    *,
    version: str | None = None,
    splits: Sequence[str] = (),
    file: Path | None = None,
    out: Path | None = None,
) -> tuple[Report, Path]:
    """Audits a store's version, or `file`, writes the report, and returns it with its folder.

    The folder is `out`, else `runs/<run_id>/audit` of the store, else (for a file, where there is no store) beside the
    file. Raises UsageError if there are no questions.
    """
    from partonomy_data.questions.audit import figure, learned

    learned.require()
    figure.require()
    if file is not None:
        table, source = load(file, splits=splits), str(file)
    else:
        from partonomy_data import store

        with store.open(root, version) as opened:
            table, source = load(opened, splits=splits), f"{root}, version {opened.version}"
    report = audit(table, source=source + (f", split {', '.join(sorted(splits))}" if splits else ""))
    folder = out or _folder(root, file)
    render.write(report, folder)
    return report, folder


def _folder(root: Path, file: Path | None) -> Path:
    if file is not None and not (root / "CURRENT").is_file():
        return file.with_name(f"{file.stem}-audit")
    return Layout(root).runs / new_run_id() / "audit"


def text(report: Report, folder: Path) -> str:
    """What the command prints: the table, the verdicts, the plain checks, where the report lies."""
    lines = [f"{report.n:,} questions: {report.source}", "", render.compact(report), ""]
    lines += [*render.verdicts(report), *render.plain_facts(report), "", f"written to {folder}"]
    return "\n".join(lines)


def failed(report: Report) -> bool:
    """Whether a balanced question can be answered better than by chance. Raises UsageError if there are none."""
    if not any(row.slice == BALANCED for row in report.rows):
        raise UsageError("has no balanced questions to judge", where=report.source, mend="Leave out --fail")
    return bool(report.beyond(BALANCED))
