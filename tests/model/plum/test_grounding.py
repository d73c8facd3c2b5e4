"""Choices held against the photograph: from the masks that the model makes of their parts anyway."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.evaluation.adapters import interventions
from model.evaluation.adapters.plum import PlumModel
from model.evaluation.asking import Asked as Posed
from model.plum import answering, grounding
from model.plum.answering import Asked
from model.plum.errors import ModelError
from model.plum.model import Plum
from tests.model.plum.sam_weights import noise
from tests.model.plum.tiny import PHOTOGRAPHS, QUESTION, TOLD, trained

CHOICES = [one.choices for one in TOLD[:3]]
SPANS = [[one.spans, *([] for _ in one.instead)] for one in TOLD[:3]]
SPANS[0][1], SPANS[2][1] = [(9, 13)], [(4, 10), (17, 23)]


@pytest.fixture(scope="module")
def plum(folder_of: Callable[[str], Path]) -> Plum:
    return trained(folder_of("llava"), grounding=0.5)


@pytest.fixture(scope="module")
def asked(plum: Plum) -> list[Asked]:
    looks = answering.look(plum, PHOTOGRAPHS)
    return [Asked(looks[one.photograph], QUESTION) for one in TOLD[:3]]


def test_a_mask_is_as_certain_as_its_surest_cells() -> None:
    logits = noise(3, 32, 32)
    found = grounding.certainty(logits)
    for one, value in zip(logits, found, strict=True):
        share = one.flatten().sort(descending=True).values[:3].sigmoid().mean()
        assert float(value) == pytest.approx(float((share / (1 - share)).log()) - math.log(0.85 / 0.15), abs=1e-4)


def test_certainty_has_bounds() -> None:
    found = grounding.certainty(torch.stack([torch.full((8, 8), 99.0), torch.full((8, 8), -99.0)]))
    assert found.tolist() == pytest.approx([6.907 - 1.735, -6.907 - 1.735], abs=1e-2)


@torch.no_grad()
def test_a_choice_gains_by_the_certainty_of_its_parts_masks(
    plum: Plum, asked: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = answering.score_choices(plum, asked, CHOICES, SPANS)
    plain = answering.score_choices(plum, asked, CHOICES)
    kept: list[torch.Tensor] = []
    decode = plum.segmenter.decode

    def watched(*given: object, **named: object) -> object:
        made = decode(*given, **named)  # type: ignore[arg-type]
        kept.append(made.logits)
        return made

    monkeypatch.setattr(plum.segmenter, "decode", watched)
    for question, several in enumerate(CHOICES):
        for choice, text in enumerate(several):
            score, spans = found[question][choice], SPANS[question][choice]
            assert score.log_likelihood == pytest.approx(plain[question][choice].log_likelihood, abs=1e-4)
            kept.clear()
            if spans:
                answering.segment_spans(plum, [asked[question]], [text], [spans])
            wanted = sum(float(grounding.certainty(one).sum()) for one in kept)
            assert score.grounding == pytest.approx(0.5 * wanted, abs=1e-3)
            assert score.total == score.log_likelihood + score.grounding


@torch.no_grad()
def test_without_spans_or_a_weight_the_likelihood_stands_alone(plum: Plum, asked: list[Asked]) -> None:
    assert {one.grounding for several in answering.score_choices(plum, asked, CHOICES) for one in several} == {0}
    before = plum.config
    try:
        plum.config = replace(before, grounding=0.0)
        found = answering.score_choices(plum, asked, CHOICES, SPANS)
    finally:
        plum.config = before
    assert {one.grounding for several in found for one in several} == {0}


def test_a_model_is_measured_by_how_it_chooses_and_by_likelihood_alone(folder_of: Callable[[str], Path]) -> None:
    spans = tuple(tuple(places) for places in SPANS[0])
    posed = [Posed("qst_1", "view", PHOTOGRAPHS[0], QUESTION, CHOICES[0], spans=spans)]
    scores = []
    for kind in ("", "likelihood-alone"):
        model = interventions.applied("plum", trained(folder_of("llava"), grounding=0.5), kind, 4)
        (chosen,) = model.choose(posed)
        assert chosen is not None
        assert chosen.scores is not None
        scores.append(chosen.scores)
    assert scores[0] != pytest.approx(scores[1], abs=1e-2)
    (plain,) = PlumModel("plum", trained(folder_of("llava"))).choose(posed)
    assert plain is not None
    assert scores[1] == pytest.approx(plain.scores, abs=1e-4)
    with pytest.raises(ModelError, match="by likelihood alone as it is"):
        interventions.applied("plum", trained(folder_of("llava")), "likelihood-alone", 4)
