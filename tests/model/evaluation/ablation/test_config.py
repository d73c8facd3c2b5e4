"""Variants differ from the training in what they say, and those that would be the same are found before anything is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model import settings
from model.evaluation.ablation.config import STANDARD, AblationConfig, DriftConfig, Variant
from model.evaluation.job import EvaluationConfig
from model.evaluation.predicting import PredictionConfig
from model.plum.config import PlumConfig
from model.plum.errors import ModelError
from model.plum.losses import LossConfig
from model.plum.queries import QueryConfig
from model.training.config import TrainingConfig

BASE = TrainingConfig(
    PlumConfig(
        "somewhere",
        losses=LossConfig(choice=0.5, patches=1),
        query=QueryConfig(words=True),
        grounding=0.5,
        cut="expected_iou",
    )
)


def test_a_variant_is_the_training_but_for_its_changes() -> None:
    config = AblationConfig(BASE).checked()
    assert config.training_of("plum", 7) == replace(BASE, seed=7)
    without = config.training_of("no-feedback", 7)
    assert without == replace(BASE, seed=7, model=replace(BASE.model, feedback=None))
    lisa = config.training_of("seg-token", 1).model
    assert (lisa.marking, lisa.losses.kl, lisa.losses.choice) == ("seg_token", 0, 0)
    assert (lisa.query.words, lisa.losses.patches, lisa.grounding) == (False, 0, 0)
    assert config.alike() == {}


def test_a_loss_that_is_not_there_is_not_taken_away() -> None:
    plain = replace(
        BASE,
        model=PlumConfig("somewhere", losses=LossConfig(kl=0), feedback=None),
    )
    assert AblationConfig(plain).checked().alike() == {
        "no-feedback": "plum",
        "no-kl": "plum",
        "tags-alone": "plum",
        "feedback-off": "plum",
        "feedback-shuffled": "plum",
        "half-cut": "plum",
        "likelihood-alone": "plum",
    }


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"seeds": ()}, "needs seeds"),
        ({"seeds": (1, 1)}, "each once"),
        ({"seeds": (1, 2**63)}, "one of seeds is 9223372036854775808, which can't be a seed"),
        ({"evaluation": EvaluationConfig(PredictionConfig(limit=0))}, "limit must be at least 1"),
        ({"processes": 0}, "processes must be at least 1, not 0"),
        ({"beside": ("random", "plum")}, "plum is a variant, and is to stand beside them"),
        ({"drift": DriftConfig(passages=0)}, "passages must be at least 1, not 0"),
        ({"drift": DriftConfig("nowhere.txt")}, "nowhere.txt: there is no such file"),
        ({"variants": {"a": Variant(against="b")}}, "variant a is compared with b, which there isn't.*Variants are a"),
        ({"variants": {"a": Variant({"model.lora.rnk": 3})}}, "variant a: unknown setting model.lora.rnk.*rank"),
        ({"variants": {"a": Variant({"nothing.at.all": 3})}}, "variant a changes nothing.at.all"),
        ({"variants": {"a": Variant({"model.marking": "seg_token"})}}, "Set losses.choice to 0"),
    ],
)
def test_what_contradicts_itself_is_said_at_once(given: dict[str, object], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        AblationConfig(BASE, **given).checked()  # type: ignore[arg-type]


def test_a_file_has_the_same_settings(tmp_path: Path) -> None:
    path = tmp_path / "ablation.yaml"
    path.write_text(
        "training:\n  model:\n    backbone: somewhere\n    losses: {choice: 0.5, patches: 1}\n"
        "    query: {words: true}\n    grounding: 0.5\n    cut: expected_iou\nseeds: [4]\nvariants:\n  plum: {}\n"
        "  blank: {answering: blank-image}\n  no-kl: {changes: {model.losses.kl: 0}, against: plum}\n"
    )
    made = settings.load(path, AblationConfig)
    assert made.training == BASE
    assert dict(made.variants) == {
        "plum": STANDARD["plum"],
        "blank": STANDARD["blank-image"],
        "no-kl": Variant({"model.losses.kl": 0}, against="plum"),
    }
