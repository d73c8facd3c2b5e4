"""A run's model in its folder: whether it is there already, and how it gets there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from model import settings
from model.plum import saving
from model.plum.errors import ModelError
from model.plum.saving import Origin
from model.training import checkpoints, loop
from model.training.config import TrainingConfig


def is_there(folder: Path, config: TrainingConfig, version: str) -> bool:
    """Whether the folder holds the model that these settings and this version of the data give.

    Raises ModelError where it holds another: that would be taken for the one that is asked for.
    """
    path = folder / "config.json"
    if not path.exists():
        return False
    try:
        origin = json.loads(path.read_text(encoding="utf-8"))["origin"]
        trained, data = str(origin["training"]), str(origin["data_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError("what is there is no model of PLUM", where=str(path), mend="Name another --out") from error
    why = ""
    if data != version:
        why = f"the model that is there was trained on version {data} of the data, not on {version}"
    elif trained != settings.digest(config):
        why = "the model that is there was trained with other settings"
    if why:
        raise ModelError(why, where=str(folder), mend="Name another --out")
    return True


def publish(state: loop.Run, version: str, log: Path, final: Path, done: int) -> None:
    """Saves the model (the best, where such is kept) with its log and settings, aside, then under its name."""
    best = checkpoints.best(state.folder)
    if best is not None and best.step != done:
        done = best.step
        state.plum.load_state_dict(best.state()["weights"], strict=False)
    aside = final.with_name(f".{final.name}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    aside.parent.mkdir(parents=True, exist_ok=True)
    origin = Origin(data_version=version, training=settings.digest(state.config), steps=done)
    saving.save_pretrained(state.plum, aside, origin)
    shutil.copy(log, aside / "training.jsonl")
    (aside / "training.json").write_text(json.dumps(settings.plain(state.config), indent=2))
    kept = best or checkpoints.latest(state.folder)
    about: dict[str, Any] = {"left_out": state.left_out, "measured": dict(kept.about["measured"]) if kept else {}}
    (aside / "measured.json").write_text(json.dumps(about, indent=2))
    aside.rename(final)
