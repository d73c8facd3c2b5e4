"""Other words in the place of names, and other sentences: what changes of an answer, and what a step learns from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.plum import bio, losses
from model.plum.batch import Batch, Renamed, counts, padded_tags
from model.plum.config import PlumConfig
from model.plum.errors import ModelError
from model.plum.losses import LossConfig
from model.plum.model import Plum
from model.plum.renaming import Renamer
from model.plum.span_extractor import SpanExtractorConfig
from tests.model.plum.tiny import QUESTION, TOLD, batch_of, trained


@pytest.fixture(scope="module")
def plum(family: str, folder_of: Callable[[str], Path]) -> Plum:
    return trained(folder_of(family), losses=LossConfig(choice=1.0))


def spans_in(batch: Batch) -> list[list[bio.Span]]:
    return [bio.tokens_of(one.answer, text.offsets, one.spans) for one, text in zip(TOLD, batch.rendered, strict=True)]


def with_renamed(plum: Plum, batch: Batch) -> Batch:
    """All that name parts, with other words; the first of them also as a text that is longer than any of the batch."""
    renderer, rng = plum.backbone.renderer, np.random.default_rng(3)
    renamer = Renamer(renderer.tokenizer)
    of = [number for number, spans in enumerate(spans_in(batch)) if spans]
    tagged = [spans_in(batch)[number] for number in of]
    made = [renamer.renamed(batch.rendered[number], spans, rng) for number, spans in zip(of, tagged, strict=True)]
    text = "If one looks closely, there would be a wing " + "here, and there " * 6 + "too."
    prompt = renderer.prompt(batch.pictures[int(batch.picture_of[of[0]])].replacement, QUESTION)
    made.append(renderer.answered(prompt, text))
    tagged.append(bio.tokens_of(text, made[-1].offsets, [(39, 43)]))
    return replace(batch, renamed=Renamed(tuple(made), torch.tensor([*of, of[0]]), padded_tags(made, tagged)))


def test_words_of_names_change_and_nothing_else(plum: Plum) -> None:
    tokenizer = plum.backbone.renderer.tokenizer
    batch = batch_of(plum)
    renamer = Renamer(tokenizer)
    for one, spans in zip(batch.rendered, spans_in(batch), strict=True):
        found = renamer.renamed(one, spans, np.random.default_rng(0))
        named = {one.n_prompt + place for span in spans for place in range(span.first, span.last + 1)}
        changed = {place for place, (old, new) in enumerate(zip(one.ids, found.ids, strict=True)) if old != new}
        assert changed <= named
        assert len(changed) >= len(named) // 2
        old, new = (tokenizer.convert_ids_to_tokens(list(ids)) for ids in (one.ids, found.ids))
        for place in changed:
            assert old[place][0] in "Ġ▁" if new[place][0] in "Ġ▁" else old[place][0] not in "Ġ▁"
            assert new[place].lstrip("Ġ▁").isalpha()
            assert found.ids[place] not in tokenizer.all_special_ids
        assert replace(found, ids=one.ids) == one
        assert renamer.renamed(one, spans, np.random.default_rng(0)).ids == found.ids
        if spans:
            assert renamer.renamed(one, spans, np.random.default_rng(1)).ids != found.ids


def test_a_word_that_comes_again_becomes_the_same_again(plum: Plum) -> None:
    renderer = plum.backbone.renderer
    text = "It has a wing, a front wing and a wing."
    one = renderer.answered(renderer.prompt(batch_of(plum).pictures[0].replacement, "What?"), text)
    places = [(9, 13), (17, 27), (34, 38)]
    spans = bio.tokens_of(text, one.offsets, places)
    found = Renamer(renderer.tokenizer).renamed(one, spans, np.random.default_rng(0))
    first, _, last = (found.answer_ids[span.first : span.last + 1] for span in spans)
    assert first == last != one.answer_ids[spans[0].first : spans[0].last + 1]


@pytest.mark.parametrize("choices", [False, True])
@torch.no_grad()
def test_only_the_tags_are_learned_from_it(plum: Plum, choices: bool) -> None:
    plain = batch_of(plum, choices=choices)
    batch = with_renamed(plum, plain)
    assert batch.renamed is not None
    alone, both = plum(plain), plum(batch)
    for term in alone.keys() - {"span"}:
        assert float(both[term]) == pytest.approx(float(alone[term]), rel=1e-4, abs=1e-4)
    # Each renamed answer read by itself.
    wanted = float(alone["span"])
    assert plum.extractor is not None
    for one, number, tags in zip(batch.renamed.rendered, batch.renamed.of.tolist(), batch.renamed.tags, strict=True):
        picture = plain.pictures[int(plain.picture_of[number])]
        states = plum.backbone.states(plum.backbone.texts([one.ids], [picture]), plum.backbone.features([picture]))
        answer = states[:, one.n_prompt : one.n_prompt + one.n_answer]
        logits = plum.extractor(answer, torch.ones(answer.shape[:2], dtype=torch.bool))
        wanted += float(losses.spans(logits[0], tags[: one.n_answer], plum.tag_weights))
    assert float(both["span"]) == pytest.approx(wanted, rel=1e-4)


def test_their_tokens_count_as_other_answers_do(plum: Plum) -> None:
    plain = batch_of(plum)
    batch = with_renamed(plum, plain)
    weights = (1.0, 2.0, 3.0)
    alone, both = counts([plain], weights), counts([batch], weights)
    assert batch.renamed is not None
    # All but one of the answers name parts; and of the longer text one token is a name's.
    longer = batch.renamed.rendered[-1].n_answer + int((batch.renamed.tags[-1] > 0).sum())
    assert int((batch.renamed.tags[-1] == bio.B).sum()) == 1
    extra = longer + int((batch.renamed.tags[-1] == bio.I).sum())
    assert both["span"] == pytest.approx(2 * alone["span"] - plain.rendered[1].n_answer + extra)
    assert {term: both[term] for term in both if term != "span"} == {t: alone[t] for t in alone if t != "span"}
    assert batch.to(torch.device("cpu")).renamed == batch.renamed


def test_a_vocabulary_that_does_not_tell_where_words_begin_is_refused() -> None:
    class Letters:
        def get_vocab(self) -> dict[str, int]:
            return {letter: number for number, letter in enumerate("abc")}

    tokenizer: Any = Letters()
    with pytest.raises(ModelError, match=r"vocabulary of Letters doesn't tell.*Set spans.renamed to 0"):
        Renamer(tokenizer)


@pytest.mark.parametrize("name", ["renamed", "reworded"])
def test_a_share_that_is_none_is_refused(name: str) -> None:
    spans = replace(SpanExtractorConfig(), **{name: 1.5})  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=rf"spans.{name} is a share of answers, and can't be 1.5. Set it from 0 to 1"):
        PlumConfig(backbone="any", spans=spans).checked()
