"""The report of a process of its own is the one that this process would write, and its end is told."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from partonomy_data.errors import PartonomyError
from partonomy_data.validation import data_docs, pages_apart
from tests.validation.reported import BROKEN, outcome


def _pages(folder: Path) -> dict[str, str]:
    """The pages below a folder, without the time that they were written."""
    return {
        path.relative_to(folder).as_posix(): "\n".join(
            line for line in path.read_text().splitlines() if " UTC" not in line
        )
        for path in sorted(folder.rglob("*.html"))
    }


def test_it_writes_the_pages_that_this_process_would_and_those_of_what_was_given_last(tmp_path: Path) -> None:
    data_docs.write(BROKEN, tmp_path / "here", title="run 1")
    with pages_apart.pages() as pages:
        pages.begin(tmp_path / "apart", "run 1")
        tables = list(dict.fromkeys(one.table for one in BROKEN))
        pages.add([outcome(tables[0], "something_else", 3, ["a row"])])
        for table in tables:
            pages.add([one for one in BROKEN if one.table == table])
        pages.end()
        pages.wait()
        assert _pages(tmp_path / "apart") == _pages(tmp_path / "here")
        pages.wait()  # nothing is under way any more


def test_what_fails_there_is_raised_here(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pages_apart.pages() as pages:
        pages.begin(tmp_path / "file", "run 1")
        pages.add([outcome("parts", "box_of_mask", 12)])
        pages.end()
        with pytest.raises(OSError, match="file"):
            pages.wait()


def test_a_process_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    with pages_apart.pages() as pages:
        pages.begin(tmp_path, "run 1")
        os.kill(pages._process.pid, signal.SIGKILL)
        pages._process.wait()
        with pytest.raises(PartonomyError, match=r"ended by itself \(exit code -9\); nothing was published"):
            pages.add([outcome("parts", "box_of_mask", 12)])
        assert not list(tmp_path.iterdir())


def test_it_ends_when_nobody_is_left_to_tell(tmp_path: Path) -> None:
    process: subprocess.Popen[bytes]
    with pages_apart.pages() as pages:
        process = pages._process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 1


def test_a_report_that_nobody_asks_for_leaves_nothing(tmp_path: Path) -> None:
    with pages_apart.pages() as pages:
        pages.wait()
        pages.begin(tmp_path / "report", "run 1")
    assert pages._process.poll() is not None
    assert not (tmp_path / "report").exists()
