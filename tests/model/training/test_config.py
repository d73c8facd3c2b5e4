"""Settings of runs: those that are shipped can be read, wrong ones are said."""

from __future__ import annotations

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
