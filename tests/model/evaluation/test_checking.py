"""What is malformed in a prediction is said, counted, and scores 0; a malformed truth ends the evaluation."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation.answers import EvaluationError, PartMask, Prediction, Truth
from model.evaluation.checking import check
from model.evaluation.scoring import Wanted, score
from model.evaluation.streaming import Stream
from partonomy_data import masks
from partonomy_data.masks import Rle, RleJson
from tests.model.evaluation import made_up
from tests.model.evaluation.made_up import seeds

WHOLE = np.ones((6, 8), np.bool_)


def truth(**given: Any) -> Truth:
    parts = tuple(PartMask(name, made_up.rle(WHOLE)) for name in ("wing", "tail"))
    plain = made_up.truth(np.random.default_rng(2), size=(6, 8), masks=parts)
    return replace(plain, object_choices=("boat", "kite"), correct_object=0, **given)


BROKEN = [
    RleJson((6, 8), "!!"),
    RleJson((6, 8), ""),
    RleJson((6, 8), "1"),
    RleJson((6, 8), "zzzzzzzz"),
    RleJson((6, 8), "é\ud800"),
    RleJson((8, 6), masks.to_json(masks.from_bitmap(WHOLE.T))["counts"]),
    RleJson((6,), "0`1"),
    RleJson((10**9, 10**9), "0"),
    RleJson((6, 8), [0, -48]),
    RleJson((6, 8), [0, 47]),
    RleJson((6, 8), [0.5, 47.5]),  # type: ignore[list-item]
    RleJson((6, 8), None),  # type: ignore[arg-type]
    Rle(6, 8, b"0"),
    Rle(8, 6, masks.from_bitmap(WHOLE.T).counts),
    Rle(6, 8, "0`1"),  # type: ignore[arg-type]
    None,
    {"size": [6, 8], "counts": "0`1"},
    [[0.0, 0.0, 8.0, 0.0, 8.0, 6.0]],
]


@pytest.mark.parametrize("mask", BROKEN, ids=lambda mask: str(mask).encode("ascii", "replace").decode()[:40])
def test_a_mask_that_can_not_be_used_is_one_line_and_scores_0_and_harms_no_other(mask: Any) -> None:
    said = (PartMask("wing", mask, 0.9), PartMask("tail", made_up.rle(WHOLE), 0.8))
    (checked,) = check([truth()], [Prediction("qst_0", masks=said)])
    assert len(checked.problems) == 1
    assert "prediction for qst_0: the mask of 'wing' can't be used" in checked.problems[0]
    assert "\n" not in checked.problems[0]
    marks = score([checked], Wanted(frozenset({"masks", "boundary"})))
    assert marks.overlaps[0].iou.tolist() == [0, 1]
    for name in ("giou_macro", "strict_giou", "ciou", "hungarian_giou", "giou_micro"):
        assert marks.marks[f"{name}_oracle"].value == 0.5, name
        assert marks.unusable[f"{name}_oracle"] == [True]


def test_true_masks_that_were_checked_before_score_as_those_that_are_checked_now() -> None:
    truths, predictions = made_up.world(6, 30)
    stored = [
        replace(one, masks=tuple(replace(each, mask=masks.from_bitmap(made_up.dense(each.mask))) for each in one.masks))
        for one in truths
    ]
    first, second = (score(check(lot, predictions), Wanted()).marks for lot in (truths, stored))
    for name, marks in first.items():
        assert np.array_equal(marks.top, second[name].top), name


def test_an_empty_mask_is_sound_and_scores_0() -> None:
    said = (PartMask("wing", RleJson((6, 8), [48])), PartMask("tail", made_up.rle(WHOLE)))
    (checked,) = check([truth()], [Prediction("qst_0", masks=said)])
    assert checked.problems == ()
    assert score([checked], Wanted(frozenset({"masks"}))).marks["giou_macro_oracle"].value == 0.5


def test_uncompressed_counts_and_checked_masks_are_taken() -> None:
    said = (PartMask("wing", RleJson((6, 8), [0, 48])), PartMask("tail", masks.from_bitmap(WHOLE)))
    (checked,) = check([truth()], [Prediction("qst_0", masks=said)])
    assert checked.predicted == checked.true
    assert checked.predicted_areas.tolist() == checked.true_areas.tolist() == [48, 48]


@pytest.mark.parametrize(
    ("given_answer", "said"),
    [
        ({"scores": (1.0,)}, "`scores` are not"),
        ({"scores": ()}, "`scores` are not"),
        ({"scores": (math.nan,)}, "`scores` are not"),
        ({"scores": (math.inf,), "chosen": 0}, "`scores` are not"),
        ({"chosen": 9}, "`chosen` is 9"),
        ({"chosen": -1}, "`chosen` is -1"),
        ({"generated": 5}, "`generated` is 5"),
        ({"tokens": (0,)}, "`tokens` are not"),
        ({"object_scores": (1.0,)}, "`object_scores` are not 2"),
        ({"object_chosen": 2}, "`object_chosen` is 2"),
        ({"masks": (PartMask("wing", made_up.rle(WHOLE), math.nan),)}, "the score of a mask is not a number"),
    ],
)
def test_answers_that_can_not_be_are_refused_and_wrong(given_answer: dict[str, Any], said: str) -> None:
    asked = truth()
    n = len(asked.choices)
    fitting = dict(given_answer)
    if fitting.get("scores") and not math.isfinite(fitting["scores"][0]):
        fitting["scores"] = fitting["scores"] * n  # of the right length, so that it is the number that is refused
        fitting["chosen"] = asked.correct
    if "tokens" in fitting:
        fitting |= {"tokens": fitting["tokens"] * n, "scores": tuple(float(at == asked.correct) for at in range(n))}
    (checked,) = check([asked], [Prediction("qst_0", **fitting)])
    assert [said in one for one in checked.problems] == [True]
    marks = score([checked], Wanted()).marks
    metric = {"t": "accuracy_by_length", "o": "object_accuracy", "g": "generation_accuracy"}.get(said[1], "accuracy")
    assert marks[metric].top.tolist() == [0]


def test_minus_infinity_is_a_score() -> None:
    asked = truth()
    scores = tuple(-1.0 if at == asked.correct else -math.inf for at in range(len(asked.choices)))
    (checked,) = check([asked], [Prediction("qst_0", scores=scores)])
    assert checked.problems == ()
    assert score([checked], Wanted()).marks["accuracy"].value == 1


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"masks": (PartMask("wing", RleJson((6, 8), "!!")),)}, "question qst_0, the true mask of 'wing'"),
        ({"masks": (PartMask("wing", RleJson((6, 8), [48])),)}, "mask_empty"),
        ({"masks": (PartMask("wing", masks.from_bitmap(0 * WHOLE)),)}, "mask_empty"),
        ({"masks": (PartMask("wing", masks.from_bitmap(WHOLE.T)),)}, "mask_size_mismatch"),
        ({"masks": (PartMask("wing", masks.from_bitmap(WHOLE[:5])),)}, "mask_size_mismatch"),
        ({"correct": 99}, "choice 99 of"),
        ({"correct": -1}, "choice -1 of"),
        ({"choices": ()}, "choice"),
        ({"chance": 1.0}, "chance is 1.0"),
        ({"chance": math.nan}, "chance is nan"),
        ({"correct_object": 2}, "object 2 of 2"),
    ],
)
def test_a_malformed_truth_is_raised(broken: dict[str, Any], said: str) -> None:
    asked = truth()
    asked = replace(asked, **broken)
    with pytest.raises(EvaluationError, match=said):
        check([asked], [])


@pytest.mark.parametrize(
    ("questions", "predictions", "said"),
    [
        (["qst_0"], ["qst_0", "qst_0"], "the prediction for qst_0: it is there twice"),
        (["qst_0"], ["qst_1"], "the prediction for qst_1: no such question"),
        (["qst_0", "qst_0"], [], "a question is there twice"),
    ],
)
def test_sets_that_do_not_fit_are_raised(questions: list[str], predictions: list[str], said: str) -> None:
    with pytest.raises(EvaluationError, match=said):
        check([truth(question_id=one) for one in questions], [Prediction(one) for one in predictions])


def test_no_questions_are_no_error() -> None:
    assert check([], []) == []
    Stream(Wanted()).add([], [])


@given(seeds, st.binary(max_size=20))
def test_whatever_stands_in_a_mask_nothing_is_raised_and_no_score_rises(seed: int, noise: bytes) -> None:
    truths, predictions = made_up.world(seed, 3)
    checked = check(truths, predictions)
    before = score(checked, Wanted()).marks
    spoiled = [
        replace(
            one,
            masks=tuple(
                replace(each, mask=RleJson(_size(each), noise.decode("latin-1"))) if at == 0 else each
                for at, each in enumerate(one.masks or ())
            ),
        )
        for one in predictions
    ]
    again = check(truths, spoiled)
    if all(one.problems for one, old in zip(again, checked, strict=True) if old.named):
        after = score(again, Wanted()).marks
        for name in ("strict_giou_oracle", "hungarian_giou_oracle"):
            if len({part for one in checked for part in one.named}) == sum(len(one.named) for one in checked):
                assert after[name].top.sum() <= before[name].top.sum() + 1e-9


def _size(one: PartMask) -> tuple[int, ...]:
    assert isinstance(one.mask, RleJson)
    return one.mask.size
