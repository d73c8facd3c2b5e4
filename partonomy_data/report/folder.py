"""The folder of a report: filled aside, forced to disk, and given its name when it is whole.

A report may take the place of another. What tells a report from a folder of something else is the list of its own files that it
holds: a folder without one, or with a file besides, is nobody's to replace.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from partonomy_data.errors import UsageError
from partonomy_data.store.files import files_under, fsync_folder, fsync_tree, write_json

#: The file that says what a report is of, and lists its files.
SIGN: Final = "report.json"
_KIND: Final = "partonomy report"


@contextmanager
def made_whole(out: Path) -> Iterator[Path]:
    """A folder beside `out` to fill; on leaving it becomes `out`, whole and on disk, instead of a report that was there.

    Parent folders are made. A block that raises leaves `out` as it was. A killed process does too, with `.<name>.<digits>.tmp`
    beside it; killed between the two renames that a replacement takes, it leaves nothing at `out`, and both reports beside it.
    Raises UsageError if something is at `out` that isn't a report, or not only a report.
    """
    out = out.expanduser().absolute()
    require_replaceable(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError("is no folder", where=str(error.filename), mend="Name another --out") from error
    aside = out.with_name(f".{out.name}.{uuid4().hex}.tmp")
    aside.mkdir()
    old = aside.with_name(f"{aside.name}-old")
    try:
        yield aside
        fsync_tree(aside)
        require_replaceable(out)  # somebody may have put something there meanwhile
        if out.exists():
            os.rename(out, old)
        try:
            os.rename(aside, out)
        except OSError:
            if old.exists():
                os.rename(old, out)
            raise
        fsync_folder(out.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if out.exists():
            shutil.rmtree(old, ignore_errors=True)


def sign(folder: Path, told: dict[str, Any]) -> None:
    """Writes down what a report is of (`told`), and which files it has."""
    names = [path.relative_to(folder).as_posix() for path in files_under(folder)]
    write_json(folder / SIGN, {"kind": _KIND, **told, "files": sorted([*names, SIGN])})


def require_replaceable(out: Path) -> None:
    """Raises UsageError unless nothing is at `out`, or an empty folder, or a report and no file besides."""
    if not out.name:
        raise UsageError("can't be a report's folder", where=str(out), mend="Name another --out")
    if not os.path.lexists(out):
        return
    mend = "Name a folder that is not there yet, or one with a report"
    if out.is_symlink() or not out.is_dir():
        raise UsageError("is there already, and no folder", where=str(out), mend=mend)
    found = {path.relative_to(out).as_posix() for path in files_under(out)}
    if not found:
        return
    listed = _listed(out / SIGN)
    if listed is None:
        raise UsageError("is there already, and is no report", where=str(out), mend=mend)
    foreign = sorted(found - listed)
    if foreign:
        what = f"has a file besides its report, {foreign[0]!r}, which would be lost"
        raise UsageError(what, where=str(out), mend="Move it away, or name another --out")


def _listed(path: Path) -> set[str] | None:
    """The files that a report says it has; None where there is no report."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(told, dict) or told.get("kind") != _KIND or not isinstance(told.get("files"), list):
        return None
    return {str(name) for name in told["files"]}
