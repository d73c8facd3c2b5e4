"""Distributions are those of a plain walk over the rows; plots hold every value that they are given."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

import partonomy_data
from partonomy_data.report import counting, figures, plots, scales
from partonomy_data.report.reading import Reading


@pytest.fixture(scope="module")
def drawn(version: partonomy_data.Store) -> dict[str, figures.Figure]:
    """All figures by title."""
    reading = Reading(version)
    counts = counting.count(reading)
    every = [
        *figures.of_parts(reading), *figures.of_questions(reading, counts), *figures.of_knowledge(reading),
    ]  # fmt: skip
    return {one.title: one for one in every}


def told(figure: figures.Figure) -> dict[object, int]:
    return {row[0]: row[1] for row in figure.rows if row[1]}


def test_parts_of_an_object(drawn: dict[str, figures.Figure], version: partonomy_data.Store) -> None:
    plain = Counter(str(row["n_parts"]) for row in version.table("objects", ["n_parts"]).to_pylist())
    assert told(drawn["Parts of an object"]) == plain


def test_areas_are_counted_by_powers_of_two(drawn: dict[str, figures.Figure], version: partonomy_data.Store) -> None:
    plain = Counter(row["area"].bit_length() - 1 for row in version.table("parts", ["area"]).to_pylist())
    expected = {"1" if k == 0 else f"{2**k:,} to {2 ** (k + 1) - 1:,}": n for k, n in plain.items()}
    assert told(drawn["Areas of part masks"]) == expected


@pytest.mark.parametrize(("title", "table"), [("Sizes of object masks", "objects"), ("Sizes of part masks", "parts")])
def test_shares_of_the_photograph_are_counted_by_halvings(
    title: str, table: str, drawn: dict[str, figures.Figure], version: partonomy_data.Store
) -> None:
    plain: Counter[int] = Counter()
    for row in version.table(table, ["area", "mask"]).to_pylist():
        if row["mask"] is not None and row["area"]:
            share, place = Fraction(row["area"], row["mask"]["size"][0] * row["mask"]["size"][1]), 0
            while share * 2 <= 1 and place < figures.LEAST:
                share, place = share * 2, place + 1
            plain[place] += 1
    by_size = [n for _, n in sorted(plain.items(), reverse=True)]
    assert [row[1] for row in drawn[title].rows if row[1]] == by_size


def test_choices_and_places_of_the_right_one(drawn: dict[str, figures.Figure], version: partonomy_data.Store) -> None:
    rows = version.questions(columns=["choices", "correct_index"]).to_pylist()
    assert told(drawn["Choices of a question"]) == Counter(len(row["choices"]) for row in rows)
    named = Counter(str(len(row["choices"][row["correct_index"]]["parts"])) for row in rows)
    assert told(drawn["Parts in the right choice"]) == named
    places = Counter((f"{len(row['choices'])} choices", "ABCDE"[row["correct_index"]]) for row in rows)
    figure = drawn["Place of the right choice"]
    assert {
        (row[0], head): n for row in figure.rows for head, n in zip(figure.head[1:], row[1:], strict=True) if n
    } == places


def test_the_long_tail_tells_how_many_names_it_takes(
    drawn: dict[str, figures.Figure], version: partonomy_data.Store
) -> None:
    counts = sorted((row["n_parts"] for row in version.table("part_categories").to_pylist()), reverse=True)
    rows = {row[0]: row[1] for row in drawn["Masks of each part name"].rows}
    for share in (50, 80, 90, 99):
        n = rows[f"the first {share} %"]
        assert 100 * sum(counts[:n]) >= share * sum(counts) > 100 * sum(counts[: n - 1])
    assert rows["seen less than ten times"] == sum(0 < n < 10 for n in counts)
    assert rows["never seen (not drawn)"] == counts.count(0)


def test_what_is_known_of_parts(drawn: dict[str, figures.Figure], version: partonomy_data.Store) -> None:
    for title, table, column in (
        ("Is the part there?", "part_evidence", "status"),
        ("How parts came to their objects", "parts", "match_method"),
    ):
        plain = Counter(
            (r["source"], r[column].replace("_", " ")) for r in version.table(table, ["source", column]).to_pylist()
        )
        figure = drawn[title]
        cells = {
            (row[0], head): n for row in figure.rows for head, n in zip(figure.head[1:], row[1:], strict=True) if n
        }
        assert cells == plain


@given(st.floats(0.001, 1e12))
def test_marks_of_an_axis_reach_as_far_as_its_values(most: float) -> None:
    marks = scales.steps(most)
    assert marks[0] == 0
    assert marks[-1] >= most * 0.999
    assert 2 <= len(marks) <= 7
    assert scales.powers(most)[-1] >= most * 0.999


@given(st.integers(0, 10**12))
def test_brief_numbers_are_short_and_near(value: int) -> None:
    said = scales.brief(value)
    assert len(said) <= 5
    size = {"k": 1e3, "M": 1e6, "G": 1e9}.get(said[-1], 1)
    assert float(said.rstrip("kMG")) * size == pytest.approx(value, rel=0.06, abs=0.5)


class _Drawn(HTMLParser):
    """The tags of a plot, and its text."""

    def __init__(self, svg: str) -> None:
        super().__init__(convert_charrefs=True)
        self.boxes: list[dict[str, str | None]] = []
        self.names: set[str] = set()
        self.said = ""
        self.feed(svg)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        if tag == "rect":
            self.boxes.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.said += data


LABELS = st.text(max_size=40)


@given(st.lists(st.tuples(LABELS, st.integers(0, 10**9)), max_size=12), LABELS)
def test_plots_have_a_bar_for_each_value_in_proportion_and_no_tag_of_a_label(
    rows: list[tuple[str, int]], title: str
) -> None:
    for svg in (plots.bars(title, rows), plots.columns(title, rows, title)):
        made = _Drawn(svg)
        assert len(made.boxes) == len(rows)
        assert made.names <= {"svg", "rect", "title", "text", "path"}
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", svg)
        most = max((n for _, n in rows), default=0)
        for box, (_, n) in zip(made.boxes, rows, strict=True):
            if most and svg.startswith("<svg") and "plot" in svg and n == most:
                assert max(float(box["width"] or 0), float(box["height"] or 0)) > 10
        if rows and len({n for _, n in rows}) > 1:
            lengths = [float(box["width" if svg == plots.bars(title, rows) else "height"] or 0) for box in made.boxes]
            small, large = min(rows, key=lambda row: row[1]), max(rows, key=lambda row: row[1])
            assert lengths[rows.index(small)] <= lengths[rows.index(large)]


@given(st.dictionaries(LABELS, st.dictionaries(st.sampled_from("abc"), st.integers(1, 1000), min_size=1), max_size=6))
def test_stacked_bars_are_as_long_as_their_parts_together(rows: dict[str, dict[str, int]]) -> None:
    made = _Drawn(plots.stacked("x", rows, list("abc"), shares=True))
    bars = [box for box in made.boxes if box["height"] == "15.0"]
    assert len(bars) == sum(len(parts) for parts in rows.values())
    by_row: dict[str, float] = {}
    for box in bars:
        by_row[str(box["y"])] = by_row.get(str(box["y"]), 0) + float(box["width"] or 0)
    assert all(length == pytest.approx(plots.WIDTH - 150 - 66, abs=3) for length in by_row.values())


def test_intervals_tell_what_is_beyond_chance_by_shape_too() -> None:
    good, bad = plots.Point("a", 0.3, 0.2, 0.4, 0.25), plots.Point("b", 0.9, None, None, 0.25, bad=True)
    svg = plots.intervals("x", [good, bad])
    assert len(re.findall("<circle", svg)) == len(re.findall('<rect class="dot bad"', svg)) == 1
    assert "a: 30.0 % (20.0 to 40.0)" in svg
    assert "b: 90.0 %<" in svg
    assert "chance" not in plots.intervals("x", [plots.Point("a", 0.5)], "")
