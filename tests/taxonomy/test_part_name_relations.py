"""The list of true relations between part names: its names are real, it says nothing twice, it agrees with itself.

The list was compiled by reading the canonical part names of PARTONOMY's concept table. It is the truth against which the
recall of a step that proposes pairs of names is measured, so it must be large, and many of its pairs must not share a word.
"""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from benchmarks.simulated_vocabulary import partonomy
from partonomy_data.taxonomy.names import build

LIST: Final = Path(__file__).resolve().parents[1] / "data" / "part_name_relations.tsv"
SAME: Final = "same"
NARROWER: Final = "narrower"


class Row(NamedTuple):
    """`part_a` is the same as, or narrower than, `part_b`."""

    part_a: str
    relation: str
    part_b: str
    note: str = ""


def contradictions(rows: list[Row]) -> list[str]:
    """What cannot all be true: names that are the same and narrower, or narrower than themselves, by transitivity too."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while (above := leader.get(name, name)) != name:
            name = above
        return name

    for row in rows:
        if row.relation == SAME:
            leader[find(row.part_a)] = find(row.part_b)
    found: list[str] = []
    wider: dict[str, set[str]] = {}
    for row in rows:
        if row.relation == NARROWER:
            child, parent = find(row.part_a), find(row.part_b)
            if child == parent:
                found.append(f"{row.part_a} and {row.part_b} are the same and narrower")
            else:
                wider.setdefault(child, set()).add(parent)
    try:
        TopologicalSorter(wider).prepare()
    except CycleError as error:
        found.append(f"a cycle: {error.args[1]}")
    return found


def apart(a: str, b: str) -> bool:
    """Whether no word of one name is in the other, not even inside a longer word."""
    return not any(word in b for word in a.split()) and not any(word in a for word in b.split())


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return LIST.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def rows(lines: list[str]) -> list[Row]:
    return [Row(*line.split("\t")) for line in lines[1:]]


def test_the_list_is_a_sorted_table_of_four_columns(lines: list[str]) -> None:
    assert lines[0] == "part_a\trelation\tpart_b\tnote"
    table = [line.split("\t") for line in lines[1:]]
    assert {len(row) for row in table} == {4}
    assert all(cell and cell == cell.strip() for row in table for cell in row)
    assert table == sorted(table)


def test_the_relations_are_same_in_the_names_order_or_narrower(rows: list[Row]) -> None:
    assert {row.relation for row in rows} == {SAME, NARROWER}
    assert all(row.part_a != row.part_b for row in rows)
    assert [row for row in rows if row.relation == SAME and row.part_a > row.part_b] == []


def test_every_name_is_a_canonical_part_name(rows: list[Row], shared_data: Path) -> None:
    names = build({"partonomy": partonomy(shared_data).vocabulary})
    canonical = {part.part_category for part in names.sources["partonomy"].parts.values()}
    assert len(canonical) > 900
    assert sorted({name for row in rows for name in (row.part_a, row.part_b)} - canonical) == []


def test_no_pair_is_listed_twice_in_either_order(rows: list[Row]) -> None:
    times = Counter(tuple(sorted((row.part_a, row.part_b))) for row in rows)
    assert [pair for pair, n in times.items() if n > 1] == []


def test_no_two_relations_contradict(rows: list[Row]) -> None:
    assert contradictions(rows) == []


@pytest.mark.parametrize(
    "added",
    [
        Row("handle", NARROWER, "hilt"),
        Row("grip handle", NARROWER, "hand grip"),
        Row("hilt", SAME, "handle"),
        # A market square is a square, which is a plaza.
        Row("plaza", NARROWER, "market square"),
        # A payload bed is a load bed, which is a cargo area.
        Row("cargo area", NARROWER, "payload bed"),
    ],
    ids=lambda row: f"{row.part_a}, {row.relation}, {row.part_b}",
)
def test_a_relation_that_contradicts_the_list_is_found(rows: list[Row], added: Row) -> None:
    assert contradictions([*rows, added]) != []


def test_the_list_is_large_and_hard_enough(rows: list[Row]) -> None:
    kinds = Counter(row.relation for row in rows)
    assert len(rows) >= 170
    assert kinds[SAME] >= 60
    assert kinds[NARROWER] >= 80
    assert sum(apart(row.part_a, row.part_b) for row in rows) >= 60


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("hilt", "handle", True),
        ("radar mast", "mast", False),
        ("mainsail", "sail", False),
        ("tail boom", "tailboom", False),
    ],
)
def test_names_are_apart_when_no_word_of_one_is_in_the_other(a: str, b: str, expected: bool) -> None:
    assert apart(a, b) is expected
    assert apart(b, a) is expected
