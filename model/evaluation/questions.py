"""The questions of a split, in an order in which those about one view of a photograph come together, a few at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from model.data.rows import Rows
from model.data.samples import Sample, sample_of
from model.evaluation.asking import Asked
from model.plum.rendering import Turn
from partonomy_data.errors import UsageError
from partonomy_data.photographs.places import Photographs
from partonomy_data.store.reader import Store

Turned = Literal["parts", "object"]

#: The turn that comes first in a type of two turns.
FIRST: Final[Mapping[str, Turned]] = {"part_to_whole": "parts", "whole_to_part": "object"}


@dataclass(frozen=True)
class Posed:
    """A question with its turns and its truth."""

    question_id: str
    question_type: str
    turns: Mapping[Turned, Sample]
    shuffled: Mapping[Turned, tuple[int, ...]]
    """For each turn, which choice is shown at each place."""
    spans: tuple[tuple[tuple[int, int], ...], ...] = ()
    """Of each choice of parts, the characters [start, end) of the phrases that name them."""

    @property
    def first(self) -> Turned:
        """The turn that is asked first; the only one of most types is `parts`."""
        return FIRST.get(self.question_type, "parts")

    @property
    def second(self) -> Turned | None:
        """The turn after it."""
        return None if len(self.turns) == 1 else "object" if self.first == "parts" else "parts"

    def asked(self, turn: Turned, earlier: str | None = None) -> Asked:
        """A turn as a model is asked it. `earlier` is the answer to the first turn, if this is the second."""
        sample = self.turns[turn]
        history = (Turn(self.turns[self.first].question, earlier),) if earlier is not None else ()
        choices = tuple(sample.choices[place] for place in self.shuffled[turn])
        spans = tuple(self.spans[place] for place in self.shuffled[turn]) if turn == "parts" and self.spans else ()
        return Asked(self.question_id, sample.view_id, sample.view.image, sample.question, choices, history, spans)


class Questions:
    """The questions of some rows (`model.data.rows`); opened by many processes if need be."""

    def __init__(self, rows: Rows, photographs: Photographs, seed: int, limit: int | None = None) -> None:
        """`limit`: so many at most, those of least key, drawn by `seed`, which decides the order of choices too."""
        self._rows, self._photographs, self._seed = rows, photographs, seed
        ids = np.asarray(rows.column("question_id").to_pylist(), dtype=object)
        starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if len(ids) else np.zeros(0, np.int64)
        ends = np.r_[starts[1:], len(ids)] if len(ids) else starts
        if limit is not None and limit < len(starts):
            kept = least(seed, [str(ids[start]) for start in starts], limit)
            starts, ends = starts[kept], ends[kept]
        order = np.argsort(rows.views()[starts], kind="stable") if len(starts) else starts
        self._starts, self._ends = starts[order], ends[order]

    def __len__(self) -> int:
        return len(self._starts)

    def names(self) -> list[str]:
        """The questions' ids, in their order."""
        ids = self._rows.column("question_id")
        return [str(ids[int(start)].as_py()) for start in self._starts]

    def read(self, first: int, last: int) -> tuple[list[Posed], dict[str, str]]:
        """The questions [first, last) of the order; and by id, why some can't be asked (a photograph that is missing)."""
        found: list[Posed] = []
        left_out: dict[str, str] = {}
        for place in range(first, min(last, len(self))):
            rows = [self._rows[number] for number in range(int(self._starts[place]), int(self._ends[place]))]
            name = str(rows[0]["question_id"])
            try:
                turns = {str(row["turn"]): sample_of(row, self._photographs) for row in rows}
            except UsageError as error:
                left_out[name] = str(error)
                continue
            shuffled = {turn: _shuffled(self._seed, f"{name}/{turn}", len(one.choices)) for turn, one in turns.items()}
            spans = turns["parts"].choices_spans
            found.append(Posed(name, str(rows[0]["question_type"]), turns, shuffled, spans))  # type: ignore[arg-type]
        return found, left_out

    def batches(self, first: int, last: int, at_once: int) -> Iterator[tuple[list[Posed], dict[str, str]]]:
        """The same, `at_once` at a time."""
        for start in range(first, min(last, len(self)), at_once):
            yield self.read(start, min(start + at_once, last))


def phrases(store: Store, splits: tuple[str, ...]) -> dict[str, str]:
    """Phrase in lower case → the part category that it names, wherever a choice of a split spells it.

    A phrase that names two is left out: what a model means by it can't be told.
    """
    found = store.sql(
        """
        WITH spelled AS (
            SELECT DISTINCT lower(c.text[s.start + 1 : s.end]) AS phrase, s.part AS part
            FROM (SELECT unnest(choices) AS c FROM questions WHERE list_contains($splits, split)), unnest(c.spans) AS u(s))
        SELECT phrase, min(part) FROM spelled GROUP BY phrase HAVING count(*) = 1
        """,
        {"splits": list(splits)},
    ).fetchall()
    return {str(phrase): str(part) for phrase, part in found}


def least(seed: int, names: Sequence[str], limit: int | None) -> NDArray[np.int64]:
    """The places of at most `limit` names, those of least key by `seed`, in their order; int64 (n,)."""
    if limit is None or limit >= len(names):
        return np.arange(len(names), dtype=np.int64)
    keys = np.asarray([_key(seed, name) for name in names])
    return np.sort(np.argsort(keys, kind="stable")[:limit])


def _shuffled(seed: int, name: str, count: int) -> tuple[int, ...]:
    generator = np.random.Generator(np.random.Philox(key=[_key(seed, name), 0]))
    return tuple(int(place) for place in generator.permutation(count))


def _key(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big")
