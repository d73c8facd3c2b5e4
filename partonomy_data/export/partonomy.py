"""Questions in the JSON of PARTONOMY's authors, so that their scripts read ours: a list of records, one a question.

    image_path, image_label, question, question_type, answer_choices, answer_types, answer_parts, segmentations,
    object_question, object_answer_choices, object_answer_types, object_answer_classes

`image_path` is relative to the export. `segmentations` has the masks of the parts that the correct answer names, by part, on
the grid of that picture: where the question shows a cut of its photograph, they are cut with it.

Format: AnselBlume/partonomy, src/data/qa_generation/qa_pair.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from partonomy_data import masks
from partonomy_data.errors import MaskError, UsageError
from partonomy_data.export import pictures, slices
from partonomy_data.export.pictures import PICTURE
from partonomy_data.export.streams import batches, json_bytes, write_array
from partonomy_data.photographs.places import Photographs
from partonomy_data.photographs.views import box_of
from partonomy_data.store.reader import Store

#: Our names of question types → theirs. Those of one turn end in `_with_label` where the question names the object.
TYPES: Final = {
    "identification": "identification",
    "intersection": "positive",
    "difference": "negative",
    "contrast": "difference",
    "part_to_whole": "part_to_whole",
    "whole_to_part": "whole_to_part",
}
_THEIRS: Final = " ".join(f"WHEN '{ours}' THEN '{theirs}'" for ours, theirs in TYPES.items())
_JUDGED: Final = "list_transform({}, lambda c: CASE WHEN c.is_correct THEN 'correct' ELSE 'incorrect' END)"

_RECORDS: Final = f"""
WITH asked AS (SELECT q.*, o.object_category, {PICTURE} AS picture, i.width, i.height
    FROM questions q JOIN images i USING (image_id) JOIN objects o USING (object_id)
    WHERE q.split = $split AND q.question_id >= $low AND q.question_id < $high),
named AS (SELECT m.question_id, m.part_category AS part, list(p.mask ORDER BY p.part_id) AS rles
    FROM (SELECT question_id, part_category, unnest(part_ids) AS part_id FROM question_masks
        WHERE question_id >= $low AND question_id < $high AND question_id IN (SELECT question_id FROM asked)) m
    JOIN parts p USING (part_id) GROUP BY ALL),
masked AS (SELECT question_id, list({{'key': part, 'value': rles}} ORDER BY part) AS found FROM named GROUP BY ALL)
SELECT a.question_id, to_json({{'image_path': a.picture, 'image_label': a.object_category, 'question': a.question,
    'question_type': concat(CASE a.question_type {_THEIRS} END,
        CASE WHEN a.names_object AND a.question_type NOT IN ('part_to_whole', 'whole_to_part') THEN '_with_label' END),
    'answer_choices': list_transform(a.choices, lambda c: c.text), 'answer_types': {_JUDGED.format("a.choices")},
    'answer_parts': list_transform(a.choices, lambda c: c.parts), 'object_question': a.object_question,
    'object_answer_choices': list_transform(a.object_choices, lambda c: c.text),
    'object_answer_types': {_JUDGED.format("a.object_choices")},
    'object_answer_classes': list_transform(a.object_choices, lambda c: c.object_category)}})::VARCHAR AS record,
    CASE WHEN a.referent <> 'crop' THEN coalesce(to_json(map_from_entries(m.found))::VARCHAR, '{{}}') END AS whole,
    CASE WHEN a.referent = 'crop' THEN coalesce(m.found, []) END AS found, a.region, a.width, a.height
FROM asked a LEFT JOIN masked m USING (question_id) ORDER BY a.question_id
"""


def write(
    store: Store, folder: Path, split: str | None, photographs: Photographs, progress: Any = None
) -> dict[str, int]:
    """Writes `partonomy_data_qa_pairs_<split>.json` for each split and what its questions show; returns file → records.

    Raises UsageError if there are no questions, a photograph is missing, or a mask is damaged.
    """
    written = {}
    for name in slices.splits(store, "questions", split):
        pictures.write(store, name, photographs, folder, progress)
        target = f"partonomy_data_qa_pairs_{name}.json"
        with (folder / target).open("wb") as file:
            written[target] = write_array(file, _records(store, name))
    return written


def _records(store: Store, split: str) -> Iterator[pa.Array]:
    for one in slices.question_slices(store, split):
        for batch in batches(store, _RECORDS, one):
            cut = batch.filter(pc.is_valid(batch["found"]))
            texts = pa.array([_cut(row) for row in cut.to_pylist()], pa.string())
            drawn = pc.replace_with_mask(batch["whole"], pc.is_null(batch["whole"]), texts)
            opening = pc.utf8_slice_codeunits(batch["record"], 0, -1)
            yield pc.binary_join_element_wise(opening, ',"segmentations":', drawn, "}", "")


def _cut(row: dict[str, Any]) -> str:
    """The masks of a question that shows a cut, as JSON, on the grid of the cut."""
    height, width = row["height"], row["width"]
    left, top, right, bottom = box_of(row["region"], width, height, row["question_id"])
    found: dict[str, list[Any]] = {}
    try:
        for part in row["found"]:
            for mask in part["value"]:
                whole = masks.decode(masks.from_compressed(mask["counts"], tuple(mask["size"]), height, width))
                found.setdefault(part["key"], []).append(
                    masks.to_json(masks.from_bitmap(whole[top:bottom, left:right]))
                )
    except MaskError as error:
        raise UsageError(f"a mask can't be used ({error})", where=row["question_id"], mend="Build again") from error
    return json_bytes(found).decode()
