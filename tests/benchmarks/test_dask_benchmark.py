"""The benchmark of the Dask runner measures what it says, at a size that takes seconds."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed")

from benchmarks import dask_runner
from partonomy_data.pipeline.workers import InProcess

PROJECT = Path(__file__).resolve().parents[2]


def busy(seconds: float) -> str:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return "done"


def fails() -> None:
    raise ValueError("what the shard says")


def test_calls_are_clocked_and_their_outcome_is_passed_on() -> None:
    clock = dask_runner.Clocked(InProcess())
    futures: list[Future[Any]] = [clock.submit(busy, 0.05), clock.submit(busy, 0.1)]
    assert [one.result() for one in futures] == ["done", "done"]
    assert 0.05 <= clock.seconds[0] < clock.seconds[1]
    assert str(clock.submit(fails).exception()) == "what the shard says"
    assert len(clock.seconds) == 2


@pytest.mark.parametrize(
    ("shards", "workers", "faster"),
    [
        ([10.0] * 9, 1, 1.0),
        ([10.0] * 9, 2, 100 / 55),  # 10 s serial, 90 s shared by two
        ([60.0, 10.0, 10.0, 10.0], 2, 100 / 70),  # the longest can't be shared
        ([10.0] * 9, 9, 100 / 20),
    ],
)
def test_what_can_be_gained_is_bounded_by_the_serial_part_and_the_longest_shard(
    shards: list[float], workers: int, faster: float
) -> None:
    assert dask_runner.at_most({"cpu": 100.0, "shards": shards}, workers) == pytest.approx(faster)


@pytest.mark.timeout(600)
@pytest.mark.soak
def test_a_run_prints_a_line_for_each_way_and_number_of_workers(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/dask_runner.py", "--instances", "600", "--folder", str(tmp_path)]
    done = subprocess.run([*command, "--workers", "2", "1"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    rows = [line.replace(", ", ",").split() for line in done.stdout.splitlines()[1:5]]
    assert [row[0] for row in rows] == ["local,1", "local,2", "dask,1", "dask,2"]
    assert len({row[1] for row in rows}) == 1
    assert int(rows[0][1].replace(",", "")) > 300
    for row in rows:
        seconds, serial, cpu, pace = (float(one.replace(",", "")) for one in row[2:6])
        assert 0 < serial <= seconds
        assert cpu > 0
        assert pace == pytest.approx(float(rows[0][1].replace(",", "")) / seconds, rel=0.1)
    assert [row[6] for row in rows[::2]] == ["1.00", "1.00"]
    assert done.stdout.splitlines()[-1].startswith("all made the same bytes, from ")
