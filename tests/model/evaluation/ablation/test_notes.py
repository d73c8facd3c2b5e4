"""What was measured is known by the files that it was measured from: what was written over since is measured again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.evaluation import job
from model.evaluation.ablation.notes import Notes
from model.evaluation.job import EvaluationConfig
from model.evaluation.predicting import PredictionConfig
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import open as open_store

WANTED = EvaluationConfig(PredictionConfig(split="test", limit=6))


@pytest.fixture
def notes(own_store: Path) -> Notes:
    with open_store(own_store) as store:
        return Notes(Layout(own_store), store.version, WANTED)


def test_predictions_that_a_later_evaluation_has_written_are_not_those_that_were_measured(
    own_store: Path, notes: Notes
) -> None:
    assert notes.known("random") is None
    notes.add("random", job.evaluate(own_store, "random", WANTED).model_id, notes.given("random"))
    assert notes.known("random") == "random"
    job.evaluate(own_store, "random", EvaluationConfig(PredictionConfig(split="test", limit=3)))
    assert notes.known("random") is None
    job.evaluate(own_store, "random", WANTED)
    assert notes.known("random") == "random"


def test_a_file_that_has_changed_is_measured_again(own_store: Path, notes: Notes, tmp_path: Path) -> None:
    with open_store(own_store) as store:
        ((name,),) = store.sql("SELECT min(question_id) FROM questions WHERE split = 'test'").fetchall()
    path = tmp_path / "given.jsonl"
    path.write_text(json.dumps({"question_id": name, "chosen": 0}))
    wanted = EvaluationConfig(PredictionConfig(split="test"))
    notes.add(str(path), job.evaluate(own_store, path, wanted).model_id, notes.given(str(path)))
    assert notes.known(str(path)) == "given"
    path.write_text(json.dumps({"question_id": name, "chosen": 1}))
    assert notes.known(str(path)) is None


def test_a_note_that_is_a_name_alone_is_taken_as_it_was(own_store: Path, notes: Notes, tmp_path: Path) -> None:
    """So that an ablation which was half done when digests came goes on."""
    job.evaluate(own_store, "frequent", WANTED)
    notes.add("frequent", "frequent", None)
    (path,) = (own_store / "work" / "ablations").glob("*-names.json")
    version = notes._version
    path.write_text(json.dumps({f"frequent/{version}": "frequent", f"blind/{version}": "blind"}))
    assert notes.known("frequent") == "frequent"
    assert notes.known("blind") is None  # it has no predictions
    notes.add("random", job.evaluate(own_store, "random", WANTED).model_id, None)
    assert notes.known("frequent") == "frequent"
    assert notes.known("random") == "random"
