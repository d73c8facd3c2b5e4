"""SAMs with random weights in which every tensor matters, and random photographs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from torch import Tensor

from model.plum import sam

#: The smallest that still has windows, whole-image layers, and several heads: embeddings of 16 channels at 4 x 4.
SMALL = replace(
    sam.SamConfig.named("tiny"),
    image_size=32,
    encoder_width=16,
    encoder_depth=2,
    encoder_heads=2,
    encoder_window=3,
    encoder_global_layers=(1,),
    prompt_width=16,
    mask_in_chans=8,
    decoder_heads=2,
    decoder_mlp_width=24,
    iou_head_width=12,
)


def stir(model: torch.nn.Module, seed: int = 0, size: float = 0.02) -> None:
    """Moves all weights by random amounts, those too that start at zero or one: a test would miss that they're left out."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=size)


def small(config: sam.SamConfig = SMALL, seed: int = 0, size: float = 0.2) -> Sam:
    """A SAM with random weights, the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        built = sam.build(config)
    stir(built, seed, size)
    return built


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Normal random numbers, the same each time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def photograph(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Random pixels uint8 (h, w, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
