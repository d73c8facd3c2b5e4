"""How well masks fit, as a loss and as IoU: the same for masks that the decoder makes and for those of features alone."""

from __future__ import annotations

import torch
from torch import Tensor

from model.plum import losses


def of_logits(logits: Tensor, targets: Tensor, valid: Tensor, config: losses.LossConfig) -> tuple[Tensor, Tensor]:
    """The loss of masks, a mask, and the IoU float32 (N,) of each.

    `logits` float32 (N, m, m); `targets` float32 (N, m, m), 0 to 1; `valid` bool (N, m, m), the cells that aren't padding.
    """
    sums = losses.of_masks(logits, targets, valid, config)
    with torch.no_grad():
        made, true = (logits > 0) & valid, targets > 0.5
        iou = (made & true).sum((1, 2)) / (made | true).sum((1, 2)).clamp(min=1)
    return (config.overlap * sums["overlap"] + config.bce * sums["bce"]) / len(logits), iou
