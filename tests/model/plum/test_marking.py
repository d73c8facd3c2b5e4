"""The token that stands after each phrase: put in, and taken out again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.plum.errors import TextError
from model.plum.marking import SEG, mark, unmark

texts = st.text("ab ,.[]SEG\n", max_size=20).filter(lambda text: SEG not in text)


@given(texts, st.data())
def test_a_marked_text_unmarked_is_the_text_with_the_ends_of_its_phrases(text: str, data: st.DataObject) -> None:
    place = st.integers(0, len(text))
    spans = data.draw(st.lists(st.tuples(place, place).map(sorted).map(tuple), max_size=4))
    marked, places = mark(text, spans)
    assert marked.count(SEG) == len(spans)
    assert [marked[start:end] for start, end in places] == [SEG] * len(spans)
    assert len(set(places)) == len(spans)
    for (_, end), (start, _) in zip(spans, places, strict=True):
        assert marked[: start - 1].replace(f" {SEG}", "") == text[:end]
    plain, phrases = unmark(marked)
    assert plain == text
    ends = sorted(end for _, end in spans)
    for end, (start, stop) in zip(ends, phrases, strict=True):
        assert start <= stop <= end
        assert text[stop:end].strip() == ""


def test_tokens_stand_after_phrases_in_the_order_in_which_these_were_given() -> None:
    marked, places = mark("a wing and a tail.", [(13, 17), (2, 6)])
    assert marked == "a wing [SEG] and a tail [SEG]."
    assert [marked[:start] for start, _ in places] == ["a wing [SEG] and a tail ", "a wing "]


@pytest.mark.parametrize(
    ("text", "plain", "phrases"),
    [
        ("It has a front wheel [SEG], and a tail [SEG].", "It has a front wheel, and a tail.", ["front wheel", "tail"]),
        ("Wing [SEG] and tail[SEG]", "Wing and tail", ["Wing", "tail"]),
        ("The parts are: the handle [SEG] of the mug [SEG]", "The parts are: the handle of the mug", ["handle", "mug"]),
        ("A [SEG][SEG] b", "A b", ["", ""]),
        ("[SEG]", "", [""]),
        ("no part", "no part", []),
        ("a sand [SEG] and", "a sand and", ["sand"]),
    ],
)
def test_the_phrase_before_a_token_is_guessed(text: str, plain: str, phrases: list[str]) -> None:
    found, spans = unmark(text)
    assert found == plain
    assert [found[start:end] for start, end in spans] == phrases


def test_a_text_that_holds_the_token_cannot_be_marked() -> None:
    with pytest.raises(TextError, match="holds the token"):
        mark("a wing [SEG]", [(2, 6)])
