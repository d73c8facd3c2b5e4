"""Each loss against its definition, in plain loops; and sums that don't depend on how a step is cut into passes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.plum import losses
from model.plum.losses import LossConfig
from tests.model.plum.sam_weights import noise

SIZES = st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)


@st.composite
def masks(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, targets from 0 to 1, and valid pixels of n masks."""
    shape = tuple(draw(size) for size in SIZES)
    seed = draw(st.integers(0, 999))
    logits, kinds = 4 * noise(*shape, seed=seed), draw(st.sampled_from(["binary", "soft", "empty", "full"]))
    soft = noise(*shape, seed=seed + 1).sigmoid()
    targets = {"binary": (soft > 0.5).float(), "soft": soft, "empty": 0 * soft, "full": 0 * soft + 1}[kinds]
    return logits, targets, noise(*shape, seed=seed + 2) > draw(st.sampled_from([-9.0, 0.0, 9.0]))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def tallies(logits: Tensor, targets: Tensor, valid: Tensor) -> list[tuple[float, float, float]]:
    """Of each mask: soft pixels hit, missed, and surplus, among the valid ones."""
    found = []
    for one, true, inside in zip(logits.tolist(), targets.tolist(), valid.tolist(), strict=True):
        hit = missed = surplus = 0.0
        for row in range(len(one)):
            for column in range(len(one[0])):
                if inside[row][column]:
                    p, t = sigmoid(one[row][column]), true[row][column]
                    hit, missed, surplus = hit + p * t, missed + (1 - p) * t, surplus + p * (1 - t)
        found.append((hit, missed, surplus))
    return found


@given(masks(), st.sampled_from([(0.7, 0.3, 0.75), (0.3, 0.7, 1.0), (1.0, 0.0, 2.0)]), st.sampled_from([1.0, 0.01]))
def test_focal_tversky_weighs_missed_pixels_by_alpha(
    case: tuple[Tensor, Tensor, Tensor], weights: tuple[float, float, float], smooth: float
) -> None:
    alpha, beta, gamma = weights
    found = losses.focal_tversky(*case, alpha, beta, gamma, smooth)
    for one, (hit, missed, surplus) in zip(found.tolist(), tallies(*case), strict=True):
        index = (hit + smooth) / (hit + alpha * missed + beta * surplus + smooth)
        assert one == pytest.approx(max(1 - index, 1e-6) ** gamma, abs=1e-4)


@given(masks(), st.sampled_from([1.0, 0.01]))
def test_dice_weighs_them_alike(case: tuple[Tensor, Tensor, Tensor], smooth: float) -> None:
    found = losses.dice(*case, smooth)
    for one, (hit, missed, surplus) in zip(found.tolist(), tallies(*case), strict=True):
        assert one == pytest.approx(1 - (2 * hit + smooth) / (2 * hit + missed + surplus + smooth), abs=1e-4)


@given(masks())
def test_binary_cross_entropy_is_the_mean_over_valid_pixels(case: tuple[Tensor, Tensor, Tensor]) -> None:
    found = losses.binary_cross_entropy(*case)
    for one, logits, targets, valid in zip(found.tolist(), *case, strict=True):
        each = [
            -t * math.log(sigmoid(x)) - (1 - t) * math.log(sigmoid(-x))
            for x, t, inside in zip(logits.flatten().tolist(), targets.flatten().tolist(), valid.flatten(), strict=True)
            if inside
        ]
        assert one == pytest.approx(sum(each) / max(1, len(each)), rel=1e-4, abs=1e-5)


@given(masks(), st.floats(-50, 50))
def test_pixels_outside_of_the_photograph_change_nothing(case: tuple[Tensor, Tensor, Tensor], garbage: float) -> None:
    logits, targets, valid = case
    soiled = torch.where(valid, logits, garbage), torch.where(valid, targets, 1.0), valid
    for config in (LossConfig(), LossConfig(overlap_kind="dice")):
        before, after = losses.of_masks(*case, config), losses.of_masks(*soiled, config)
        assert before.keys() == after.keys() == {"overlap", "bce"}
        for term, value in before.items():
            assert torch.allclose(value, after[term], atol=1e-5)


def test_the_overlap_that_is_asked_for_is_summed_over_masks_with_its_settings() -> None:
    case = 3 * noise(4, 5, 5), (noise(4, 5, 5, seed=1) > 0).float(), torch.ones(4, 5, 5, dtype=torch.bool)
    config = LossConfig(tversky_alpha=0.2, tversky_beta=0.9, tversky_gamma=1.5)
    found = losses.of_masks(*case, config)
    assert torch.equal(found["overlap"], losses.focal_tversky(*case, 0.2, 0.9, 1.5).sum())
    assert torch.equal(found["bce"], losses.binary_cross_entropy(*case).sum())
    assert torch.equal(losses.of_masks(*case, LossConfig(overlap_kind="dice"))["overlap"], losses.dice(*case).sum())
    assert losses.of_masks(case[0].bfloat16(), *case[1:], config)["overlap"].dtype == torch.float32


@pytest.mark.parametrize("kind", ["focal_tversky", "dice"])
@pytest.mark.parametrize("true", [0.0, 1.0])
@pytest.mark.parametrize("logit", [-100.0, 0.0, 100.0])
@pytest.mark.parametrize("inside", [False, True])
def test_perfect_empty_and_invisible_masks_have_finite_gradients(
    kind: str, true: float, logit: float, inside: bool
) -> None:
    logits = torch.full((1, 4, 4), logit, requires_grad=True)
    valid = torch.full((1, 4, 4), inside)
    found = losses.of_masks(logits, torch.full((1, 4, 4), true), valid, LossConfig(overlap_kind=kind))  # type: ignore[arg-type]
    sum(found.values(), torch.zeros(())).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert all(value.isfinite() for value in found.values())
    if logit == 0 and inside:  # a mask that is wholly there, or wholly not, pulls every pixel its way
        assert (logits.grad < 0).all() if true else (logits.grad > 0).all()


@given(st.integers(0, 5), st.integers(0, 99))
def test_language_is_the_sum_of_the_tokens_surprise(n: int, seed: int) -> None:
    logits, targets = 3 * noise(n, 7, seed=seed), torch.arange(n) % 7
    wanted = sum(
        -math.log(math.exp(row[t]) / sum(map(math.exp, row))) for row, t in zip(logits.tolist(), targets, strict=True)
    )
    assert float(losses.language(logits, targets)) == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    assert losses.language(logits.bfloat16(), targets).dtype == torch.float32


@given(st.lists(st.integers(0, 2), max_size=6), st.integers(0, 99))
def test_tags_are_weighed_by_their_class(tags: list[int], seed: int) -> None:
    logits, weights = 3 * noise(len(tags), 3, seed=seed), (0.1, 1.0, 2.0)
    wanted = sum(
        weights[t] * -math.log(math.exp(row[t]) / sum(map(math.exp, row)))
        for row, t in zip(logits.tolist(), tags, strict=True)
    )
    found = losses.spans(logits, torch.tensor(tags, dtype=torch.int64), torch.tensor(weights))
    assert float(found) == pytest.approx(wanted, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("sigma", [1.0, 0.5, 3.0])
def test_drift_is_the_papers_formula_or_its_codes_mean(sigma: float) -> None:
    states, teacher = noise(3, 8), noise(3, 8, seed=1)
    squared = [
        sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
        for x, y in zip(states.tolist(), teacher.tolist(), strict=True)
    ]
    summed, mean = (losses.drift(states, teacher, sigma, kind) for kind in ("sum", "mean"))  # type: ignore[arg-type]
    assert summed.tolist() == pytest.approx([one / (2 * sigma**2) for one in squared], rel=1e-4)
    assert mean.tolist() == pytest.approx([one / (2 * sigma**2) / 8 for one in squared], rel=1e-4)
    assert losses.drift(states, states, sigma, "sum").tolist() == [0, 0, 0]


@given(st.lists(st.lists(st.floats(-2000, 0, width=32), min_size=1, max_size=4), min_size=1, max_size=4), st.data())
def test_listwise_is_the_correct_choices_share(questions: list[list[float]], data: st.DataObject) -> None:
    picks = [data.draw(st.integers(0, len(values) - 1)) for values in questions]
    starts = np.cumsum([0, *map(len, questions)])[:-1]
    flat = torch.tensor([value for values in questions for value in values], requires_grad=True)
    of = torch.tensor([number for number, values in enumerate(questions) for _ in values])
    found = losses.listwise(flat, of, torch.tensor([int(s) + p for s, p in zip(starts, picks, strict=True)]))
    wanted = [
        -torch.tensor(values).double().log_softmax(0)[pick] for values, pick in zip(questions, picks, strict=True)
    ]
    assert float(found.detach()) == pytest.approx(float(sum(wanted)), rel=1e-4, abs=1e-3)
    found.backward()
    shares = [
        torch.tensor(values).softmax(0) - torch.eye(len(values))[pick]
        for values, pick in zip(questions, picks, strict=True)
    ]
    assert flat.grad is not None
    assert torch.allclose(flat.grad, torch.cat(shares), atol=1e-3)


def test_a_hopeless_choice_has_no_gradient_at_all() -> None:
    """One of 1e-38 would take processors many times as long, in each layer that it goes back through."""
    scores = torch.tensor([-50.0, -10.0, -95.0, -10.5], requires_grad=True)
    losses.listwise(scores, torch.tensor([0, 0, 0, 0]), torch.tensor([0])).backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    assert scores.grad.tolist() == pytest.approx([-1, 0.6225, 0, 0.3775], abs=1e-4)
    assert scores.grad[2] == 0


def test_the_total_weighs_each_term_and_divides_it_by_its_count() -> None:
    sums = {term: torch.tensor(float(n + 2)) for n, term in enumerate(losses.TERMS)}
    counts = dict(zip(losses.TERMS, (10.0, 3.0, 4.0, 5.0, 0.0, 2.0, 4.0), strict=True))
    config = LossConfig(lm=1, span=2, overlap=3, bce=4, kl=5, choice=6, patches=7)
    wanted = 1 * 2 / 10 + 2 * 3 / 3 + 3 * 4 / 4 + 4 * 5 / 5 + 6 * 7 / 2 + 7 * 8 / 4
    assert float(losses.total(sums, counts, config)) == pytest.approx(wanted)
    assert float(losses.total({"lm": sums["lm"]}, counts, config)) == pytest.approx(0.2)
