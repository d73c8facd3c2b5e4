"""The version as a whole: its files, and what its manifest says of rows, rules, shards and questions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.store import parquet
from partonomy_data.validation.rules import files, whole
from partonomy_data.validation.settings import ValidationSettings
from partonomy_data.validation.subject import Subject, opened
from schemas.tables import TABLES, schema
from tests.validation.damage import damaged, doubling, dropping, first, read, setting

Rules = dict[str, dict[str, str | None]]
Told = Callable[..., Rules]
#: What only a published version's manifest says.
_PUBLISHED = ("files", "tables", "version", "parent", "schema_version")


@pytest.fixture
def told(version: Path, tmp_path: Path) -> Told:
    """`told(**changed)`: the rules that the version breaks, with these sections of its manifest changed; None takes one out."""

    def check(**changed: Any) -> Rules:
        manifest = json.loads((version / "manifest.json").read_text()) | changed
        manifest = {name: some for name, some in manifest.items() if some is not None}
        with opened(version, manifest, ValidationSettings(), spill_to=tmp_path / "spill", threads=1) as subject:
            return broken(subject)

    return check


def broken(subject: Subject) -> Rules:
    """The rules of the whole that are broken, and the units that they name."""
    found = {rule: check(subject) for rule, check in whole.CHECKS["version"].items()}
    return {
        rule: dict(zip(rows["row"].to_pylist(), rows["reason"].to_pylist(), strict=True))
        for rule, rows in found.items()
        if rows.num_rows
    }


def staged() -> dict[str, None]:
    """What a manifest doesn't say before it is published."""
    return dict.fromkeys(_PUBLISHED)


def said(version: Path, *names: str) -> Any:
    """A section of the manifest."""
    value = json.loads((version / "manifest.json").read_text())
    for name in names:
        value = value[name]
    return value


# Good ones


def test_the_demo_world_keeps_all_rules_staged_or_published(version: Path, told: Told) -> None:
    assert told() == {}
    assert told(**staged()) == {}


# Files


def test_a_file_that_cannot_be_read(version: Path, told: Told) -> None:
    name = "part_graph/part_graph.parquet"
    (version / name).chmod(0o644)
    (version / name).write_bytes(b"PAR1 no more")
    broken = told(**staged())
    assert list(broken) == ["files_readable"]
    assert str(broken["files_readable"][name]).startswith("it can't be read (")


def test_a_file_with_other_columns(version: Path, told: Told) -> None:
    name = "splits/more.parquet"
    pq.write_table(pa.table({"image_id": ["paco/1"]}), version / name)
    assert told(**staged()) == {"files_readable": {name: "it has other columns than table splits"}}


@pytest.mark.parametrize("name", ["notes.txt", "parts/notes.txt", "part/000-of-001.parquet", "loose.parquet"])
def test_a_file_that_belongs_to_no_table(version: Path, told: Told, name: str) -> None:
    (version / name).parent.mkdir(exist_ok=True)
    (version / name).write_bytes(b"")
    assert told() == {"files_belong": {name: "it is no table's file"}}


def test_texts_at_the_top_belong_there_and_half_written_files_until_published(version: Path, told: Told) -> None:
    (version / "croissant.json").write_text("{}")
    assert told() == {}
    name = "parts/.more.parquet.123.tmp"
    (version / name).write_bytes(b"")
    assert told(**staged()) == {}
    assert told() == {"files_belong": {name: "it is no table's file"}}


def test_files_that_are_not_as_listed(version: Path, told: Told) -> None:
    listed = {one["path"]: one for one in said(version, "files")}
    gone, grown, longer = "splits/splits.parquet", "part_graph/part_graph.parquet", "llm_calls/empty.parquet"
    listed[grown]["bytes"] += 1_000
    listed[longer]["rows"] += 2
    (version / gone).unlink()
    parquet.empty("plausibility", version / "plausibility" / "more.parquet")
    size = (version / grown).stat().st_size
    assert told(files=list(listed.values())) == {
        "files_as_listed": {
            "plausibility/more.parquet": "it isn't in the manifest",
            gone: "it is missing",
            grown: f"it has {size:,} bytes, listed {size + 1_000:,}",
            longer: "it has 0 rows, listed 2",
        }
    }


@pytest.mark.parametrize(("table", "column", "value"), [("images", "source", "paco"), ("questions", "split", "val")])
def test_rows_in_the_place_of_others(version: Path, told: Told, table: str, column: str, value: str) -> None:
    row = next(row for row in read(version, table).to_pylist() if row[column] != value)
    damaged(version, table, setting(row, **{column: value}))
    broken = told(**staged())
    place = f"{table}/{'split=' + row['split'] + '/' if 'split' in row else ''}source={row['source']}/"
    ((name, reason),) = broken.pop("rows_in_their_place").items()
    assert name.startswith(place)
    assert reason == f"it has rows of {column} {value}"
    assert set(broken) <= {"counts_conserved", "repairs_counted"}


def swapped(rows: pa.Table) -> pa.Table:
    """The rows with the first two in each other's place."""
    return rows.take([1, 0, *range(2, len(rows))]) if len(rows) > 1 else rows


@pytest.mark.parametrize("table", [name for name in TABLES if name not in ("llm_calls", "questions", "question_masks")])
def test_rows_that_are_out_of_order(version: Path, told: Told, table: str) -> None:
    damaged(version, table, swapped)
    broken = told(**staged())
    assert list(broken) == ["files_sorted"]
    assert set(broken["files_sorted"].values()) == {"row 2 belongs before the one that it follows"}
    assert all(name.startswith(f"{table}/") for name in broken["files_sorted"])


@pytest.mark.parametrize("table", ["questions", "question_masks"])
def test_questions_that_are_asked_together_lie_together_in_any_order(version: Path, told: Told, table: str) -> None:
    def turned(rows: pa.Table) -> pa.Table:
        return rows.take(list(range(len(rows)))[::-1])

    rows = pq.ParquetFile(next((version / table).rglob("*.parquet"))).read()
    unit = rows["question_id"][0].as_py()[:16]
    together = sum(one.startswith(unit) for one in rows["question_id"].to_pylist())
    assert together > 1
    damaged(version, table, lambda rows: swapped(rows) if rows["question_id"][0].as_py()[:16] == unit else rows)
    assert told(**staged()) == {}
    damaged(version, table, turned)
    assert list(told(**staged())) == ["files_sorted"]


_ROWS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "a", "é", "z"])), min_size=1, max_size=30)


@given(_ROWS)
def test_order_is_told_as_python_tells_it(rows: list[tuple[str, str]]) -> None:
    keys = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    falls = [place for place in range(len(rows) - 1) if rows[place + 1] < rows[place]]
    assert files._falls(keys) == (falls[0] if falls else None)


@pytest.mark.parametrize("place", [parquet.ROWS_PER_GROUP, 2 * parquet.ROWS_PER_GROUP + 5])
def test_order_is_told_across_the_row_groups_of_a_file(version: Path, told: Told, place: int) -> None:
    ids = [f"obj_{number:016x}" for number in range(2 * parquet.ROWS_PER_GROUP + 10)]
    ids[place] = "obj_"
    given = {"part_category": "wing", "status": "unknown", "why": "unannotated", "source": "paco"}
    rows = {name: pa.repeat(pa.scalar(value), len(ids)) for name, value in given.items()}
    table = pa.table({"object_id": ids, **rows}).select(schema("part_evidence").names)
    name = "part_evidence/source=paco/000-of-001.parquet"
    parquet.write(table, version / name, "part_evidence")
    reason = f"row {place + 1:,} belongs before the one that it follows"
    assert told(**staged()) == {"files_sorted": {name: reason}}


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("plausibility", "confidence", float("nan")),
        ("part_graph", "frequency", float("inf")),
        ("parts", "bbox", [0.0, float("nan"), 1.0, 1.0]),
    ],
)
def test_a_number_that_is_none(version: Path, told: Told, table: str, column: str, value: Any) -> None:
    row = first(version, table)
    damaged(version, table, setting(row, **{column: value}))
    ((name, reason),) = told(**staged())["numbers_finite"].items()
    assert name.startswith(f"{table}/")
    assert reason == f"not all of {column} are numbers"


# Counts


def test_a_row_that_was_lost(version: Path, told: Told) -> None:
    n = said(version, "counts", "paco", "parts", "out")
    damaged(version, "parts", dropping(first(version, "parts", source="paco")))
    assert told(**staged()) == {"counts_conserved": {"parts of paco": f"{n - 1:,} rows, counted {n:,}"}}


def test_a_rejected_row_that_was_lost(version: Path, told: Told) -> None:
    n = said(version, "counts", "paco", "parts", "quarantined")
    damaged(version, "quarantine", dropping(first(version, "quarantine", source="paco", table_name="parts")))
    assert told(**staged()) == {"counts_conserved": {"parts of paco": f"{n - 1:,} rows in quarantine, counted {n:,}"}}


def test_counts_that_do_not_add_up(version: Path, told: Told) -> None:
    counts = said(version, "counts")
    counts["paco"]["parts"]["read"] += 5
    assert told(counts=counts) == {
        "counts_conserved": {"parts of paco": "1,409 read + 0 derived ≠ 1,391 out + 13 in quarantine"}
    }


def test_rows_that_nothing_is_said_of(version: Path, told: Told) -> None:
    counts = said(version, "counts")
    del counts["paco"]["attributes"], counts["partonomy"]
    unsaid = "the manifest has no counts of them"
    tables = ("images", "objects", "parts")
    assert told(counts=counts) == {
        "counts_conserved": {"attributes of paco": unsaid, **{f"{one} of partonomy": unsaid for one in tables}}
    }
    assert set(told(counts=None)["counts_conserved"].values()) == {unsaid}
    assert set(told(counts=["odd"])["counts_conserved"].values()) == {unsaid}


def test_questions_in_quarantine_are_counted_like_other_rows(version: Path, told: Told) -> None:
    counts, rules, questions = said(version, "counts"), said(version, "rules"), said(version, "questions")
    row = first(version, "quarantine", source="paco")
    asked = first(version, "questions", source="paco")
    damaged(version, "questions", dropping(asked))
    rejected = row | {"table_name": "questions", "row_id": asked["question_id"], "rule": "choices_differ"}
    last = read(version, "quarantine").to_pylist()
    last = [one for one in last if one["source"] == "paco"][-1]
    damaged(version, "quarantine", doubling(last, **{k: v for k, v in rejected.items() if k != "source"}))
    broken = told(**staged())
    assert broken["counts_conserved"] == {"questions of paco": "the manifest has no counts of them"}
    assert broken["quarantine_counted"] == {"choices_differ of paco": "counted 1, the manifest says 0"}
    assert broken["questions_counted"] == {
        "questions": f"{questions['questions'] - 1} rows, the manifest says {questions['questions']}"
    }
    n = sum(one["source"] == "paco" for one in read(version, "questions").to_pylist())
    counts["paco"]["questions"] = {"read": 0, "derived": n + 1, "out": n, "quarantined": 1}
    rules["paco"]["choices_differ"] = 1
    questions["questions"] -= 1
    assert told(**staged(), counts=counts, rules=rules, questions=questions).keys() <= {"files_sorted"}


def test_a_rule_that_more_rows_broke_than_was_said(version: Path, told: Told) -> None:
    rules = said(version, "rules")
    rules["paco"]["mask_missing"] = 12
    broken = told(rules=rules)
    unit = {"mask_missing of paco": "counted 13, the manifest says 12"}
    assert broken == {"quarantine_counted": unit, "repairs_counted": unit}


def test_a_repair_that_was_made_more_often_than_was_said(version: Path, told: Told) -> None:
    rules = said(version, "rules")
    rules["partonomy"]["label_nested"] -= 1
    assert told(rules=rules) == {"repairs_counted": {"label_nested of partonomy": "counted 15, the manifest says 14"}}


def test_the_number_of_questions(version: Path, told: Told) -> None:
    n = said(version, "questions", "questions")
    assert told(questions={"questions": n + 1}) == {
        "questions_counted": {"questions": f"{n} rows, the manifest says {n + 1}"}
    }
    assert told(questions=None) == {"questions_counted": {"questions": f"{n} rows, the manifest says 0"}}


# Shards


def moved(version: Path, of: str) -> None:
    """The files of PACO as those of a shard called so."""
    for table in ("images", "objects", "parts", "part_evidence", "attributes"):
        folder = version / table / "source=paco"
        (folder / "000-of-001.parquet").rename(folder / f"{of}.parquet")


def with_shards(version: Path, n: int) -> dict[str, Any]:
    inputs = said(version, "inputs")
    inputs["paco"]["shards"] = n
    return {**staged(), "inputs": inputs}


def test_shards_without_photographs_have_no_files(version: Path, told: Told) -> None:
    moved(version, "002-of-004")
    assert told(**with_shards(version, 4)) == {}


def test_a_file_that_is_not_called_as_a_shard_is(version: Path, told: Told) -> None:
    folder = version / "attributes" / "source=paco"
    (folder / "000-of-001.parquet").rename(folder / "all.parquet")
    assert told(**staged()) == {
        "shards_complete": {"attributes/source=paco/all.parquet": "it is not called as the file of a shard is"}
    }


@pytest.mark.parametrize("name", ["002-of-002", "000-of-004"])
def test_a_file_of_a_shard_that_there_is_not(version: Path, told: Told, name: str) -> None:
    moved(version, name)
    broken = told(**with_shards(version, 2))
    assert list(broken) == ["shards_complete"]
    assert broken["shards_complete"][f"parts/source=paco/{name}.parquet"] == "the manifest has 2 shards of paco"
    assert len(broken["shards_complete"]) == 5


def test_photographs_of_a_shard_that_are_missing(version: Path, told: Told) -> None:
    moved(version, "001-of-002")
    (version / "images" / "source=paco" / "001-of-002.parquet").unlink()
    name = "images/source=paco/{}-of-002.parquet"
    broken = told(**with_shards(version, 2))
    # How many photographs were in either shard can't be told.
    assert broken["shards_complete"] == dict.fromkeys(map(name.format, ("000", "001")), "there is no such file")
    assert broken["counts_conserved"] == {"images of paco": "0 rows, counted 102"}
    counts = said(version, "counts")
    counts["paco"]["images"] |= {"read": 0, "in": 0, "out": 0}
    broken = told(**with_shards(version, 2), counts=counts)
    assert broken["shards_complete"] == {name.format("001"): "there is no such file"}


def test_an_older_manifest_that_says_next_to_nothing_stops_no_check(version: Path, tmp_path: Path) -> None:
    target = tmp_path / "bare"
    shutil.copytree(version, target)
    with opened(target, {}, ValidationSettings(), spill_to=tmp_path / "spill", threads=1) as subject:
        assert set(broken(subject)) == {
            "shards_complete",
            "counts_conserved",
            "quarantine_counted",
            "repairs_counted",
            "questions_counted",
        }
