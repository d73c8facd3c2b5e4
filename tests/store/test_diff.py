"""What changed between two versions: as a slow comparison in Python says it, whatever the files."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partonomy_data.errors import StoreError
from partonomy_data.store import diff, open, parquet, publish
from partonomy_data.store.diff import Diff, TableDiff
from partonomy_data.store.facts import facts
from partonomy_data.store.layout import Layout
from schemas.tables import TABLES, table
from tests.helpers.command import partonomy

from .conftest import from_rows, mask_of, publish_tables

Rows = list[dict[str, Any]]


def of(found: Diff, name: str) -> TableDiff:
    return next(one for one in found.tables if one.table == name)


def objects(i: int, **changed: Any) -> dict[str, Any]:
    row = {"object_id": f"obj_{i:016x}", "image_id": "paco/1", "source": "paco", "object_category": "dog"}
    row |= {"source_category": "dog", "mask_origin": "none", "merged": False, "n_parts": 0, "source_key": "0"}
    return row | changed


edge = st.fixed_dictionaries({"child": st.sampled_from("abc"), "parent": st.sampled_from("ab"), "source": st.just("x")})
pair = st.fixed_dictionaries(
    {
        "object_category": st.sampled_from(["dog", "Dog", "é", ""]),
        "part_category": st.sampled_from(["leg", "tail"]),
        "n_objects": st.integers(0, 1),
        "n_with_part": st.just(0),
        "frequency": st.sampled_from([0.0, -0.0, 0.5, 1.0]),
        "sources": st.lists(st.sampled_from(["paco", "x", ""]), max_size=2),
        "evidence": st.just("annotated"),
    }
)
thing = st.builds(
    objects,
    st.integers(0, 6),
    bbox=st.none() | st.just([1.0, 2.0, 3.0, 4.0]) | st.just([1.0, 2.0, 3.0, 5.0]),
    mask=st.none() | st.builds(mask_of, st.integers(0, 1)),
    merged=st.booleans(),
    repairs=st.none() | st.lists(st.sampled_from(["a", "b"]), max_size=2),
)
rejected = st.fixed_dictionaries(
    {
        "table_name": st.just("parts"),
        "row_id": st.sampled_from(["1", "2"]),
        "source": st.just("paco"),
        "rule": st.sampled_from(["r", "s"]),
        "reason": st.just("so"),
        "row": st.sampled_from(["{}", "[]"]),
        "repairs": st.none() | st.just([]),
    }
)


def keyed(name: str, rows: Iterable[dict[str, Any]]) -> Rows:
    """The rows, each key once."""
    return list({tuple(row[column] for column in table(name).key): row for row in rows}.values())


@st.composite
def versions(draw: st.DrawFn) -> dict[str, list[Rows]]:
    """Table → the rows of each of its files."""
    content: dict[str, Rows] = {
        name: keyed(name, draw(st.lists(row, max_size=8)))
        for name, row in (("category_graph", edge), ("part_graph", pair), ("objects", thing))
    }
    content["quarantine"] = draw(st.lists(rejected, max_size=6))
    cuts = {name: draw(st.lists(st.integers(0, len(rows)), max_size=2)) for name, rows in content.items()}
    return {
        name: [rows[a:b] for a, b in zip([0, *sorted(cuts[name])], [*sorted(cuts[name]), len(rows)], strict=True)]
        for name, rows in content.items()
    }


def published(root: Path, content: dict[str, list[Rows]]) -> str:
    staged = Layout(root).work / "made"
    for name, files in content.items():
        for i, rows in enumerate(files):
            parquet.write(from_rows(rows, name), staged / name / f"{i}.parquet", name)
    return publish(root, staged, {}, readme="").version


def value(cell: Any) -> Any:
    return tuple(map(value, cell)) if isinstance(cell, list) else json.dumps(cell) if isinstance(cell, dict) else cell


def slow(name: str, old: pa.Table, new: pa.Table, n: int) -> TableDiff:
    """The differences, found by looking at every row in Python."""
    sides = [[{column: value(cell) for column, cell in row.items()} for row in rows.to_pylist()] for rows in (old, new)]
    key = table(name).key
    if not key:
        shown = ("table_name", "row_id", "rule")
        one, other = (Counter(tuple(row.items()) for row in rows) for rows in sides)
        came, went = other - one, one - other
        keys = [sorted(tuple(dict(row)[c] for c in shown) for row in rows)[:n] for rows in (came, went)]
        return TableDiff(name, shown, came.total(), went.total(), added_keys=tuple(keys[0]), gone_keys=tuple(keys[1]))
    one, other = ({tuple(row[column] for column in key): row for row in rows} for rows in sides)
    added, gone = sorted(other.keys() - one.keys()), sorted(one.keys() - other.keys())
    changed = sorted(found for found in one.keys() & other.keys() if one[found] != other[found])
    columns = Counter(
        column for found in changed for column in one[found] if one[found][column] != other[found][column]
    )
    return TableDiff(
        name,
        key,
        len(added),
        len(gone),
        len(changed),
        dict(sorted(columns.items(), key=lambda pair: (-pair[1], pair[0]))),
        (),
        *(tuple(keys[:n]) for keys in (added, gone, changed)),
    )


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(versions(), versions(), st.integers(0, 3))
def test_it_finds_what_a_comparison_row_by_row_finds(
    old: dict[str, list[Rows]], new: dict[str, list[Rows]], n: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = [published(root, content) for content in (old, new)]
        found = diff(root, *names, rows=n)
        with open(root, names[0]) as before, open(root, names[1]) as after:
            expected = [slow(name, before.table(name), after.table(name), n) for name in TABLES]
        assert list(found.tables) == expected
        assert [list(one.columns) for one in found.tables] == [list(one.columns) for one in expected]
        assert found.same == all(one.same for one in expected)
        back = diff(root, *reversed(names), rows=n)
        assert [(t.added, t.gone, t.changed) for t in back.tables] == [(t.gone, t.added, t.changed) for t in expected]


@pytest.fixture
def two(root: Path) -> tuple[Path, str, str]:
    """A store with two versions that differ in the masks of parts."""
    return root, publish_tables(root), publish_tables(root, seed=1)


def test_a_version_is_the_same_as_itself(two: tuple[Path, str, str]) -> None:
    root, old, _ = two
    found = diff(root, old, old, rows=5)
    assert found.same
    assert found.facts == ()
    assert [one.table for one in found.tables] == list(TABLES)


def test_changed_columns_are_counted_and_other_tables_are_the_same(two: tuple[Path, str, str]) -> None:
    root, old, new = two
    found = diff(root, old, new, rows=2)
    parts = of(found, "parts")
    with open(root, old) as before, open(root, new) as after:
        pairs = zip(before.table("parts")["mask"].to_pylist(), after.table("parts")["mask"].to_pylist(), strict=True)
        n = sum(one != other for one, other in pairs)
    assert (parts.added, parts.gone, parts.changed, dict(parts.columns)) == (0, 0, n, {"mask": n})
    assert len(parts.changed_keys) == 2
    assert all(one.same for one in found.tables if one.table != "parts")
    assert [(fact.name, fact.old, fact.new) for fact in found.facts] == [("config.seed", 0, 1)]


def test_rows_that_moved_to_another_file_are_the_same(root: Path) -> None:
    rows = [objects(i) for i in range(6)]
    old = published(root, {"objects": [rows[:2], rows[2:]]})
    new = published(root, {"objects": [rows[:4], rows[4:]]})
    assert old != new
    assert diff(root, old, new).same


def test_files_that_both_have_are_not_read(root: Path) -> None:
    rows = [objects(i) for i in range(6)]
    old = published(root, {"objects": [rows[:3], rows[3:]], "quarantine": [[]]})
    changed = [rows[3] | {"merged": True}, *rows[4:]]
    new = published(root, {"objects": [changed, rows[:3]], "quarantine": [[]]})
    shared = [Layout(root).version(old) / "objects/0.parquet", Layout(root).version(new) / "objects/1.parquet"]
    assert shared[0].read_bytes() == shared[1].read_bytes()
    for path in shared:
        # The data pages, not the footer that opening reads.
        content = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(content[:4] + bytes(100) + content[104:])
    found = of(diff(root, old, new, rows=9), "objects")
    assert (found.added, found.gone, found.changed) == (0, 0, 1)
    assert found.changed_keys == ((rows[3]["object_id"],),)


def test_a_file_that_one_version_has_twice_is_paired_once(root: Path) -> None:
    one = {"table_name": "parts", "row_id": "1", "source": "x", "rule": "r", "reason": "so", "row": "{}"}
    old = published(root, {"quarantine": [[one]]})
    new = published(root, {"quarantine": [[one], [one]]})
    found = of(diff(root, old, new, rows=9), "quarantine")
    assert (found.added, found.gone, found.added_keys) == (1, 0, (("parts", "1", "r"),))


def test_a_row_of_another_table_without_rows_before_is_added(root: Path) -> None:
    old = published(root, {"objects": [[]]})
    new = published(root, {"objects": [[objects(1), objects(2)]]})
    found = of(diff(root, old, new, rows=1), "objects")
    assert (found.added, found.gone, found.changed) == (2, 0, 0)
    assert found.added_keys == (("obj_0000000000000001",),)


def test_facts_name_settings_files_and_tools_that_differ() -> None:
    one = {
        "tool": {"name": "partonomy-data", "version": "1"},
        "config": {"limit": None, "questions": {"seed": 0}},
        "inputs": {"paco": {"fingerprint": "a", "files": [{"path": "x.json", "sha256": "1", "bytes": 2}]}},
        "files": [{"path": "parts/0.parquet"}],
    }
    other = {
        "tool": {"name": "partonomy-data", "version": "2"},
        "config": {"limit": 5, "questions": {"seed": 0}},
        "inputs": {
            "paco": {"fingerprint": "b", "files": [{"path": "x.json", "sha256": "3", "bytes": 2}]},
            "partonomy": {"fingerprint": "c", "files": [{"path": "y.json", "sha256": "4", "bytes": 2}]},
        },
        "files": [],
    }
    assert [(fact.name, fact.old, fact.new) for fact in facts(one, other)] == [
        ("config.limit", None, 5),
        ("inputs.paco.fingerprint", "a", "b"),
        ("inputs.partonomy.fingerprint", None, "c"),
        ("tool.version", "1", "2"),
        ("inputs.paco.files.x.json", "1", "3"),
    ]
    assert facts(one, one) == ()


def test_the_command_prints_a_table_the_keys_and_the_facts(two: tuple[Path, str, str]) -> None:
    root, old, new = two
    parts = of(diff(root, old, new, rows=1), "parts")
    done = partonomy("diff", old, new, "--root", root, "--rows", 1)
    lines = done.out.splitlines()
    assert lines[0] == f"from version {old} to version {new}"
    assert lines[3].split() == ["parts", "0", "0", str(parts.changed), "mask", str(parts.changed)]
    assert f"  {parts.changed_keys[0][0]}" in lines
    assert f"  and {parts.changed - 1} more" in lines
    assert "  config.seed: 0 → 1" in lines
    same = partonomy("diff", old, old, "--root", root)
    assert (same.status, same.out.splitlines()[2:]) == (0, ["no row differs"])


def test_the_command_gives_all_of_it_as_json(two: tuple[Path, str, str]) -> None:
    root, old, new = two
    found = json.loads(partonomy("diff", old, new, "--root", root, "--rows", 3, "--format", "json").out)
    expected = diff(root, old, new, rows=3)
    assert (found["same"], found["old"], found["new"]) == (False, old, new)
    (parts,) = [one for one in found["tables"] if one["table"] == "parts"]
    assert (parts["changed"], parts["columns"]) == (of(expected, "parts").changed, dict(of(expected, "parts").columns))
    assert parts["changed_keys"] == [list(key) for key in of(expected, "parts").changed_keys]
    assert found["facts"] == [{"name": "config.seed", "old": 0, "new": 1}]


@pytest.mark.parametrize("arguments", [["0" * 16], ["x"], ["--format", "xml"], ["--rows", "-1"]])
def test_wrong_use_ends_with_2_and_one_clear_line(arguments: list[str], two: tuple[Path, str, str]) -> None:
    root, old, new = two
    versions = [old, new] if arguments[0].startswith("--") else [old]
    done = partonomy("diff", *versions, *arguments, "--root", root)
    assert (done.status, done.out) == (2, "")
    assert "Traceback" not in done.err


def test_a_damaged_version_is_refused(two: tuple[Path, str, str]) -> None:
    root, old, new = two
    (Layout(root).version(old) / "parts/0.parquet").unlink()
    with pytest.raises(StoreError, match="is missing"):
        diff(root, old, new)


def test_nothing_is_left_behind_and_nothing_written_to_the_store(two: tuple[Path, str, str]) -> None:
    root, old, new = two
    before = sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock")
    diff(root, old, new, rows=1)
    assert sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock") == before
    assert not list(Path(tempfile.gettempdir()).glob("partonomy-diff-*/*"))
