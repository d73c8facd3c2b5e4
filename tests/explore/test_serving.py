"""The command: loopback unless told otherwise, one line where it can't be done, Ctrl-C ends it; files left as they were."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from partonomy_data.errors import UsageError
from partonomy_data.explore import index, serve
from partonomy_data.explore.opening import Versions
from partonomy_data.store.layout import Layout
from tests.explore.conftest import hostile_rows, publish_rows


def test_it_serves_this_machine_until_it_is_interrupted(world: Path) -> None:
    command = [sys.executable, "-m", "partonomy_data", "explore", "--root", str(world), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = re.match(r"(http://127\.0\.0\.1:\d+/) shows ", line)
            assert found, line
            with urllib.request.urlopen(found[1], timeout=60) as answer:
                assert b"Partonomy" in answer.read()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "Traceback" not in errors


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.org", "::"])
def test_other_machines_are_let_in_only_when_that_is_said(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match="--public"):
        serve(tmp_path, host=host)


def test_a_port_that_is_taken_or_none_and_a_store_that_is_none_are_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="Choose another with --port"):
        serve(tmp_path, port=taken.getsockname()[1])
    with pytest.raises(UsageError, match="no port 70000"):
        serve(tmp_path, port=70_000)
    with pytest.raises(UsageError):
        serve(tmp_path / "none", port=0)


def test_looking_changes_nothing_but_its_own_files_in_work(tmp_path: Path) -> None:
    version = publish_rows(tmp_path, hostile_rows("a"))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    versions = Versions(tmp_path, {})
    versions.get(version)
    versions.close()
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    new = set(after) - set(before)
    assert {path.parent for path in new} <= {Layout(tmp_path).work / "explore", Layout(tmp_path).work / "readers"}
    assert before == {path: after[path] for path in before}


def test_what_was_made_serves_the_next_start_and_is_forgotten_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = publish_rows(tmp_path, hostile_rows("a"))
    versions = Versions(tmp_path, {})
    versions.get(version)
    versions.close()
    folder = Layout(tmp_path).work / "explore"
    (made,) = folder.iterdir()
    (folder / "00112233aabbccdd-0011223344556677.duckdb").write_bytes(b"of a version that is gone")
    with monkeypatch.context() as patch:
        patch.setattr(index, "make", lambda *_: pytest.fail("it is there already"))
        versions.get(version)
        versions.close()
    made.unlink()
    versions.get(version)
    versions.close()
    assert [path.name for path in folder.iterdir()] == [made.name]


def test_where_nothing_can_be_written_a_temporary_folder_serves(tmp_path: Path) -> None:
    version = publish_rows(tmp_path / "store", hostile_rows("a"))
    (tmp_path / "store" / "work" / "explore").write_text("in the way")
    versions = Versions(tmp_path / "store", {})
    opened = versions.get(version)
    assert opened.rows("SELECT count(*) AS n FROM asked") == [{"n": 2}]
    assert opened._temporary is not None
    assert opened._temporary.is_dir()
    versions.close()
    assert not opened._temporary.exists()


def test_only_so_many_versions_stay_open(tmp_path: Path) -> None:
    made = [publish_rows(tmp_path, hostile_rows(name)) for name in ("a", "b", "c", "d")]
    versions = Versions(tmp_path, {})
    first = versions.get(made[0])
    for version in made[1:]:
        assert versions.get(version).version == version
    with pytest.raises(Exception, match=r"[Cc]losed"):
        first.rows("SELECT 1")
    assert versions.get(made[0]).rows("SELECT 1 AS n") == [{"n": 1}]
    versions.close()
