"""The frame of a table's verdicts: which rows are in it, in what order, and how much memory it takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.validation.frames import ROW, frame
from tests.validation.reported import outcome

found_rows = st.lists(st.lists(st.sampled_from([*"abcdefg", None]), unique=True), min_size=1, max_size=4)


@given(found=found_rows, more=st.integers(0, 5))
def test_a_frame_has_the_rows_that_break_rules_first(found: list[list[str | None]], more: int) -> None:
    broken = {row for rows in found for row in rows}
    checked = len(broken) + more
    rows = frame("parts", [outcome("parts", f"rule_{i}", checked, rows) for i, rows in enumerate(found)])
    assert len(rows) == checked
    names = [None if pd.isna(name) else name for name in rows[ROW]]
    assert names[: len(broken)] == sorted(broken, key=lambda name: (name is None, name or ""))
    assert names[len(broken) :] == [None] * more
    for i, of in enumerate(found):
        expected = [place >= len(broken) or name not in of for place, name in enumerate(names)]
        assert rows[f"rule_{i}"].tolist() == expected


def test_the_frame_of_the_version_has_the_broken_units_and_the_version() -> None:
    of = [outcome("version", "files_readable", 2, ["b", "a"]), outcome("version", "splits_disjoint", 1)]
    rows = frame("version", [*of, outcome("parts", "box_of_mask", 9, ["c"])])
    assert rows[ROW].tolist() == ["a", "b", "version"]
    assert rows["files_readable"].tolist() == [False, False, True]
    assert rows["splits_disjoint"].tolist() == [True, True, True]
    assert list(rows.columns) == ["files_readable", "splits_disjoint", ROW]


def test_more_rows_may_be_found_than_were_counted() -> None:
    rows = frame("parts", [outcome("parts", "box_of_mask", 0, ["all rows"])])
    assert rows[ROW].tolist() == ["all rows"]
    assert rows["box_of_mask"].tolist() == [False]


def test_a_frame_has_the_rows_that_were_judged_unless_one_breaks_a_rule() -> None:
    of = [replace(outcome("parts", f"rule_{n}", 1000), judged=n) for n in (0, 7)]
    assert len(frame("parts", of)) == 7
    assert len(frame("parts", [*of, outcome("parts", "whole", 1000)])) == 1000
    rows = frame("parts", [*of, replace(outcome("parts", "broken", 1000, ["prt_1"]), judged=3)])
    assert len(rows) == 1000
    assert (~rows["broken"]).sum() == 1


def test_a_large_frame_takes_a_byte_for_a_flag_and_none_for_a_kept_rule() -> None:
    n, rules = 1_000_000, 30
    of = [outcome("parts", f"rule_{i}", n, ["part_1"] if i < 2 else []) for i in range(rules)]
    rows = frame("parts", of)
    assert rows.shape == (n, rules + 1)
    assert isinstance(rows[ROW].dtype, pd.ArrowDtype)
    assert rows[ROW].nbytes < 5 * n
    columns = [rows[f"rule_{i}"].to_numpy() for i in range(rules)]
    assert {column.dtype for column in columns} == {np.dtype(bool)}
    assert len({column.__array_interface__["data"][0] for column in columns}) == 3, "kept rules share their flags"
