"""A model beside another: what the command prints and writes are the differences of the rows that the store has of both."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from model.evaluation import against, job
from model.evaluation.job import EvaluationConfig
from model.evaluation.predicting import PredictionConfig
from model.plum.errors import ModelError
from partonomy_data.store.reader import open as open_store
from tests.helpers.command import partonomy

CONFIG = EvaluationConfig(PredictionConfig(split="train", limit=60))


@pytest.fixture(scope="module")
def both(own_store: Path) -> Path:
    """A store in which two models that can do different things were asked the same."""
    for name in ("oracle", "random"):
        job.evaluate(own_store, name, CONFIG)
    return own_store


def values(root: Path) -> dict[tuple[str, str, str], float]:
    """(model, question type, metric) → what the table `evaluations` has."""
    with open_store(root) as store:
        rows: list[dict[str, Any]] = store.table("evaluations").to_pylist()
    return {
        (row["model_id"], row["question_type"], row["metric"]): row["value"]
        for row in rows
        if row["split"] == "train" and row["slice"] == "all"
    }


def test_the_command_tells_the_differences_of_what_both_have(both: Path) -> None:
    done = partonomy(
        "evaluate", "--root", both, "--model", "random", "--split", "train", "--limit", "60", "--against", "oracle"
    )
    assert done.status == 0, done.err
    assert "random beside oracle, on the same 60 questions" in done.out
    (folder,) = (both / "evaluations" / "random").iterdir()
    written = json.loads((folder / "against-oracle-train-0.json").read_text())
    assert (written["models"], written["questions"]) == (["random", "oracle"], 60)
    found, there = {(row["question_type"], row["metric"]): row for row in written["rows"]}, values(both)
    types = {kind for kind, _ in found}
    assert {"all", "identification"} <= types
    metrics = {metric for _, metric in found}
    assert {"accuracy", "chance_corrected", "object_accuracy", "accuracy_predicted"} <= metrics
    assert not any("giou" in one or one == "chance" or one.startswith("blind") for one in metrics)
    for (kind, metric), row in found.items():
        first, second = there["random", kind, metric], there["oracle", kind, metric]
        assert (row["first"]["value"], row["second"]["value"]) == pytest.approx((first, second))
        assert row["difference"]["value"] == pytest.approx(first - second)
    whole = found["all", "accuracy"]["difference"]
    assert whole["low"] < whole["value"] < whole["high"] < 0
    cell = f"{whole['value']:+.3f} [{whole['low']:+.2f}, {whole['high']:+.2f}]"
    assert any(line.startswith("accuracy ") and cell in line for line in done.out.splitlines())
    page = (folder / "against-oracle-train-0.md").read_text()
    assert cell in page
    assert "## Differences by type" in page


def test_a_model_without_predictions_is_told_before_the_other_is_asked(both: Path) -> None:
    before = sorted(both.rglob("predictions-*"))
    done = partonomy("evaluate", "--root", both, "--model", "frequent", "--split", "val", "--against", "oracle")
    assert (done.status, done.out) == (2, "")
    assert "there are no predictions of oracle on val with seed 0" in done.err
    assert "Evaluate it first: partonomy evaluate --model oracle --split val" in done.err
    assert done.err.count("\n") == 1
    assert sorted(both.rglob("predictions-*")) == before


def test_models_that_were_asked_other_questions_are_not_compared_but_measured(both: Path) -> None:
    done = partonomy(
        "evaluate", "--root", both, "--model", "frequent", "--split", "train", "--limit", "9", "--against", "oracle"
    )
    assert done.status == 2
    assert "frequent on train" in done.out
    assert "not asked the same questions (the one 9, the other 60)" in done.err


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("oracle", "oracle"),
        ("said/elsewhere.jsonl", "elsewhere"),
        ("human:anna.json", "human-anna"),
        ("api:gpt-4o", "api-gpt-4o"),
        ("hf:llava-hf/llava-1.5-7b-hf", "hf-llava-hf-llava-1.5-7b-hf"),
        ("hf:shipped:tiny/lmm", "hf-tiny-lmm"),
        ("sam-box:weights/sam_vit_b.pth", "sam-box-sam_vit_b"),
        ("runs/plum-1.5", "plum-1.5"),
    ],
)
def test_a_model_is_found_by_what_it_is_called_when_it_is_measured(both: Path, model: str, name: str) -> None:
    (folder,) = (both / "evaluations" / "oracle").iterdir()
    place = both / "evaluations" / name / folder.name / "predictions-test-3.parquet"
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "predictions-train-0.parquet", place)
    try:
        assert against.named(both, model, "test", 3) == name
    finally:
        place.unlink()
    with pytest.raises(ModelError, match="Evaluate it first"):
        against.named(both, model, "test", 3)
