"""Predictions of the store as lines that `lines.read` reads: for other people's tools, and to be measured elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from model.evaluation.answers import EvaluationError
from model.evaluation.saved.lines import Line, MaskOf, SpanOf
from partonomy_data.store.files import written_aside
from partonomy_data.store.reader import Store

_AT_ONCE: Final = 512
_MINE: Final = """SELECT p.* FROM predictions p JOIN questions q USING (question_id)
    WHERE p.model_id = $model AND p.seed = $seed AND q.split = $split ORDER BY p.question_id, p.conditioning"""


def write(store: Store, model_id: str, split: str, seed: int, path: Path) -> int:
    """Writes a line for each row of a model's predictions on a split, and gives their number. Raises EvaluationError for none."""
    encoder, count = msgspec.json.Encoder(), 0
    given = {"model": model_id, "split": split, "seed": seed}
    with written_aside(path) as aside, aside.open("wb") as file:
        for batch in store.sql(_MINE, given).to_arrow_reader(_AT_ONCE):
            for row in batch.to_pylist():
                file.write(encoder.encode(_line(row)) + b"\n")
                count += 1
        if not count:
            raise EvaluationError(f"there are no predictions of {model_id} on {split}", mend="Evaluate it first")
    return count


def _line(row: dict[str, Any]) -> Line:
    return Line(
        row["question_id"],
        row["conditioning"],
        chosen=row["choice"],
        scores=row["scores"],
        tokens=row["lengths"],
        object_chosen=row["object_choice"],
        text=row["text"],
        spans=None if row["spans"] is None else [SpanOf(one["start"], one["end"], one["part"]) for one in row["spans"]],
        masks=None
        if row["masks"] is None
        else [
            MaskOf(one["part"], {"size": [one["height"], one["width"]], "counts": one["counts"]}, score=one["score"])
            for one in row["masks"]
        ],
    )
