"""Metrics of general sets against slow and plain oracles; intervals by photographs; the paired difference of two models."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation import intervals
from model.evaluation.answers import EvaluationError
from model.evaluation.general import measuring, normalizing
from model.evaluation.general.asking import Answered
from model.evaluation.general.measuring import Sums, differences
from model.evaluation.general.reading import Format, LeftOut, Question
from tests.model.evaluation.general.test_normalizing import table

ANSWERS = ["yes", "no", "No.", "NO", "Yes, it is", "a dog", "not there", "", None]
pope = st.lists(
    st.tuples(st.sampled_from(["yes", "no"]), st.sampled_from(ANSWERS), st.integers(0, 4)), min_size=1, max_size=30
)


def summed(form: Format, rows: list[tuple[Any, str | None, int]]) -> Sums:
    """Of rows of truth, answer, and photograph."""
    sums = Sums(form)
    for number, (true, said, image) in enumerate(rows):
        answers = (true,) if isinstance(true, str) else tuple(true)
        sums.add(
            Answered(
                Question(str(number), Path(f"{image}.jpg"), "?", answers), said, "" if said is not None else "too long"
            )
        )
    return sums


def values(sums: Sums) -> dict[str, float]:
    return {row.metric: row.interval.value for row in sums.measured(0)}


def ratio(top: float, bottom: float) -> float:
    return top / bottom if bottom else float("nan")


@given(pope)
def test_popes_metrics_are_those_of_its_table_of_four(rows: list[tuple[str, str | None, int]]) -> None:
    both = [
        (true, {"yes": "no", "no": "yes"}[true] if said is None else normalizing.pope(said)) for true, said, _ in rows
    ]
    tp, fp, fn, tn = (both.count(one) for one in (("yes", "yes"), ("no", "yes"), ("yes", "no"), ("no", "no")))
    precision, recall = ratio(tp, tp + fp), ratio(tp, tp + fn)
    said = [one for _, one, _ in rows if one is not None]
    expected = {
        "accuracy": (tp + tn) / len(rows),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if tp else ratio(0, 2 * tp + fp + fn),
        "yes_share": (tp + fp) / len(rows),
        "neither": ratio(sum(one in ("a dog", "") for one in said), len(said)),
    }
    assert values(summed("pope", rows)) == pytest.approx(expected, nan_ok=True)


words = st.sampled_from(["boston", "Boston.", "the boston", "ma", "one", "1", "dont", "don't"])


@given(
    st.lists(
        st.tuples(st.lists(words, min_size=10, max_size=10), words | st.none(), st.integers(0, 4)),
        min_size=1,
        max_size=8,
    )
)
def test_textvqas_accuracy_is_the_mean_of_the_soft_marks(rows: list[tuple[list[str], str | None, int]]) -> None:
    marks = []
    for people, said, _ in rows:
        same = [said is not None and normalizing.textvqa(one) == normalizing.textvqa(said) for one in people]
        marks.append(np.mean([min(1, (sum(same) - same[left]) / 3) for left in range(10)]))
    assert values(summed("textvqa", rows)) == pytest.approx({"vqa_accuracy": np.mean(marks)})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["left", "Yes"]),
            st.sampled_from(["left", "Left. ", "yes", "a left", None]),
            st.integers(0, 4),
        ),
        min_size=1,
    )
)
def test_gqas_accuracy_is_the_share_of_equal_answers(rows: list[tuple[str, str | None, int]]) -> None:
    right = [said is not None and said.strip().strip(".").lower() == true.lower() for true, said, _ in rows]
    assert values(summed("gqa", rows)) == pytest.approx({"accuracy": np.mean(right)})


def test_the_example_of_the_page_is_worth_what_it_says() -> None:
    rows = [(row["label"], row["said"], number) for number, row in enumerate(table("label | said"))]
    assert [normalizing.pope(said) for _, said, _ in rows] == [row["taken for"] for row in table("label | said")]
    (expected,) = table("accuracy | precision")
    assert values(summed("pope", rows)) == pytest.approx(
        {name: float(Fraction(cell)) for name, cell in expected.items()}
    )


def test_what_could_not_be_asked_is_wrong_and_counted() -> None:
    sums = summed("pope", [("yes", None, 0), ("no", None, 1), ("yes", "yes", 2)])
    found = {row.metric: row for row in sums.measured(0)}
    assert found["accuracy"].interval.value == pytest.approx(1 / 3)
    assert (found["accuracy"].n, found["accuracy"].n_skipped) == (3, 2)
    assert (found["recall"].n, found["recall"].n_skipped) == (2, 1)
    assert (found["neither"].n, found["neither"].n_skipped) == (1, 0)
    assert sums.refused == ["question 0: too long", "question 1: too long"]


def test_every_row_is_scored_or_left_out() -> None:
    sums = summed("gqa", [("left", "left", 0)] * 3)
    for number in range(25):
        sums.add(LeftOut(f"question {number}", "doubled" if number else "no answer", "it is so"))
    assert sums.rows == 28 == sums.scored + sum(sums.counts().values())
    assert {why: count for why, count in sums.counts().items() if count} == {"no answer": 1, "doubled": 24}
    assert sums.problems[0] == "question 0: it is so"
    assert len(sums.problems) == 20


def test_intervals_draw_photographs_and_not_questions() -> None:
    generator = np.random.default_rng(0)
    rows: list[tuple[Any, str | None, int]] = [
        ("left", "left" if generator.random() < 0.5 else "right", number) for number in range(60)
    ]
    six: list[tuple[Any, str | None, int]] = [row for row in rows for _ in range(6)]
    (alone,), (each_six,) = summed("gqa", rows).measured(0), summed("gqa", six).measured(0)
    assert (each_six.n, alone.n) == (360, 60)
    assert each_six.interval == alone.interval, "the same questions six times say no more"


@given(pope, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: list[tuple[str, str | None, int]], random: Any) -> None:
    shuffled = rows.copy()
    random.shuffle(shuffled)
    for one, other in zip(summed("pope", rows).measured(3), summed("pope", shuffled).measured(3), strict=True):
        assert str(one.interval) == str(other.interval)


def slow_interval(first: list[float], second: list[float], images: list[int]) -> tuple[float, float]:
    """The bounds of the difference of two means of the same questions, a replicate at a time."""
    names = sorted(set(images))
    keys = np.array([intervals.key_of(f"{name}.jpg") for name in names], np.uint64)
    gaps = []
    for weights in intervals.weights(keys, intervals.REPLICATES, 5):
        weight = dict(zip(names, weights.tolist(), strict=True))
        total = sum(weight[image] for image in images)
        gap = sum(weight[image] * (one - other) for one, other, image in zip(first, second, images, strict=True))
        if total:
            gaps.append(gap / total)
    value = float(np.mean(first) - np.mean(second))
    found = intervals.bounds(value, np.array(gaps), len(names), share=False)
    return found.low, found.high


def test_the_difference_of_two_models_is_on_the_same_draws() -> None:
    generator = np.random.default_rng(1)
    images = [int(number) for number in generator.integers(0, 12, 40)]
    hard = generator.random(12)
    scores = [[float(generator.random() < hard[image] + more) for image in images] for more in (0.15, 0.0)]
    one, other = (
        summed("gqa", [("left", "left" if mark else "right", image) for mark, image in zip(marks, images, strict=True)])
        for marks in scores
    )
    (found,) = differences(one, other, 5)
    assert found.interval.value == pytest.approx(np.mean(scores[0]) - np.mean(scores[1]))
    low, high = slow_interval(*scores, images)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    (turned,) = differences(other, one, 5)
    assert (turned.interval.value, turned.interval.low) == pytest.approx((-found.interval.value, -found.interval.high))
    assert turned.higher == pytest.approx(1 - found.higher)


def test_a_model_is_no_better_than_itself() -> None:
    rows: list[tuple[Any, str | None, int]] = [("yes", "yes", 0), ("no", "yes", 1), ("yes", "no", 2)]
    for found in differences(summed("pope", rows), summed("pope", rows), 0):
        assert (found.interval.value, found.interval.low, found.interval.high, found.higher) == (0, 0, 0, 0.5)


def test_models_that_were_not_asked_the_same_are_not_compared() -> None:
    one, other = summed("gqa", [("left", "left", 0)]), summed("gqa", [("left", "left", 1)])
    for second in (other, summed("gqa", [("left", "left", 0)] * 2)):
        with pytest.raises(EvaluationError, match="not asked the same questions"):
            differences(one, second, 0)


def test_memory_does_not_grow_with_photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "Tally", lambda *sizes: tallies(*sizes, most_units=16))
    rows: list[tuple[Any, str | None, int]] = [("left", "left" if number % 3 else "no", number) for number in range(99)]
    one, other = summed("gqa", rows), summed("gqa", rows[::-1])
    assert one.tally.units <= 16
    assert one.measured(0)[0].interval.value == pytest.approx(2 / 3)
    assert differences(one, other, 0)[0].interval.value == 0


tallies = measuring.Tally
