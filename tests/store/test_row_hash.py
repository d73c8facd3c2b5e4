"""Hashes of values in DuckDB tell apart what differs, and nothing else, however deep the lists."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.store.row_hash import hashed
from schemas.columns import CHOICES, MASK
from schemas.tables import EVALUATION_TABLES, TABLES

CONNECTION = duckdb.connect(config={"threads": 1})
STRUCT = pa.struct([("a", pa.string()), ("b", pa.list_(pa.int32())), ("c", pa.float64())])
NESTED = pa.list_(pa.list_(STRUCT))

texts = st.none() | st.sampled_from(["", "a", "b", "ab", "\0", "NULL", "[]"])
numbers = st.none() | st.integers(-2, 2)
structs = st.none() | st.fixed_dictionaries(
    {
        "a": texts,
        "b": st.none() | st.lists(numbers, max_size=2),
        "c": st.none() | st.sampled_from([0.0, -0.0, 1.5, float("inf"), float("nan")]),
    }
)
nested = st.none() | st.lists(st.none() | st.lists(structs, max_size=2), max_size=2)


def plain(value: Any) -> Any:
    """Equal for equal values: -0 is 0, and one NaN is the other."""
    if isinstance(value, dict):
        return tuple((name, plain(value[name])) for name in sorted(value))
    if isinstance(value, list):
        return ("list", *map(plain, value))
    if isinstance(value, float):
        return "nan" if value != value else value + 0.0
    return value


def hashes(values: list[Any], kind: pa.DataType) -> list[int]:
    rows = pa.table({"v": pa.array(values, kind)})
    CONNECTION.register("given_rows", rows)
    return [h for (h,) in CONNECTION.execute(f"SELECT {hashed('v', kind)} FROM given_rows").fetchall()]


@given(st.lists(nested, min_size=2, max_size=30))
def test_equal_hashes_are_equal_values(values: list[Any]) -> None:
    found = hashes(values, NESTED)
    assert len(set(found)) == len({plain(value) for value in values})
    by_value = dict(zip(map(plain, values), found, strict=True))
    assert [by_value[plain(value)] for value in values] == found


def test_what_duckdb_takes_for_one_is_told_apart() -> None:
    strings = pa.list_(pa.list_(pa.string()))
    values = [None, [], [None], [[]], [[], []], [[None]], [["a"], ["b"]], [["a", "b"]], [[], ["a", "b"]], [["ab"]]]
    assert len(set(hashes(values, strings))) == len(values)


def test_every_column_of_every_table_can_be_hashed() -> None:
    for table in (*TABLES.values(), *EVALUATION_TABLES.values()):
        for column in table.columns:
            assert len(hashes([None, None], column.type)) == 2, (table.name, column.name)


def test_choices_and_masks_differ_by_any_of_their_values() -> None:
    span = {"start": 2, "end": 5, "part": "leg"}
    edit = {"op": "add", "part": "leg", "replacement": None}
    choice = {"text": "a leg", "parts": ["leg"], "spans": [span], "is_correct": True, "edits": [edit]}
    others = [
        choice | {"text": "a leg."},
        choice | {"parts": ["leg", "leg"]},
        choice | {"spans": [span | {"end": 6}]},
        choice | {"is_correct": False},
        choice | {"edits": []},
        choice | {"edits": [edit | {"replacement": ""}]},
    ]
    values = [[choice], [choice, choice], *([other] for other in others)]
    assert len(set(hashes(values, CHOICES))) == len(values)
    masks = [{"size": [1, 2], "counts": "0"}, {"size": [2, 1], "counts": "0"}, {"size": [1, 2], "counts": "1"}, None]
    assert len(set(hashes(masks, MASK))) == 4
