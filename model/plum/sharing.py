"""What the mask decoder's image encoder sees, for the language model as well.

PLUM looks at a photograph twice: the language model by its own vision tower, the mask decoder by SAM's encoder. Masks teach SAM's
encoder what every cell shows, while a tower that learns from words alone has a few bits an answer. So SAM's embedding, averaged
over each of the language model's patches, is added to the patch's feature by a linear layer, which begins at nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.plum.patches import side_of


class SharedSight(nn.Module):
    """From SAM's embeddings to what is added to the features of the language model's patches."""

    def __init__(self, channels: int, hidden: int) -> None:
        """`channels` of SAM's embeddings; `hidden`, the width of the language model's features."""
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.linear = nn.Linear(channels, hidden, bias=False)
        nn.init.zeros_(self.linear.weight)

    def forward(self, features: Sequence[Tensor], embeddings: Tensor, valid: Tensor) -> list[Tensor]:
        """Features (tokens, hidden) of P photographs, each one square of patches, in sight of their `embeddings` (P, C, h, w).

        `valid` bool (P, m, m): the cells of SAM's square, its upper left, that show the photograph. Raises ModelError for
        features that are no squares of one size.
        """
        side = side_of(features)
        sizes = [(int(one.any(1).sum()), int(one.any(0).sum())) for one in valid]
        seen = torch.stack(
            [_squeezed(one, size, valid.shape[1], side) for one, size in zip(embeddings, sizes, strict=True)]
        )
        added = self.linear(self.norm(seen.flatten(2).transpose(1, 2)))
        return [one + more.to(one.dtype) for one, more in zip(features, added, strict=True)]


def _squeezed(embedding: Tensor, size: tuple[int, int], cells: int, side: int) -> Tensor:
    """(C, side, side): the photograph's part of an embedding (C, h, w), each patch the mean of the positions that it touches.

    The photograph fills `size` of `cells` on a side.
    """
    height, width = (-(-given * whole // cells) for given, whole in zip(size, embedding.shape[1:], strict=True))
    return functional.adaptive_avg_pool2d(embedding[:, :height, :width], side)
