"""An ablation from its file to its report; what was trained and measured is not done again."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from model import settings
from model.evaluation import gaps
from model.evaluation import job as evaluating
from model.evaluation.ablation import comparing, job, saying
from model.evaluation.ablation.config import STANDARD, AblationConfig, DriftConfig
from model.evaluation.ablation.job import Ablated
from model.evaluation.job import EvaluationConfig
from model.evaluation.predicting import PredictionConfig
from model.plum.errors import ModelError
from partonomy_data.store.reader import open as open_store
from tests.helpers.command import partonomy
from tests.model.training.runs import small

ACCURACY = (
    "SELECT value FROM evaluations WHERE model_id = $m AND metric = 'accuracy'"
    " AND slice = 'all' AND question_type = 'all' AND split = 'test'"
)
NAMES = ("plum", "no-feedback", "tags-alone", "blank-image")


@pytest.fixture(scope="module")
def config(folder_of: Any) -> AblationConfig:
    training = small(folder_of("llava"), steps=2)
    without = settings.convert(
        {**settings.plain(training.model), "losses": {"kl": 0, "choice": 0}}, type(training.model), where="a test"
    )
    return AblationConfig(
        replace(training, model=without),
        seeds=(1, 2),
        splits=("test", "val"),
        beside=("random", "sam-box:plum"),
        variants={name: STANDARD[name] for name in NAMES},
        evaluation=EvaluationConfig(PredictionConfig(limit=6), longest=4),
        drift=DriftConfig(passages=2),
    )


@pytest.fixture(scope="module")
def made(own_store: Path, config: AblationConfig) -> tuple[Ablated, list[str]]:
    lines: list[str] = []
    return job.ablate(own_store, config, told=lines.append), lines


def test_all_variants_are_trained_measured_and_compared(made: tuple[Ablated, list[str]], own_store: Path) -> None:
    ablated, lines = made
    assert ablated.same == {"tags-alone": "plum"}
    assert list(ablated.models) == ["plum", "no-feedback", "blank-image", "random", "sam-box:plum"]
    assert sum(line.startswith("training") for line in lines) == 4
    assert sum(line.startswith("measuring plum") for line in lines) == 12
    assert ablated.models["random"] == ("random",)
    assert ablated.models["sam-box:plum"] == tuple(f"sam-box-{one}" for one in ablated.models["plum"])
    assert ablated.models["blank-image"] == tuple(f"{one}--blank-image" for one in ablated.models["plum"])
    found = ablated.splits["test"]
    for name in ("plum", "no-feedback", "blank-image"):
        compared = found[name]
        assert {"accuracy", "span_f1", "strict_giou_oracle", "strict_giou_predicted"} <= compared.metrics.keys()
        assert len(compared.metrics["accuracy"].by_seed) == 2
        assert bool(compared.gaps) is (name != "plum")
    assert found["random"].metrics.keys() & {"accuracy", "strict_giou_oracle"} == {"accuracy"}
    assert len(found["sam-box:plum"].metrics["strict_giou_oracle"].by_seed) == 2
    assert not found["random"].gaps
    assert not found["sam-box:plum"].gaps
    # What is told is what is in the store.
    with open_store(own_store) as store:
        for name, models in ablated.models.items():
            for model, value in zip(models, found[name].metrics["accuracy"].by_seed, strict=True):
                ((there,),) = store.sql(ACCURACY, {"m": model}).fetchall()
                assert there == pytest.approx(value)
    gap = found["no-feedback"].gaps["accuracy"].value
    assert gap == pytest.approx(
        found["no-feedback"].metrics["accuracy"].interval.value - found["plum"].metrics["accuracy"].interval.value
    )
    assert list(ablated.drift) == ["plum", "no-feedback"]
    assert all(one.kl > 0 for several in ablated.drift.values() for one in several)


def test_what_is_lost_on_the_unseen_is_the_difference_of_the_splits(
    made: tuple[Ablated, list[str]], own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ablated, _ = made
    assert not any(one.lost for each in ablated.splits.values() for one in each.values())
    monkeypatch.setattr(gaps, "OUTSIDE", ("val",))  # the small world has no split of unseen things
    with open_store(own_store) as store:
        found = comparing.compared(store, ablated.models, ablated.against, ("test", "val"), 0)
    # As text, in which no number equals no number: the small world's test split is one group, and has no intervals.
    assert repr(found["test"]) == repr(ablated.splits["test"])
    for name, one in found["val"].items():
        assert "accuracy" in one.lost
        for metric, gap in one.lost.items():
            inside, outside = (found[split][name].metrics[metric].interval.value for split in ("test", "val"))
            assert gap.value == pytest.approx(outside - inside)
    text = saying.markdown(replace(ablated, splits=found))
    assert "## From test to val" in text
    assert "- On val instead of test, no-feedback: right choices " in text


def test_the_report_has_every_variant_and_every_number(made: tuple[Ablated, list[str]]) -> None:
    ablated, _ = made
    text, page = saying.markdown(ablated), saying.html(ablated)
    assert "tags-alone is left out, as it is the same as plum." in text
    for title in ("On test", "Differences on test", "Drift of the language model"):
        assert f"## {title}" in text
        assert f"<h2>{title}</h2>" in page
    for name in ablated.models:
        assert f"| {name} |" in text
    value = ablated.splits["test"].get("blank-image")
    assert value is not None
    assert f"{value.metrics['accuracy'].interval.value:.3f}" in text
    assert page.count("<svg") >= 4
    assert "- On test, no-feedback against plum: right choices " in text
    assert "- random: It takes choices by chance" in text
    assert "- 2 trainings say roughly" in text


def test_by_the_command_nothing_is_done_twice(
    made: tuple[Ablated, list[str]], config: AblationConfig, own_store: Path, tmp_path: Path
) -> None:
    ablated, _ = made
    path = tmp_path / "ablation.yaml"
    path.write_text(yaml.safe_dump(settings.plain(config), sort_keys=False))
    planned = partonomy("ablate", "--root", own_store, "--config", path, "--dry-run")
    assert "plum: 2 trainings, 2 of them there already; measured on test, val" in planned.out
    assert "tags-alone: left out, as it is the same as plum" in planned.out
    assert "beside them: random, sam-box:plum" in planned.out
    done = partonomy("ablate", "--root", own_store, "--config", path, "--out", tmp_path / "out")
    assert done.status == 0, done.err
    assert not re.search(r"^(training|measuring (?!how))", done.err, re.MULTILINE)
    assert done.out.startswith(saying.markdown(ablated))
    assert (tmp_path / "out" / "ablation.md").read_text() == saying.markdown(ablated)
    assert (tmp_path / "out" / "ablation.html").read_text() == saying.html(ablated)


def test_what_was_evaluated_otherwise_meanwhile_is_measured_again(
    made: tuple[Ablated, list[str]], config: AblationConfig, own_store: Path
) -> None:
    evaluating.evaluate(own_store, "random", EvaluationConfig(PredictionConfig(split="test", limit=3)))
    lines: list[str] = []
    again = job.ablate(own_store, replace(config, drift=None), told=lines.append)
    assert lines == ["measuring random on test"]
    # As text: an interval that there is none of is NaN, which is like nothing.
    assert repr(again.splits) == repr(made[0].splits)


def test_a_split_without_questions_is_said_before_anything_is_trained(config: AblationConfig, own_store: Path) -> None:
    for begin in (job.plan, job.ablate):
        with pytest.raises(ModelError, match=r"split test_unsene has no questions\. Splits that have: .*test"):
            begin(own_store, replace(config, splits=("test", "test_unsene"), seeds=(77,)))


@pytest.mark.parametrize(
    ("beside", "says"),
    [
        ("randm", r"randm: there is no such model.*baselines are random"),
        ("sam-box:plum-nowhere", "plum-nowhere: there is no such model"),
        ("sam-box:shipped:tiny/sam", "no such weights come with the package"),
        ("sam-box:blank-image", "names a variant that has no training of its own"),
    ],
)
def test_what_is_not_there_to_stand_beside_is_said_before_anything_is_trained(
    beside: str, says: str, config: AblationConfig, own_store: Path
) -> None:
    for begin in (job.plan, job.ablate):
        with pytest.raises(ModelError, match=says):
            begin(own_store, replace(config, beside=("random", beside), seeds=(77,)))
