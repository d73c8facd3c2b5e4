"""What a version can't be relied on for, each with its number and what it is a number of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from partonomy_data.ingest.unclear import PART_IN_QUARANTINE
from partonomy_data.photographs import licences
from partonomy_data.report.counting import Counts
from partonomy_data.report.reading import Reading, Row

_OBJECTS: Final = (
    "SELECT count(*) AS n, count(*) FILTER (merged) AS merged, count(*) FILTER (mask_origin = 'none') AS without, "
    "count(*) FILTER (mask_origin = 'union_of_parts') AS united, count(*) FILTER (n_parts = 0) AS bare, "
    f"count(*) FILTER (list_contains(repairs, '{PART_IN_QUARANTINE}')) AS lacking FROM objects"
)
_PARTS: Final = "SELECT count(*) AS n, count(*) FILTER (match_method = 'overlap') AS overlapping FROM parts"
_EVIDENCE: Final = "SELECT count(*) AS n, count(*) FILTER (status = 'unknown') AS unknown FROM part_evidence"
_NAMES: Final = "SELECT count(*) AS n, count(*) FILTER (n_parts < 10) AS rare FROM part_categories"
_LICENCES: Final = (
    "SELECT source, license, count(*) AS n, count(*) FILTER (uri IS NULL OR uri LIKE 'http://%' OR uri LIKE 'https://%') "
    "AS absent FROM images GROUP BY ALL ORDER BY ALL"
)


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that holds of `n` among `of`."""

    what: str
    says: str
    n: int
    of: int


def stated(reading: Reading) -> list[Row]:
    """Photographs (`n`) by source and licence: its `name`, how many are `absent` from disk, whether it `forbids` copies."""
    return [
        row | {"name": licences.name(row["license"]), "forbids": licences.forbids(row["license"])}
        for row in reading.rows(_LICENCES)
    ]


def limits(reading: Reading, counts: Counts, licensed: list[Row]) -> list[Limit]:
    """Those that there are any of."""
    return [one for one in (*_of_questions(counts), *_of_rows(reading), *_of_photographs(licensed)) if one.n]


def _of_questions(counts: Counts) -> Iterator[Limit]:
    asked = counts.asked
    total = sum(row["n"] for row in asked)
    tests = [row for row in asked if row["split"] != "train"]
    yield Limit(
        "questions are not verified",
        "A part that nobody annotated may be visible, so that a choice that counts as wrong could be right.",
        sum(row["n"] for row in asked if not row["verified"]), total,
    )  # fmt: skip
    yield Limit(
        "questions are not balanced",
        "They belong to no block, or ask for the parts after the true object where a block mixes categories; both can be "
        "answered better than by chance without the photograph: the audit says how much.",
        sum(row["n"] for row in asked if not row["balanced"]), total,
    )  # fmt: skip
    yield Limit(
        "questions for evaluation are not balanced", "As above, in the splits that don't train.",
        sum(row["n"] for row in tests if not row["balanced"]), sum(row["n"] for row in tests),
    )  # fmt: skip


def _of_rows(reading: Reading) -> Iterator[Limit]:
    objects, parts = reading.rows(_OBJECTS)[0], reading.rows(_PARTS)[0]
    evidence, names = reading.rows(_EVIDENCE)[0], reading.rows(_NAMES)[0]
    yield Limit(
        "objects may be several",
        "Their source can't tell instances of a category apart.",
        objects["merged"],
        objects["n"],
    )
    yield Limit(
        "objects lack a part that is in quarantine",
        "What is visible of them isn't known in full: no question is asked about them.", objects["lacking"], objects["n"],
    )  # fmt: skip
    yield Limit(
        "objects have a mask that is the union of their parts",
        "Their source has no mask of the whole; what no part covers is missing.", objects["united"], objects["n"],
    )  # fmt: skip
    yield Limit("objects have no mask", "Only their box is known.", objects["without"], objects["n"])
    yield Limit(
        "objects have no annotated part", "It doesn't follow that no part can be seen.", objects["bare"], objects["n"]
    )
    yield Limit(
        "part masks were given to their object by overlap",
        "Their source doesn't say whose they are.", parts["overlapping"], parts["n"],
    )  # fmt: skip
    yield Limit(
        "pairs of an object and a part are unknown",
        "Objects of the category can have the part, and nobody said whether this one does.",
        evidence["unknown"], evidence["n"],
    )  # fmt: skip
    yield Limit(
        "part names have less than ten masks", "Too few to learn or to measure them.", names["rare"], names["n"]
    )


def _of_photographs(licensed: list[Row]) -> Iterator[Limit]:
    total = sum(row["n"] for row in licensed)
    yield Limit(
        "photographs were not on disk", "Nothing could be checked against their pixels.",
        sum(row["absent"] for row in licensed), total,
    )  # fmt: skip
    yield Limit(
        "photographs have no licence that their source states", "Ask their source before they are passed on.",
        sum(row["n"] for row in licensed if not row["license"]), total,
    )  # fmt: skip
