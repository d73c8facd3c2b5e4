"""Questions as conversations, in the JSON that LLaVA is fine-tuned on: one record a question.

    {"id": "qst_…", "image": "images/paco/….jpg", "conversations": [{"from": "human", "value": "<image>\\n…"},
                                                                    {"from": "gpt", "value": "…"}]}

`image` is relative to the export. What the model is to say is the correct choice; questions of two turns have both of them.

Format: haotian-liu/LLaVA, docs/Finetune_Custom_Data.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from partonomy_data.export import pictures, slices
from partonomy_data.export.pictures import PICTURE
from partonomy_data.export.streams import write_array
from partonomy_data.photographs.places import Photographs
from partonomy_data.store.reader import Store

#: LLaVA puts the photograph where this stands; a second one, in a text, would ask for a second photograph.
_PLAIN: Final = "replace({}, '<image>', 'image')"

_TURNS: Final = """[{{'from': 'human', 'value': '<image>' || chr(10) || {first[0]}}}, {{'from': 'gpt', 'value': {first[1]}}},
    {{'from': 'human', 'value': {second[0]}}}, {{'from': 'gpt', 'value': {second[1]}}}]"""
_PARTS, _OBJECT = ("parts_question", "parts_answer"), ("object_question", "object_answer")
_RECORDS: Final = f"""
WITH asked AS (
    SELECT q.question_id, q.question_type, {PICTURE} AS picture, {_PLAIN.format("q.question")} AS parts_question,
        {_PLAIN.format("q.choices[q.correct_index + 1].text")} AS parts_answer,
        {_PLAIN.format("q.object_question")} AS object_question,
        {_PLAIN.format("q.object_choices[q.correct_object_index + 1].text")} AS object_answer
    FROM questions q JOIN images i USING (image_id)
    WHERE q.split = $split AND q.question_id >= $low AND q.question_id < $high)
SELECT to_json({{'id': question_id, 'image': picture, 'conversations': CASE question_type
    WHEN 'part_to_whole' THEN {_TURNS.format(first=_PARTS, second=_OBJECT)}
    WHEN 'whole_to_part' THEN {_TURNS.format(first=_OBJECT, second=_PARTS)}
    ELSE ({_TURNS.format(first=_PARTS, second=_OBJECT)})[1:2] END}})::VARCHAR AS line
FROM asked ORDER BY question_id
"""


def write(
    store: Store, folder: Path, split: str | None, photographs: Photographs, progress: Any = None
) -> dict[str, int]:
    """Writes `<split>.json` for each split and what its questions show; returns file → number of records.

    Raises UsageError if there are no questions, or a photograph is missing.
    """
    written = {}
    for name in slices.splits(store, "questions", split):
        pictures.write(store, name, photographs, folder, progress)
        with (folder / f"{name}.json").open("wb") as file:
            written[f"{name}.json"] = write_array(file, slices.question_lines(store, _RECORDS, name))
    return written
