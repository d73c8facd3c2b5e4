"""The attackers find what leaks, and nothing where nothing does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks import leaky_tables
from benchmarks.leaky_tables import Tables
from partonomy_data.questions import audit
from partonomy_data.questions.audit import AuditTable, Report
from tests.questions.audit.conftest import QUICK

Audited: TypeAlias = Callable[[str], tuple[AuditTable, Report]]
Leaky: TypeAlias = Callable[[str], tuple[Tables, Path]]


def accuracy(report: Report, attacker: str, kind: str = "all") -> float:
    (row,) = [r for r in report.rows if (r.attacker, r.question_type, r.slice) == (attacker, kind, "all")]
    return row.accuracy


def test_edited_choices_give_themselves_away(audited: Audited) -> None:
    _, report = audited("edited")
    found = {name: accuracy(report, name) for name in ("most_similar", "majority_vote", "learned", "learned_linked")}
    assert found["learned"] > 0.6
    assert found["learned_linked"] > 0.8
    assert min(found["most_similar"], found["majority_vote"]) > 0.4
    assert all(not row.within_chance for row in report.rows if row.attacker == "learned" and row.slice == "all")
    assert {row.attacker for row in report.beyond("balanced=false")} >= {"most_similar", "linking", "learned"}


def test_other_partners_for_every_type_can_be_linked(audited: Audited) -> None:
    _, report = audited("regrouped")
    kinds = {row.question_type for row in report.rows}
    assert len(kinds) == 7
    for kind in kinds - {"contrast"}:
        assert accuracy(report, "linking", kind) > 0.5
        assert accuracy(report, "learned_linked", kind) > 0.5
    for name in ("most_similar", "majority_vote", "largest", "typicality", "part_frequency", "position"):
        assert accuracy(report, name) == pytest.approx(0.2, abs=1e-12)


def test_unnamed_objects_that_other_questions_name_are_found(audited: Audited) -> None:
    _, report = audited("regrouped")
    assert accuracy(report, "object_linking", "part_to_whole") > 0.9


def test_groups_that_stay_together_leave_chance(audited: Audited) -> None:
    _, report = audited("grouped")
    assert report.n > 1_000
    assert report.beyond("all") == report.beyond("balanced=true") == []
    kinds = {row.question_type for row in report.rows}
    assert kinds >= {"all", "identification", "intersection", "part_to_whole", "whole_to_part"}
    exact = ("most_similar", "majority_vote", "middle_size", "typicality", "linking", "object_parts", "object_linking")
    for row in report.rows:
        if row.attacker in exact:
            assert row.accuracy == row.low == row.family_high == pytest.approx(0.2, abs=1e-12)


def test_groups_of_unlike_sizes_are_found_out(tmp_path: Path) -> None:
    tables = leaky_tables.grouped(leaky_tables.world(per_category=60), like_sizes=False)
    report = audit.audit(audit.load(leaky_tables.write(tables, tmp_path)), QUICK)
    beyond = {row.attacker for row in report.beyond("all") if row.question_type == "all"}
    assert beyond >= {"size_count", "size_order"}
    assert accuracy(report, "size_order") > 0.25
    assert accuracy(report, "typicality") == pytest.approx(0.2, abs=1e-12)


def test_the_order_of_rows_and_files_does_not_matter(audited: Audited, leaky: Leaky, tmp_path: Path) -> None:
    tables, _ = leaky("grouped")
    halves = [tables.questions.slice(700), tables.questions.slice(0, 700)]
    backwards = [
        one.take(pa.array(range(one.num_rows - 1, -1, -1))) for one in (*halves, tables.objects, tables.images)
    ]
    folder = leaky_tables.write(Tables(backwards[0], backwards[2], backwards[3]), tmp_path)
    pq.write_table(backwards[1], folder / "questions" / "another.parquet", row_group_size=100)
    again = audit.audit(audit.load(folder), QUICK)
    assert msgspec.to_builtins(again) == msgspec.to_builtins(audited("grouped")[1])


def test_without_sizes_the_attackers_of_sizes_are_not_run(leaky: Leaky) -> None:
    _, folder = leaky("grouped")
    report = audit.audit(audit.load(folder / "questions" / "questions.parquet"), QUICK)
    names = {row.attacker for row in report.rows}
    assert "typicality" in names
    assert not names & {"size_count", "size_parts", "size_order"}
    assert any("size_count" in note for note in report.notes)
    assert report.beyond("balanced=true") == []


def test_few_questions_are_judged_without_alarm(leaky: Leaky, tmp_path: Path) -> None:
    tables, _ = leaky("grouped")
    first = tables.questions["group_id"][0].as_py()
    few = tables.questions.filter(pc.equal(tables.questions["group_id"], first))
    report = audit.audit(audit.load(leaky_tables.write(Tables(few, tables.objects, tables.images), tmp_path)), QUICK)
    assert report.beyond("all") == []
    assert any("too few" in note for note in report.notes)
