"""Lists with filters, page by page, forwards and backwards, are what a plain query gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

import partonomy_data
from partonomy_data.explore.opening import Opened
from partonomy_data.explore.paging import Where, numbered, page
from partonomy_data.explore.questions import filtered, spelled
from partonomy_data.ids import image_prefix
from tests.explore.crawling import Page

NONE = dict.fromkeys(("type", "split", "source", "category", "part", "balanced", "verified"), "")


@pytest.fixture(scope="module")
def opened(world: Path) -> Iterator[Opened]:
    """The demo world, open."""
    made = Opened(world, (world / "CURRENT").read_text().strip(), {})
    yield made
    made.close()


@pytest.mark.parametrize(
    ("given_", "plain"),
    [
        ({}, "true"),
        ({"type": "difference"}, "question_type = 'difference'"),
        ({"split": "test", "balanced": "yes"}, "split = 'test' AND balanced"),
        ({"source": "paco", "verified": "no"}, "source = 'paco' AND evidence <> 'verified'"),
        ({"category": "car"}, "object_category = 'car'"),
        ({"part": "wheel"}, "question_id IN (SELECT question_id FROM question_masks WHERE part_category = 'wheel')"),
        ({"part": "no such"}, "false"),
    ],
)
def test_the_pages_of_a_filter_are_all_of_its_questions_once(
    opened: Opened, given_: dict[str, str], plain: str
) -> None:
    with partonomy_data.open(opened.root) as store:
        wanted = store.sql(
            f"SELECT question_id FROM questions JOIN objects USING (object_id, source) WHERE {plain}"
        ).fetchall()
    found, after = [], 0
    while True:
        listed = page(opened, "n, question_id", "asked", filtered(NONE | given_), after=after, size=7)
        found += [row["question_id"] for row in listed.rows]
        if listed.after is None:
            break
        after = listed.after
    assert sorted(found) == sorted(one for (one,) in wanted)
    assert len(set(found)) == len(found)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.integers(0, 1000), st.integers(1, 50))
def test_back_again_is_where_one_came_from(opened: Opened, start: int, size: int) -> None:
    here = page(opened, "n", "asked", Where(), after=start, size=size)
    if here.after is None:
        return
    further = page(opened, "n", "asked", Where(), after=here.after, size=size)
    if further.before is not None:
        assert page(opened, "n", "asked", Where(), before=further.before, size=size).rows == here.rows


def test_questions_about_one_photograph_lie_together_in_the_order_of_their_ids(opened: Opened) -> None:
    rows = opened.rows("SELECT n, prefix, question_id, image_id FROM asked ORDER BY n")
    assert [row["n"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(int(image_prefix(row["image_id"]), 16) == row["prefix"] for row in rows)
    assert rows == sorted(rows, key=lambda row: (row["prefix"], row["question_id"]))
    stored = opened.rows("SELECT n FROM asked")
    assert [row["n"] for row in stored] == list(range(1, len(rows) + 1)), "on disk, too"


def test_the_first_page_has_none_before_it_and_the_last_none_after(opened: Opened) -> None:
    total = opened.rows("SELECT max(n) AS n FROM asked")[0]["n"]
    assert page(opened, "n", "asked", Where(), size=total).after is None
    assert page(opened, "n", "asked", Where(), size=total - 1).after == total - 1
    assert page(opened, "n", "asked", Where()).before is None
    assert page(opened, "n", "asked", Where(), before=25).before is None
    assert page(opened, "n", "asked", Where(), before=26, size=24).before == 2


@pytest.mark.parametrize("column", ["part", "category"])
def test_photographs_that_show_something_do(client: TestClient, base: str, opened: Opened, column: str) -> None:
    table, name = {"part": ("parts", "wheel"), "category": ("objects", "car")}[column]
    with partonomy_data.open(opened.root) as store:
        wanted = store.sql(f"SELECT DISTINCT image_id FROM {table} WHERE {column if column == 'part' else 'object'}_category = ?",
                           [name]).fetchall()  # fmt: skip
    text = client.get(f"{base}photographs", params={column: name}).text
    assert f"{len(wanted)} photographs" in Page(text).text
    shown = {one.split("id=")[1].split("&")[0].replace("%2F", "/") for one in Page(text).leading_to("photograph")}
    assert shown <= {one for (one,) in wanted}


@given(st.lists(st.integers(), max_size=50), st.integers(-5, 20), st.integers(1, 9))
def test_numbered_pages_are_the_whole_list(values: list[int], number: int, size: int) -> None:
    rows = [{"value": value} for value in values]
    pages = numbered(rows, 1, size).pages
    assert [row for place in range(1, pages + 1) for row in numbered(rows, place, size).rows] == rows
    assert 1 <= numbered(rows, number, size).number <= pages


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(-3, 40), st.integers(-3, 40)), max_size=6))
def test_a_choice_is_shown_whole_whatever_its_spans_say(text: str, spans: list[tuple[int, int]]) -> None:
    listed = [{"start": start, "end": end, "part": "wing"} for start, end in spans]
    pieces = spelled(text, listed, {"wing": 3})
    assert "".join(piece["text"] for piece in pieces) == text
    assert all(piece["hue"] == 3 for piece in pieces if piece["part"])
