"""Spans to tags and back, and the best tags: against plain loops and against all sequences that there are."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.plum import bio
from model.plum.bio import B, I, O, Span
from model.plum.errors import TextError
from model.plum.rendering import Offsets


def valid(tags: tuple[int, ...]) -> bool:
    return all(tag != I or before != O for before, tag in pairwise((O, *tags)))


@st.composite
def tokenized(draw: st.DrawFn) -> tuple[str, Offsets]:
    """A text cut into tokens, each with a character that isn't blank, most with blanks before it."""
    pieces = draw(
        st.lists(st.tuples(st.sampled_from(["", " ", "  ", "\n"]), st.text("abé漢.", min_size=1, max_size=3)))
    )
    tokens = [blank + word for blank, word in pieces]
    bounds = np.cumsum([0, *map(len, tokens)])
    return "".join(tokens), np.stack([bounds[:-1], bounds[1:]], 1).astype(np.int64)


def test_a_tag_is_valid_unless_an_inner_one_follows_none() -> None:
    assert [tags for tags in product((O, B, I), repeat=2) if valid(tags)] == [(O, O), (O, B), (B, O), (B, B), (B, I)]


@given(tokenized(), st.data())
def test_valid_tags_become_spans_and_the_same_tags_again(case: tuple[str, Offsets], data: st.DataObject) -> None:
    text, offsets = case
    tags: list[int] = []
    for _ in offsets:
        tags.append(data.draw(st.sampled_from([O, B, I] if tags and tags[-1] != O else [O, B])))
    spans = bio.spans_of(tags, text, offsets)
    assert bio.tags_of(spans, len(offsets)).tolist() == tags
    assert bio.tokens_of(text, offsets, [(span.start, span.end) for span in spans]) == spans
    for span in spans:
        phrase = text[span.start : span.end]
        assert phrase == phrase.strip() == text[offsets[span.first, 0] : offsets[span.last, 1]].strip() != ""


@given(tokenized(), st.data())
def test_a_spans_tokens_are_those_that_share_a_character_that_is_not_blank(
    case: tuple[str, Offsets], data: st.DataObject
) -> None:
    text, offsets = case
    if not text:
        return
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    solid = {place for place in range(start, end) if not text[place].isspace()}
    wanted = [n for n, (low, high) in enumerate(offsets.tolist()) if solid & set(range(low, high))]
    if not wanted:
        with pytest.raises(TextError, match="no token spells"):
            bio.tokens_of(text, offsets, [(start, end)])
    else:
        assert bio.tokens_of(text, offsets, [(start, end)]) == [Span(wanted[0], wanted[-1], start, end)]


def words(text: str) -> Offsets:
    """Offsets of words, each with the blanks before it."""
    ends = [n + 1 for n, one in enumerate(text) if not one.isspace() and (n + 1 == len(text) or text[n + 1].isspace())]
    return np.array(list(pairwise([0, *ends])), np.int64)


def test_a_part_word_inside_of_the_objects_name_makes_no_span() -> None:
    """Spans are the stored characters: `sail` is looked for nowhere, neither in `sail boat` nor a second time."""
    text = "The sail boat has a hull and a sail , not two: sail"
    place = text.index("sail ,")
    found = bio.tokens_of(text, words(text), [(text.index("hull"), text.index("hull") + 4), (place, place + 4)])
    assert [text[one.start : one.end] for one in found] == ["hull", "sail"]
    assert bio.tags_of(found, len(words(text))).tolist() == [O, O, O, O, O, B, O, O, B, O, O, O, O]


def test_spans_come_in_the_texts_order() -> None:
    found = bio.tokens_of("a b c", words("a b c"), [(4, 5), (0, 1)])
    assert [(one.first, one.start) for one in found] == [(0, 0), (2, 4)]


@pytest.mark.parametrize(
    ("spans", "what"),
    [
        ([(0, 2), (2, 4)], "'le' shares a token with the span before it"),
        ([(0, 4), (2, 4)], "shares a token"),
        ([(0, 4), (0, 4)], "shares a token"),
        ([(4, 5)], "no token spells ' '"),
        ([(3, 3)], "outside of the text of 7 characters"),
        ([(5, 8)], "outside of the text"),
        ([(-1, 2)], "outside of the text"),
    ],
)
def test_spans_that_no_tags_can_tell_are_refused(spans: list[tuple[int, int]], what: str) -> None:
    with pytest.raises(TextError, match=what):
        bio.tokens_of("axle is", words("axle is"), spans)


@given(st.lists(st.tuples(*[st.integers(-3, 3)] * 3), max_size=7))
def test_the_best_tags_are_the_best_of_all_valid_sequences(scores: list[tuple[int, int, int]]) -> None:
    """Small integers, so that many are equal: then the one whose last tags come first is taken."""
    every = [tags for tags in product((O, B, I), repeat=len(scores)) if valid(tags)]
    totals = [sum(row[tag] for row, tag in zip(scores, tags, strict=True)) for tags in every]
    best = [tags for tags, total in zip(every, totals, strict=True) if total == max(totals)]
    found = bio.best_tags(np.array(scores, np.float64).reshape(-1, 3))
    assert tuple(found.tolist()) == min(best, key=lambda tags: tags[::-1])


@given(st.lists(st.tuples(*[st.integers(-3, 3)] * 3, st.booleans()), min_size=1, max_size=7))
def test_the_best_tags_of_whole_words_are_the_best_of_those_that_cut_none(
    scores: list[tuple[int, int, int, bool]],
) -> None:
    within = np.array([False, *(one[3] for one in scores[1:])])
    values = np.array([one[:3] for one in scores], np.float64)

    def whole(tags: tuple[int, ...]) -> bool:
        steps = zip(tags[:-1], tags[1:], within[1:], strict=True)
        return all((before == O) == (tag == O) and tag != B for before, tag, inside in steps if inside)

    every = [tags for tags in product((O, B, I), repeat=len(scores)) if valid(tags) and whole(tags)]
    totals = [values[np.arange(len(tags)), list(tags)].sum() for tags in every]
    best = [tags for tags, total in zip(every, totals, strict=True) if total == max(totals)]
    assert tuple(bio.best_tags(values, within).tolist()) == min(best, key=lambda tags: tags[::-1])


def test_tokens_within_words_are_those_that_no_blank_or_sign_parts_from_the_one_before() -> None:
    text = "The seat-back's 2nd 🦅."
    pieces = ["The", " se", "at", "-", "back", "'", "s", " 2", "nd", " 🦅", ".", "."]
    offsets, place = [], 0
    for piece in pieces[:-1]:
        offsets.append([place, place + len(piece)])
        place += len(piece)
    offsets.append(offsets[-1])  # a further byte of the same character
    found = bio.within_words(text, np.array(offsets, np.int64))
    assert [piece for piece, inside in zip(pieces, found, strict=True) if inside] == ["at", "nd", "."]
    assert bio.within_words("", np.zeros((0, 2), np.int64)).shape == (0,)


def test_tags_of_blanks_alone_and_inner_ones_without_a_first_make_no_span() -> None:
    offsets = np.array([[0, 1], [1, 3], [3, 4]], np.int64)
    assert bio.spans_of([I, O, I], "a b ", offsets) == []
    assert bio.spans_of([O, O, B], "a b ", offsets) == []
    assert bio.spans_of([O, B, I], "a b ", offsets) == [Span(1, 1, 2, 3)]


def test_a_character_of_several_tokens_is_of_one_span_whole() -> None:
    """The four bytes of an emoji, tagged from the third on: its tokens are those that its character has in any text."""
    text, offsets = "🦅 b", np.array([[0, 1]] * 4 + [[1, 3]], np.int64)
    assert bio.spans_of([O, O, B, I, O], text, offsets) == [Span(0, 3, 0, 1)]
    assert bio.spans_of([B, O, B, I, I], text, offsets) == [Span(0, 3, 0, 1), Span(4, 4, 2, 3)]
