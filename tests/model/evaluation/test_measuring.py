"""Predictions as they are read from a store to be measured."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from model.evaluation import job, measuring
from model.evaluation.job import EvaluationConfig
from model.evaluation.predicting import PredictionConfig
from partonomy_data.store.reader import open as open_store


def test_questions_come_block_by_block_and_those_without_one_last(own_store: Path) -> None:
    job.evaluate(own_store, "random", EvaluationConfig(PredictionConfig(split="train", limit=300)))
    given = {"model": "random", "conditioning": "oracle", "seed": 0, "split": "train"}
    with open_store(own_store) as store:
        rows = [row for batch in measuring._batches(store, given) for row in batch]
        stream, count = measuring.streamed(store, "random", "train", 0, "oracle")
    assert count == len(rows) == stream.asked[0] == 300
    blocks = [block for block, _ in groupby(row["block_id"] for row in rows)]
    assert len(blocks) == len(set(blocks)) > 20
    assert blocks[-1] is None
    assert [row["question_id"] for row in rows if row["block_id"] is None] == sorted(
        row["question_id"] for row in rows if row["block_id"] is None
    )


@pytest.mark.parametrize("k", [2, 3, 4, 5, 6, 7])
def test_chance_is_one_over_the_choices_and_not_what_float32_makes_of_it(k: int) -> None:
    assert measuring.chance(float(np.float32(1 / k)), k) == 1 / k
    assert measuring.chance(0.125, k) == 0.125
