"""What a run tells: a line of JSON for each step, trackers, and a progress bar with the time that is left."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from accelerate import Accelerator

from model.plum.errors import ModelError

#: Tracker → the module that it needs.
_TRACKERS: Final = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}


def check_trackers(names: tuple[str, ...]) -> None:
    """Raises ModelError for a tracker that isn't known or isn't installed."""
    for name in names:
        if name not in _TRACKERS:
            raise ModelError(f"no tracker is called {name!r}", mend=f"Trackers are {', '.join(_TRACKERS)}")
        if find_spec(_TRACKERS[name]) is None:
            raise ModelError(f"the tracker {name} is not installed", mend=f"Run: pip install {_TRACKERS[name]}")


class Records:
    """Records of one run, kept by its first process alone."""

    def __init__(self, accelerator: Accelerator, path: Path, steps: int, done: int, *, quiet: bool = False) -> None:
        """`path` of the lines; those of steps from `done` on, which a killed run wrote after its last checkpoint, are dropped."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._accelerator = accelerator
        self._main = accelerator.is_main_process
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._live = self._main and not quiet and console.is_terminal
        self._told = self._main and not quiet
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not self._live,
        )
        self._task = self._progress.add_task("", total=steps, completed=done)
        self._steps = steps
        if self._main:
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = [line for line in _lines(path) if line["step"] < done]
            self._file = path.open("w")
            self._file.writelines(json.dumps(line) + "\n" for line in kept)

    def __enter__(self) -> Records:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        if self._main:
            self._file.close()

    def step(self, number: int, values: Mapping[str, Any]) -> None:
        """A step is done."""
        if not self._main:
            return
        self._file.write(json.dumps({"step": number, **values}) + "\n")
        self._file.flush()
        self._accelerator.log({name: one for name, one in values.items() if isinstance(one, float)}, step=number)
        self._progress.update(self._task, completed=number + 1, description=f"loss {values['loss']:.3f}")

    def measured(self, number: int, values: Mapping[str, float]) -> None:
        """The model was measured after a step."""
        if not self._main:
            return
        self._file.write(json.dumps({"step": number, "measured": dict(values)}) + "\n")
        self._file.flush()
        self._accelerator.log({f"measured/{name}": one for name, one in values.items()}, step=number)
        self.note(
            f"step {number + 1} of {self._steps}: " + ", ".join(f"{name} {one:.3f}" for name, one in values.items())
        )

    def note(self, line: str) -> None:
        """A line for whoever watches."""
        if self._told:
            self._progress.console.print(line, markup=False)


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file; a last one that was cut off is left out."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            print(f"{path}: a line that was cut off is dropped", file=sys.stderr)
    return found
