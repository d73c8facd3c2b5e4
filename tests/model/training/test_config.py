"""Settings of runs: those that are shipped can be read, wrong ones are said."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from model.plum.errors import ModelError
from model.training import config as configs
from model.training.planning import plan
from model.training.records import check_trackers

SHIPPED = sorted((Path(configs.__file__).parents[1] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_settings_can_be_planned(path: Path, demo_store: Path, tmp_path: Path) -> None:
    config = configs.load(path)
    told = plan(demo_store, config)
    assert "samples of train" in told
    if path.stem == "plum-13b":
        # The counts that the authors' log gives: 6,553,600 in adapters, of some 13 billion.
        assert "backbone   13,351.5 M weights, 6.6 M train" in told


def test_computing_states_again_saves_memory_and_takes_time(demo_store: Path) -> None:
    config = configs.load(next(path for path in SHIPPED if path.stem == "plum-13b"))
    told = {}
    for again in (False, True):
        lines = plan(demo_store, replace(config, optimisation=replace(config.optimisation, compute_again=again)))
        states, work = re.search(r"states ([\d.]+)", lines), re.search(r"about ([\d.e+]+) PFLOP", lines)
        assert states is not None
        assert work is not None
        told[again] = float(states[1]), float(work[1])
    assert told[True][0] < told[False][0]
    # Of the language model's operations, 8 parts and not 6; SAM's stay.
    assert 1.25 < told[True][1] / told[False][1] < 8 / 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: {backbone: x, lorra: {rank: 3}}", r"unknown setting model\.lorra\. Did you mean model\.lora"),
        (
            "model: {backbone: x, lora: {rnak: 3}}",
            r"unknown setting model\.lora\.rnak\. Did you mean model\.lora\.rank",
        ),
        ("model: {backbone: x}\noptimisation: {batch: many}", "wrong type.*Expected `int`"),
        ("optimisation: {batch: 3}", "missing required field `model`"),
        ("model: {backbone: x}\ndata: {types: {identifikation: 1}}", "no question is of type 'identifikation'"),
        ("model: {backbone: x, trainable: {vision: true}}", "the frozen teacher of the loss `kl`"),
        ("model: {backbone: x, marking: seg_token}", r"with `\[SEG\]` tokens the embeddings train"),
        ("model: {backbone: x, trainable: {image_encoder: true}}\nkeep_embeddings: true", "embeddings can't be kept"),
        ("model: {backbone: x}\nseed: 99999999999999999999", "seed is 99999999999999999999, which can't be a seed"),
        ("model: {backbone: x}\nseed: -1", "seed is -1, which can't be a seed. Give a whole number from 0"),
        ("model: [", "is not valid YAML"),
    ],
)
def test_wrong_settings_are_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ModelError, match=said) as caught:
        configs.load(path)
    assert "\n" not in str(caught.value)


def test_a_tracker_that_is_not_there_is_said() -> None:
    check_trackers(("tensorboard",))
    with pytest.raises(ModelError, match="no tracker is called 'tensorbord'"):
        check_trackers(("tensorbord",))
    with pytest.raises(ModelError, match=r"the tracker wandb is not installed\. Run: pip install wandb"):
        check_trackers(("wandb",))
