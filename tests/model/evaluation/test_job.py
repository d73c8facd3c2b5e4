"""A model on a split: from the command to rows that can be queried; what knows the truth is right, what guesses is at chance."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import model.evaluation
from model.evaluation import job
from model.evaluation.job import EvaluationConfig
from model.evaluation.predicting import PredictionConfig
from model.plum import saving
from model.plum.errors import ModelError
from model.plum.saving import Origin
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import open as open_store
from tests.helpers.command import partonomy
from tests.helpers.stores import linked
from tests.model.plum.tiny import trained

Metrics = dict[tuple[str, str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def root(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo store of these tests' own: its files are the shared one's, and never written to."""
    return linked(demo_store, tmp_path_factory.mktemp("evaluated") / "store")


def settings(**given: Any) -> EvaluationConfig:
    return EvaluationConfig(PredictionConfig(**given))


def metrics(root: Path, name: str, split: str = "train") -> Metrics:
    """As the store's view has them: (question type, slice, metric) → row."""
    with open_store(root) as store:
        rows = store.table("evaluations").to_pylist()
    return {
        (row["question_type"], row["slice"], row["metric"]): row
        for row in rows
        if row["model_id"] == name and row["split"] == split
    }


@pytest.fixture(scope="module")
def oracle(root: Path) -> Metrics:
    job.evaluate(root, "oracle", settings(split="train", limit=150))
    return metrics(root, "oracle")


def test_who_knows_the_truth_is_right_in_everything(oracle: Metrics) -> None:
    whole = {metric: row for (kind, part, metric), row in oracle.items() if (kind, part) == ("all", "all")}
    right = {
        "accuracy", "object_accuracy", "both_accuracy", "object_accuracy_predicted", "generation_accuracy", "span_f1",
        "part_f1", "giou_micro_oracle", "giou_micro_predicted", "strict_giou_oracle", "strict_giou_predicted", "ciou_oracle",
        "ap50_oracle", "ap50_predicted", "hungarian_giou_oracle",
    }  # fmt: skip
    assert right <= whole.keys()
    assert {name: whole[name]["value"] for name in right} == dict.fromkeys(right, 1.0)
    assert whole["accuracy"]["n"] == 150
    assert whole["accuracy"]["n_skipped"] == 0
    assert 0.2 <= whole["chance"]["value"] < 0.4
    assert whole["accuracy"]["low"] > 0.9
    assert not {name for name in whole if name.startswith("chance") and name.endswith("_predicted")} - {
        "chance_corrected_predicted"
    }


def test_every_slice_has_the_same_metrics_with_its_own_numbers(oracle: Metrics) -> None:
    slices = {part for _, part, _ in oracle}
    assert {"all", "verified", "source=paco", "parts=2", "part_size=small"} <= slices
    by_source = {
        part: row["n"] for (kind, part, metric), row in oracle.items() if kind == "all" and metric == "accuracy"
    }
    assert sum(n for part, n in by_source.items() if re.fullmatch(r"source=\w+", part)) == 150
    by_set = {part: n for part, n in by_source.items() if re.fullmatch(r"photographs=\w+", part)}
    assert by_set.keys() == {f"photographs={one}" for one in ("coco", "imagenet", "voc")}
    assert sum(by_set.values()) == 150
    assert sum(by_source.get(one, 0) for one in ("verified", "unverified")) == 150


def test_a_guess_is_at_chance_and_what_it_cannot_do_is_left_out(root: Path) -> None:
    job.evaluate(root, "random", settings(split="train", limit=300))
    found = metrics(root, "random")
    accuracy, chance = found["all", "all", "accuracy"], found["all", "all", "chance"]
    assert accuracy["low"] <= chance["value"] <= accuracy["high"]
    assert not {metric for _, _, metric in found if "iou" in metric or "part_f1" in metric or "span" in metric}


def test_who_guesses_needs_not_wait_for_torch(root: Path) -> None:
    """To load it takes longer than a baseline, or a model behind a server, has to do here."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from model.evaluation.job import EvaluationConfig, evaluate\n"
        "from model.evaluation.predicting import PredictionConfig\n"
        "evaluate(Path(sys.argv[1]), 'random', EvaluationConfig(PredictionConfig(split='val', limit=2)))\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, root], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_trained_model_is_measured_by_its_name_and_the_page_says_so(
    root: Path, folder_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Layout(root).models / "plum-tiny"
    with open_store(root) as store:
        saving.save_pretrained(trained(folder_of("llava")), folder, Origin(store.version))
        version = store.version
    config = root / "evaluation.yaml"
    config.write_text("predictions: {limit: 4, at_once: 2}\nlongest: 6\n")
    model.evaluation.evaluate(root=root, version=version, model_id="plum-tiny", split="train", config=config)
    found = metrics(root, "plum-tiny")
    for name in ("accuracy", "accuracy_by_length", "calibration_error", "strict_giou_oracle", "strict_giou_predicted"):
        assert 0 <= found["all", "all", name]["value"] <= 1
        assert found["all", "all", name]["n"] == 4
    done = partonomy("evaluate", "--root", root, "--model", "plum-tiny", "--split", "train", "--config", config)
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == f"plum-tiny on train of version {version}: 4 questions"
    (shown,) = [line for line in lines if line.startswith("accuracy ")]
    assert f"{found['all', 'all', 'accuracy']['value']:.3f}" in shown
    assert "4 of 4 questions" in done.err


def test_results_can_be_queried(root: Path, oracle: Metrics) -> None:
    sql = (
        "SELECT value FROM evaluations WHERE model_id = 'oracle' AND metric = 'accuracy'"
        " AND slice = 'all' AND question_type = 'all'"
    )
    done = partonomy("query", "--root", root, "--format", "csv", sql)
    assert done.out.split() == ["value", "1.0"]
    joined = (
        "SELECT count(*) AS n FROM predictions JOIN questions USING (question_id)"
        " WHERE model_id = 'oracle' AND correct AND choice = correct_index"
    )
    assert partonomy("query", "--root", root, "--format", "csv", joined).out.split() == ["n", "300"]


def test_evaluating_again_replaces_what_was_there(root: Path) -> None:
    for limit in (9, 5):
        job.evaluate(root, "random", settings(split="test", limit=limit))
    assert metrics(root, "random", "test")["all", "all", "accuracy"]["n"] == 5
    of_split = "SELECT count(*) FROM predictions JOIN questions USING (question_id) WHERE model_id = 'random' AND split = 'test'"
    with open_store(root) as store:
        ((n,),) = store.sql(of_split).fetchall()
    assert n == 10


def test_what_is_not_there_is_one_line(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"plum-0: there is no such model\. .*baselines are random, oracle"):
        job.evaluate(root, "plum-0", settings())
    (tmp_path / "wrong.yaml").write_text("predictions: {splitt: test}\n")
    with pytest.raises(ModelError, match="splitt"):
        job.from_file(tmp_path / "wrong.yaml")
    (tmp_path / "seed.yaml").write_text("predictions: {seed: 99999999999999999999}\n")
    done = partonomy("evaluate", "--root", root, "--model", "random", "--config", tmp_path / "seed.yaml")
    assert (done.status, done.out) == (2, "")
    assert "predictions.seed is 99999999999999999999, which can't be a seed. Give a whole number" in done.err
