"""A review of finished questions: a random sample of them, shown to a language model with what is annotated.

The model sees no image. It says whether the choice that counts as correct follows from what is annotated and from what
objects are like, whether it is the only such choice, and whether question and answer are good English. Nothing is
changed by what it says: shares come with their intervals, and the rows with its reasons, for a person to look at.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partonomy_data.llm.brief import Answered, Asks, Brief, Item, Unanswered, Why
from partonomy_data.llm.guard import reads_as_a_name
from partonomy_data.llm.purposes.intervals import Z95, wilson
from partonomy_data.questions import keyed
from schemas.tables import schema

_LONGEST_REASON: Final = 300
#: What is read of each question, and of the objects and their parts.
_COLUMNS: Final = [
    *("question_id", "question_type", "object_id", "contrast_categories", "question", "choices", "correct_index")
]
_OF_OBJECTS: Final = {
    "objects": ["object_id", "object_category"],
    "parts": ["object_id", "part_category", "area"],
}

_INSTRUCTIONS: Final = """\
You review multiple-choice questions about the parts of objects in photographs. Each item has a question, its choices, the \
number of the choice that counts as correct, the kind of object that it is about, and those of the object's parts that are \
visible. You see no image: take the list of visible parts for complete, and judge the rest by what such objects are like. A \
question that compares the object with another kind of object asks what such objects ordinarily have. Say

true: whether the choice that counts as correct is a right answer,
unambiguous: whether every other choice is a wrong answer,
natural: whether the question and the choices are grammatical English that a person could have written,
reason: in one short sentence, what is wrong; empty if nothing is."""


class Verdict(msgspec.Struct, frozen=True):
    """The answer to one item."""

    true: Annotated[bool, msgspec.Meta(description="whether the correct choice is a right answer")]
    unambiguous: Annotated[bool, msgspec.Meta(description="whether all other choices are wrong answers")]
    natural: Annotated[bool, msgspec.Meta(description="whether the texts are good English")]
    reason: Annotated[str, msgspec.Meta(description="what is wrong, in one short sentence; empty if nothing is")]


class Share(msgspec.Struct, frozen=True):
    """A share with its 95 % interval (Wilson 1927)."""

    yes: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """None for none of none."""
        return self.yes / self.of if self.of else None


class Row(msgspec.Struct, frozen=True):
    """What was said of one question."""

    question_id: str
    question_type: str
    verdict: Verdict | None
    """None if there is no answer that can be used; `why` says why."""
    call_id: str | None
    why: Why | None


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review. Shares are of the questions that were answered."""

    sampled: int
    unreadable: int
    """Drawn and not shown, as a name in them doesn't read as one; not among `sampled`."""
    unanswered: int
    agreement: dict[str, Share]
    """`true`, `unambiguous`, `natural`, and `all` three."""
    rows: tuple[Row, ...]


def review(asks: Asks, questions: pa.Table, objects: pa.Table, n: int, seed: int = 0) -> Reviewed:
    """Has up to `n` questions reviewed, drawn by their ids and the seed, whatever the order of the rows.

    `questions` is the table of that name. `objects` has, for each object that they ask about, `object_id`,
    `object_category`, and `visible_parts`, a list of part categories (`visible_parts` makes it). Raises ValueError if
    an object is missing, or n is negative.
    """
    if n < 0:
        raise ValueError("a sample can't be smaller than nothing")
    known = {row["object_id"]: row for row in objects.to_pylist()}
    drawn = _drawn(questions, n, seed)
    missing = [row["object_id"] for row in drawn if row["object_id"] not in known]
    if missing:
        raise ValueError(f"the object {missing[0]} is not among the objects")
    shown = [(row, _item(row, known[row["object_id"]])) for row in drawn if _readable(row, known[row["object_id"]])]
    outcomes = asks.ask(BRIEF, [item for _, item in shown]) if shown else {}
    rows = tuple(_row(row, outcomes.get(item.id, Unanswered("failed", "no outcome"))) for row, item in shown)
    verdicts = [row.verdict for row in rows if row.verdict is not None]
    agreement = {name: _share([bool(getattr(one, name)) for one in verdicts]) for name in _ASPECTS}
    agreement["all"] = _share([one.true and one.unambiguous and one.natural for one in verdicts])
    return Reviewed(len(rows), len(drawn) - len(shown), len(rows) - len(verdicts), agreement, rows)


def sample(staged: Path, n: int, min_part_pixels: int, seed: int = 0) -> tuple[pa.Table, pa.Table]:
    """The `questions` that `review` draws from a version's tables below `staged`, and the `objects` that it wants of them.

    Reads one file after the other, and holds no more than n questions and the rows of their objects.
    """
    drawn = schema("questions").empty_table().select(_COLUMNS)
    for file in sorted((staged / "questions").glob("**/*.parquet")):
        both = pa.concat_tables([drawn, pq.read_table(file, columns=_COLUMNS, partitioning=None).cast(drawn.schema)])
        drawn = both.take(pa.array(_chosen(both["question_id"].to_pylist(), n, seed), pa.int64()))
    ids = pc.unique(drawn["object_id"])
    found = {
        name: pa.concat_tables(
            [
                pq.read_table(file, columns=columns, filters=pc.field("object_id").isin(ids), partitioning=None)
                for file in sorted((staged / name).glob("**/*.parquet"))
            ]
        )
        for name, columns in _OF_OBJECTS.items()
        if (staged / name).is_dir()
    }
    return drawn, visible_parts(found["objects"], found["parts"], min_part_pixels) if found else pa.table(
        {"object_id": []}
    )


def visible_parts(objects: pa.Table, parts: pa.Table, min_part_pixels: int) -> pa.Table:
    """What `review` wants to know of objects, from the tables `objects` and `parts`.

    A part counts as visible as it does for the questions: with `min_part_pixels` in all of its masks together.
    """
    pixels: Counter[tuple[str, str]] = Counter()
    columns = (parts[name].to_pylist() for name in ("object_id", "part_category", "area"))
    for object_id, part, area in zip(*columns, strict=True):
        pixels[object_id, part] += area
    visible: dict[str, list[str]] = defaultdict(list)
    for object_id, part in sorted(one for one, area in pixels.items() if area >= min_part_pixels):
        visible[object_id].append(part)
    ids = objects["object_id"].to_pylist()
    return pa.table(
        {
            "object_id": pa.array(ids, pa.string()),
            "object_category": objects["object_category"].cast(pa.string()),
            "visible_parts": pa.array([visible.get(one, []) for one in ids], pa.list_(pa.string())),
        }
    )


_ASPECTS: Final = ("true", "unambiguous", "natural")


def _check(_item: Item, answer: Verdict) -> str | None:
    if len(answer.reason) > _LONGEST_REASON:
        return f"the reason is longer than {_LONGEST_REASON} characters"
    sound = answer.true and answer.unambiguous and answer.natural
    return None if sound or answer.reason.strip() else "the reason is missing: say in one sentence what is wrong"


#: What is asked of each question.
BRIEF: Final = Brief("judge", _INSTRUCTIONS, Verdict, _check, pack=5, tokens=100)


def _drawn(questions: pa.Table, n: int, seed: int) -> list[dict[str, Any]]:
    chosen = _chosen(questions["question_id"].to_pylist(), n, seed)
    rows: list[dict[str, Any]] = questions.select(_COLUMNS).take(pa.array(chosen, pa.int64())).to_pylist()
    return rows


def _chosen(ids: Sequence[str], n: int, seed: int) -> list[int]:
    """The places of the n ids whose keyed numbers are the smallest, in the order of these."""
    return heapq.nsmallest(n, range(len(ids)), key=lambda place: (keyed.number("review", seed, ids[place]), ids[place]))


def _readable(row: Mapping[str, Any], thing: Mapping[str, Any]) -> bool:
    """Whether all that a source had its hand in reads as names: texts hold the names that are looked at here."""
    parts = [part for choice in row["choices"] for part in choice["parts"]]
    phrases = [choice["text"][span["start"] : span["end"]] for choice in row["choices"] for span in choice["spans"]]
    names: Iterable[str] = [
        thing["object_category"],
        *row["contrast_categories"],
        *parts,
        *phrases,
        *(thing["visible_parts"] or ()),
    ]
    return all(map(reads_as_a_name, names))


def _item(row: Mapping[str, Any], thing: Mapping[str, Any]) -> Item:
    shown = {
        "question": row["question"],
        "choices": {str(place): choice["text"] for place, choice in enumerate(row["choices"], 1)},
        "correct": row["correct_index"] + 1,
        "object": thing["object_category"],
        "visible parts": sorted(thing["visible_parts"] or ()),
    }
    return Item(row["question_id"], shown)


def _row(row: Mapping[str, Any], outcome: Answered[Verdict] | Unanswered) -> Row:
    if isinstance(outcome, Unanswered):
        return Row(row["question_id"], row["question_type"], None, None, outcome.why)
    return Row(row["question_id"], row["question_type"], outcome.value, outcome.call_id, None)


def _share(said: list[bool]) -> Share:
    return Share(sum(said), len(said), *wilson(sum(said), len(said), Z95))
