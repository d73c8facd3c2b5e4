"""Answers, scores and masks: many at once against one at a time, against plain loops without a cache, and against SAM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model.plum import answering, losses, marking
from model.plum.answering import Answer, Asked
from model.plum.backbone import Backbone
from model.plum.batch import Batch, counts, spans_of
from model.plum.config import TrainableConfig
from model.plum.errors import ModelError, TextError
from model.plum.losses import LossConfig
from model.plum.model import Plum
from model.plum.rendering import Turn
from model.plum.span_extractor import SpanExtractorConfig
from tests.model.plum.tiny import PHOTOGRAPHS, QUESTION, TOLD, Told, batch_of, fresh, trained

TEXT, SPANS = "It has a front wheel, and a tail.", [(9, 20), (28, 32)]
HISTORY = (Turn("What is it?", "A bicycle."),)


@pytest.fixture(scope="module")
def plum(family: str, folder_of: Callable[[str], Path]) -> Plum:
    """Each family's model, after it was moved. Not changed by the tests."""
    return trained(folder_of(family))


@pytest.fixture(scope="module")
def asked(plum: Plum) -> list[Asked]:
    """Three questions about two photographs, one after an earlier turn."""
    looks = answering.look(plum, PHOTOGRAPHS)
    return [Asked(looks[0], QUESTION), Asked(looks[1], "What does it have?", HISTORY), Asked(looks[0], "Parts?")]


def learned(plum: Plum, told: list[Told]) -> Plum:
    """A model that has learned by heart what to say, and which of it to tag; its masks stay as they are."""
    batch: Batch = replace(batch_of(plum, told), spans=spans_of([]), targets=torch.zeros(0))
    over = counts([batch], plum.config.losses.span_weights)
    optimiser = torch.optim.AdamW([one for one in plum.parameters() if one.requires_grad], lr=5e-3)
    for _ in range(200):
        loss = losses.total(plum(batch), over, plum.config.losses)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if float(loss.detach()) < 0.02:
            break
    return plum


LEARNED = [TOLD[0], TOLD[2]]


@pytest.fixture(scope="module")
def scholar(family: str, folder_of: Callable[[str], Path]) -> Plum:
    config = {"trainable": TrainableConfig("all"), "losses": LossConfig(kl=0, span=1)}
    return learned(fresh(folder_of(family), **config), LEARNED)


# Scores


@torch.no_grad()
def test_a_choices_score_is_its_log_likelihood_read_whole_and_alone(plum: Plum, asked: list[Asked]) -> None:
    choices = [["It has a wing.", "It has a front wheel, and a tail.", "A"], [], ["The legs", "A mug or a teapot"]]
    found = answering.score_choices(plum, asked, choices)
    assert [len(one) for one in found] == [3, 0, 2]
    backbone = plum.backbone
    for one, texts, scores in zip(asked, choices, found, strict=True):
        prompt = backbone.renderer.prompt(one.look.picture.replacement, one.question, one.history)
        for text, score in zip(texts, scores, strict=True):
            (alone,) = answering.score_choices(plum, [one], [[text]])[0]
            assert alone.log_likelihood == pytest.approx(score.log_likelihood, abs=1e-3)
            ids = backbone.renderer.answered(prompt, text).ids
            states = backbone.states(backbone.texts([ids], [one.look.picture]), [one.look.features])
            likely = backbone.logits(states[0]).double().log_softmax(-1)
            whole = sum(float(likely[place - 1, ids[place]]) for place in range(len(prompt.ids), len(ids)))
            assert score.log_likelihood == pytest.approx(whole, abs=1e-3)
            assert score.tokens == len(ids) - len(prompt.ids)
            assert score.per_token == score.log_likelihood / score.tokens


def test_choices_that_cannot_be_shown_are_refused(plum: Plum, asked: list[Asked]) -> None:
    with pytest.raises(TextError, match="the answer is empty"):
        answering.score_choices(plum, asked[:1], [["A wing", " "]])
    with pytest.raises(ModelError, match=r"a text of .* tokens is longer than the model's 512"):
        answering.score_choices(plum, asked[:1], [["A wing", "wing, " * 300]])


# Masks of given text


def same(one: Answer, other: Answer) -> bool:
    pairs = list(zip(one.named, other.named, strict=True))
    alike = all(np.mean(a.mask != b.mask) < 0.005 and abs(a.iou - b.iou) < 1e-4 for a, b in pairs)
    places = all((a.start, a.end, a.phrase) == (b.start, b.end, b.phrase) for a, b in pairs)
    return alike and places and (one.text, one.finished) == (other.text, other.finished)


def test_masks_of_several_texts_at_once_are_those_of_each_alone(plum: Plum, asked: list[Asked]) -> None:
    texts, spans = [TEXT, "It has none.", "A saddle, two pedals"], [SPANS, [], [(14, 20), (2, 8)]]
    found = answering.segment_spans(plum, asked, texts, spans)
    assert [[part.phrase for part in one.named] for one in found] == [["front wheel", "tail"], [], ["saddle", "pedals"]]
    for number in range(3):
        (alone,) = answering.segment_spans(
            plum, asked[number : number + 1], texts[number : number + 1], [spans[number]]
        )
        assert same(found[number], alone)
        for part in alone.named:
            size = PHOTOGRAPHS[[0, 1, 0][number]].size
            assert part.mask.shape == size[::-1]
            assert part.mask.dtype == bool


@torch.no_grad()
def test_a_mask_is_the_one_that_sam_makes_of_the_spans_query(family: str, folder_of: Callable[[str], Path]) -> None:
    plum = trained(folder_of(family), feedback=None)
    look = answering.look(plum, PHOTOGRAPHS)[1]
    (found,) = answering.segment_spans(plum, [Asked(look, QUESTION)], [TEXT], [SPANS])
    backbone, sam = plum.backbone, plum.segmenter.sam
    prompt = backbone.renderer.prompt(look.picture.replacement, QUESTION)
    text = backbone.renderer.answered(prompt, TEXT)
    states = backbone.states(backbone.texts([text.ids], [look.picture]), [look.features])[0, text.n_prompt :]
    for part, (start, end) in zip(found.named, SPANS, strict=True):
        tokens = [n for n, (low, high) in enumerate(text.offsets) if TEXT[max(low, start) : min(high, end)].strip()]
        masks, iou = sam.mask_decoder(
            image_embeddings=look.embedding[None],
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=plum.query.mlp(states[tokens]).mean(0)[None, None],
            dense_prompt_embeddings=sam.prompt_encoder.no_mask_embed.weight[0][None, :, None, None].expand(
                1, -1, 16, 16
            ),
            multimask_output=False,
        )
        enlarged = sam.postprocess_masks(masks, (43, 128), (30, 90))[0, 0]
        assert np.mean((enlarged > 0).numpy() != part.mask) < 0.005
        assert part.iou == pytest.approx(float(iou), abs=1e-4)


def test_spans_that_the_model_tags_itself_have_the_masks_of_the_same_spans_given(
    plum: Plum, asked: list[Asked]
) -> None:
    texts = ["It has a front wheel.", TEXT, "The left foot of the crane 🦅 (bird)"]
    own = answering.segment_spans(plum, asked, texts)
    assert sum(len(one.named) for one in own) > 0
    spans = [[(part.start, part.end) for part in one.named] for one in own]
    assert all(map(same, own, answering.segment_spans(plum, asked, texts, spans)))


@torch.no_grad()
def test_a_photograph_is_looked_at_once_and_known_embeddings_are_used(plum: Plum, asked: list[Asked]) -> None:
    known = torch.stack([answering.look(plum, [one])[0].embedding for one in PHOTOGRAPHS])
    assert torch.allclose(torch.stack([one.embedding for one in answering.look(plum, PHOTOGRAPHS)]), known, atol=1e-4)
    seen: list[int] = []
    hooks = [
        module.register_forward_hook(lambda *_: seen.append(1))
        for module in (plum.segmenter.sam.image_encoder, plum.backbone.plain.get_output_embeddings())
    ]
    looks = answering.look(plum, PHOTOGRAPHS, list(known))
    answering.segment_spans(plum, [Asked(looks[0], QUESTION)], [TEXT], [SPANS])
    for hook in hooks:
        hook.remove()
    assert seen == []
    assert torch.equal(looks[1].embedding, known[1])


def test_nothing_asked_is_nothing_answered(plum: Plum) -> None:
    assert answering.look(plum, []) == []
    assert answering.score_choices(plum, [], []) == []
    assert answering.segment_spans(plum, [], [], []) == answering.segment_spans(plum, [], []) == []
    assert answering.generate(plum, []) == []


# Text of its own


@torch.no_grad()
def greedily(plum: Plum, one: Asked, longest: int) -> tuple[list[int], bool]:
    """The most likely token each time that is no piece of a photograph, all read again for each; and whether it ended."""
    backbone = plum.backbone
    prompt = backbone.renderer.prompt(one.look.picture.replacement, one.question, one.history)
    written: list[int] = []
    for _ in range(longest):
        texts = backbone.texts([(*prompt.ids, *written)], [one.look.picture])
        logits = backbone.logits(backbone.states(texts, [one.look.features])[0, -1])
        logits[backbone.image_token_id] = -torch.inf
        token = int(logits.argmax())
        if token == backbone.renderer.end_id:
            return written, True
        written.append(token)
    return written, False


def test_an_answer_is_the_most_likely_token_each_time_whoever_is_asked_beside(plum: Plum, asked: list[Asked]) -> None:
    found = answering.generate(plum, asked, longest=8)
    for one, answer in zip(asked, found, strict=True):
        ids, ended = greedily(plum, one, 8)
        assert answer.text == plum.backbone.renderer.text_of(ids)[0]
        assert answer.finished == ended
        assert same(answering.generate(plum, [one], longest=8)[0], answer)


def test_no_piece_of_a_photograph_is_ever_written(
    plum: Plum, asked: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answering.generate(plum, asked, longest=4)
    backbone, plain = plum.backbone, type(plum.backbone).logits

    def drawn_to_it(self: Backbone, states: Tensor) -> Tensor:
        logits = plain(self, states)
        logits[..., backbone.image_token_id] += 1000
        return logits

    monkeypatch.setattr(type(backbone), "logits", drawn_to_it)
    assert all(map(same, answering.generate(plum, asked, longest=4), expected))


def test_answers_end_each_at_its_own_end(plum: Plum, asked: list[Asked], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another token is taken as the end: one that comes early in the first answer, and not, or elsewhere, in others."""
    ids = [greedily(plum, one, 8)[0] for one in asked]
    renderer = plum.backbone.renderer
    for end in {ids[0][0], ids[0][2], ids[1][4]}:
        monkeypatch.setattr(renderer, "end_id", end)
        found = answering.generate(plum, asked, longest=8)
        cut = [row[: row.index(end)] if end in row else row for row in ids]
        assert [one.text for one in found] == [renderer.text_of(row)[0] for row in cut]
        assert [one.finished for one in found] == [end in row for row in ids]


def test_no_more_is_written_than_asked_for_or_than_there_is_room(
    plum: Plum, asked: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answering.generate(plum, asked[:2], longest=0) == [Answer("", (), False)] * 2
    prompt = plum.backbone.renderer.prompt(asked[0].look.picture.replacement, QUESTION)
    config = plum.backbone.plain.config.get_text_config()
    monkeypatch.setattr(config, "max_position_embeddings", len(prompt.ids) + 3)
    (found,) = answering.generate(plum, asked[:1], longest=8)
    assert found.text == plum.backbone.renderer.text_of(greedily(plum, asked[0], 3)[0])[0]
    assert not found.finished
    monkeypatch.setattr(config, "max_position_embeddings", len(prompt.ids) - 1)
    with pytest.raises(ModelError, match="longer than the model's"):
        answering.generate(plum, asked[:1])


def test_what_was_learned_is_said_and_its_parts_have_the_masks_of_the_same_text_given(scholar: Plum) -> None:
    looks = answering.look(scholar, PHOTOGRAPHS)
    asked = [Asked(looks[told.photograph], QUESTION) for told in LEARNED]
    found = answering.generate(scholar, asked, longest=40)
    assert [one.text for one in found] == [told.answer for told in LEARNED]
    assert all(one.finished for one in found)
    assert [[part.phrase for part in one.named] for one in found] == [list(told.named) for told in LEARNED]
    given = answering.segment_spans(scholar, asked, [told.answer for told in LEARNED], [told.spans for told in LEARNED])
    assert all(map(same, found, given))
    cut = answering.generate(scholar, asked, longest=2)
    assert not any(one.finished for one in cut)
    assert all(told.answer.startswith(one.text) for told, one in zip(LEARNED, cut, strict=True))


# With [SEG] tokens


@pytest.fixture(scope="module")
def marker(folder_of: Callable[[str], Path]) -> Plum:
    """A model of the `[SEG]` kind that has learned two answers by heart."""
    config = {"trainable": TrainableConfig("all"), "losses": LossConfig(kl=0)}
    plum = fresh(folder_of("qwen"), marking="seg_token", **config)
    marked = [(told, marking.mark(told.answer, told.spans)[0]) for told in LEARNED]
    return learned(plum, [Told(told.photograph, text, (marking.SEG,) * len(told.named)) for told, text in marked])


def test_a_model_with_seg_tokens_writes_them_and_shows_text_without_them(marker: Plum) -> None:
    looks = answering.look(marker, PHOTOGRAPHS)
    asked = [Asked(looks[told.photograph], QUESTION) for told in LEARNED]
    found = answering.generate(marker, asked, longest=60)
    assert [one.text for one in found] == [told.answer for told in LEARNED]
    assert [[part.phrase for part in one.named] for one in found] == [list(told.named) for told in LEARNED]
    given = answering.segment_spans(marker, asked, [told.answer for told in LEARNED], [told.spans for told in LEARNED])
    assert all(map(same, found, given))


def test_given_spans_keep_their_phrases_whatever_would_be_guessed(marker: Plum) -> None:
    asked, text = [Asked(answering.look(marker, PHOTOGRAPHS)[0], QUESTION)], "The handle of the mug, a tail"
    (found,) = answering.segment_spans(marker, asked, [text], [[(25, 29), (4, 21)]])
    assert [(part.start, part.end, part.phrase) for part in found.named] == [
        (4, 21, "handle of the mug"),
        (25, 29, "tail"),
    ]
    (alone,) = answering.segment_spans(marker, asked, [text], [[(4, 21)]])
    assert same(replace(found, named=found.named[:1]), alone)
    (nested,) = answering.segment_spans(marker, asked, [text], [[(4, 21), (11, 13)]])
    assert [part.phrase for part in nested.named] == ["of", "handle of the mug"]
    with pytest.raises(ModelError, match=r"only in what it writes itself\. Give the spans"):
        answering.segment_spans(marker, asked, [text])
    with pytest.raises(TextError, match="holds the control token '\\[SEG\\]'"):
        answering.generate(marker, [Asked(asked[0].look, "What is [SEG]?")])


def test_the_letters_of_a_seg_token_written_one_by_one_count_as_one() -> None:
    offsets = np.array([[0, 2], [2, 5], [5, 7], [7, 10], [10, 12]], np.int64)
    found = answering._marked("a[SEG][SEG]b", offsets)
    assert [(one.first, one.last, one.start, one.end) for one in found] == [(0, 2, 1, 6), (2, 4, 6, 11)]


@torch.no_grad()
def test_with_whole_words_no_word_is_tagged_by_half(family: str, folder_of: Callable[[str], Path]) -> None:
    """Of extractors that know nothing, whose tags are all over the place."""
    texts = ["Unquestionably, the handlebar's windscreen-wiper, the airscrew and the smokestack."] * 2 + [TEXT]
    cut, edges_of, generator = {False: 0, True: 0}, {False: 0, True: 0}, torch.Generator().manual_seed(0)
    for whole in (*cut, *cut, *cut, *cut):
        plum = trained(folder_of(family), spans=SpanExtractorConfig(heads=4, whole_words=whole))
        assert plum.extractor is not None
        for weight in (one for one in plum.extractor.parameters() if one.ndim > 1):
            weight.add_(torch.randn(weight.shape, generator=generator))
        looks = answering.look(plum, PHOTOGRAPHS)
        asked = [Asked(looks[0], QUESTION), Asked(looks[1], "Which?"), Asked(looks[0], "Parts?")]
        found = answering.segment_spans(plum, asked, texts)
        edges = [
            one.text[max(edge - 1, 0) : edge + 1]
            for one in found
            for named in one.named
            for edge in (named.start, named.end)
        ]
        cut[whole] += sum(len(edge) == 2 and edge.isalnum() for edge in edges)
        edges_of[whole] += len(edges)
    assert cut[False]
    assert edges_of[True]
    assert not cut[True]
