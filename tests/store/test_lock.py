"""Locks between processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from partonomy_data.errors import StoreError
from partonomy_data.store.layout import Layout
from partonomy_data.store.lock import Lock, build_lock

HOLD = """
import sys
from pathlib import Path
from partonomy_data.store.lock import build_lock
with build_lock(Path(sys.argv[1]), "refresh"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder_of(root: Path) -> subprocess.Popen[str]:
    """Another process that holds the build lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_build_is_refused_with_one_line_that_names_the_holder(root: Path) -> None:
    with holder_of(root) as process:
        with pytest.raises(StoreError) as error, build_lock(root):
            pytest.fail("two builds at once")
        process.kill()
    line = str(error.value)
    assert "\n" not in line
    assert "another refresh is running" in line
    assert f"process {process.pid} on" in line
    assert "Wait until it has ended" in line


def test_a_killed_holder_leaves_no_lock(root: Path) -> None:
    with holder_of(root) as process:
        process.kill()
    with build_lock(root):
        assert Lock(Layout(root).build_lock).holder()["pid"] == os.getpid()


def test_the_lock_is_given_back_after_an_exception(root: Path) -> None:
    with pytest.raises(KeyError), build_lock(root):
        raise KeyError
    with build_lock(root), pytest.raises(StoreError), build_lock(root):
        pytest.fail("two builds at once")


def test_readers_share_a_lock_and_keep_others_out(tmp_path: Path) -> None:
    first, second, third = (Lock(tmp_path / "x.lock") for _ in range(3))
    assert first.acquire(shared=True)
    assert second.acquire(shared=True)
    assert not third.acquire()
    first.release()
    assert not third.acquire()
    second.release()
    assert third.acquire()
    third.release()
    third.release()


def test_a_holder_is_unknown_where_the_note_is_damaged(root: Path) -> None:
    layout = Layout(root)
    layout.work.mkdir(parents=True)
    layout.build_lock.write_bytes(b"{half")
    lock = Lock(layout.build_lock)
    assert lock.holder() == {}
    with pytest.raises(ValueError):
        lock.note({"pid": 1})
