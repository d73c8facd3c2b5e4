"""What a killed run goes on from: weights that train, optimiser, and how far it had come; written aside, and renamed.

    step-00000500/
      state.pt     tensors and plain values only, read with `weights_only`
      about.json   step, digest of the settings, data version, measurements, samples left out

Random numbers need no place in it: each step draws its own from (seed, step, process), as `model.data.order` draws its samples.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from model.plum.errors import ModelError

BEST: Final = "best"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk."""

    folder: Path
    step: int
    about: Mapping[str, Any]

    def state(self) -> dict[str, Any]:
        """Its tensors. Raises ModelError where they can't be read."""
        try:
            found: dict[str, Any] = torch.load(self.folder / "state.pt", map_location="cpu", weights_only=True)
            return found
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelError(
                f"the checkpoint can't be read: {reason}",
                where=str(self.folder),
                mend="Delete it; the one before is used",
            ) from error


def save(folder: Path, name: str, state: Mapping[str, Any], about: Mapping[str, Any]) -> Path:
    """Writes a checkpoint whole, or not at all: a kill at any moment leaves those that were there."""
    folder.mkdir(parents=True, exist_ok=True)
    aside, final = folder / f".{name}.tmp", folder / name
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    with (aside / "state.pt").open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    with (aside / "about.json").open("w") as file:
        json.dump(about, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    if final.exists():  # the best one, which has been bettered: gone for a moment, in which the numbered ones are there
        shutil.rmtree(final)
    aside.rename(final)
    _sync(folder)
    return final


def latest(folder: Path) -> Checkpoint | None:
    """The checkpoint of the greatest step; None if there is none."""
    found = [one for one in map(_read, sorted(folder.glob("step-*"))) if one is not None]
    return max(found, key=lambda one: one.step) if found else None


def best(folder: Path) -> Checkpoint | None:
    """The one that measured best; None if none was measured."""
    return _read(folder / BEST)


def prune(folder: Path, keep: int) -> None:
    """Removes all but the latest numbered checkpoints."""
    for old in sorted(folder.glob("step-*"))[:-keep]:
        shutil.rmtree(old)


def name_of(step: int) -> str:
    """The name of a step's checkpoint; names sort as their steps do."""
    return f"step-{step:08d}"


def _read(folder: Path) -> Checkpoint | None:
    try:
        about = json.loads((folder / "about.json").read_text())
        return Checkpoint(folder, int(about["step"]), about)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            "the checkpoint is damaged", where=str(folder), mend="Delete it; the one before is used"
        ) from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
