"""Where a mask's probabilities are cut: at SAM's one half, or where the mask is expected to overlap most with the true one.

A decoder that isn't sure where a small part is gives many pixels a probability below a half. Cut there, the mask is empty or a
crumb, and its IoU is next to 0 whatever is true. If p is each pixel's probability to be inside, a set of pixels A has, to first
order, the expected IoU Σ_A p / (|A| + Σ p - Σ_A p), and the best set of each size takes the likeliest pixels, so that one sort
finds the best of all (Nowozin, "Optimal Decisions from Probabilistic Models: the Intersection-over-Union Case", CVPR 2014). That
helps where probabilities are what they say, as after training by cross-entropy. A mask cut so is never empty.
"""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor

Cut = Literal["half", "expected_iou"]
#: Pixels of a lower logit, less than one chance in a thousand, aren't sorted: a mask that wants them has an IoU below that.
_LEAST: Final = -7.0


def inside(logits: Tensor, cut: Cut) -> Tensor:
    """A mask bool (h, w) from the logits float32 (h, w) of all of a photograph's pixels."""
    return logits > 0 if cut == "half" else logits >= _lowest(logits)


def _lowest(logits: Tensor) -> Tensor:
    """The lowest logit inside of the mask with the greatest expected IoU; pixels that are equally likely stay together."""
    flat = logits.flatten()
    ordered = flat[flat > _LEAST].sort(descending=True).values
    if not len(ordered):
        return flat.max()
    chances = ordered.double().sigmoid().cumsum(0)
    size = torch.arange(1, len(ordered) + 1, device=ordered.device)
    of_all = flat.double().sigmoid().sum()
    return ordered[(chances / (size + of_all - chances)).argmax()]
