"""Masks step by step: against a loop that decodes one span of one answer at a time, by SAM's own decoder."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.plum import bio, decoding
from model.plum.batch import Spans, spans_of
from model.plum.mask_feedback import FeedbackConfig, MaskFeedback
from model.plum.segmenter import Decoded, Segmenter
from tests.model.plum.sam_weights import SMALL, noise, small, stir

SEGMENTER = Segmenter(small()).requires_grad_(False)
FEEDBACK = MaskFeedback(SEGMENTER.sam, FeedbackConfig(heads=4, order_aware=True))
stir(FEEDBACK, 1, 0.3)
CELLS, WIDTH, GRID = SMALL.mask_size, SMALL.prompt_width, SMALL.grid
PHOTOGRAPHS = 3
EMBEDDINGS = noise(PHOTOGRAPHS, WIDTH, GRID, GRID, seed=5)

#: For each answer, its photograph and how many spans it has.
answers_of = st.lists(st.tuples(st.integers(0, PHOTOGRAPHS - 1), st.integers(0, 4)), max_size=4)
Answers = list[tuple[int, int]]


def spans(answers: Answers) -> Spans:
    """Spans of answers; where they stand in them makes no difference here."""
    return spans_of([[bio.Span(n, n, n, n + 1) for n in range(count)] for _, count in answers])


def decoded(answers: Answers, feedback: MaskFeedback | None, **settings: Tensor | int) -> Decoded:
    of = spans(answers)
    pictures = torch.tensor([photograph for photograph, _ in answers], dtype=torch.int64)
    return decoding.masks(SEGMENTER, feedback, EMBEDDINGS, pictures, queries(len(of)), of, **settings)  # type: ignore[arg-type]


def queries(n: int) -> Tensor:
    return noise(n, WIDTH, seed=6)


def by_sam(photograph: int, query: Tensor, dense: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (4h, 4w) and IoU of one span, by the package's own decoder."""
    encoder = SEGMENTER.sam.prompt_encoder
    masks, iou = SEGMENTER.sam.mask_decoder(
        image_embeddings=EMBEDDINGS[photograph][None],
        image_pe=encoder.get_dense_pe(),
        sparse_prompt_embeddings=query[None, None],
        dense_prompt_embeddings=dense,
        multimask_output=False,
    )
    return masks[0, 0], iou[0, 0]


def oracle(
    answers: Answers, feedback: MaskFeedback | None, shown: Tensor | None = None, instead: Tensor | None = None
) -> list[tuple[Tensor, Tensor]]:
    """One answer after the other, one span after the other."""
    found: list[tuple[Tensor, Tensor]] = []
    no_mask = SEGMENTER.sam.prompt_encoder.no_mask_embed.weight[0]
    positions = SEGMENTER.sam.prompt_encoder.get_dense_pe()[0]
    for photograph, count in answers:
        maps: list[Tensor] = []
        for _ in range(count):
            number = len(found)
            query = queries(sum(count for _, count in answers))[number]
            dense = no_mask[None, :, None, None].expand(1, WIDTH, GRID, GRID)
            if maps and feedback is not None:
                dense = feedback.pool(
                    torch.stack(maps)[None], torch.ones(1, len(maps), dtype=torch.bool), positions, no_mask
                )
            logits, iou = by_sam(photograph, query, dense)
            found.append((logits, iou))
            if feedback is not None:
                seen = logits
                if shown is not None and instead is not None and shown[number]:
                    seen = 20 * instead[number] - 10
                maps.append(feedback.encode(seen[None], query[None])[0])
    return found


def check(found: Decoded, wanted: list[tuple[Tensor, Tensor]]) -> None:
    assert found.logits.shape == (len(wanted), CELLS, CELLS)
    assert found.iou.shape == (len(wanted),)
    for logits, iou, (their_logits, their_iou) in zip(found.logits, found.iou, wanted, strict=True):
        assert torch.allclose(logits, their_logits, atol=1e-3, rtol=1e-3)
        assert torch.allclose(iou, their_iou, atol=1e-4, rtol=1e-3)


@given(answers_of, st.booleans())
@torch.no_grad()
def test_many_answers_at_once_are_each_as_if_alone_and_step_by_step(answers: Answers, feeds_back: bool) -> None:
    feedback = FEEDBACK if feeds_back else None
    check(decoded(answers, feedback), oracle(answers, feedback))


@given(answers_of, st.data())
@torch.no_grad()
def test_true_masks_are_shown_where_asked_and_only_there(answers: Answers, data: st.DataObject) -> None:
    n = sum(count for _, count in answers)
    shown = torch.tensor(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=torch.bool)
    instead = noise(n, CELLS, CELLS, seed=7).sigmoid()
    check(decoded(answers, FEEDBACK, shown=shown, instead=instead), oracle(answers, FEEDBACK, shown, instead))


@given(answers_of.filter(lambda answers: any(count for _, count in answers)))
def test_where_all_true_masks_are_shown_one_call_makes_the_same_masks(answers: Answers) -> None:
    of = spans(answers)
    pictures = torch.tensor([photograph for photograph, _ in answers], dtype=torch.int64)
    instead = noise(len(of), CELLS, CELLS, seed=7).sigmoid()
    asking = [queries(len(of)).requires_grad_() for _ in range(2)]
    calls: list[int] = []
    hook = SEGMENTER.sam.mask_decoder.transformer.register_forward_hook(lambda *_: calls.append(1))
    try:
        found = decoding.forced(SEGMENTER, FEEDBACK, EMBEDDINGS, pictures, asking[0], of, instead)
        assert len(calls) == 1
        shown = torch.ones(len(of), dtype=torch.bool)
        wanted = decoding.masks(SEGMENTER, FEEDBACK, EMBEDDINGS, pictures, asking[1], of, shown=shown, instead=instead)
    finally:
        hook.remove()
    check(found, list(zip(wanted.logits, wanted.iou, strict=True)))
    weights = noise(len(of), CELLS, CELLS, seed=8)
    for one in (found, wanted):
        (one.logits * weights).sum().backward()
    assert torch.allclose(asking[0].grad, asking[1].grad, atol=1e-3, rtol=1e-3)  # type: ignore[arg-type]


@torch.no_grad()
def test_the_first_mask_and_those_of_other_answers_do_not_see_a_true_mask() -> None:
    answers = [(0, 3), (1, 2), (0, 1)]
    plain = decoded(answers, FEEDBACK).logits
    shown = torch.tensor([True, False, False, False, True, True])
    told = decoded(answers, FEEDBACK, shown=shown, instead=torch.ones(6, CELLS, CELLS)).logits
    changed = [not torch.equal(one, other) for one, other in zip(plain, told, strict=True)]
    assert changed == [False, True, True, False, False, False]
    nothing = decoded(answers, FEEDBACK, shown=torch.zeros(6, dtype=torch.bool), instead=torch.ones(6, CELLS, CELLS))
    assert torch.equal(nothing.logits, plain)


@pytest.mark.parametrize(("feeds_back", "calls"), [(True, 4), (False, 1)])
@torch.no_grad()
def test_the_decoder_is_called_once_a_step_or_once_in_all(feeds_back: bool, calls: int) -> None:
    seen = []
    hook = SEGMENTER.sam.mask_decoder.transformer.register_forward_hook(lambda *_: seen.append(1))
    try:
        decoded([(0, 4), (1, 2), (2, 0), (1, 4)], FEEDBACK if feeds_back else None)
    finally:
        hook.remove()
    assert len(seen) == calls


@torch.no_grad()
def test_feedback_changes_all_masks_but_the_first_of_each_answer() -> None:
    answers = [(0, 3), (2, 1), (1, 2)]
    with_it, without = decoded(answers, FEEDBACK).logits, decoded(answers, None).logits
    changed = [not torch.allclose(one, other, atol=1e-3) for one, other in zip(with_it, without, strict=True)]
    assert changed == [False, True, True, False, False, True]


@torch.no_grad()
def test_sixty_parts_of_one_answer_are_decoded_in_bounded_pieces_to_the_same_masks() -> None:
    answers = [(1, 60), (0, 2)]
    whole = decoded(answers, FEEDBACK)
    assert whole.logits.isfinite().all()
    check(whole, oracle(answers, FEEDBACK))
    pieces = decoded(answers, None, at_once=7)
    check(pieces, [*zip(decoded(answers, None).logits, decoded(answers, None).iou, strict=True)])


def test_gradients_of_a_later_mask_reach_the_earlier_ones_query() -> None:
    of, asked = spans([(0, 2), (1, 1)]), queries(3).requires_grad_()
    found = decoding.masks(SEGMENTER, FEEDBACK, EMBEDDINGS, torch.tensor([0, 1]), asked, of)
    (gradient,) = torch.autograd.grad(found.logits[1].sum(), asked)
    assert (gradient.abs().sum(1) > 0).tolist() == [True, True, False]
