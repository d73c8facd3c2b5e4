"""Reads question files of PARTONOMY's own release: a JSON list of records, one for each question."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from partonomy_data.errors import SourceError, UsageError
from partonomy_data.questions.audit.encode import Encoder, plain
from partonomy_data.sources import coco_json

BATCH_ROWS: Final = 4_096
#: The release's names of question types → ours. `_with_label` at the end says that the question names the object.
TYPES: Final = {
    "identification": "identification",
    "positive": "intersection",
    "negative": "difference",
    "difference": "contrast",
    "part_to_whole": "part_to_whole",
    "whole_to_part": "whole_to_part",
}
_WITH_LABEL: Final = "_with_label"


class Record(msgspec.Struct, frozen=True, gc=False):
    """A question of the release; masks and whatever else it holds are skipped."""

    image_path: str
    image_label: str
    question: str
    question_type: str
    answer_choices: list[str]
    answer_types: list[str]
    answer_parts: list[list[str]]
    object_question: str | None = None
    object_answer_types: list[str] | None = None
    object_answer_classes: list[str] | None = None


def read(path: Path) -> Encoder:
    """Encodes the questions of the file, which is mapped and decoded some thousand records at a time.

    Raises UsageError, with the file and the record, if it isn't such a list, or a record can't be a question.
    """
    try:
        records = coco_json.load(path, list[msgspec.Raw])
    except SourceError as error:
        raise UsageError(
            error.what, where=error.where, mend="Name a JSON list of questions, or Parquet files"
        ) from error
    decoder = msgspec.json.Decoder(Record)
    encoder = Encoder()
    for first in range(0, len(records), BATCH_ROWS):
        batch: list[Record] = []
        for place, raw in enumerate(records[first : first + BATCH_ROWS], first + 1):
            try:
                batch.append(decoder.decode(raw))
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                raise UsageError(str(error), where=f"{path}, question {place:,}") from error
        encoder.add(plain(_columns(batch, path, first), len(batch)), str(path))
    return encoder


def _columns(batch: list[Record], path: Path, before: int) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {
        "question_type": [],
        "names_object": [],
        "correct_index": [],
        "correct_object_index": [],
        "object_choices": [],
    }
    for place, record in enumerate(batch, before + 1):
        where = f"{path}, question {place:,}"
        kind = record.question_type.lower()
        plain_kind = kind.removesuffix(_WITH_LABEL)
        if plain_kind not in TYPES:
            raise UsageError(f"has the unknown question_type {record.question_type!r}", where=where)
        if len(record.answer_choices) != len(record.answer_types):
            raise UsageError("has not one answer type for each choice", where=where)
        columns["question_type"].append(TYPES[plain_kind])
        columns["names_object"].append(kind.endswith(_WITH_LABEL))
        columns["correct_index"].append(_right(record.answer_types, where))
        objects = record.object_answer_classes or []
        columns["object_choices"].append(objects)
        columns["correct_object_index"].append(_right(record.object_answer_types or [], where) if objects else None)
    return {
        **columns,
        "image_id": [record.image_path for record in batch],
        "object_id": [record.image_label for record in batch],
        "object_category": [record.image_label for record in batch],
        "source": ["unknown"] * len(batch),
        "split": ["unknown"] * len(batch),
        "question": [record.question for record in batch],
        "texts": [record.answer_choices for record in batch],
        "parts": [record.answer_parts for record in batch],
    }


def _right(types: list[str], where: str) -> int:
    if types.count("correct") != 1:
        raise UsageError(f"has {types.count('correct')} right answers, not one", where=where)
    return types.index("correct")
