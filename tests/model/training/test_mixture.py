"""A run on the store's questions and on other data at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.data import rows
from model.data.order import Effective
from model.data.selection import DataConfig
from model.plum.errors import ModelError
from model.plum.losses import LossConfig
from model.training import job
from model.training.feeding import Feed
from partonomy_data import store as stores
from tests.model.data.others.written import coco, config, square
from tests.model.training.runs import lines, small


@pytest.fixture
def data(tmp_path: Path) -> DataConfig:
    """Half of the store's identification, a quarter each of two others."""
    annotations = [
        {"id": number, "image_id": 1 + number % 2, "segmentation": square(2, 2, 9), "phrase": f"the thing {number}"}
        for number in range(6)
    ]
    annotations.append({"id": 9, "image_id": 3, "segmentation": square(2, 2, 9), "phrase": "gone"})
    talk = [{"from": "human", "value": "<image> What is it?"}, {"from": "gpt", "value": "A grey wall."}]
    said = [{"id": number, "image": "a.jpg", "conversations": talk} for number in range(4)]
    others = {
        "phrases": config(tmp_path, "referring", coco(annotations)),
        "talk": config(tmp_path, "conversations", said),
    }
    return DataConfig(types={"identification": 2.0, "phrases": 1.0, "talk": 1.0}, others=others)


def test_the_mixture_is_as_the_weights_say(demo_store: Path, data: DataConfig, tmp_path: Path) -> None:
    with stores.open(demo_store) as store:
        samples = rows.prepare(store, data, tmp_path / "samples")
    assert samples.left_out == ("phrases: 1 left out: annotations whose photograph isn't there (first: 9)",)
    feed = Feed(samples, None, None, data, Effective(10, 10), seed=1)  # type: ignore[arg-type]
    order = feed._order(0)
    drawn = np.asarray(samples.column("question_type").to_pylist())[order]
    shares = {name: float((drawn == name).mean()) for name in data.types}
    assert set(drawn) == set(data.types)
    assert abs(shares["identification"] - 0.5) < 0.1
    assert abs(shares["phrases"] - 0.25) < 0.1


def test_other_data_alone_are_taken_where_only_they_weigh(demo_store: Path, data: DataConfig, tmp_path: Path) -> None:
    with stores.open(demo_store) as store:
        samples = rows.prepare(store, DataConfig(types={"talk": 1.0}, others=data.others), tmp_path / "samples")
    assert samples.column("question_type").to_pylist() == ["talk"] * 4


def test_a_run_learns_from_all_of_them(
    root: Path, backbone: Path, data: DataConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = small(backbone, steps=3, data=data, losses=LossConfig(choice=1.0))
    folder = job.train(root, wanted, out=tmp_path / "model")
    found = lines(folder / "training.jsonl")
    assert len(found) == 3
    assert all(np.isfinite(line["loss"]) for line in found)
    assert any(line.get("overlap", 0) > 0 for line in found)
    assert "1 left out: annotations whose photograph isn't there" in capsys.readouterr().err


def test_names_and_weights_of_other_data_are_checked(data: DataConfig) -> None:
    talk = data.others["talk"]
    with pytest.raises(ModelError, match="can't be called 'contrast'"):
        DataConfig(others={"contrast": talk}).checked()
    with pytest.raises(ModelError, match=r"can.t be called .\.\./x."):
        DataConfig(others={"../x": talk}).checked()
    with pytest.raises(ModelError, match=r"no question is of type 'talks'.*talk"):
        DataConfig(types={"talks": 1.0}, others=data.others).checked()
