"""Checkpoints are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from model.plum.errors import ModelError
from model.training import checkpoints


def saved(folder: Path, step: int, name: str | None = None) -> Path:
    state = {"weights": {"a": torch.full((2,), float(step))}, "optimisers": [{"state": {}, "param_groups": []}]}
    return checkpoints.save(folder, name or checkpoints.name_of(step), state, {"step": step, "best": 1.0})


def test_the_latest_is_the_one_of_the_greatest_step(tmp_path: Path) -> None:
    assert checkpoints.latest(tmp_path / "none") is None
    for step in (900, 1000, 20):
        saved(tmp_path, step)
    found = checkpoints.latest(tmp_path)
    assert found is not None
    assert (found.step, found.state()["weights"]["a"].tolist()) == (1000, [1000.0, 1000.0])


def test_old_ones_go_and_the_best_stays(tmp_path: Path) -> None:
    for step in range(5):
        saved(tmp_path, step)
    saved(tmp_path, 1, checkpoints.BEST)
    checkpoints.prune(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "step-00000003", "step-00000004"]
    saved(tmp_path, 4, checkpoints.BEST)
    best = checkpoints.best(tmp_path)
    assert best is not None
    assert best.step == 4


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_write_that_fails_leaves_those_that_were_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    saved(tmp_path, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if call == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space"):
        saved(tmp_path, 2)
    monkeypatch.undo()
    found = checkpoints.latest(tmp_path)
    assert found is not None
    assert found.step == 1
    saved(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001", "step-00000002"]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut", b"\x80\x04cos\nsystem\n(S'true'\ntR."])
def test_a_damaged_one_is_said_and_nothing_in_it_is_run(tmp_path: Path, damage: bytes) -> None:
    folder = saved(tmp_path, 3)
    (folder / "state.pt").write_bytes(damage)
    found = checkpoints.latest(tmp_path)
    assert found is not None
    with pytest.raises(ModelError, match=f"{folder}: the checkpoint can't be read"):
        found.state()
    (folder / "about.json").write_text("{")
    with pytest.raises(ModelError, match="the checkpoint is damaged"):
        checkpoints.latest(tmp_path)
