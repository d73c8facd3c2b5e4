"""Muon (Jordan et al. 2024) for the matrices of hidden layers, beside AdamW for all other weights.

Muon makes each step of a matrix orthogonal, so that all its directions are learned at one pace. Its steps are scaled to the size
that AdamW's have (Liu et al. 2025), so that a learning rate means about the same for both.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import Muon


def hidden_matrices(model: nn.Module, outer: Collection[int] = ()) -> list[nn.Parameter]:
    """The weights of a model's linear layers that train, without those whose `id` is in `outer`: heads, and what they share."""
    found = {
        id(module.weight): cast(nn.Parameter, module.weight)
        for module in model.modules()
        if isinstance(module, nn.Linear) and module.weight.requires_grad
    }
    return [weight for key, weight in found.items() if key not in outer]


def muon(matrices: Collection[Tensor], rate: float, weight_decay: float) -> Muon:
    """Muon for these matrices, with torch's settings for all else."""
    return torch.optim.Muon(list(matrices), lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
