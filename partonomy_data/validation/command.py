"""The command `partonomy validate`: where it writes, what it prints."""

from __future__ import annotations

from pathlib import Path

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.store import files
from partonomy_data.store.layout import Layout, new_run_id
from partonomy_data.validation.job import validate_published
from partonomy_data.validation.report import Validation

#: What `--format` may be.
FORMATS = ("text", "json")


def check(form: str) -> None:
    """Raises UsageError for a `--format` that there isn't, before anything is done for it."""
    if form not in FORMATS:
        raise UsageError(f"--format {form!r} is not known", mend=f"It is one of {', '.join(FORMATS)}")


def run(root: Path, *, version: str | None = None, out: Path | None = None) -> tuple[Validation, Path]:
    """Validates a published version, and returns what it came to with the folder of the report.

    The folder is `out`, else `runs/<run_id>/validation` of the store. Raises StoreError if there is no such version.
    """
    folder = out or Layout(root).runs / new_run_id() / "validation"
    came_to, _ = validate_published(root, version, folder=folder)
    return came_to, folder


def rendered(came_to: Validation, folder: Path, form: str) -> str:
    """The outcome as text or JSON (`{success, failures: [{rule, table, level, n, rows, …}], …}`). Raises UsageError."""
    check(form)
    if form == "json":
        return files.json_text(msgspec.to_builtins(came_to))
    return f"{came_to.text()}\nwritten to {folder}\n"
