"""Text to tokens: against the families' own processors, and token by token."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from transformers import ByT5Tokenizer

from model.plum.backbone import Backbone
from model.plum.errors import ModelError, TextError
from model.plum.marking import SEG
from model.plum.rendering import Prompt, Rendered, Renderer, Turn
from tests.model.families import FAMILIES
from tests.model.plum.tiny import PHOTOGRAPHS, QUESTION

letters = st.sampled_from([*"abeghlnostw WI,.?'-", "  ", "é", "漢", "🦅", "👩‍👧", "\n", "\t", "\u00a0"])
texts = st.lists(letters, min_size=1, max_size=12).map("".join).filter(str.strip)


@pytest.fixture(scope="session")
def replacements(backbones: Callable[[str], Backbone]) -> Callable[[str, int], str]:
    """What stands for a photograph in a family's text."""
    return cache(lambda family, number: backbones(family).picture(PHOTOGRAPHS[number]).replacement)


def blank_free(text: str, start: int, end: int) -> set[int]:
    return {place for place in range(start, end) if not text[place].isspace()}


def turn(role: str, text: str, image: bool = False) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "image"}] * image + [{"type": "text", "text": text}]}


def by_the_processor(backbone: Backbone, turns: list[tuple[str, str]], number: int) -> list[int]:
    """Token ids of a whole conversation, by the family's own processor."""
    said = [turn("user", question, place == 0) for place, (question, _) in enumerate(turns)]
    answers = [turn("assistant", answer) for _, answer in turns]
    messages = [one for pair in zip(said, answers, strict=True) for one in pair]
    text = backbone.processor.apply_chat_template(messages, tokenize=False)
    ids: list[int] = backbone.processor(text=[text], images=[PHOTOGRAPHS[number]])["input_ids"][0]
    return ids


def rendered(renderer: Renderer, prompt: Prompt, answer: str) -> Rendered:
    """Refused is only what begins with blanks, as these may go together with those at the prompt's end."""
    if answer[0].isspace():
        try:
            return renderer.answered(prompt, answer)
        except TextError:
            assume(False)
    return renderer.answered(prompt, answer)


@given(st.sampled_from(FAMILIES), st.integers(0, 1), texts)
def test_tokens_are_the_processors_and_their_offsets_spell_the_answer(
    backbones: Callable[[str], Backbone], replacements: Callable[[str, int], str], family: str, number: int, answer: str
) -> None:
    backbone = backbones(family)
    prompt = backbone.renderer.prompt(replacements(family, number), QUESTION)
    found = rendered(backbone.renderer, prompt, answer)
    theirs = by_the_processor(backbone, [(QUESTION, answer)], number)
    assert list(found.ids) == list(theirs[: len(found.ids)])
    assert found.ids[: found.n_prompt] == prompt.ids
    assert len(found.ids) == found.n_prompt + found.n_answer + 1
    assert found.ids[-1] == backbone.renderer.end_id
    assert found.offsets.shape == (found.n_answer, 2)
    places = [blank_free(answer, *one) for one in found.offsets.tolist()]
    assert set().union(*places) == blank_free(answer, 0, len(answer))
    shared = [place for one, other in pairwise(places) for place in one & other]
    assert all(ord(answer[place]) > 127 for place in shared), "only what takes several bytes is in several tokens"
    assert (np.diff(found.offsets, axis=0) >= 0).all()


@given(st.sampled_from(FAMILIES), texts)
def test_offsets_are_the_same_whatever_the_photograph(
    backbones: Callable[[str], Backbone], replacements: Callable[[str, int], str], family: str, answer: str
) -> None:
    renderer = backbones(family).renderer
    one, other = (
        rendered(renderer, renderer.prompt(replacements(family, number), QUESTION), answer) for number in range(2)
    )
    assert np.array_equal(one.offsets, other.offsets)
    assert one.ids[one.n_prompt :] == other.ids[other.n_prompt :]
    assert family == "llava" or one.n_prompt != other.n_prompt


@given(st.sampled_from(FAMILIES), texts)
def test_what_is_read_back_from_ids_is_the_text_and_the_same_offsets(
    backbones: Callable[[str], Backbone], replacements: Callable[[str, int], str], family: str, answer: str
) -> None:
    renderer = backbones(family).renderer
    found = rendered(renderer, renderer.prompt(replacements(family, 0), QUESTION), answer)
    text, offsets = renderer.text_of(found.ids[found.n_prompt : -1])
    assert text == answer.lstrip()
    gone = len(answer) - len(text)
    for (start, end), (low, high) in zip(offsets.tolist(), found.offsets.tolist(), strict=True):
        theirs = {place - gone for place in blank_free(answer, low, high)}
        assert blank_free(text, start, end) == theirs


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5])
def test_half_a_character_is_read_back_as_a_sign_that_all_its_bytes_share(backbone: Backbone, cut: int) -> None:
    renderer = backbone.renderer
    ids = renderer.tokenizer("🦅", add_special_tokens=False)["input_ids"]
    word = renderer.tokenizer("a", add_special_tokens=False)["input_ids"][-1:]
    text, offsets = renderer.text_of([*word, *(ids[-4:] + word)[:cut]])
    assert offsets[0].tolist() == [0, 1]
    assert offsets[-1, 1] == len(text)
    assert (np.diff(offsets, axis=0) >= 0).all()
    assert text[0] == "a"
    assert text[1:].rstrip("�") == "" if cut < 4 else text[1] == "🦅"
    if cut >= 4:
        assert offsets[1:5].tolist() == [[1, 2]] * 4


def test_nothing_generated_is_read_back_as_nothing(backbone: Backbone) -> None:
    text, offsets = backbone.renderer.text_of([])
    assert (text, offsets.shape) == ("", (0, 2))
    text, offsets = backbone.renderer.text_of([backbone.renderer.end_id])
    assert (text, offsets.tolist()) == ("", [[0, 0]])


def test_earlier_turns_are_shown_as_the_family_shows_them(
    backbone: Backbone, family: str, replacements: Callable[[str, int], str]
) -> None:
    said = [("What is the object?", "It is a bicycle."), ("Sure?", "Yes."), (QUESTION, "It has a saddle.")]
    history = [Turn(*one) for one in said[:-1]]
    found = backbone.renderer.answered(
        backbone.renderer.prompt(replacements(family, 1), QUESTION, history), said[-1][1]
    )
    theirs = by_the_processor(backbone, said, 1)
    assert list(found.ids) == list(theirs[: len(found.ids)])


@pytest.mark.parametrize("written", [False, True])
def test_the_sign_of_a_beginning_stands_once_whether_or_not_the_template_writes_it(
    backbones: Callable[[str], Backbone], replacements: Callable[[str, int], str], written: bool
) -> None:
    processor = copy.deepcopy(backbones("llava").processor)
    if written:
        processor.chat_template = "<s>" + processor.chat_template
    renderer = Renderer(processor)
    found = renderer.answered(renderer.prompt(replacements("llava", 0), QUESTION), "A saddle")
    begin = processor.tokenizer.bos_token_id
    assert found.ids[0] == begin
    assert found.ids.count(begin) == 1


def test_text_with_a_control_token_is_refused(
    backbone: Backbone, family: str, replacements: Callable[[str, int], str]
) -> None:
    renderer, image = backbone.renderer, replacements(family, 0)
    control = {str(one) for one in renderer.tokenizer.added_tokens_decoder.values()}
    assert renderer.image_token in control
    assert len(control) >= 5
    prompt = renderer.prompt(image, QUESTION)
    for token in control:
        for refused in (
            lambda text: renderer.prompt(image, text),
            lambda text: renderer.prompt(image, QUESTION, [Turn(text, "Yes.")]),
            lambda text: renderer.prompt(image, QUESTION, [Turn("Sure?", text)]),
            lambda text: renderer.answered(prompt, text),
        ):
            with pytest.raises(TextError, match="holds the control token"):
                refused(f"It has a{token} wing")


def test_the_seg_token_is_refused_where_it_is_one_but_in_an_answer(
    backbones: Callable[[str], Backbone], replacements: Callable[[str, int], str]
) -> None:
    processor, image = copy.deepcopy(backbones("llava").processor), replacements("llava", 0)
    backbones("llava").renderer.prompt(image, f"What is {SEG}?")
    processor.tokenizer.add_tokens([SEG])
    renderer = Renderer(processor)
    with pytest.raises(TextError, match="holds the control token"):
        renderer.prompt(image, f"What is {SEG}?")
    found = renderer.answered(renderer.prompt(image, QUESTION), f"A wing {SEG}, a tail {SEG}")
    at = [
        n for n, one in enumerate(found.ids[found.n_prompt :]) if one == processor.tokenizer.convert_tokens_to_ids(SEG)
    ]
    assert [found.answer[slice(*found.offsets[n])] for n in at] == [SEG, SEG]
    assert renderer.text_of(found.ids[found.n_prompt :])[0] == found.answer


@pytest.mark.parametrize("answer", ["", " ", "\n\t "])
def test_an_empty_answer_is_refused(backbone: Backbone, answer: str) -> None:
    with pytest.raises(TextError, match="the answer is empty"):
        backbone.renderer.answered(backbone.renderer.prompt("", QUESTION), answer)


def changed(processor: Any, template: str | None = None, of_tokenizer: str | None = None, **tokenizer: Any) -> Any:
    """A copy of a processor with other templates, and whatever else its tokenizer is to have."""
    processor = copy.deepcopy(processor)
    processor.chat_template, processor.tokenizer.chat_template = template, of_tokenizer
    for name, value in tokenizer.items():
        setattr(processor.tokenizer, name, value)
    return processor


def test_a_template_that_the_tokenizer_alone_has_serves_as_well(backbones: Callable[[str], Backbone]) -> None:
    theirs = backbones("llava").renderer
    template = theirs.processor.chat_template
    assert Renderer(changed(theirs.processor, None, template)).prompt("", QUESTION) == theirs.prompt("", QUESTION)


def test_a_processor_that_cannot_serve_is_refused_in_one_line(backbones: Callable[[str], Backbone]) -> None:
    whole = backbones("llava").processor
    template = whole.chat_template
    slow = copy.deepcopy(whole)
    slow.tokenizer = ByT5Tokenizer()
    twice, silent = template.replace("<image>\n", "<image><image>"), template.replace("m.content[0].text", "''")
    wrong = [
        ("ByT5Tokenizer gives no character offsets", lambda: Renderer(slow)),
        ("no chat template", lambda: Renderer(changed(whole))),
        ("no token that ends a text", lambda: Renderer(changed(whole, template, eos_token=None))),
        ("shows the image 2 times", lambda: Renderer(changed(whole, twice)).prompt("", QUESTION)),
        ("leaves out what the assistant says", lambda: Renderer(changed(whole, silent)).prompt("", QUESTION)),
    ]
    for what, call in wrong:
        with pytest.raises(ModelError, match=what) as raised:
            call()
        assert "\n" not in str(raised.value)
