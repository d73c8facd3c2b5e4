"""What is shown: drawn by the seed alone, with its masks in the colors of their names, and the right choice told."""

from __future__ import annotations

import html
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

import partonomy_data
from partonomy_data import masks
from partonomy_data.report import sampling, showing
from partonomy_data.report.reading import TYPES, Reading
from tests.report.opened import Page

Shown = dict[str, Page]


@pytest.fixture(scope="module")
def reading(version: partonomy_data.Store) -> Reading:
    return Reading(version)


def test_photographs_are_drawn_by_turns_of_their_sources_and_by_the_seed(reading: Reading) -> None:
    drawn = sampling.photographs(reading, 12, 3)
    assert drawn == sampling.photographs(reading, 12, 3)
    assert drawn[:8] == sampling.photographs(reading, 8, 3)
    assert len(set(drawn)) == 12
    assert Counter(one.split("/")[0] for one in drawn) == dict.fromkeys(
        ("paco", "partimagenet", "partonomy", "pascal_part"), 3
    )
    others = [sampling.photographs(reading, 12, seed) for seed in range(4)]
    assert len({tuple(one) for one in others}) == 4
    assert sampling.photographs(reading, 0, 3) == []


def test_more_than_there_are_gives_all_with_parts_once(reading: Reading) -> None:
    drawn = sampling.photographs(reading, 1000, 0)
    with_parts = {r["image_id"] for r in reading.store.table("objects").to_pylist() if r["n_parts"]}
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == with_parts


def test_questions_are_drawn_of_every_type(reading: Reading) -> None:
    drawn = sampling.questions(reading, 12, 3)
    types = {row["question_id"]: row["question_type"] for row in reading.store.questions().to_pylist()}
    assert [types[one] for one in drawn] == [kind for kind in TYPES for _ in range(2)]
    assert len(sampling.questions(reading, 1000, 3)) == 856


def test_samples_are_shown_on_their_pages(shown: Shown, reading: Reading) -> None:
    for page, ids in (
        ("photographs.html", sampling.photographs(reading, 12, 3)),
        ("questions.html", sampling.questions(reading, 12, 3)),
    ):
        found = re.findall(r'<span class="id">((?:qst_|paco/|part|pascal)[^<]*)</span>', shown[page].source)
        assert [html.unescape(one) for one in found if one in ids] == ids


def test_phrases_have_the_color_and_the_number_of_their_masks(shown: Shown) -> None:
    articles = re.findall(r"<article.*?</article>", shown["questions.html"].source, re.DOTALL)
    assert len(articles) == 12
    seen = 0
    for article in articles:
        legend = dict(
            re.findall(r'<li class="of-(hue-\d+)">.*?<span class="soft">\d+</span> ([^<]*?) ?<', article, re.DOTALL)
        )
        names = {name.strip(): hue for hue, name in legend.items()}
        drawn = set(re.findall(r'<path class="mask (hue-\d+)"', article))
        for hue, part in re.findall(r'<span class="named (hue-\d+)" title="([^"]*)">', article):
            if len(names) == len(legend):
                assert names.get(html.unescape(part), hue) == hue
            assert hue in drawn
            seen += 1
    assert seen > 20


def test_the_right_choice_is_told_once_and_is_right(shown: Shown, reading: Reading) -> None:
    rows = {row["question_id"]: row for row in reading.store.questions().to_pylist()}
    for article in re.findall(r"<article.*?</article>", shown["questions.html"].source, re.DOTALL):
        row = rows[re.findall(r"qst_\w+", article)[0]]
        right = re.findall(
            r'<li class="right"><span class="letter">(\w)</span>(.*?)<span class="tag good">right', article
        )
        text = html.unescape(re.sub(r"<sup.*?</sup>|<[^>]*>", "", right[0][1])).strip()
        correct = row["choices"][row["correct_index"]]
        assert (right[0][0], text) == ("ABCDE"[row["correct_index"]], correct["text"])
        assert correct["is_correct"]
        assert len(right) == (2 if row["object_question"] else 1)
        if row["object_question"]:
            assert right[1][1].strip() == row["object_choices"][row["correct_object_index"]]["text"]


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 1)))
def test_a_number_stands_on_its_mask(bitmap: NDArray[np.uint8]) -> None:
    told = masks.to_json(masks.from_bitmap(bitmap))
    point = showing.inside(told["size"], str(told["counts"]))
    if not bitmap.any():
        assert point is None
    else:
        assert point is not None
        assert bitmap[int(point[1]), int(point[0])]
        runs = np.split(bitmap.ravel("F"), np.flatnonzero(np.diff(bitmap.ravel("F"))) + 1)
        place = int(point[0]) * bitmap.shape[0] + int(point[1])
        at = np.searchsorted(np.cumsum([len(run) for run in runs]), place, side="right")
        assert 2 * len(runs[at]) >= max(len(run) for run in runs if run[0])  # not on a sliver


@pytest.mark.parametrize(
    ("size", "counts"), [(None, "a"), ([2, 2], None), ([2], "04"), ([2, 2], "\x00"), ([9, 9], "04")]
)
def test_a_mask_that_cant_be_read_has_no_number(size: list[int] | None, counts: str | None) -> None:
    assert showing.inside(size, counts) is None


def test_what_a_picture_says_names_its_parts(shown: Shown) -> None:
    labels = [str(one["aria-label"]) for one in shown["photographs.html"].all("svg") if one.get("role")]
    assert len(labels) == 12
    assert all(re.match(r"(Photograph|Plain ground).* with outlines of masks: .+; parts: .+", one) for one in labels)


def test_a_question_of_no_photograph_is_left_out(reading: Reading) -> None:
    assert showing.question(reading, None, "qst_none") is None  # type: ignore[arg-type]
    assert showing.photograph(reading, None, "paco/none") is None  # type: ignore[arg-type]
