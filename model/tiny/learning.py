"""The loop that pre-trains one of the tiny parts: scenes drawn ahead by another process, a log, and a state to go on from."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from model.plum.errors import ModelError
from model.tiny import scenes
from model.tiny.lifeline import end_with_parent
from model.tiny.scenes import Drawn

#: Steps between two states on disk, and between two lines that are told.
_SAVED: Final = 250
_TOLD: Final = 100
#: Steps whose scenes are drawn ahead.
_AHEAD: Final = 4

Measured = dict[str, float]


@dataclass(frozen=True)
class Task:
    """What is learned, from how many scenes."""

    name: str
    model: nn.Module
    """Its weights that train do."""
    step: Callable[[int, list[Drawn]], tuple[Tensor, Measured]]
    """(number, scenes) → loss, and measurements of which running means are told."""
    steps: int
    scenes: int
    """In a step."""
    kinds: tuple[str, ...]
    """Of worlds that the scenes are of, in turn."""
    rate: float
    """Of learning, at its peak: after the warm-up; from there it falls along a cosine to 0."""
    warm_up: int


def learn(task: Task, seed: int, folder: Path) -> None:
    """Works off a task's steps, from where a run that was cut short has got to. Its log is `<name>.jsonl` in `folder`.

    Raises ModelError if the loss is no number.
    """
    weights = [one for one in task.model.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(weights, task.rate, (0.9, 0.98), weight_decay=0.01)
    state, log = folder / f"{task.name}.pt", folder / f"{task.name}.jsonl"
    start = _restore(state, log, task.model, optimiser)
    began, running = time.monotonic(), Measured()
    with log.open("a") as lines:
        for step, drawn in _scenes(task, seed, start):
            share = min(1.0, (step + 1) / task.warm_up) * 0.5 * (1 + math.cos(math.pi * step / task.steps))
            for group in optimiser.param_groups:
                group["lr"] = task.rate * share
            loss, measured = task.step(step, drawn)
            if not torch.isfinite(loss):
                raise ModelError(
                    f"the loss is {loss.item()} at step {step} of {task.name}", mend="Lower the learning rate"
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            lines.write(json.dumps({"task": task.name, "step": step, "loss": loss.item(), **measured}) + "\n")
            for name, value in measured.items():
                running[name] = 0.98 * running.get(name, value) + 0.02 * value
            done = step + 1
            if done % _TOLD == 0 or done == task.steps:
                left = (time.monotonic() - began) / (done - start) * (task.steps - done) / 60
                means = ", ".join(f"{name} {value:.3f}" for name, value in running.items())
                told = f"loss {loss.item():.3f}, {means}, {left:.0f} min left"
                print(f"{task.name}: step {done} of {task.steps}, {told}", file=sys.stderr)
            if done % _SAVED == 0 or done == task.steps:
                lines.flush()
                _save(state, done, lines.tell(), task.model, optimiser)


def _save(state: Path, done: int, logged: int, model: nn.Module, optimiser: Any) -> None:
    aside = state.with_suffix(".tmp")
    content = {"done": done, "logged": logged, "model": model.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save(content, aside)
    aside.replace(state)


def _restore(state: Path, log: Path, model: nn.Module, optimiser: Any) -> int:
    """Takes up what was saved; the number of steps done. The log loses what came after."""
    if not state.exists():
        log.unlink(missing_ok=True)
        return 0
    found = torch.load(state, weights_only=True)
    model.load_state_dict(found["model"])
    optimiser.load_state_dict(found["optimiser"])
    os.truncate(log, found["logged"])
    return int(found["done"])


def _scenes(task: Task, seed: int, start: int) -> Iterator[tuple[int, list[Drawn]]]:
    """The steps from `start`, and the scenes of each; they come of its number alone. Each task sees scenes of its own."""
    first = int.from_bytes(task.name.encode()[:4], "big") << 32
    with ProcessPoolExecutor(1, get_context("spawn"), end_with_parent) as pool:
        ahead: deque[Future[list[Drawn]]] = deque()
        for step in range(start, task.steps + _AHEAD):
            if step < task.steps:
                ahead.append(pool.submit(_drawn, seed, first + step * task.scenes, task.scenes, task.kinds))
            if step - _AHEAD >= start:
                yield step - _AHEAD, ahead.popleft().result()


def _drawn(seed: int, first: int, count: int, kinds: tuple[str, ...]) -> list[Drawn]:
    return [scenes.draw(seed, first + number, kinds[number % len(kinds)]) for number in range(count)]
