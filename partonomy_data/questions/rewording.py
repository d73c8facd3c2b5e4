"""A share of the finished questions in other words: which are chosen, and what becomes of their rows.

Questions that are asked together share one text and the same choices, and keep doing so: they are chosen together, by
what their ids have in common, and worded by one template. Which choice is right has no part in it. Files of questions are
read a row group at a time, and those in which nothing changes stay as they are; the others are written aside and take
their places, so that finished shards, which they may be links to, don't change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from partonomy_data.questions import keyed
from partonomy_data.questions.admission_paraphrase import Original
from partonomy_data.questions.bank import QUESTION_SLOTS, Bank, Proposed, Template, cut
from partonomy_data.questions.nouns import indefinite
from partonomy_data.questions.wording import PLACES, filled, listed
from partonomy_data.store import parquet

#: For each text to be reworded, in their order, a template that says the same; None where it is to stay.
Words = Callable[[Sequence[Original]], Sequence[Proposed | None]]

#: Texts that are asked for at once.
TOGETHER: Final = 16_384
#: Characters of a question's id that stand for those that are asked together.
_UNIT: Final = len("qst_") + 12
_KEY: Final = ["question_id", "question_type", "contrast_categories", "block_id"]
_SHOWN: Final = [
    *("question_id", "question_type", "contrast_categories", "names_object", "referent", "question", "wording"),
    *("choices.list.element.text", "choices.list.element.spans"),
]


@dataclass(frozen=True, slots=True)
class _New:
    """What a text is to be worded by."""

    name: str
    template: Template


def reword(staged: Path, percent: float, seed: int, templates: Sequence[Proposed], words: Words) -> int:
    """Words some of the questions below `staged` anew, and says how many. Files of which nothing changes aren't touched.

    `percent` of the texts are chosen, by keyed numbers of what their questions have in common: those of a smaller share
    are among those of a larger. `templates` are those that the questions were worded by beside the standard ones. Raises
    ValueError for questions that were worded by any other.
    """
    bank = Bank.extended(templates)
    files = sorted((staged / "questions").glob("**/*.parquet"))
    chosen = ((file, one) for file in files for one in originals(file, percent, seed, bank))
    waiting: dict[Path, dict[str, _New]] = {}
    n = 0
    while some := list(islice(chosen, TOGETHER)):
        for (file, one), found in zip(some, words([one for _, one in some]), strict=True):
            if found is not None:
                made = cut(found.question_type, found.question, found.answer)
                waiting.setdefault(file, {})[one.id] = _New(found.id, made)
        # The last file may have more.
        n += sum(_rewritten(file, waiting.pop(file), bank) for file in list(waiting) if file != some[-1][0])
    return n + sum(_rewritten(file, new, bank) for file, new in waiting.items())


def originals(file: Path, percent: float, seed: int, bank: Bank) -> Iterator[Original]:
    """The chosen texts of a file of questions, each once, with the first of their choices by text."""
    seen: set[int] = set()
    with pq.ParquetFile(file) as questions:
        for group in range(questions.num_row_groups):
            first: dict[int, str] = {}
            for row, key in enumerate(_keys(questions.read_row_group(group, columns=_KEY))):
                number = keyed.number("paraphrase", seed, key)
                if number * 100 < percent * 2.0**64 and number not in seen:
                    seen.add(number)
                    first[row] = key
            if first:
                rows = questions.read_row_group(group, columns=_SHOWN).take(pa.array(list(first), pa.int64()))
                for key, row in zip(first.values(), rows.to_pylist(), strict=True):
                    yield _original(key, row, bank)


def _keys(rows: pa.Table | pa.RecordBatch) -> list[str]:
    """What each question has in common with those that it shares its text with; its id if there are none."""
    columns = (rows[name].to_pylist() for name in _KEY)
    return [
        question_id if block is None else "/".join((question_id[:_UNIT], question_type, *contrasts))
        for question_id, question_type, contrasts, block in zip(*columns, strict=True)
    ]


def _original(key: str, row: Mapping[str, Any], bank: Bank) -> Original:
    template = bank.template(row["wording"], parts=True)
    kept = _values(row["question"], row["question_type"], row["contrast_categories"], template)
    choice = min(row["choices"], key=lambda one: one["text"])
    phrases = tuple(choice["text"][span["start"] : span["end"]] for span in choice["spans"])
    named = [kept["object"].removeprefix("the ").removesuffix(PLACES[row["referent"] == "box"])]
    names = (*(named if row["names_object"] else ()), *row["contrast_categories"], *phrases)
    return Original(key, row["question_type"], row["question"], choice["text"], kept, phrases, names)


def _values(question: str, question_type: str, contrasts: Sequence[str], template: Template) -> dict[str, str]:
    """Slot → what stands there in a question that the template words: what is left of it is the object."""
    slots = QUESTION_SLOTS[question_type]
    others = {slot: indefinite(name) for slot, name in zip(slots[1:], contrasts, strict=True)}
    at = 1 + 2 * template.question[1::2].index("object")
    before, after = filled(template.question[:at], others), filled(template.question[at + 1 :], others)
    thing = question[len(before) : len(question) - len(after)]
    if not thing or before + thing + after != question:
        raise ValueError(f"{question!r} is not worded by the template that it names")
    return {"object": thing, **others}


def _rewritten(file: Path, new: Mapping[str, _New], bank: Bank) -> int:
    """Writes a file's questions in their new words; how many there are of these."""
    n = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal n
        with pq.ParquetFile(file) as questions:
            for group in range(questions.num_row_groups):
                for batch in questions.read_row_group(group).to_batches():
                    touched = [(row, new[key]) for row, key in enumerate(_keys(batch)) if key in new]
                    n += len(touched)
                    yield _reworded(batch, touched, bank) if touched else batch

    parquet.write(batches(), file, "questions")
    return n


def _reworded(batch: pa.RecordBatch, touched: Sequence[tuple[int, _New]], bank: Bank) -> pa.RecordBatch:
    """The rows with the questions, choices and wordings of some of them anew."""
    names = ("question", "wording", "question_type", "names_object", "contrast_categories")
    questions, wordings, types, named, contrasts = (batch[name].to_pylist() for name in names)
    for row, new in touched:
        values = _values(questions[row], types[row], contrasts[row], bank.template(wordings[row], parts=True))
        questions[row] = filled(new.template.question, values)
        wordings[row] = f"{types[row]}/{'named' if named[row] else 'unnamed'}/{new.name}"
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns["question"] = pa.array(questions, batch.schema.field("question").type)
    columns["wording"] = pa.array(wordings, batch.schema.field("wording").type)
    columns["choices"] = _choices(batch["choices"], touched)
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)


def _choices(choices: pa.ListArray, touched: Sequence[tuple[int, _New]]) -> pa.ListArray:
    """The choices with the texts and the spans of some rows anew; lists, parts and edits are the same."""
    of_rows, given = _unfolded(choices)
    of_choices, spans = _unfolded(given["spans"])
    texts = given["text"].to_pylist()
    starts, ends = (np.array(spans[name], np.int32) for name in ("start", "end"))
    for row, new in touched:
        for choice in range(of_rows[row], of_rows[row + 1]):
            at = slice(of_choices[choice], of_choices[choice + 1])
            old = texts[choice]
            phrases = [(old[start:end], "") for start, end in zip(starts[at].tolist(), ends[at].tolist(), strict=True)]
            texts[choice], found = listed(new.template.answer, phrases)
            starts[at], ends[at] = zip(*((start, end) for start, end, _ in found), strict=True)
    spans |= {"start": pa.array(starts), "end": pa.array(ends)}
    given |= {"text": pa.array(texts, pa.string()), "spans": _folded(of_choices, spans, given["spans"].type)}
    return _folded(of_rows, given, choices.type)


def _unfolded(lists: pa.ListArray) -> tuple[np.ndarray[Any, Any], dict[str, pa.Array]]:
    """Lists of structs as offsets (n + 1), from 0 on, and the fields' values one after another."""
    offsets = np.asarray(lists.offsets)
    structs = lists.flatten()
    fields = structs.type.fields
    return offsets - offsets[0], dict(zip((one.name for one in fields), structs.flatten(), strict=True))


def _folded(offsets: np.ndarray[Any, Any], values: Mapping[str, pa.Array], kind: pa.DataType) -> pa.ListArray:
    element = kind.value_type
    structs = pa.StructArray.from_arrays([values[one.name] for one in element.fields], fields=element.fields)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), structs, type=kind)
