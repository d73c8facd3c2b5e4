"""Several processes of this machine: they meet, and what goes wrong in one is raised where they were started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model.plum.errors import ModelError
from model.together import together

PROJECT = Path(__file__).resolve().parents[2]


def summed(folder: Path) -> None:
    """Each writes the sum of all ranks, plus one for each."""
    import torch
    from torch import distributed

    distributed.init_process_group("gloo")
    mine = torch.tensor([float(os.environ["RANK"]) + 1])
    distributed.all_reduce(mine)
    (folder / os.environ["RANK"]).write_text(str(int(mine)))


def refused(rank: str) -> None:
    """One can't do it; the other waits for it."""
    from torch import distributed

    distributed.init_process_group("gloo")
    if os.environ["RANK"] == rank:
        raise ModelError("is no good", where="batch.yaml", mend="Mend it")
    distributed.barrier()


def killed() -> None:
    if os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)


@pytest.mark.soak  # `training/test_job.py` has two that train as one
def test_they_work_as_one(tmp_path: Path) -> None:
    together(summed, (tmp_path,), 2)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"0": "3", "1": "3"}


@pytest.mark.parametrize("rank", [pytest.param("0", marks=pytest.mark.soak), "1"])
def test_what_one_refuses_is_refused_here_and_the_other_ends(rank: str) -> None:
    with pytest.raises(ModelError, match=r"^batch.yaml: is no good. Mend it.$"):
        together(refused, (rank,), 2)


def test_one_that_is_killed_ends_the_others() -> None:
    with pytest.raises(ModelError, match=r"a process of several ended: .*SIGKILL"):
        together(killed, (), 2)


def test_they_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    script = "import sys; from tests.model.test_together import together, waiting; together(waiting, (sys.argv[1],), 2)"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=PROJECT, stderr=subprocess.DEVNULL
    ) as process:
        pids = _when_there(tmp_path, 2)
        process.kill()
    assert _gone(pids)


def waiting(folder: str) -> None:
    (Path(folder) / str(os.getpid())).touch()
    signal.pause()


def _when_there(folder: Path, count: int) -> list[int]:
    end = time.monotonic() + 120
    while len(found := list(folder.iterdir())) < count:
        assert time.monotonic() < end
        os.sched_yield()
    return [int(path.name) for path in found]


def _gone(pids: list[int]) -> bool:
    end = time.monotonic() + 60
    while any(_runs(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        os.sched_yield()
    return True


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
