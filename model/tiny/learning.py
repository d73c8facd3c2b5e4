"""The loop that pre-trains one of the tiny parts: scenes drawn ahead by another process, a log, and a state to go on from."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from model import muon
from model.plum.errors import ModelError
from model.tiny import scenes
from model.tiny.lifeline import end_with_parent
from model.tiny.scenes import Drawn

#: Steps between two states on disk, and between two lines that are told.
_SAVED: Final = 250
_TOLD: Final = 100
#: Steps whose scenes are drawn ahead.
_AHEAD: Final = 4
#: How often a group of scenes is seen, and the groups between two of these times.
_TIMES: Final = 4
_LATER: Final = 4

Measured = dict[str, float]


@dataclass(frozen=True)
class Rates:
    """Of learning, at their peak: after the warm-up; from there they fall along a cosine to 0."""

    hidden: float
    """Of the matrices of hidden layers: see `optimisers`."""
    rest: float
    warm_up: int
    """Steps."""
    decay: float = 0.01
    """Of the matrices of hidden layers: how fast they shrink, as a share of their rate."""


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
    rates: Rates


def learn(task: Task, seed: int, folder: Path) -> None:
    """Works off a task's steps, from where a run that was cut short has got to. Its log is `<name>.jsonl` in `folder`.

    Raises ModelError if the loss is no number.
    """
    weights = [one for one in task.model.parameters() if one.requires_grad]
    each = optimisers(task)
    peaks = (task.rates.hidden, task.rates.rest)
    state, log = folder / f"{task.name}.pt", folder / f"{task.name}.jsonl"
    start = _restore(state, log, task.model, each)
    began, running = time.monotonic(), Measured()
    with log.open("a") as lines:
        for step, drawn in _scenes(task, seed, start):
            share = min(1.0, (step + 1) / task.rates.warm_up) * 0.5 * (1 + math.cos(math.pi * step / task.steps))
            for optimiser, peak in zip(each, peaks, strict=True):
                for group in optimiser.param_groups:
                    group["lr"] = peak * share
            loss, measured = task.step(step, drawn)
            if not torch.isfinite(loss):
                raise ModelError(
                    f"the loss is {loss.item()} at step {step} of {task.name}", mend="Lower the learning rate"
                )
            task.model.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            for optimiser in each:
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
                _save(state, done, lines.tell(), task.model, each)


def optimisers(task: Task) -> tuple[Optimizer, Optimizer]:
    """Muon for the matrices of hidden layers, AdamW for all else.

    In the first minutes from nothing, in equal time on one core, the encoder of SAM got to a loss of 0.83 in its second task by
    Muon, and to 0.89 by AdamW at the better of two rates.
    """
    heads = {
        id(module.weight)
        for name, module in task.model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and "head" in name
    }
    hidden = muon.hidden_matrices(task.model, heads)
    known = {id(weight) for weight in hidden}
    rest = [one for one in task.model.parameters() if one.requires_grad and id(one) not in known]
    return (
        muon.Muon(hidden, task.rates.hidden, weight_decay=task.rates.decay),
        torch.optim.AdamW(rest, task.rates.rest, (0.9, 0.98), weight_decay=0.01),
    )


def _save(state: Path, done: int, logged: int, model: nn.Module, each: Sequence[Optimizer]) -> None:
    aside = state.with_suffix(".tmp")
    states = [optimiser.state_dict() for optimiser in each]
    content = {"done": done, "logged": logged, "model": model.state_dict(), "optimisers": states}
    torch.save(content, aside)
    aside.replace(state)


def _restore(state: Path, log: Path, model: nn.Module, each: Sequence[Optimizer]) -> int:
    """Takes up what was saved; the number of steps done. Its log loses what came after."""
    if not state.exists():
        log.unlink(missing_ok=True)
        return 0
    found = torch.load(state, weights_only=True)
    model.load_state_dict(found["model"])
    for optimiser, content in zip(each, found["optimisers"], strict=True):
        optimiser.load_state_dict(content)
    os.truncate(log, found["logged"])
    return int(found["done"])


def _scenes(task: Task, seed: int, start: int) -> Iterator[tuple[int, list[Drawn]]]:
    """The steps from `start`, and the scenes of each; they come of its number alone. Each task sees scenes of its own.

    To draw a scene takes half as long as to learn from it, so each is seen several times, with other questions.
    """
    first = int.from_bytes(task.name.encode()[:4], "big") << 32
    with ProcessPoolExecutor(1, get_context("spawn"), end_with_parent) as pool:
        ahead: dict[int, Future[list[Drawn]]] = {}
        for step in range(start, task.steps):
            for soon in range(step, min(step + _AHEAD, task.steps)):
                which = group_of(soon)
                if which not in ahead:
                    ahead[which] = pool.submit(_drawn, seed, first + which * task.scenes, task.scenes, task.kinds)
            yield step, ahead[group_of(step)].result()
            if step % _TIMES == _TIMES - 1:
                del ahead[group_of(step)]


def group_of(step: int) -> int:
    """Which of the groups of scenes a step sees. Of `_TIMES` steps the first sees a new one, the others those that were new
    `_LATER` groups ago, twice as many, and so on; where there is none yet, the new one again.
    """
    new, time = divmod(step, _TIMES)
    return new if new < time * _LATER else new - time * _LATER


def _drawn(seed: int, first: int, count: int, kinds: tuple[str, ...]) -> list[Drawn]:
    return [scenes.draw(seed, first + number, kinds[number % len(kinds)]) for number in range(count)]
