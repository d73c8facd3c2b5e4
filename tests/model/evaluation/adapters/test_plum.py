"""PLUM as it is measured: what it answers is what it answers elsewhere, and each view is looked at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.evaluation.adapters import plum as adapter
from model.evaluation.adapters.plum import PlumModel
from model.evaluation.asking import Asked
from model.plum import answering
from model.plum.model import Plum
from model.plum.rendering import Turn
from tests.model.plum.tiny import PHOTOGRAPHS, QUESTION, trained

TEXT, SPANS = "It has a front wheel, and a tail.", [(28, 32), (9, 20)]
CHOICES = ("It has a wing.", "It has a tail.", "Nothing.")


@pytest.fixture(scope="module")
def plum(folder_of: Callable[[str], Path]) -> Plum:
    return trained(folder_of("llava"))


def asked(question: str, view: int, *history: Turn) -> Asked:
    return Asked("qst_1", f"view {view}", PHOTOGRAPHS[view], question, CHOICES, history)


ASKED = [asked(QUESTION, 0), asked("Parts?", 1, Turn("What is it?", "A bicycle.")), asked("Which?", 0)]


def plain(plum: Plum) -> list[answering.Asked]:
    looks = answering.look(plum, PHOTOGRAPHS)
    return [answering.Asked(looks[int(one.view_id[-1])], one.question, one.history) for one in ASKED]


def test_the_choice_is_the_likeliest(plum: Plum) -> None:
    found = PlumModel("plum", plum).choose(ASKED)
    expected = answering.score_choices(plum, plain(plum), [CHOICES] * 3)
    for chosen, scores in zip(found, expected, strict=True):
        assert chosen is not None
        assert chosen.scores == pytest.approx([score.log_likelihood for score in scores], abs=1e-4)
        assert chosen.lengths == tuple(score.tokens for score in scores)
        assert chosen.place == int(np.argmax(chosen.scores))


def test_a_tie_is_no_choice(plum: Plum) -> None:
    twice = Asked("qst_1", "view 0", PHOTOGRAPHS[0], QUESTION, ("A wheel.", "A wheel."))
    (chosen,) = PlumModel("plum", plum).choose([twice])
    assert chosen is not None
    assert chosen.place is None
    assert chosen.scores is not None
    assert len(set(chosen.scores)) == 1


def test_masks_come_in_the_order_of_the_spans_that_are_given(plum: Plum) -> None:
    (said, *_) = PlumModel("plum", plum).segment(ASKED[:1], [TEXT], [SPANS])
    expected = {
        (one.start, one.end): one for one in answering.segment_spans(plum, plain(plum)[:1], [TEXT], [SPANS])[0].named
    }
    assert said is not None
    assert [(part.start, part.end) for part in said.parts] == SPANS
    for part in said.parts:
        assert np.array_equal(part.mask, expected[part.start, part.end].mask)
        assert part.score == pytest.approx(expected[part.start, part.end].iou, abs=1e-5)


def test_its_own_words_are_those_that_it_generates(plum: Plum) -> None:
    found = PlumModel("plum", plum, longest=12).say(ASKED)
    for said, answer in zip(found, answering.generate(plum, plain(plum), 12), strict=True):
        assert said is not None
        assert said.text == answer.text
        assert [(part.start, part.end) for part in said.parts] == [(one.start, one.end) for one in answer.named]


def test_a_view_is_looked_at_once_for_all_that_is_asked(plum: Plum, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    look = answering.look

    def counted(plum: Plum, photographs: Any, *more: Any) -> Any:
        looked.append(len(photographs))
        return look(plum, photographs, *more)

    monkeypatch.setattr(answering, "look", counted)
    model = PlumModel("plum", plum, longest=2)
    model.choose(ASKED)
    model.segment(ASKED[:1], [TEXT], [SPANS])
    model.say(ASKED)
    assert sum(looked) == 2
    monkeypatch.setattr(adapter, "_LOOKS", 1)
    model.choose(ASKED)
    model.choose(ASKED[2:])
    assert sum(looked) == 2, "what was used last is kept"
    model.choose(ASKED[1:2])
    assert sum(looked) == 3


@pytest.fixture(scope="module")
def lisa(folder_of: Callable[[str], Path]) -> Plum:
    return trained(folder_of("llava"), marking="seg_token")


def test_a_model_that_writes_seg_tokens_has_them_in_the_choices_that_it_is_asked_about(lisa: Plum) -> None:
    spans = (((9, 13),), ((9, 13),), ())
    marked = ("It has a wing [SEG].", "It has a tail [SEG].", "Nothing.")
    asked = [replace(one, spans=spans) for one in ASKED]
    found = PlumModel("lisa", lisa).choose(asked)
    expected = answering.score_choices(lisa, plain(lisa), [marked] * 3)
    without = answering.score_choices(lisa, plain(lisa), [CHOICES] * 3)
    for chosen, scores, bare in zip(found, expected, without, strict=True):
        assert chosen is not None
        assert chosen.scores == pytest.approx([score.log_likelihood for score in scores], abs=1e-4)
        assert chosen.lengths is not None
        assert [mine - score.tokens for mine, score in zip(chosen.lengths, bare, strict=True)] == [2, 2, 0], (
            "a blank and the token"
        )


def test_choices_of_objects_have_no_marks(lisa: Plum, plum: Plum) -> None:
    (chosen,) = PlumModel("lisa", lisa).choose(ASKED[:1])
    (scores,) = answering.score_choices(lisa, plain(lisa)[:1], [CHOICES])
    assert chosen is not None
    assert chosen.lengths == tuple(score.tokens for score in scores)
    spans = tuple(replace(one, spans=(((9, 13),), ((9, 13),), ())) for one in ASKED)
    with_spans, without = PlumModel("plum", plum).choose(spans), PlumModel("plum", plum).choose(ASKED)
    assert with_spans == without, "a model that tags is asked about the texts as they are"


def test_masks_of_a_model_that_writes_seg_tokens_stand_in_the_text_without_them(lisa: Plum) -> None:
    (said, *_) = PlumModel("lisa", lisa).segment(ASKED[:1], [TEXT], [SPANS])
    assert said is not None
    assert said.text == TEXT
