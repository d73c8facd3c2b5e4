"""Questions are read from a store, from Parquet and from the release's JSON, alike; what is no question is refused in a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import partonomy_data
from benchmarks import leaky_tables
from benchmarks.leaky_tables import Tables
from partonomy_data.errors import UsageError
from partonomy_data.questions import audit
from partonomy_data.questions.audit import Report
from tests.questions.audit.conftest import QUICK

Leaky: TypeAlias = Callable[[str], tuple[Tables, Path]]
#: Attackers that need what the release's JSON doesn't say: sizes, the categories that a question compares with.
NOT_IN_JSON = {
    "size_count",
    "size_parts",
    "size_order",
    "learned",
    "learned_linked",
    "object_linking",
    "object_learned",
}


def record(**changes: Any) -> dict[str, Any]:
    """A question as the release writes it."""
    return {
        "image_path": "/data/images/airplane/1.jpg",
        "image_label": "airplane",
        "question": "What visible parts does the airplane in the image have?",
        "question_type": "identification_with_label",
        "answer_choices": ["wing", "wing, and tail", "tail", "body", "wing, and body"],
        "answer_types": ["correct"] + ["incorrect"] * 4,
        "answer_parts": [["wing"], ["wing", "tail"], ["tail"], ["body"], ["wing", "body"]],
        "segmentations": {"wing": [{"size": [2, 2], "counts": "04"}]},
        "object_question": None,
        "object_answer_choices": None,
        "object_answer_types": None,
        "object_answer_classes": None,
    } | changes


@pytest.mark.soak
def test_json_and_parquet_of_the_same_questions_are_answered_alike(leaky: Leaky, tmp_path: Path) -> None:
    tables, folder = leaky("edited")
    path = tmp_path / "questions.json"
    path.write_text(leaky_tables.reference_json(tables))
    from_json, from_parquet = audit.load(path), audit.load(folder)
    assert from_json.questions.types == from_parquet.questions.types
    reports = [audit.audit(one, QUICK) for one in (from_json, from_parquet)]
    rows = [
        {(r.attacker, r.question_type): (r.accuracy, r.chance, r.n) for r in one.rows if r.slice == "all"}
        for one in reports
    ]
    common = {key for key in rows[0] if key[0] not in NOT_IN_JSON}
    assert {name for name, _ in common} >= {"most_similar", "typicality", "linking", "object_parts", "object_frequency"}
    for key in (one for one in sorted(common) if not one[0].endswith("position")):
        assert rows[0][key] == pytest.approx(rows[1][key], rel=1e-12), key  # sums in another order
    # The release always writes the right choice first.
    assert rows[0]["position", "all"][0] == pytest.approx(1.0)
    assert all(sum(one.counts) == one.counts[0] > 0 for one in reports[0].positions)
    assert rows[0]["learned", "all"][0] > 0.6


def test_a_record_of_the_release_is_read_as_it_is(tmp_path: Path) -> None:
    two_turns = record(
        question_type="PART_TO_WHOLE",
        answer_types=["incorrect"] * 2 + ["correct"] + ["incorrect"] * 2,
        object_question="What is the object in the image?",
        object_answer_choices=["It is a kite.", "It is an airplane."],
        object_answer_types=["incorrect", "correct"],
        object_answer_classes=["kite", "airplane"],
    )
    path = tmp_path / "val.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps([record(), two_turns, record(question_type="difference")]).encode())
    table = audit.load(path)
    questions = table.questions
    kinds = [questions.types[code] for code in questions.type]
    assert sorted(kinds) == ["contrast", "identification", "part_to_whole"]
    turn = kinds.index("part_to_whole")
    assert (table.answers.correct[turn], table.answers.object_correct[turn]) == (2, 1)
    assert [questions.categories[code] for code in questions.object_choice[turn]] == ["kite", "airplane"]
    assert questions.names_object.tolist() == [kind == "identification" for kind in kinds]
    assert len(np.unique(questions.image)) == len(np.unique(questions.subject)) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b'[{"image_path": "a"', "ends early"),
        (b"not json", "is not valid JSON"),
        (b'{"images": []}', "is not what was expected"),
        (b"[" * 5_000, ""),
        (b"\xff\xfe[]", "is not valid JSON"),
        (b"[]", "holds no questions"),
        (b"[1]", "question 1"),
        (json.dumps([record(), record(answer_parts=None)]).encode(), "question 2"),
        (json.dumps([record(answer_choices=["a"])]).encode(), "has not one answer type for each choice"),
        (json.dumps([record(answer_types=["incorrect"] * 5)]).encode(), "has 0 right answers"),
        (json.dumps([record(answer_types=["correct"] * 5)]).encode(), "has 5 right answers"),
        (json.dumps([record(question_type="riddle")]).encode(), "unknown question_type 'riddle'"),
        (json.dumps([record(answer_parts=[["wing"]])]).encode(), "has not one list of parts for each choice"),
        (json.dumps([record(answer_parts=[[None]] * 5)]).encode(), "question 1"),
        (
            json.dumps(
                [record(answer_choices=["a"] * 99, answer_parts=[["a"]] * 99, answer_types=["correct"] + ["x"] * 98)]
            ),
            "must have 2 to 26 choices",
        ),
        (json.dumps([record(object_answer_classes=["kite", "car"])]).encode(), "has 0 right answers"),
    ],
)
def test_hostile_json_is_refused_in_one_line(tmp_path: Path, content: bytes | str, says: str) -> None:
    path = tmp_path / "hostile.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UsageError) as raised:
        audit.load(path)
    assert says in str(raised.value)
    assert str(path) in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_odd_names_are_read(tmp_path: Path) -> None:
    odd = ["", "{part}", "a\nb", "\u202eyad", "x" * 300, "\x00", "%s"]
    parts = [[name] for name in odd[:5]]
    path = tmp_path / "odd.json"
    path.write_text(
        json.dumps([record(answer_parts=parts, image_label=odd[2]), record(answer_parts=[odd[2:]] + [[]] * 4)])
    )
    table = audit.load(path)
    assert set(table.questions.parts) == set(odd)
    assert audit.audit(table, QUICK).excluded[0].empty == 4


def test_a_store_s_version_is_read_with_the_sizes_of_its_objects(demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        if not store.table("questions", ["question_id"]).num_rows:
            with pytest.raises(UsageError, match="holds no questions"):
                audit.load(store)
            return
        n = store.table("questions", ["question_id"]).num_rows
        table = audit.load(store)
        assert len(table) == n
        assert np.isfinite(table.questions.metadata.log_area).all()
        (n_test,) = store.sql("SELECT count(*) FROM questions WHERE split = 'test'").fetchall()[0]
        assert len(audit.load(demo_store, splits=["test"])) == n_test
        wanted = store.sql(
            "SELECT count(*) FROM questions JOIN objects USING (object_id) JOIN images ON objects.image_id = images.image_id "
            "WHERE bbox[1] <= 1 OR bbox[2] <= 1 OR bbox[1] + bbox[3] >= width - 1 OR bbox[2] + bbox[4] >= height - 1"
        ).fetchall()[0][0]
        assert int(table.questions.metadata.truncated.sum()) == wanted


def test_splits_are_chosen(leaky: Leaky, tmp_path: Path) -> None:
    tables, _ = leaky("grouped")
    n = tables.questions.num_rows
    split = pa.array(["test" if place % 3 else "val" for place in range(n)])
    place = tables.questions.column_names.index("split")
    changed = tables.questions.set_column(place, tables.questions.schema.field("split"), split)
    leaky_tables.write(Tables(changed, tables.objects, tables.images), tmp_path)
    assert len(audit.load(tmp_path, splits=["val"])) == len(range(0, n, 3))
    assert len(audit.load(tmp_path, splits=["val", "test"])) == n
    with pytest.raises(UsageError, match="holds no questions"):
        audit.load(tmp_path, splits=["train"])
    assert audit.audit(audit.load(tmp_path), QUICK).leakage.photographs > 0


def test_foreign_parquet_needs_only_the_columns_of_an_attack(leaky: Leaky, tmp_path: Path) -> None:
    tables, _ = leaky("edited")
    few = tables.questions.select(["image_id", "question_type", "question", "choices", "correct_index"]).slice(0, 200)
    path = tmp_path / "few.parquet"
    pq.write_table(few, path, use_compliant_nested_type=False)
    table = audit.load(path)
    assert len(table) == 200
    assert len(table.questions.parts) >= 7
    report = audit.audit(table, QUICK)
    assert isinstance(report, Report)
    assert msgspec.to_builtins(report)["n"] == 200


@pytest.mark.parametrize(
    "fault", ["no_parquet", "missing_column", "index", "null_choice", "text_column", "nothing", "empty"]
)
def test_wrong_parquet_is_refused_in_one_line(leaky: Leaky, tmp_path: Path, fault: str) -> None:
    questions = leaky("grouped")[0].questions.slice(0, 50)
    path = tmp_path / "questions.parquet"
    if fault == "no_parquet":
        path.write_bytes(b"PAR1 no")
    elif fault == "missing_column":
        pq.write_table(questions.drop_columns(["choices"]), path)
    elif fault == "index":
        wrong = pa.array([7] * 50, pa.int16())
        pq.write_table(questions.set_column(10, "correct_index", wrong), path)
        assert questions.column_names[10] == "correct_index"
    elif fault == "null_choice":
        pq.write_table(questions.set_column(9, "choices", pa.nulls(50, questions["choices"].type)), path)
    elif fault == "text_column":
        pq.write_table(questions.set_column(9, "choices", pa.array(["x"] * 50)), path)
    elif fault == "empty":
        pq.write_table(questions.slice(0, 0), path)
    with pytest.raises(UsageError) as raised:
        audit.load(path if fault != "nothing" else tmp_path)
    assert len(str(raised.value).splitlines()) == 1
    assert str(tmp_path) in str(raised.value)


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file or folder"):
        audit.load(tmp_path / "nowhere.json")
