"""Whole runs: killed and taken up, on one process and on two, and what they leave in the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator, DistributedType
from safetensors.torch import load_file

from model import settings
from model.data.selection import DataConfig
from model.plum import saving
from model.plum.errors import ModelError
from model.training import checkpoints, job, publishing
from model.training.config import TrainingConfig, ValidationConfig
from tests.model.training.runs import in_one_thread, lines, small, trained


def test_a_killed_run_goes_on_as_if_it_had_never_stopped(root: Path, backbone: Path, tmp_path: Path) -> None:
    config = small(backbone, steps=6, optimisation={"hidden_learning_rate": 1e-3})
    assert trained(root, config, tmp_path / "killed", dies=3) == -9
    assert not (tmp_path / "killed").exists()
    # Not with other settings, and an attempt at that does the checkpoint no harm.
    with pytest.raises(ModelError, match=r"the checkpoint is of another settings.*Name another --out"):
        job.train(root, small(backbone, steps=5), out=tmp_path / "killed", quiet=True)
    for name in ("whole", "killed"):
        in_one_thread(lambda out=tmp_path / name: job.train(root, config, out=out, quiet=True))
    whole, killed = lines(tmp_path / "whole" / "training.jsonl"), lines(tmp_path / "killed" / "training.jsonl")
    assert [line["step"] for line in whole] == list(range(6))
    assert killed == whole
    first, second = (load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "killed"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_two_processes_learn_and_measure_what_one_does(root: Path, backbone: Path, tmp_path: Path) -> None:
    validation = ValidationConfig(DataConfig(splits=("val",)), samples=3, every=3)
    config = small(backbone, steps=3, validation=validation)
    # Each process draws dropout and scheduled sampling of its own, so both are off where they are compared.
    without = settings.plain(config)
    without["model"]["lora"]["dropout"] = without["model"]["spans"]["dropout"] = 0.0
    without["optimisation"]["truth_at_first"] = 0.0
    config = settings.convert(without, TrainingConfig)
    in_one_thread(lambda: job.train(root, config, out=tmp_path / "one", quiet=True))
    assert job.train_together(root, config, 2, out=tmp_path / "two") == tmp_path / "two"
    one, two = (lines(tmp_path / name / "training.jsonl") for name in ("one", "two"))
    assert len(one) == len(two) == 4
    for mine, theirs in zip(one, two, strict=True):
        assert mine.keys() == theirs.keys()
        measured = mine.pop("measured", {})
        assert theirs.pop("measured", {}) == pytest.approx(measured, rel=5e-3, abs=1e-4)
        for name in mine:
            assert theirs[name] == pytest.approx(mine[name], rel=2e-3, abs=1e-5), name
    assert len({line["loss"] for line in one if "loss" in line}) == 3


@pytest.mark.soak
def test_what_one_of_several_processes_refuses_is_told_in_one_line(root: Path, backbone: Path, tmp_path: Path) -> None:
    config = small(backbone, steps=8, optimisation={"learning_rate": 1e30, "warm_up": 4}, save_every=1)
    with pytest.raises(ModelError, match=r"(loss is nan|gradient is (nan|inf)|loss is inf).*Lower the learning rate"):
        job.train_together(root, config, 2, out=tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_model_tells_where_it_comes_from_and_is_not_trained_twice(root: Path, backbone: Path) -> None:
    validation = ValidationConfig(DataConfig(splits=("val",)), samples=3, every=1)
    config = small(backbone, steps=2, validation=validation)
    measured: list[dict[str, float]] = []
    folder = job.train(root, config, quiet=True, measured=lambda _, values: measured.append(values))
    version = (root / "CURRENT").read_text().strip()
    assert folder == root / "models" / job.model_id(config, version)
    assert len(measured) == 2
    assert measured[0].keys() == {"loss", "giou", "giou_own", "span_f1", "accuracy", "chance"}
    found = saving.from_pretrained(folder)
    assert (found.origin.data_version, found.origin.steps) == (version, 2)
    assert found.origin.training == settings.digest(config)
    assert found.plum.feedback is not None
    assert settings.convert(json.loads((folder / "training.json").read_text()), TrainingConfig) == config
    assert {line["step"] for line in lines(folder / "training.jsonl")} == {0, 1}
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert job.train(root, config, quiet=True) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert not list(folder.parent.glob(".*"))


def test_a_folder_with_another_model_is_refused_and_left_as_it_is(root: Path, backbone: Path, tmp_path: Path) -> None:
    config, out = small(backbone, steps=1), tmp_path / "model"
    assert job.train(root, config, out=out, quiet=True) == out
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert job.train(root, config, out=out, quiet=True) == out
    other = small(backbone, steps=1, optimisation={"learning_rate": 5e-2})
    for processes in (1, 2):
        with pytest.raises(ModelError, match=r"was trained with other settings\. Name another --out") as caught:
            job.train_together(root, other, processes, out=out, quiet=True)
        assert str(out) in str(caught.value)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    told = json.loads((out / "config.json").read_text())
    told["origin"]["data_version"] = "v0"
    (out / "config.json").write_text(json.dumps(told))
    with pytest.raises(ModelError, match=r"trained on version v0 of the data, not on \S+\. Name another --out"):
        job.train(root, config, out=out, quiet=True)
    (out / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"no model of PLUM.*Name another --out"):
        job.train(root, config, out=out, quiet=True)


def test_a_run_ends_where_it_gets_no_better(root: Path, backbone: Path, tmp_path: Path) -> None:
    validation = ValidationConfig(DataConfig(splits=("val",)), samples=2, every=1, patience=2)
    steady = {"learning_rate": 1e-12, "truth_at_first": 0.0}
    config = small(backbone, steps=20, validation=validation, optimisation=steady)
    folder = job.train(root, config, out=tmp_path / "model", quiet=True)
    told = lines(folder / "training.jsonl")
    assert max(line["step"] for line in told) < 19
    best = min((line["measured"]["loss"], line["step"]) for line in told if "measured" in line)
    assert saving.from_pretrained(folder).origin.steps == best[1] + 1
    assert json.loads((folder / "measured.json").read_text())["measured"]["loss"] == best[0]


def test_what_is_left_out_is_told_of_all_processes_and_of_all_steps(root: Path, backbone: Path, tmp_path: Path) -> None:
    config = small(
        backbone, steps=2, save_every=1, optimisation={"batch": 40, "at_once": 5}, data=DataConfig(longest=175)
    )
    told = {}
    for processes in (1, 2):
        folder = job.train_together(root, config, processes, out=tmp_path / str(processes), quiet=True)
        measured = json.loads((folder / "measured.json").read_text())
        told[processes] = ([line["left_out"] for line in lines(folder / "training.jsonl")], measured["left_out"])
    assert told[1] == told[2]
    assert 0 < told[1][0][0] < told[1][0][1] == len(told[1][1])
    assert trained(root, config, tmp_path / "killed", dies=1) == -9
    folder = job.train(root, config, out=tmp_path / "killed", quiet=True)
    assert [line["left_out"] for line in lines(folder / "training.jsonl")] == told[1][0]
    assert json.loads((folder / "measured.json").read_text())["left_out"] == told[1][1]


def test_a_run_that_ended_early_takes_no_further_step_when_it_is_taken_up(
    root: Path, backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validation = ValidationConfig(DataConfig(splits=("val",)), samples=2, every=1, patience=1)
    # A learning rate that makes it worse.
    config = small(backbone, steps=20, validation=validation, optimisation={"learning_rate": 0.5, "warm_up": 1})
    out = tmp_path / "model"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            job.train(root, config, out=out, quiet=True)
    before = lines(tmp_path / ".model.run" / "training.jsonl")
    assert max(line["step"] for line in before) < 19
    job.train(root, config, out=out, quiet=True)
    assert lines(out / "training.jsonl") == before


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_samples(
    root: Path, backbone: Path, tmp_path: Path
) -> None:
    config = small(backbone, steps=8, optimisation={"learning_rate": 1e30, "warm_up": 4}, save_every=1)
    with pytest.raises(ModelError, match=r"qst_\w+/parts.*(loss is nan|gradient is (nan|inf)|loss is inf)") as caught:
        job.train(root, config, out=tmp_path / "model", quiet=True)
    assert "Lower the learning rate" in str(caught.value)
    assert not (tmp_path / "model").exists()
    found = checkpoints.latest(tmp_path / ".model.run" / "checkpoints")
    assert found is not None
    assert all(torch.isfinite(one).all() for one in found.state()["weights"].values())


@pytest.mark.parametrize("kind", [DistributedType.FSDP, DistributedType.DEEPSPEED])
def test_a_run_whose_checkpoints_would_be_pieces_is_refused_before_it_begins(
    root: Path, backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: DistributedType
) -> None:
    # Accelerate cuts weights on accelerators alone, so this machine's is told that it does.
    monkeypatch.setattr(Accelerator, "distributed_type", property(lambda _: kind))
    with pytest.raises(ModelError, match=rf"cut the weights over processes \({kind.value}\).*`accelerate config`"):
        job.train(root, small(backbone, steps=1), out=tmp_path / "model", quiet=True)
    assert not (tmp_path / "model").exists()
