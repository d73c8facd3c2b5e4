"""What belongs together: a third task of SAM's encoder, on the fine maps that its decoder draws outlines by.

A prompt teaches one outline, by way of a decoder that at first makes little of it. Here any cell asks for all cells of its
surface, by a product of features alone: dozens of outlines for the price of a few prompts. The layers that make the products
are thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from model.plum import losses
from model.plum.convolutional import grown, unfold
from model.plum.pictures import Placement
from model.tiny import overlapping, regions
from model.tiny.scenes import Drawn

#: Cells that ask, of a photograph.
ASKING: Final = 24
#: Channels that are compared.
_COMPARED: Final = 16


@dataclass(frozen=True)
class Groups:
    """What is to be told of C x C cells of P photographs."""

    surfaces: Tensor
    """int64 (P, C, C): which surface shows, 0 for none, -1 for padding."""
    asking: Tensor
    """int64 (P, ASKING): cells, row by row, that show a surface."""


class GroupHead(nn.Module):
    """Masks of the surfaces of cells, from embeddings that carry finer maps."""

    def __init__(self, width: int, wide: int) -> None:
        """`width` C of SAM's embeddings, and the channels that masks are products of."""
        super().__init__()
        self.width = width
        own = width + width // 4 + width // 8 + wide
        self.compared = nn.Conv2d(own, _COMPARED, 1)
        self.asks = nn.Sequential(nn.Linear(own, 2 * width), nn.ReLU(), nn.Linear(2 * width, _COMPARED + 1))

    def forward(self, embeddings: Tensor, asking: Tensor) -> Tensor:
        """Logits (P, ASKING, C, C) from embeddings (P, carried, h, w), C = 4 h."""
        own, finest, finer = unfold(embeddings, self.width)
        cells = torch.cat([grown(own, 4), grown(finer, 2), finest], 1)
        picked = cells.flatten(2).gather(2, asking[:, None].expand(-1, cells.shape[1], -1)).mT
        filters = self.asks(picked)
        products = torch.einsum("pac,pchw->pahw", filters[..., 1:], self.compared(cells))
        logits: Tensor = products + filters[..., :1, None]
        return logits


def of(drawn: Sequence[Drawn], cells: int, placements: Sequence[Placement], rng: np.random.Generator) -> Groups:
    """What is to be told of scenes."""
    surfaces = np.full((len(drawn), cells, cells), -1)
    asking = np.zeros((len(drawn), ASKING), np.int64)
    for number, (one, at) in enumerate(zip(drawn, placements, strict=True)):
        labels, _, _ = regions.labels_of(one, cells, at)
        surfaces[number, : labels.shape[0], : labels.shape[1]] = labels
        found = surfaces[number].ravel()
        # As often of each surface that shows, however large.
        kinds = np.unique(found[found > 0])
        for place in range(ASKING if len(kinds) else 0):
            asking[number, place] = rng.choice(np.flatnonzero(found == kinds[place % len(kinds)]))
    return Groups(torch.from_numpy(surfaces), torch.from_numpy(asking))


def loss_of(logits: Tensor, groups: Groups, config: losses.LossConfig) -> tuple[Tensor, float]:
    """The loss of masks, a mask; and their mean IoU."""
    surfaces = groups.surfaces
    wanted = surfaces[:, None] == surfaces.flatten(1).gather(1, groups.asking)[..., None, None]
    valid = (surfaces >= 0)[:, None].expand_as(wanted)
    loss, iou = overlapping.of_logits(logits.flatten(0, 1), wanted.flatten(0, 1).float(), valid.flatten(0, 1), config)
    return loss, float(iou.mean())
