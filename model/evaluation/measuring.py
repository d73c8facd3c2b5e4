"""From predictions in the store to metrics in the store: joined with the questions' truth, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from model.evaluation.answers import Choice, EvaluationError, PartMask, Prediction, Span, Truth
from model.evaluation.intervals import number
from model.evaluation.naming import named
from model.evaluation.parts_named import Related
from model.evaluation.scoring import CONDITIONINGS, Wanted
from model.evaluation.streaming import Row, Stream
from partonomy_data.masks import RleJson
from partonomy_data.store import parquet
from partonomy_data.store.reader import Store

_AT_ONCE: Final = 256
#: What of the second conditioning is said of it: the rest is the same in both.
OWN: Final = "_predicted"
#: Measures that rest on a column of the predictions, and are left out where a model has none of it, by conditioning.
_NEEDS: Final[Mapping[str, Mapping[str, str]]] = {
    "oracle": {
        "choices": "choice IS NOT NULL OR scores IS NOT NULL",
        "by_length": "lengths IS NOT NULL",
        "objects": "object_choice IS NOT NULL",
        "spans": "spans IS NOT NULL",
        "masks": "masks IS NOT NULL",
        "boundary": "masks IS NOT NULL",
    },
    "predicted": {
        "choices": "choice IS NOT NULL OR scores IS NOT NULL",
        "objects": "object_choice IS NOT NULL",
        "generation": "text IS NOT NULL",
        "names": "text IS NOT NULL AND spans IS NOT NULL",
        "masks": "masks IS NOT NULL",
        "boundary": "masks IS NOT NULL",
    },
}
_MINE: Final = "p.model_id = $model AND p.conditioning = $conditioning AND p.seed = $seed AND q.split = $split"
#: Block by block, so that hardly any is waited for at a time.
_JOINED: Final = f"""
WITH mine AS (SELECT p.* FROM predictions p JOIN questions q USING (question_id) WHERE {_MINE}),
named AS (
    SELECT m.question_id, list(struct_pack(part := m.part_category, counts := t.mask.counts) ORDER BY t.part_id) AS true_masks
    FROM (SELECT question_id, part_category, unnest(part_ids) AS part_id FROM question_masks SEMI JOIN mine USING (question_id)) m
    JOIN parts t USING (part_id) GROUP BY 1)
SELECT mine.*, i.sha256 AS photograph, split_part(i.photograph, '/', 1) AS collection,
    i.height, i.width, q.split, q.source, q.question_type, o.object_category,
    q.evidence = 'verified' AS verified, q.choices, q.correct_index, q.chance, q.block_id, q.group_id,
    list_transform(q.object_choices, lambda c: c.text) AS objects, q.correct_object_index,
    coalesce(n.true_masks, []) AS true_masks
FROM mine JOIN questions q USING (question_id) JOIN images i USING (image_id) JOIN objects o USING (object_id)
LEFT JOIN named n USING (question_id) ORDER BY q.block_id NULLS LAST, q.question_id
"""


@dataclass(frozen=True)
class Measured:
    """The metrics of a model on a split."""

    rows: list[dict[str, Any]]
    """Of the table `evaluations`."""
    problems: list[str]
    """Lines about predictions that were malformed; the first hundred of each conditioning."""
    n: int
    """Questions."""


def measure(store: Store, model_id: str, split: str, seed: int) -> Measured:
    """All metrics of a model's predictions on a split. `store` was opened after they were written.

    Metrics of masks end on `_oracle` or `_predicted`. Of the others, those that differ with whose first answer the second turn
    follows are told again with `_predicted` at their end. Raises EvaluationError if there are no predictions.
    """
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    problems: list[str] = []
    n = 0
    for conditioning in CONDITIONINGS:
        stream, count = streamed(store, model_id, split, seed, conditioning)
        n, problems = max(n, count), problems + stream.lines
        for row in stream.rows():
            told = _told(row, model_id, store.version)
            key = (told["question_type"], told["slice"], told["metric"])
            if key in found and conditioning != "oracle":
                if row.metric.startswith("blind_") or row.metric == "chance":
                    continue  # nothing that the model said
                told["metric"] += OWN
                key = (*key[:2], told["metric"])
            found[key] = told
    return Measured([found[key] for key in sorted(found)], problems, n)


def streamed(
    store: Store, model_id: str, split: str, seed: int, conditioning: str, *, unit: str = "slice"
) -> tuple[Stream, int]:
    """The sums of a model's predictions on a split, and how many questions they are of; `unit` is what intervals draw.

    Raises EvaluationError if there are no predictions.
    """
    given = {"model": model_id, "conditioning": conditioning, "seed": seed, "split": split}
    stream, count = Stream(Wanted(_measures(store, given), conditioning, _related(store)), unit=unit), 0
    for batch in _batches(store, given):
        stream.add([_truth(row) for row in batch], [_prediction(row, conditioning) for row in batch])
        count += len(batch)
    if not count:
        raise EvaluationError(
            f"there are no predictions of {model_id} on {split}", mend="Have it predict first (partonomy evaluate)"
        )
    return stream, count


def write(measured: Measured, path: Path) -> None:
    """The metrics as a file of the table `evaluations`."""
    write_rows(measured.rows, path)


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Rows of the table `evaluations` as a file of it."""
    table = pa.Table.from_pylist(rows, schema=parquet.written_schema("evaluations"))
    parquet.write(table, path, "evaluations")


def _measures(store: Store, given: Mapping[str, Any]) -> frozenset[str]:
    """What the model can do at all: what none of its predictions has is left out, rather than counted 0."""
    needs = _NEEDS[given["conditioning"]]
    columns = ", ".join(f"coalesce(bool_or({one}), false)" for one in needs.values())
    sql = f"SELECT {columns} FROM predictions p JOIN questions q USING (question_id) WHERE {_MINE}"
    (there,) = store.sql(sql, dict(given)).fetchall()
    return frozenset(name for name, has in zip(needs, there, strict=True) if has)


def _related(store: Store) -> Related:
    """Part names that mean the same, or of which one is broader."""
    related: dict[str, set[str]] = {}
    sql = "SELECT part_a, part_b FROM part_relations WHERE relation IN ('same', 'broader', 'narrower')"
    for one, other in store.sql(sql).fetchall():
        related.setdefault(one.lower(), set()).add(other.lower())
    return related


def _batches(store: Store, given: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    for batch in store.sql(_JOINED, dict(given)).to_arrow_reader(_AT_ONCE):
        yield batch.to_pylist()


def _truth(row: Mapping[str, Any]) -> Truth:
    size = (int(row["height"]), int(row["width"]))
    right = row["choices"][row["correct_index"]]
    return Truth(
        question_id=row["question_id"],
        photograph=row["photograph"],
        split=row["split"],
        source=row["source"],
        question_type=row["question_type"],
        object_category=row["object_category"],
        verified=row["verified"],
        size=size,
        choices=tuple(Choice(one["text"], tuple(one["parts"])) for one in row["choices"]),
        correct=row["correct_index"],
        chance=chance(row["chance"], len(row["choices"])),
        masks=tuple(PartMask(one["part"], RleJson(size, one["counts"])) for one in row["true_masks"]),
        spans=tuple(Span(one["start"], one["end"], one["part"]) for one in right["spans"]),
        block=row["block_id"],
        group=row["group_id"],
        object_choices=tuple(row["objects"] or ()),
        correct_object=row["correct_object_index"],
        collection=row["collection"] or "",
    )


def chance(stored: float, choices: int) -> float:
    """A question's `chance`; one over its choices in full, of which the store's float32 may be somewhat above."""
    return 1 / choices if np.float32(stored) == np.float32(1 / choices) else stored


def _prediction(row: Mapping[str, Any], conditioning: str) -> Prediction:
    own = conditioning == "predicted"
    texts = [one["text"] for one in row["choices"]]
    spans = row["spans"]
    given = row["masks"]
    return Prediction(
        question_id=row["question_id"],
        scores=None if row["scores"] is None else tuple(row["scores"]),
        tokens=None if row["lengths"] is None else tuple(row["lengths"]),
        chosen=row["choice"],
        object_chosen=row["object_choice"],
        text=row["text"],
        generated=named(row["text"] or "", texts, letters=False) if own else None,
        parts=tuple(one["part"] for one in spans) if own and spans is not None else None,
        spans=None if own or spans is None else tuple((one["start"], one["end"]) for one in spans),
        masks=None
        if given is None
        else tuple(
            PartMask(one["part"], RleJson((one["height"], one["width"]), one["counts"]), one["score"]) for one in given
        ),
    )


def _told(row: Row, model_id: str, version: str) -> dict[str, Any]:
    return {
        "model_id": model_id,
        "version": version,
        "split": row.slice.split,
        "question_type": row.slice.question_type,
        "slice": row.slice.label,
        "metric": row.metric,
        "value": row.interval.value,
        "low": number(row.interval.low),
        "high": number(row.interval.high),
        "n": row.n,
        "n_skipped": row.n_skipped,
    }
