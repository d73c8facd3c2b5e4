"""The benchmark of the metrics compares two ways that give the same numbers, and ends where they don't."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from benchmarks import evaluate
from model.evaluation.checking import check


def test_both_ways_give_the_same_numbers() -> None:
    truths, predictions = evaluate.made_up(6)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
        common = evaluate.dense(truths, predictions)
    found = evaluate.ours(truths, predictions)
    evaluate.agree(found, common)
    evaluate.agree(evaluate.on_runs(check(truths, predictions)), common)
    assert 0.1 < found[0].mean() < 0.95
    assert all(one.masks and len(one.masks) == evaluate.PARTS for one in predictions)
    assert not any(one.problems for one in check(truths, predictions))


def test_a_question_that_differs_ends_the_benchmark() -> None:
    one = np.array([0.5, 0.25])
    with pytest.raises(SystemExit, match=r"gIoU Hungarian, by 0\.25"):
        evaluate.agree((one, one), (one, one - [0, 0.25]))
