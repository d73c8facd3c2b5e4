"""A run that is killed takes the processes that draw and learn for it along, and those that they started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

PROGRAM = """
import os, signal, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from model.tiny.lifeline import end_with_parent

def opened():
    return ProcessPoolExecutor(1, get_context("spawn"), end_with_parent)

def outer():
    with opened() as pool:
        print(os.getpid(), pool.submit(os.getpid).result(), flush=True)
        pool.submit(signal.pause).result()

if __name__ == "__main__":
    with opened() as pool:
        pool.submit(outer).result()
"""


def test_a_killed_run_leaves_no_process_behind(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        workers = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
        assert len(workers) == 2
        assert all(map(works, workers))
        process.kill()
        # The suite's limit of time ends this loop if nothing else does.
        while any(map(works, workers)):
            psutil.wait_procs(workers, timeout=0.1)


def works(process: psutil.Process) -> bool:
    """Whether it is there, and not only waiting for its end to be noticed."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
