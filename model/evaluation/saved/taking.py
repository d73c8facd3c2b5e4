"""Lines of predictions into the store, a few hundred at a time. Every line is used, or counted under the reason why it isn't."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa

from model.evaluation.agreement import iou_by_part
from model.evaluation.choices import best, kept
from model.evaluation.predicting import PredictionConfig
from model.evaluation.questions import least
from model.evaluation.saved.lines import Line, MaskOf, Numbered
from model.evaluation.scoring import CONDITIONINGS
from model.plum.errors import ModelError
from partonomy_data import masks
from partonomy_data.masks import Rle
from partonomy_data.store import parquet
from partonomy_data.store.files import fsync_folder
from partonomy_data.store.reader import Store

T = TypeVar("T")

_AT_ONCE: Final = 512
#: Lines about what was left out that are kept; all are counted.
MOST_TOLD: Final = 100
_IDS: Final = """SELECT question_id FROM questions WHERE list_contains($splits, split)
    AND (len($types) = 0 OR list_contains($types, question_type))
    AND (len($sources) = 0 OR list_contains($sources, source)) ORDER BY question_id"""
_FACTS: Final = """
WITH wanted AS (SELECT * FROM questions WHERE question_id IN (SELECT unnest($ids))),
named AS (
    SELECT m.question_id, list(struct_pack(part := m.part_category, counts := t.mask.counts) ORDER BY t.part_id) AS masks
    FROM (SELECT question_id, part_category, unnest(part_ids) AS part_id
        FROM question_masks SEMI JOIN wanted USING (question_id)) m
    JOIN parts t USING (part_id) GROUP BY 1)
SELECT q.question_id, len(q.choices) AS choices, coalesce(len(q.object_choices), 0) AS objects, q.correct_index,
    i.height, i.width, coalesce(n.masks, []) AS masks
FROM wanted q JOIN images i USING (image_id) LEFT JOIN named n USING (question_id)
"""


@dataclass
class Taken:
    """What came of a file: `lines` is the sum of those that were used, and of the three kinds that were not."""

    model_id: str
    lines: int = 0
    used: int = 0
    surplus: int = 0
    """About questions that are not asked here."""
    doubled: int = 0
    """About what an earlier line was about already, which counts."""
    malformed: int = 0
    missing: int = 0
    """Questions that no line is about. They count 0."""
    problems: list[str] = field(default_factory=list)
    """A line about each that was left out, and about each mask that can't be used; the first hundred."""

    def tell(self, line: str) -> None:
        """Keeps a line, if there aren't too many."""
        if len(self.problems) < MOST_TOLD:
            self.problems.append(line)

    def text(self) -> str:
        """The counts in one line."""
        told = f"{self.lines} lines: {self.used} used, {self.surplus} surplus, {self.doubled} doubled, {self.malformed} malformed"
        return f"{told}; {self.missing} questions without an answer, which counts 0"


def take(
    store: Store, model_id: str, said: Iterable[Numbered], wanted: PredictionConfig, where: str, target: Path
) -> Taken:
    """Writes lines as rows of the table `predictions`, two for each question, to a file that is there whole or not at all.

    The questions are those that a model would be asked with the same settings. `where` names the file that the lines come from.
    Memory grows with the questions' ids alone. Raises ModelError for settings that can't be, if there are no such questions, and
    if no line is about any of them.
    """
    wanted.selection()
    chosen = {"splits": [wanted.split], "types": list(wanted.types), "sources": list(wanted.sources)}
    ids = [str(name) for (name,) in store.sql(_IDS, chosen).fetchall()]
    if not ids:
        told = " and ".join(f"{name} {', '.join(values)}" for name, values in chosen.items() if values)
        raise ModelError(
            f"version {store.version} has no questions of {told}", mend="Choose other splits, types or sources"
        )
    asked = dict.fromkeys(ids[place] for place in least(wanted.seed, ids, wanted.limit))
    taken = Taken(model_id)
    target.parent.mkdir(parents=True, exist_ok=True)
    parquet.write(_batches(store, said, asked, wanted, taken, where), target, "predictions")
    fsync_folder(target.parent)
    return taken


def _batches(
    store: Store, said: Iterable[Numbered], asked: dict[str, None], wanted: PredictionConfig, taken: Taken, where: str
) -> Iterator[pa.RecordBatch]:
    """The rows. Lines about one question may be anywhere in the file, so the second row of each may come late."""
    seen: set[tuple[str, str]] = set()
    for several in _several(said):
        kept = [one for each in several if (one := _sorted(each, asked, taken, where)) is not None]
        facts = _facts(store, [line.question_id for _, line in kept])
        rows: list[dict[str, Any]] = []
        for number, line in kept:
            rows += _rows(number, line, facts[line.question_id], seen, wanted, taken, where)
        yield from _record_batches(rows)
    if not taken.used:
        raise ModelError(
            f"no line of it is about a question of {wanted.split} ({taken.text()})",
            where=where,
            mend=taken.problems[0] if taken.problems else "It holds no predictions",
        )
    answered = {name for name, _ in seen}
    taken.missing = sum(name not in answered for name in asked)
    left = ((name, one) for name in asked for one in CONDITIONINGS if (name, one) not in seen)
    for some in _several(left):
        yield from _record_batches([_row(taken.model_id, name, one, wanted.seed) for name, one in some])


def _sorted(one: Numbered, asked: dict[str, None], taken: Taken, where: str) -> tuple[int, Line] | None:
    """A line that may be used, with its number."""
    taken.lines += 1
    if one.line is None:
        taken.malformed += 1
        taken.tell(f"{where}:{one.number}: {one.problem}; it is left out")
        return None
    if one.line.question_id not in asked:
        taken.surplus += 1
        taken.tell(f"{where}:{one.number}: no question {one.line.question_id!r} is asked; it is left out")
        return None
    return one.number, one.line


def _facts(store: Store, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    rows = store.sql(_FACTS, {"ids": list(ids)}).to_arrow_table().to_pylist() if ids else []
    return {row["question_id"]: row for row in rows}


def _rows(
    number: int,
    line: Line,
    fact: dict[str, Any],
    seen: set[tuple[str, str]],
    wanted: PredictionConfig,
    taken: Taken,
    where: str,
) -> list[dict[str, Any]]:
    """The rows that a line makes: one; or two, if it doesn't say what its masks rest on."""
    name = line.question_id
    places = CONDITIONINGS if line.conditioning is None else (line.conditioning,)
    if any((name, one) in seen for one in places):
        taken.doubled += 1
        taken.tell(f"{where}:{number}: an earlier line is about {name} already; it is left out")
        return []
    try:
        line.checked(fact["choices"], fact["objects"])
    except ModelError as error:
        taken.malformed += 1
        taken.tell(f"{where}:{number}: {error.what}; it is left out")
        return []
    taken.used += 1
    seen.update((name, one) for one in places)
    rows = []
    for one in places:
        row = _row(taken.model_id, name, one, wanted.seed)
        # By what is kept of the scores, as measuring goes by them.
        scores = None if line.scores is None else kept(line.scores)
        place = line.chosen if scores is None else best(scores)
        row |= {
            "choice": place,
            "scores": scores,
            "lengths": line.tokens,
            "correct": place == fact["correct_index"],
        }
        row["object_choice"] = line.object_chosen if line.object_scores is None else best(kept(line.object_scores))
        if one == line.conditioning or one == "predicted":
            row |= _said(number, line, fact, taken, where)
        rows.append(row)
    return rows


def _said(number: int, line: Line, fact: dict[str, Any], taken: Taken, where: str) -> dict[str, Any]:
    """The columns of text, spans and masks. A mask that can't be used stays, as one that measuring refuses."""
    row: dict[str, Any] = {"text": line.text, "spans": None, "masks": None, "iou": None}
    if line.spans is not None:
        row["spans"] = [{"start": one.start, "end": one.end, "part": one.part} for one in line.spans]
    if line.masks is None:
        return row
    size = int(fact["height"]), int(fact["width"])
    made = [_encoded(one, size) for one in line.masks]
    true = {}
    for name in dict.fromkeys(one["part"] for one in fact["masks"]):
        lot = [masks.from_compressed(one["counts"], size, *size) for one in fact["masks"] if one["part"] == name]
        true[name] = masks.union(lot)
    for one, (mask, problem) in zip(line.masks, made, strict=True):
        if mask is None:
            taken.tell(f"{where}:{number}: the mask of {one.part!r} counts 0: {problem}")
    row["masks"] = [
        {
            "part": one.part,
            "height": size[0] if mask else 0,
            "width": size[1] if mask else 0,
            "counts": mask.counts.decode() if mask else "",
            "score": one.score,
        }
        for one, (mask, _) in zip(line.masks, made, strict=True)
    ]
    row["iou"] = iou_by_part([(one.part, mask) for one, (mask, _) in zip(line.masks, made, strict=True)], true)
    return row


def _encoded(one: MaskOf, size: tuple[int, int]) -> tuple[Rle | None, str]:
    """A mask, or why it can't be used. One that covers nothing is sound."""
    given = one.segmentation()
    if given is None:
        return None, "it has neither `rle` as {size, counts} nor `polygons`"
    made = masks.encode_many([given], [size[0]], [size[1]])
    if made.counts[0] is not None:
        return Rle(*size, made.counts[0]), ""
    if made.errors[0].rule == "mask_empty":
        return masks.from_counts([size[0] * size[1]], *size), ""
    return None, str(made.errors[0])


def _row(model_id: str, question_id: str, conditioning: str, seed: int) -> dict[str, Any]:
    nothing = dict.fromkeys(("choice", "scores", "lengths", "object_choice", "text", "spans", "masks", "iou"))
    names = {"model_id": model_id, "question_id": question_id, "conditioning": conditioning, "seed": seed}
    return {**names, **nothing, "correct": False}


def _several(every: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(every)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def _record_batches(rows: list[dict[str, Any]]) -> Iterator[pa.RecordBatch]:
    if rows:
        yield from pa.Table.from_pylist(rows, schema=parquet.written_schema("predictions")).to_batches()
