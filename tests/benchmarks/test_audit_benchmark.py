"""The benchmark of blind attackers, on small stores: it counts rightly, and it sees the leaks that are there on purpose."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import audit
from partonomy_data.questions.shard import CoverageRow
from schemas.tables import schema

PROJECT = Path(__file__).resolve().parents[2]


def accuracies(lines: list[str], attacker: str) -> list[float]:
    """An attacker's accuracies on choices of parts, in percent: all types together first."""
    line = next(line for line in lines if re.match(rf"{attacker}\s", line))
    return [float(value) for value in re.findall(r"\d+\.\d", line)]


@pytest.mark.soak  # `tests/questions/audit` has the same leaks
def test_leaks_on_purpose_are_found(tmp_path: Path) -> None:
    lines = audit.leaky(tmp_path, None, quick=True)
    middle = next(place for place, line in enumerate(lines) if "regrouped" in line)
    edited, regrouped = lines[:middle], lines[middle:]
    assert accuracies(edited, "most_similar")[0] > 50
    assert accuracies(edited, "learned")[0] > 50
    assert "beyond chance" in "".join(edited)
    assert accuracies(regrouped, "linking")[0] > 40
    assert accuracies(regrouped, "most_similar")[0] == accuracies(regrouped, "chance")[0]


def test_a_store_s_lines_tell_coverage_truth_attackers_and_plain_checks(shared_data: Path, tmp_path: Path) -> None:
    lines = audit.store("paco", shared_data, tmp_path, 700, None, True)
    text = "\n".join(lines)
    assert re.search(r"== paco: [\d,]+ questions in \d+ s; audited: .*test", text)
    assert re.search(r"identification +[\d,]+ +[\d,]+ +[\d,]+ +\d+% +\d+%", text)
    assert re.search(r"truth +unverified: [\d,]+ questions .* right choices true \d+\.\d%", text)
    assert accuracies(lines, "most_similar") == accuracies(lines, "chance")
    assert "choices that a rule excludes" in text


def test_coverage_adds_up_the_splits_that_models_are_measured_on() -> None:
    rows = [
        CoverageRow("paco", "test", "identification", 100, 50, 40),
        CoverageRow("paco", "val", "identification", 20, 10, 8),
        CoverageRow("paco", "train", "identification", 1_000, 1_000, 0),
        CoverageRow("paco", "test", "difference", 0, 0, 0),
    ]
    lines = audit.coverage(rows)
    assert lines[1].split() == ["identification", "120", "60", "48", "80%", "40%"]
    assert lines[2].split() == ["difference", "0", "0", "0", "nan%", "nan%"]


def test_a_right_choice_is_true_if_it_has_all_clear_parts_and_no_other(tmp_path: Path) -> None:
    pixels = {"wheel": 100, "door": 9, "roof": 0}
    truth = {
        "object_id": ["obj_1"] * 3,
        "part_category": list(pixels),
        "visible": [n > 0 for n in pixels.values()],
        "pixels": list(pixels.values()),
    }
    pq.write_table(pa.table(truth), tmp_path / "truth.parquet")
    lists = {"right": ["wheel"], "door too": ["wheel", "door"], "wrong": ["wheel", "roof"], "short": ["door"]}
    kinds = schema("questions")
    columns = ("question_id", "object_id", "split", "question_type", "evidence", "choices")
    questions = [
        {"question_id": name, "object_id": "obj_1", "split": "test", "question_type": "identification",
         "evidence": "unverified", "choices": [
             {"text": "", "parts": parts, "spans": [], "is_correct": name == other, "edits": []}
             for other, parts in lists.items()]}
        for name in lists
    ]  # fmt: skip
    target = tmp_path / "tables" / "questions" / "split=test" / "questions.parquet"
    target.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(questions, pa.schema([kinds.field(name) for name in columns])), target)
    (line,) = audit.truth(tmp_path, ["test"])
    assert "4 questions" in line
    assert "right choices true 50.0%" in line
    assert "wrong choices false 50.0%" in line
    assert audit.evaluation_splits(tmp_path) == ["test"]


def test_missing_samples_are_told_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/audit.py", "--samples", str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "concept_hierarchy.csv" in done.stderr
    with pytest.raises(SystemExit, match="--samples"):
        audit.samples_folder(tmp_path)
