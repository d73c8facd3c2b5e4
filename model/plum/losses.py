"""The losses, each as a sum over what it counts; the division comes later, by the count of the whole optimiser step.

    lm        cross-entropy of the answer's tokens and the end of the turn                 tokens
    span      cross-entropy of the tags of the answer's tokens, weighed by class           their weights
    overlap   focal Tversky (Abraham and Khan 2019) or dice (Milletari et al. 2016)        masks
    bce       binary cross-entropy, averaged over a mask's pixels                          masks
    kl        drift of the spans' states from the frozen teacher's                         spans
    choice    cross-entropy of the correct choice by the choices' likelihoods              questions
    patches   which patches show each part that is named (`patches`)                       masks

A mean within each micro-batch would weigh a token by how many others happen to be in its batch, and so would change with
the accumulation and the number of processes. A sum divided by the step's global count does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor
from torch.nn import functional

TERMS: Final = ("lm", "span", "overlap", "bce", "kl", "choice", "patches")

Sums = Mapping[str, Tensor]
"""For each term, a scalar: the sum that its count is still to divide."""


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms and what they are made of. The values are those of the paper's released settings."""

    lm: float = 1.0
    span: float = 8.0
    overlap: float = 8.0
    bce: float = 2.0
    kl: float = 0.1
    choice: float = 0.0
    """Beside the paper's: of the choices' likelihoods, against each other. The wrong ones are read, too, and cost time."""
    patches: float = 0.0
    """Beside the paper's: the features of the language model's patches say the names of the parts that they show."""
    overlap_kind: Literal["focal_tversky", "dice"] = "focal_tversky"
    tversky_alpha: float = 0.7
    """Weight of missed pixels."""
    tversky_beta: float = 0.3
    """Weight of surplus pixels."""
    tversky_gamma: float = 0.75
    """Exponent on 1 - Tversky index."""
    span_weights: tuple[float, float, float] = (0.1, 1.0, 1.0)
    """Weights of O, B, I."""
    kl_sigma: float = 1.0
    kl_reduction: Literal["sum", "mean"] = "sum"
    """Over the state's dimensions: `sum` as in the paper's formula, `mean` as in its code (smaller by the width)."""

    def weight(self, term: str) -> float:
        """The weight of a term."""
        return float(getattr(self, term))


def language(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum of the cross-entropy in float32 of `logits` (n, vocabulary) against int64 `targets` (n,)."""
    return functional.cross_entropy(logits.float(), targets, reduction="sum")


def spans(logits: Tensor, tags: Tensor, weights: Tensor) -> Tensor:
    """Weighted sum of the cross-entropy of tag `logits` (n, 3) against int64 `tags` (n,).

    To be divided by `weights[tags].sum()`.
    """
    return functional.cross_entropy(logits.float(), tags, weight=weights, reduction="sum")


def focal_tversky(
    logits: Tensor, targets: Tensor, valid: Tensor, alpha: float, beta: float, gamma: float, smooth: float = 1.0
) -> Tensor:
    """(n,): (1 - TI)^gamma of each mask, TI = TP / (TP + alpha FN + beta FP) over soft pixels.

    `logits` and `targets` (n, h, w), `valid` bool (n, h, w): pixels outside of the photograph count for nothing. `smooth`,
    in pixels, is added above and below, so that a mask without a pixel has a gradient.
    """
    inside = valid.to(logits.dtype)
    p = logits.sigmoid() * inside
    t = targets * inside
    hit = (p * t).sum((1, 2))
    missed, surplus = t.sum((1, 2)) - hit, p.sum((1, 2)) - hit
    index = (hit + smooth) / (hit + alpha * missed + beta * surplus + smooth)
    # At a perfect mask the root's slope has no bound.
    return (1 - index).clamp(min=1e-6) ** gamma


def dice(logits: Tensor, targets: Tensor, valid: Tensor, smooth: float = 1.0) -> Tensor:
    """(n,): 1 - 2 TP / (predicted + true) of each mask, over soft pixels; arguments as in `focal_tversky`."""
    inside = valid.to(logits.dtype)
    p = logits.sigmoid() * inside
    t = targets * inside
    return 1 - (2 * (p * t).sum((1, 2)) + smooth) / (p.sum((1, 2)) + t.sum((1, 2)) + smooth)


def binary_cross_entropy(logits: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    """(n,): the mean over each mask's valid pixels."""
    inside = valid.to(logits.dtype)
    each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none") * inside
    return each.sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)


def drift(states: Tensor, teacher: Tensor, sigma: float, reduction: Literal["sum", "mean"]) -> Tensor:
    """(n,): ‖h - t‖² / (2 σ²) of each span's state (n, hidden) and its teacher's.

    The Kullback-Leibler divergence of two normal distributions of equal variance.
    """
    squared = (states.float() - teacher.float()).square()
    each = squared.sum(-1) if reduction == "sum" else squared.mean(-1)
    return each / (2 * sigma**2)


#: A choice this much less likely than the best changes no sum in float32. Its gradients would shrink below 1e-38 on their way
#: back, and processors take many times as long for such numbers: a third of a step.
_NOTHING: Final = 1e-9


def listwise(log_likelihoods: Tensor, of: Tensor, correct: Tensor) -> Tensor:
    """Sum over questions of -log of the correct choice's share of the likelihood.

    `log_likelihoods` (M,) of all choices, `of` int64 (M,) the question of each, ascending; `correct` int64 (Q,): the place of
    each question's correct choice among the M.
    """
    n = len(correct)
    most = log_likelihoods.new_full((n,), -torch.inf).scatter_reduce(0, of, log_likelihoods.detach(), "amax")
    shares = (log_likelihoods - most[of]).exp()
    shares = shares.masked_fill(shares < _NOTHING, 0.0)
    total = shares.new_zeros(n).index_add(0, of, shares)
    return (total.log() + most - log_likelihoods[correct]).sum()


def of_masks(logits: Tensor, targets: Tensor, valid: Tensor, config: LossConfig) -> dict[str, Tensor]:
    """The sums `overlap` and `bce` over masks; arguments as in `focal_tversky`, logits in any precision."""
    logits, targets = logits.float(), targets.float()
    if config.overlap_kind == "dice":
        overlap = dice(logits, targets, valid)
    else:
        overlap = focal_tversky(logits, targets, valid, config.tversky_alpha, config.tversky_beta, config.tversky_gamma)
    return {"overlap": overlap.sum(), "bce": binary_cross_entropy(logits, targets, valid).sum()}


def total(sums: Sums, counts: Mapping[str, float], config: LossConfig) -> Tensor:
    """The loss: each term's sum by the global `counts`, by its weight.

    A term that counts nothing in the whole step is left out.
    """
    parts = [config.weight(term) / counts[term] * value for term, value in sums.items() if counts[term] > 0]
    return torch.stack(parts).sum()
