"""The folder that an export is written to: filled aside, forced to disk, and given its name when it is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from partonomy_data.errors import UsageError
from partonomy_data.store.files import fsync_folder, fsync_tree


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` to fill; on leaving it becomes `out`, whole and on disk.

    Parent folders are made. A block that raises leaves nothing; a killed process leaves `.<name>.<digits>.tmp` beside `out`.
    Raises UsageError if something is at `out` already.
    """
    out = out.expanduser().absolute()
    _require_free(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{uuid4().hex}.tmp")
    aside.mkdir()
    try:
        yield aside
        fsync_tree(aside)
        # An empty folder that somebody made meanwhile would be replaced without a word.
        _require_free(out)
        os.rename(aside, out)
        fsync_folder(out.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _require_free(out: Path) -> None:
    if not out.name or os.path.lexists(out):
        raise UsageError("there is something here already", where=str(out), mend="Name a folder that is not there yet")
