"""The benchmark of questions measures what it says, at a size that takes seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks import questions, reference_way
from benchmarks.reference_way import Instance, Regressions

PROJECT = Path(__file__).resolve().parents[2]
#: Fields of the published scripts' record, without `segmentations`.
FIELDS = (
    "image_path", "image_label", "question", "question_type", "answer_choices", "answer_types", "answer_parts",
    "object_question", "object_answer_choices", "object_answer_types", "object_answer_classes",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """A store, its questions, and what was measured on the way."""
    folder = tmp_path_factory.mktemp("questions")
    questions.make(folder / "store", 16, 50, 1_500)
    return folder / "store", folder / "made", questions.fresh("ours", folder / "store", folder / "made")


def test_it_counts_questions_bytes_seconds_and_memory(made: tuple[Path, Path, dict[str, Any]]) -> None:
    _, target, figures = made
    files = sorted((target / "questions").rglob("*.parquet"))
    counted = sum(pq.ParquetFile(path).metadata.num_rows for path in files)
    assert counted > 1_500
    assert figures["questions"] == counted
    beside = sorted((target / "question_masks").rglob("*.parquet"))
    assert figures["bytes"] == sum(path.stat().st_size for path in (*files, *beside))
    assert 0 < figures["seconds"] < 200
    assert 50 < figures["mb"] < 2_000
    assert {"identification", "whole_to_part"} <= set(figures["coverage"])


def test_a_sample_is_spread_over_batches_some_of_which_have_no_row_in_it(
    made: tuple[Path, Path, dict[str, Any]],
) -> None:
    store, target, figures = made
    (row,) = questions.sampled(store, target, 1)
    assert row["question_id"].startswith("qst_")
    assert len(list(questions.sampled(store, target, figures["questions"]))) == figures["questions"]


def test_records_are_those_of_the_scripts(made: tuple[Path, Path, dict[str, Any]]) -> None:
    store, target, _ = made
    sampled = list(questions.sampled(store, target, 200))
    assert 150 < len(sampled) < 600
    assert len({row["question_id"] for row in sampled}) == len(sampled)
    for row in sampled:
        record = reference_way.record(row)
        assert tuple(record) == FIELDS
        right = record["answer_types"].index("correct")
        assert right == row["correct_index"]
        assert record["answer_parts"][right] == row["choices"][right]["parts"]
        assert (record["object_question"] is None) == (row["question_type"] not in ("part_to_whole", "whole_to_part"))
    mean = np.mean([len(json.dumps(reference_way.record(row))) + 2 for row in sampled])
    assert questions.reference_bytes(store, target, 200) == pytest.approx(float(mean), rel=1e-9)


def test_the_scripts_way_is_timed_on_a_store(made: tuple[Path, Path, dict[str, Any]]) -> None:
    figures = questions.scripts(made[0], photographs=4, fitted=300)
    assert figures["questions"] > 4
    assert figures["parts"] > 30
    assert figures["seconds"] > 0


@pytest.mark.soak
def test_a_run_prints_a_line_for_each_size_and_the_comparison(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/questions.py", "--shape", "75/200", "--instances", "500", "--quick"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert next(line for line in lines if line.startswith("75/200")).split()[1] == "500"
    assert lines[-1].count("x") == 2


WORLD = [
    Instance(f"thing {place % 3}", frozenset(name for name in "abcdefg" if (place * 7 + ord(name)) % 5 < 3))
    for place in range(60)
]


def test_wrong_answers_are_four_different_sets_a_few_changes_from_the_truth() -> None:
    regressions, generator = Regressions(WORLD), np.random.default_rng(0)
    for one in WORLD[:10]:
        truth = set(one.parts)
        answers = reference_way._wrong_answers(truth, set("abcdefg"), regressions, generator)
        assert answers is not None
        assert len({tuple(answer) for answer in answers}) == 5
        assert sorted(truth) in answers
        for answer in answers:
            assert max(len(truth - set(answer)), len(set(answer) - truth)) <= 2


def test_a_sampled_part_is_new_and_mostly_a_related_one() -> None:
    regressions, generator = Regressions(WORLD), np.random.default_rng(0)
    drawn = [regressions.sample({"a", "b"}, {"c"}, {"d"}, generator) for _ in range(200)]
    assert set(drawn) <= set("cefg")
    assert drawn.count("c") > 150
    assert regressions.sample(set("abc"), set(), set("defg"), generator) is None
