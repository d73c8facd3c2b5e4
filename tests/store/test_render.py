"""Results as text and bytes."""

from __future__ import annotations

import csv
import datetime
import io
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import QueryError
from partonomy_data.store import Answer, Store, render

ROWS = pa.table(
    {
        "part": ["leg", None, "a long name of a part"],
        "n": [1, 20, None],
        "share": [0.5, float("nan"), 1 / 3],
        "parts": [["a"], [], None],
        "mask": [{"size": [2, 3], "counts": "06"}, None, None],
    }
)


def text(answer: Answer, form: str, **options: object) -> str:
    return render(answer, form, **options).decode()  # type: ignore[arg-type]


def test_a_table_is_aligned_and_says_how_many_rows_there_are() -> None:
    shown = text(Answer(ROWS.select(["part", "n", "share"]), complete=True), "table", width=80)
    assert shown == (
        "part                    n     share\n"
        "─────────────────────  ──  ────────\n"
        "leg                     1       0.5\n"
        "                       20       nan\n"
        "a long name of a part      0.333333\n"
        "(3 rows)\n"
    )


def test_a_table_says_where_a_limit_cut_it() -> None:
    answer = Answer(ROWS.select(["n"]).slice(0, 1), complete=False)
    assert text(answer, "table").endswith("(the first 1 row; there are more)\n")


def test_a_result_without_rows_shows_its_columns() -> None:
    answer = Answer(ROWS.slice(0, 0), complete=True)
    assert text(answer, "table", width=80).splitlines()[0].split() == ["part", "n", "share", "parts", "mask"]
    assert text(answer, "table").endswith("(0 rows)\n")
    assert json.loads(text(answer, "json")) == []
    assert text(answer, "csv") == "part,n,share,parts,mask\n"


@given(
    st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60), st.integers()), max_size=5),
    st.integers(40, 200),
)
def test_no_line_of_a_table_is_wider_than_the_terminal_or_sends_it_commands(
    rows: list[tuple[str, str, int]], width: int
) -> None:
    columns = {name: [row[i] for row in rows] for i, name in enumerate("abc")}
    kinds = [pa.string(), pa.string(), pa.decimal256(60)]
    table = pa.table({name: pa.array(columns[name], kind) for name, kind in zip("abc", kinds, strict=True)})
    lines = text(Answer(table, complete=True), "table", width=width).split("\n")
    assert len(lines) == len(rows) + 4
    assert all(len(line) <= width for line in lines)
    assert all(char.isprintable() for line in lines for char in line)


def test_wide_characters_take_two_columns() -> None:
    table = pa.table({"a": ["椅子", "ab"], "b": ["x", "y"]})
    lines = text(Answer(table, complete=True), "table", width=80).splitlines()
    assert lines[2:4] == ["椅子  x", "ab    y"]


def test_csv_is_read_back_as_it_was() -> None:
    rows = pa.table({"text": ['say "leg", then\nstop', "plain", ""], "n": [1, None, 3]})
    parsed = list(csv.reader(io.StringIO(text(Answer(rows, complete=True), "csv"))))
    assert parsed == [["text", "n"], ['say "leg", then\nstop', "1"], ["plain", ""], ["", "3"]]


def test_csv_holds_nested_values_as_json() -> None:
    parsed = list(csv.DictReader(io.StringIO(text(Answer(ROWS, complete=True), "csv"))))
    assert json.loads(parsed[0]["mask"]) == {"size": [2, 3], "counts": "06"}
    assert json.loads(parsed[0]["parts"]) == ["a"]
    assert (parsed[1]["share"], parsed[2]["share"]) == ("nan", repr(1 / 3))


def test_text_that_a_spreadsheet_would_run_is_guarded_on_request() -> None:
    rows = pa.table({"t": ["=1+1", "@x", "-a", "+b", "plain", None], "n": [-1, 2, 3, 4, 5, 6]})
    guarded = text(Answer(rows, complete=True), "csv", guard_formulas=True)
    assert guarded == "t,n\n'=1+1,-1\n'@x,2\n'-a,3\n'+b,4\nplain,5\n,6\n"
    assert "'" not in text(Answer(rows, complete=True), "csv")


def test_json_is_strict_json_of_the_same_values() -> None:
    rows = pa.table(
        {
            "d": [datetime.date(2020, 1, 2)],
            "t": [datetime.datetime(2020, 1, 2, 3, 4, 5)],
            "b": [b"\x00\xff"],
            "x": [float("inf")],
            "big": pa.array([Decimal(12)], pa.decimal128(38)),
            "rate": pa.array([Decimal("1.5")], pa.decimal128(10, 1)),
            "s": [{"a": [1.5, None]}],
            "u": ["é\u2028"],
        }
    )
    assert json.loads(text(Answer(rows, complete=True), "json")) == [
        {"d": "2020-01-02", "t": "2020-01-02T03:04:05", "b": "AP8=", "x": None, "big": 12, "rate": 1.5}
        | {"s": {"a": [1.5, None]}, "u": "é\u2028"}
    ]


def test_every_type_of_a_store_can_be_shown_in_every_format(store: Store) -> None:
    for name in ("questions", "objects", "llm_calls"):
        answer = store.select(f"SELECT * FROM {name}")
        assert len(json.loads(text(answer, "json"))) == answer.rows.num_rows
        assert len(list(csv.reader(io.StringIO(text(answer, "csv"))))) == answer.rows.num_rows + 1
        assert len(text(answer, "table", width=100).splitlines()) == answer.rows.num_rows + 3
        assert pq.read_table(io.BytesIO(render(answer, "parquet"))).equals(answer.rows)


@given(st.lists(st.sampled_from(["a", "a_1", "a_2", "b"]), min_size=1, max_size=7))
def test_columns_of_one_name_are_told_apart_where_names_are_keys(names: list[str]) -> None:
    rows = pa.table([[number] for number in range(len(names))], names=names)
    (row,) = json.loads(text(Answer(rows, complete=True), "json"))
    assert sorted(row.values()) == list(range(len(names)))
    assert all(key == name or key.startswith(f"{name}_") for key, name in zip(row, names, strict=True))
    assert pq.read_table(io.BytesIO(render(Answer(rows, complete=True), "parquet"))).to_pylist() == [row]
    assert text(Answer(rows, complete=True), "csv").splitlines()[0] == ",".join(names)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(QueryError, match="Choose one of table, csv, json, parquet"):
        render(Answer(ROWS, complete=True), "xml")
