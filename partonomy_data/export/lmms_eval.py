"""Questions as tasks of lmms-eval: `lmms-eval --include_path FOLDER --tasks partonomy_test` asks them of any of its models.

    partonomy_<split>.yaml             answers in words, by the letter of a choice
    partonomy_<split>_likelihood.yaml  answers by the loss of each choice
    _*.yaml, utils.py                  what the tasks share (`lmms_eval_task`, copied as it is)
    data/<split>.parquet               a row a turn of a question, the second of two after the true first answer
    images/…                           what they show

A row's choices stand in the order in which they are shown, drawn by the key that `partonomy evaluate` draws it by. `order` says
which of the question's own choices stands at each place. The rows of a block follow one another, so that a `--limit` cuts one
block at most. All paths are relative: the folder may be moved.

Format: EvolvingLMMs-Lab/lmms-eval 0.7, lmms_eval/api/task.py (TaskConfig) and lmms_eval/utils.py (load_yaml_config).
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from itertools import islice
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from partonomy_data.errors import UsageError
from partonomy_data.export import pictures, slices
from partonomy_data.export.pictures import PICTURE
from partonomy_data.export.streams import batches
from partonomy_data.photographs.places import Photographs
from partonomy_data.store.reader import Store

#: What is copied beside the data.
SHARED: Final = ("utils.py", "_letters.yaml", "_likelihood.yaml", "_metrics.yaml")
#: Of the order of choices; `partonomy evaluate` has the same unless it is told another.
SEED: Final = 0
#: Rows of a row group, whatever batches they come in.
ROWS_PER_GROUP: Final = 4_096
#: Some models put the photograph where this stands in a text.
_PLAIN: Final = "replace({}, '<image>', 'image')"

_STRING: Final = pa.string()
SCHEMA: Final = pa.schema(
    {
        "question_id": _STRING,
        "turn": _STRING,
        "question_type": _STRING,
        "picture": _STRING,
        "earlier_question": _STRING,
        "earlier_answer": _STRING,
        "question": _STRING,
        "choices": pa.list_(_STRING),
        "correct": pa.int32(),
        "order": pa.list_(pa.int32()),
        "chance": pa.float64(),
        "balanced": pa.bool_(),
        "evidence": _STRING,
        "block_id": _STRING,
        "unit": _STRING,
    }
)

_TEXTS: Final = "list_transform({}, lambda c: " + _PLAIN.format("c.text") + ")"
_TURNS: Final = f"""
WITH asked AS (
    SELECT q.*, {PICTURE} AS picture, {_PLAIN.format("q.question")} AS parts_question,
        {_PLAIN.format("q.object_question")} AS whole_question, {_TEXTS.format("q.choices")} AS parts_texts,
        {_TEXTS.format("q.object_choices")} AS whole_texts, coalesce(q.block_id, q.question_id) AS place,
        coalesce(q.group_id, q.image_id) AS unit
    FROM questions q JOIN images i USING (image_id) WHERE q.split = $split),
turns AS (
    SELECT *, 'parts' AS turn, parts_question AS text, parts_texts AS texts, correct_index AS truth, chance AS blind,
        balanced AS fair, CASE WHEN question_type = 'whole_to_part' THEN whole_question END AS earlier_question,
        CASE WHEN question_type = 'whole_to_part' THEN whole_texts[correct_object_index + 1] END AS earlier_answer FROM asked
    UNION ALL
    SELECT *, 'object', whole_question, whole_texts, correct_object_index, 1 / len(whole_texts), object_balanced,
        CASE WHEN question_type = 'part_to_whole' THEN parts_question END,
        CASE WHEN question_type = 'part_to_whole' THEN parts_texts[correct_index + 1] END
    FROM asked WHERE question_type IN ('part_to_whole', 'whole_to_part'))
SELECT question_id, turn, question_type, picture, earlier_question, earlier_answer, text AS question, texts AS choices,
    truth AS correct, blind::DOUBLE AS chance, fair AS balanced, evidence, block_id, unit
FROM turns ORDER BY place, question_id, turn = (CASE WHEN question_type = 'whole_to_part' THEN 'parts' ELSE 'object' END)
"""


def write(
    store: Store, folder: Path, split: str | None, photographs: Photographs, progress: Any = None
) -> dict[str, int]:
    """Writes the tasks of each split and what their questions show; returns task → number of its documents.

    Raises UsageError if there are no questions, a photograph is missing, or a question has more choices than there are letters.
    """
    written = {}
    (folder / "data").mkdir()
    for name in slices.splits(store, "questions", split):
        pictures.write(store, name, photographs, folder, progress)
        count = _documents(store, name, folder / "data" / f"{name}.parquet")
        written[f"partonomy_{name}.yaml"] = count
        for way, task in (("letters", f"partonomy_{name}"), ("likelihood", f"partonomy_{name}_likelihood")):
            (folder / f"{task}.yaml").write_text(_task(task, way, name, store.version), encoding="utf-8")
    for name in SHARED:
        text = files("partonomy_data.export.lmms_eval_task").joinpath(name).read_text(encoding="utf-8")
        (folder / name).write_text(text, encoding="utf-8")
    return written


def _task(task: str, way: str, split: str, version: str) -> str:
    """The YAML of a task."""
    told = {
        "include": ["_metrics.yaml", f"_{way}.yaml"],
        "task": task,
        "dataset_kwargs": {"data_files": {split: [f"data/{split}.parquet"]}},
        "test_split": split,
        "metadata": {"version": version},
    }
    return yaml.safe_dump(told, sort_keys=False)


def _documents(store: Store, split: str, path: Path) -> int:
    """Writes the rows of a split, and returns how many there are."""
    count = 0
    rows = (_shown(row) for batch in batches(store, _TURNS, {"split": split}) for row in batch.to_pylist())
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        while group := list(islice(rows, ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, SCHEMA))
            count += len(group)
    return count


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its choices in the order in which they are shown."""
    texts = row["choices"]
    if len(texts) > len(ascii_uppercase):
        what = f"it has {len(texts)} choices, and there are {len(ascii_uppercase)} letters"
        raise UsageError(what, where=row["question_id"], mend="Export it in another format")
    order = shuffled(SEED, f"{row['question_id']}/{row['turn']}", len(texts))
    return row | {
        "choices": [texts[place] for place in order],
        "correct": order.index(row["correct"]),
        "order": order,
    }


def shuffled(seed: int, name: str, count: int) -> list[int]:
    """Which choice is shown at each of `count` places, by a key of `seed` and `name` (QUESTION/TURN) alone."""
    key = int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big")
    drawn: list[int] = np.random.Generator(np.random.Philox(key=[key, 0])).permutation(count).tolist()
    return drawn
