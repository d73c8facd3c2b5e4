"""Small runs, in this process or another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from model import settings
from model.plum.config import PlumConfig
from model.plum.losses import LossConfig
from model.plum.span_extractor import SpanExtractorConfig
from model.training.config import OptimisationConfig, TrainingConfig

PROJECT = Path(__file__).resolve().parents[3]

#: Trains as the command does; the process kills itself in the step whose number is given.
SCRIPT = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from model.training import job, loop
from model.training.config import load

root, config, out, dies = sys.argv[1:]
real = loop.one_step

def one_step(state, step):
    if str(step.number) == dies:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(state, step)

loop.one_step = one_step
print(job.train(Path(root), load(Path(config)), out=Path(out), quiet=True))
"""


def small(backbone: Path, *, steps: int = 6, **more: Any) -> TrainingConfig:
    """Settings of a run of some steps of 4 samples, with dropout, feedback, teacher, other names and scheduled sampling on."""
    optimisation = {
        "batch": 4,
        "at_once": 2,
        "steps": steps,
        "warm_up": 2,
        "learning_rate": 1e-3,
        "truth_at_first": 0.5,
    }
    return TrainingConfig(
        model=PlumConfig(
            backbone=str(backbone),
            sam="random",
            spans=SpanExtractorConfig(heads=4, renamed=0.5, reworded=0.5, whole_words=True),
            losses=more.pop("losses", LossConfig()),
        ),
        optimisation=OptimisationConfig(**{**optimisation, **more.pop("optimisation", {})}),
        validation=more.pop("validation", None),
        save_every=more.pop("save_every", 2),
        trackers=(),
        **more,
    )


def trained(root: Path, config: TrainingConfig, out: Path, dies: int | None = None) -> int:
    """Trains in a process of its own; returns its exit status (negative: the signal that killed it)."""
    path = out.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(settings.plain(config)))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(root), str(path), str(out), str(dies)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode in (0, -9), done.stderr
    return done.returncode


def in_one_thread(run: Callable[[], object]) -> None:
    """Runs it as the other process does: the order of sums, and so their last bits, depend on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run()
    finally:
        torch.set_num_threads(threads)


def lines(path: Path) -> list[dict[str, Any]]:
    """A run's lines, without what differs from run to run."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: one for name, one in line.items() if name not in ("seconds", "peak_mb")} for line in found]
