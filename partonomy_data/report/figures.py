"""The distributions of a version as plots, each with its numbers as a table for who can't see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from partonomy_data.report import plots
from partonomy_data.report.counting import Counts
from partonomy_data.report.reading import Reading, Row, cross
from partonomy_data.report.scales import brief

#: Parts of an object, and parts that an answer names, from which on they are counted together.
MOST: Final = 25
#: Halvings of the photograph's area, likewise.
LEAST: Final = 14
#: Names whose counts are told one by one.
NAMED: Final = 20
_OBJECTS: Final = (
    f"SELECT least(n_parts, {MOST})::INTEGER AS place, count(*) AS n FROM objects GROUP BY ALL ORDER BY ALL"
)
_AREAS: Final = (
    "SELECT floor(log2(greatest(area, 1)))::INTEGER AS place, count(*) AS n FROM parts GROUP BY ALL ORDER BY ALL"
)
#: How many times the photograph's area must be halved to come to the mask's, rounded down.
_SHARES: Final = (
    "SELECT least(floor(log2(mask.size[1]::BIGINT * mask.size[2] / area)), {least})::INTEGER AS place, count(*) AS n "
    "FROM {table} WHERE area > 0 AND mask IS NOT NULL GROUP BY ALL ORDER BY ALL"
)
#: One pass over the questions' choices tells how many there are, where the right one stands, and how many parts it names.
_CHOICES: Final = (
    "SELECT len(choices)::INTEGER AS k, correct_index::INTEGER AS place, "
    f"least(len(choices[correct_index + 1].parts), {MOST})::INTEGER AS named, count(*) AS n "
    "FROM questions GROUP BY ALL ORDER BY ALL"
)
_PARTS: Final = "SELECT part_category AS name, n_parts AS n FROM part_categories ORDER BY n DESC, name"
_CATEGORIES: Final = "SELECT object_category AS name, n_objects AS n FROM object_categories ORDER BY n DESC, name"
_EVIDENCE: Final = "SELECT source, status, count(*) AS n FROM part_evidence GROUP BY ALL ORDER BY ALL"
_MATCHING: Final = "SELECT source, match_method, count(*) AS n FROM parts GROUP BY ALL ORDER BY ALL"
_STATUSES: Final = ("present", "absent", "unknown")
_METHODS: Final = ("linked", "union", "only_object", "overlap")


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot and what it shows."""

    title: str
    says: str
    """One or two sentences: what is counted, and what is left out."""
    svg: str
    head: list[str]
    rows: list[list[Any]]
    """Its numbers; the first of each row names it."""


def of_parts(reading: Reading) -> Iterator[Figure]:
    """Of objects, parts and masks."""
    objects, areas = reading.rows(_OBJECTS), reading.rows(_AREAS)
    says = "Objects by the number of their annotated parts."
    yield _histogram("Parts of an object", says, "parts", "objects", objects, MOST)
    filled = _filled(areas)
    yield Figure(
        "Areas of part masks", "Part masks by their pixels; each column spans twice as many as the one before.",
        plots.columns("Areas of part masks", [(brief(2**place), n) for place, n in filled], "pixels, from"),
        ["pixels", "part masks"], [[_range(place), n] for place, n in filled],
    )  # fmt: skip
    for table, what in (("objects", "object"), ("parts", "part")):
        found = reading.rows(_SHARES.format(table=table, least=LEAST))
        says = f"{what.capitalize()} masks by their share of the photograph's area."
        yield _shares(f"Sizes of {what} masks", says, found)
    names, kinds = reading.rows(_PARTS), reading.rows(_CATEGORIES)
    says = "Names of parts, the most frequent first, by their masks"
    yield _tail("Masks of each part name", says, "part names", names)
    says = "Object categories, the most frequent first, by their instances"
    yield _tail("Instances of each object category", says, "object categories", kinds)
    yield _bars("The most frequent parts", "part", "masks", names)
    yield _bars("The most frequent object categories", "object category", "instances", kinds)


def of_questions(reading: Reading, counts: Counts) -> Iterator[Figure]:
    """Of questions; nothing where there are none."""
    if not counts.asked:
        return
    splits = counts.types.columns
    yield Figure(
        "Questions by type and split", "All questions.",
        plots.stacked("Questions by type and split", _spoken(counts.types.cells), [_say(one) for one in splits]),
        ["type", *map(_say, splits)],
        [[_say(one), *(counts.types.cells[one][split] for split in splits)] for one in counts.types.rows],
    )  # fmt: skip
    found = reading.rows(_CHOICES)
    yield _positions(found)
    sizes = cross(found, "k", "k")
    by_size = sorted((int(k), sizes.cells[k][k]) for k in sizes.rows)
    yield Figure(
        "Choices of a question", "Questions by the number of their choices; chance is one of them.",
        plots.columns("Choices of a question", [(str(k), n) for k, n in by_size], "choices"), ["choices", "questions"],
        [[k, n] for k, n in by_size],
    )  # fmt: skip
    named: dict[int, int] = {}
    for one in found:
        named[int(one["named"] or 0)] = named.get(int(one["named"] or 0), 0) + int(one["n"])
    rows: list[Row] = [{"place": place, "n": n} for place, n in sorted(named.items())]
    says = "Questions by the number of parts that the right choice names."
    yield _histogram("Parts in the right choice", says, "parts", "questions", rows, MOST)


def of_knowledge(reading: Reading) -> Iterator[Figure]:
    """Of what is known of parts, and how parts came to their objects."""
    for title, says, sql, column, order in (
        (
            "Is the part there?",
            "Parts that an object of its category could have, by what its source says of them in each object.",
            _EVIDENCE, "status", _STATUSES,
        ),
        ("How parts came to their objects", "Part masks by how their object was found.", _MATCHING, "match_method", _METHODS),
    ):  # fmt: skip
        made = cross(reading.rows(sql), "source", column, order=order)
        if made.rows:
            series = [_say(one) for one in made.columns]
            yield Figure(
                title, says, plots.stacked(title, _spoken(made.cells, rows=False), series, shares=True), ["source", *series],
                [[one, *(made.cells[one][name] for name in made.columns)] for one in made.rows],
            )  # fmt: skip


def _positions(found: Sequence[Row]) -> Figure:
    """Where the right choice stands, for each number of choices."""
    rows: dict[str, dict[str, int]] = {}
    for one in sorted(found, key=lambda one: (one["k"], one["place"])):
        line = rows.setdefault(f"{one['k']} choices", {})
        name = _letter(one["place"])
        line[name] = line.get(name, 0) + int(one["n"])
    letters = sorted({name for line in rows.values() for name in line})
    says = "Where the right choice stands among the others: without a habit, all pieces of a bar are about as long."
    return Figure(
        "Place of the right choice", says, plots.stacked("Place of the right choice", rows, letters, shares=True),
        ["", *letters], [[label, *(line.get(one, 0) for one in letters)] for label, line in rows.items()],
    )  # fmt: skip


def _letter(place: int) -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[place] if 0 <= place < 26 else str(place + 1)


def _histogram(title: str, says: str, across: str, what: str, rows: Sequence[Row], most: int) -> Figure:
    filled = _filled(rows)
    named = [(f"{place}+" if place == most else str(place), n) for place, n in filled]
    return Figure(title, says, plots.columns(title, named, across), [across, what], [list(one) for one in named])


def _filled(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Places with their counts, and 0 for those between that nothing has."""
    n = {int(row["place"]): int(row["n"]) for row in rows}
    return [(place, n.get(place, 0)) for place in range(min(n), max(n) + 1)] if n else []


def _range(place: int) -> str:
    return "1" if place == 0 else f"{2**place:,} to {2 ** (place + 1) - 1:,}"


def _shares(title: str, says: str, rows: Sequence[Row]) -> Figure:
    """By halvings of the whole, the smallest masks first."""
    filled = _filled(rows)[::-1]
    named = [(_share(place), n) for place, n in filled]
    between = [
        [f"at most {_share(place, up=1)}" if place == LEAST else f"{_share(place)} to {_share(place, up=1)}", n]
        for place, n in filled
    ]
    if LEAST in dict(filled):
        named[0] = (f"< {_share(LEAST, up=1)}", named[0][1])
    return Figure(
        title, says, plots.columns(title, named, "share of the photograph, above"), ["share", "masks"], between
    )


def _share(place: int, up: int = 0) -> str:
    """The lower end of what is halved so often, or (`up`) the upper one, in percent."""
    return f"{100 / 2 ** (place + 1 - up):.2g} %" if place + 1 - up else "100 %"


def _bars(title: str, named: str, what: str, rows: Sequence[Row]) -> Figure:
    first = [(str(row["name"]), int(row["n"])) for row in rows[:NAMED]]
    says = f"The first {len(first)} of {len(rows):,}, by their {what}."
    return Figure(title, says, plots.bars(title, first), [named, what], [list(one) for one in first])


def _tail(title: str, says: str, across: str, rows: Sequence[Row]) -> Figure:
    """The long tail, and how many names it takes for what share of all."""
    counts = sorted((int(row["n"]) for row in rows), reverse=True)
    total, empty = sum(counts), counts.count(0)
    told = [[f"the first {share} %", _names_for(counts, share / 100)] for share in (50, 80, 90, 99)] if total else []
    told.append(["seen less than ten times", sum(0 < n < 10 for n in counts)])
    told.append(["never seen (not drawn)", empty])
    says = f"{says}, both axes by powers of ten. {len(counts):,} names, {total:,} in all."
    return Figure(title, says, plots.tail(title, counts, f"{across}, by rank"), ["of all", across], told)


def _names_for(counts: Sequence[int], share: float) -> int:
    """How many of the largest counts it takes for a share of their sum."""
    wanted, so_far = share * sum(counts), 0
    for place, n in enumerate(counts, 1):
        so_far += n
        if so_far >= wanted:
            return place
    return len(counts)


def _say(name: str) -> str:
    return name.replace("_", " ")


def _spoken(cells: dict[str, dict[str, int]], *, rows: bool = True) -> dict[str, dict[str, int]]:
    """With words for names; `rows`: of the rows too, which sources are not."""
    return {_say(row) if rows else row: {_say(column): n for column, n in line.items()} for row, line in cells.items()}
