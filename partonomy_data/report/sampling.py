"""Which photographs and questions are shown: drawn by hashes of ids with a seed, so that nothing is sorted or kept but these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import Final

from partonomy_data.report.reading import TYPES, Reading, Row, ordered

#: Candidates for each that is drawn: others follow where a photograph or category was taken already.
_SPARE: Final = 8
_FEWEST: Final = 40
#: The objects of each source whose hashes are smallest. DuckDB's own `hash` may differ from one of its versions to the next.
_OBJECTS: Final = (
    "SELECT source, unnest(min_by({{'image_id': image_id, 'name': object_category, 'key': key}}, key, {most})) AS one FROM "
    "(SELECT source, image_id, object_category, md5(concat(?, ' ', object_id)) AS key FROM objects WHERE n_parts > 0) "
    "GROUP BY source"
)
_QUESTIONS: Final = (
    "SELECT question_type AS source, unnest(min_by({{'image_id': image_id, 'name': question_id, 'key': key}}, key, {most})) "
    "AS one FROM (SELECT question_type, image_id, question_id, md5(concat(?, ' ', question_id)) AS key FROM questions) "
    "GROUP BY question_type"
)


def photographs(reading: Reading, n: int, seed: int) -> list[str]:
    """The ids of at most `n` photographs with parts, by turns of each source; categories that aren't shown yet come first."""
    if n <= 0:
        return []
    rows = reading.rows(_OBJECTS.format(most=_SPARE * n + _FEWEST), [str(seed)])
    queues = [_unlike(queue, "name") for queue in _by_source(rows)]
    return list(dict.fromkeys(row["image_id"] for row in _turns(queues)))[:n]


def questions(reading: Reading, n: int, seed: int) -> list[str]:
    """The ids of at most `n` questions, as many of each type; photographs that aren't shown yet come first."""
    if n <= 0:
        return []
    rows = reading.rows(_QUESTIONS.format(most=_SPARE * n + _FEWEST), [str(seed)])
    queues = [_unlike(queue, "image_id") for queue in _by_source(rows, TYPES)]
    drawn = [row["name"] for row in _turns(queues)][:n]
    kinds = {row["one"]["name"]: row["source"] for row in rows}
    places = {kind: place for place, kind in enumerate(ordered(kinds.values(), TYPES))}
    return sorted(drawn, key=lambda one: places[kinds[one]])


def _by_source(rows: Sequence[Row], order: Sequence[str] = ()) -> list[list[Row]]:
    """The candidates of each source, by their keys."""
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: str(row["one"]["key"])):
        found.setdefault(str(row["source"]), []).append(row["one"])
    return [found[name] for name in ordered(found, order)]


def _unlike(rows: Iterable[Row], name: str) -> list[Row]:
    """The first of each `name`, then all others, either in their order."""
    first: dict[str, Row] = {}
    others = []
    for row in rows:
        if row[name] in first:
            others.append(row)
        else:
            first[row[name]] = row
    return [*first.values(), *others]


def _turns(queues: Sequence[Sequence[Row]]) -> Iterator[Row]:
    """The first of each queue, then the second of each, and so on."""
    return (row for row in chain.from_iterable(zip_longest(*queues)) if row is not None)
