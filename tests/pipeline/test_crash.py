"""kill -9 at random moments of a build: the published version is always whole, and a re-run ends in the same bytes."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import partonomy_data
from partonomy_data.store import relink, verify
from tests.helpers import paco
from tests.pipeline.test_build import many

#: The command line with small shards, so that a build has many of them to be killed between.
SCRIPT = (
    "from partonomy_data.sources import buckets\n"
    "buckets.PHOTOGRAPHS_PER_SHARD = 20\n"
    "from partonomy_data.cli import main\n"
    "if __name__ == '__main__':\n"
    "    main()\n"
)


def command(script: Path, root: Path, source: Path) -> list[str]:
    options = ["build", "--root", str(root), "--source", f"paco={source}", "--workers", "2"]
    return [sys.executable, str(script), *options]


def content(root: Path) -> dict[str, str]:
    version = (root / "CURRENT").read_text().strip()
    folder = root / "versions" / version
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def check_killed_builds(tmp_path: Path, kills: int, seed: int) -> None:
    script = tmp_path / "small_shards.py"
    script.write_text(SCRIPT)
    old = paco.write(tmp_path / "old", many(3))
    new = paco.write(tmp_path / "new", many(300))
    subprocess.run(command(script, tmp_path / "store", old), check=True, capture_output=True)
    shutil.copytree(tmp_path / "store", tmp_path / "unbroken")
    relink(tmp_path / "unbroken")
    before = content(tmp_path / "store")
    start = time.monotonic()
    subprocess.run(command(script, tmp_path / "unbroken", new), check=True, capture_output=True)
    usual = time.monotonic() - start
    expected = content(tmp_path / "unbroken")

    moments = random.Random(seed)
    finished = 0
    for _ in range(kills):
        process = subprocess.Popen(
            command(script, tmp_path / "store", new), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=moments.uniform(0.05, 1.05) * usual)
            finished += 1
        except subprocess.TimeoutExpired:
            workers = psutil.Process(process.pid).children(recursive=True)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            orphans = psutil.wait_procs(workers, timeout=30)[1]
            assert orphans == [], "a killed build left processes behind"
        assert content(tmp_path / "store") in (before, expected)
        assert verify(tmp_path / "store") == []
        with partonomy_data.open(tmp_path / "store") as store:
            assert len(store.table("parts")) == store.manifest["tables"]["parts"]
    subprocess.run(command(script, tmp_path / "store", new), check=True, capture_output=True)
    assert content(tmp_path / "store") == expected
    assert finished < kills, "no build was killed: the moments are too late to show anything"


@pytest.mark.soak
def test_thirty_killed_builds_harm_nothing(tmp_path: Path) -> None:
    check_killed_builds(tmp_path, kills=30, seed=1)
