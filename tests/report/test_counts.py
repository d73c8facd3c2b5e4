"""Every number of the pages is the manifest's, and what a plain count of the rows gives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import partonomy_data
from partonomy_data.report import counting
from partonomy_data.report.reading import Reading, cross
from schemas.tables import TABLES
from tests.report.conftest import manifest
from tests.report.opened import Page

Shown = dict[str, Page]


def spoken(name: str) -> str:
    return name.replace("_", " ")


def counted(store: partonomy_data.Store, table: str, *columns: str) -> Counter[tuple[str, ...]]:
    """Rows of a table by some columns, counted one by one."""
    rows = store.table(table, list(columns)).to_pylist()
    return Counter(tuple(str(row[one]) for one in columns) for row in rows)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_rows_of_each_table_are_the_manifests(name: str, shown: Shown, version: partonomy_data.Store) -> None:
    told = int(shown["numbers.html"].tables["tables"].cells()[name, "Rows"].replace(",", ""))
    assert told == manifest(version)["tables"][name] == version.table(name).num_rows  # type: ignore[index]


@pytest.mark.parametrize("table", ["images", "objects", "parts", "attributes"])
def test_rows_of_each_source_are_the_manifests(table: str, shown: Shown, version: partonomy_data.Store) -> None:
    cells = shown["numbers.html"].tables["by-source"].numbers()
    told = manifest(version)["counts"]
    assert set(told) == {source for source, _ in cells} - {"all"}  # type: ignore[call-overload]
    plain = counted(version, table, "source")
    for source in told:  # type: ignore[attr-defined]
        assert cells[source, table] == told[source][table]["out"] == plain[source,]  # type: ignore[index]


def test_accounts_of_rows_are_the_manifests(shown: Shown, version: partonomy_data.Store) -> None:
    rows = shown["sources.html"].tables["accounts"].rows[1:]
    told = {(row[0], row[1]): [int(cell.replace(",", "")) for cell in row[2:]] for row in rows}
    expected = {
        (source, table): [one["read"], one["derived"], one["out"], one["quarantined"]]
        for source, tables in manifest(version)["counts"].items()  # type: ignore[attr-defined]
        for table, one in tables.items()
    }
    assert told == expected


def test_photographs_of_each_split_are_the_manifests(shown: Shown, version: partonomy_data.Store) -> None:
    cells = shown["numbers.html"].tables["by-split"].numbers()
    plain = counted(version, "splits", "split", "source")
    told: Counter[tuple[str, str]] = Counter()
    for one in manifest(version)["questions"]["leakage"]["counts"]:  # type: ignore[index]
        told[one["split"], one["source"]] += one["images"]
    assert told == plain
    shown_cells = {key: n for key, n in cells.items() if "all" not in key and n}
    assert shown_cells == {(spoken(split), source): n for (split, source), n in plain.items()}


def test_reasons_of_splits_are_the_manifests(shown: Shown, version: partonomy_data.Store) -> None:
    rows = shown["checks.html"].tables["reasons"].rows[1:]
    expected = sorted(
        [spoken(one["split"]), one["source"], spoken(one["reason"]), f"{one['images']:,}"]
        for one in manifest(version)["questions"]["leakage"]["counts"]  # type: ignore[index]
    )
    assert sorted(rows) == expected


def test_questions_of_each_type_and_split_are_counted_plainly(shown: Shown, version: partonomy_data.Store) -> None:
    plain = counted(version, "questions", "question_type", "split")
    cells = shown["numbers.html"].tables["by-type"].numbers()
    assert {key: n for key, n in cells.items() if "all" not in key and n} == {
        (spoken(kind), spoken(split)): n for (kind, split), n in plain.items()
    }
    asked = {key: n for key, n in shown["numbers.html"].tables["by-asker"].numbers().items() if "all" not in key and n}
    by_source = counted(version, "questions", "split", "source")
    assert asked == {(spoken(split), source): n for (split, source), n in by_source.items()}
    total = manifest(version)["tables"]["questions"]  # type: ignore[index]
    assert sum(plain.values()) == cells["all", "all"] == total


def test_sums_of_tables_are_those_of_their_cells(shown: Shown) -> None:
    for id in ("by-source", "by-split", "by-type", "by-asker"):
        cells = shown["numbers.html"].tables[id].numbers()
        rows, columns = ({key[side] for key in cells} - {"all"} for side in (0, 1))
        assert all(cells[row, "all"] == sum(cells[row, one] for one in columns) for row in rows)
        assert all(cells["all", column] == sum(cells[row, column] for row in rows) for column in columns)
        assert cells["all", "all"] == sum(cells[row, "all"] for row in rows)


def test_leaks_are_told_as_the_manifest_has_them(shown: Shown, version: partonomy_data.Store) -> None:
    leakage = manifest(version)["questions"]["leakage"]  # type: ignore[index]
    expected = [one["n"] for one in leakage["shared"].values()] + [leakage["without_split"]]
    expected += [len(names) for names in leakage["held_out_in_training"].values()]
    rows = shown["checks.html"].tables["leakage"].rows[1:]
    assert [int(row[1]) for row in rows] == expected
    assert "clean What should not be" in " ".join(shown["checks.html"].text.split())


def test_quarantine_and_rules_are_told_as_they_are(shown: Shown, version: partonomy_data.Store) -> None:
    told = {(r[0], r[1], r[2]): int(r[4].replace(",", "")) for r in shown["checks.html"].tables["rejected"].rows[1:]}
    plain = counted(version, "quarantine", "rule", "table_name", "source")
    assert told == {(spoken(rule), table, source): n for (rule, table, source), n in plain.items()}
    applied = {(r[0], r[1]): int(r[3].replace(",", "")) for r in shown["checks.html"].tables["repairs"].rows[1:]}
    rules = manifest(version)["rules"]
    assert applied == {(source, spoken(rule)): n for source, of in rules.items() for rule, n in of.items()}  # type: ignore[attr-defined]


def test_licences_are_counted_plainly(shown: Shown, version: partonomy_data.Store) -> None:
    rows = shown["sources.html"].tables["licences"].rows[1:]
    plain = counted(version, "images", "source", "license")
    assert {(r[0], r[2]): int(r[3]) for r in rows} == {
        (source, "–" if licence == "None" else licence): n for (source, licence), n in plain.items()
    }


def test_a_manifest_that_tells_other_numbers_is_told_of(version: partonomy_data.Store, tmp_path: Path) -> None:
    reading = Reading(version)
    assert counting.count(reading).disagreements == []

    class Wrong(Reading):
        manifest = manifest(version)  # type: ignore[assignment]

    wrong = Wrong(version)
    wrong.manifest["tables"]["parts"] += 1  # type: ignore[index]
    wrong.manifest["counts"]["paco"]["images"]["out"] += 2  # type: ignore[index]
    wrong.manifest["counts"]["paco"]["parts"]["quarantined"] = 0  # type: ignore[index]
    wrong.manifest["questions"]["leakage"]["counts"][0]["images"] += 5  # type: ignore[index]
    lines = counting.count(wrong).disagreements
    assert [line.split(":")[0].split(" in ")[0] for line in lines] == [
        "parts", "images of paco", "parts of paco", "photographs of paco",
    ]  # fmt: skip


def test_a_cross_has_a_cell_for_every_row_and_column() -> None:
    rows = [{"a": "x", "b": "q", "n": 2}, {"a": "y", "b": "p", "n": 3}, {"a": "x", "b": "q", "n": 1}]
    made = cross(rows, "a", "b", order=("y",))
    assert (made.rows, made.columns) == (["y", "x"], ["p", "q"])
    assert made.cells == {"y": {"p": 3, "q": 0}, "x": {"p": 0, "q": 3}}
    assert (made.of_row("x"), made.of_column("p"), made.total) == (3, 3, 6)
