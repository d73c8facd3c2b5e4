"""Which part lies where: a second task of both image encoders, so that what they see tells one part of an object from another.

SAM learns masks without classes, and a caption says in a dozen words what a photograph shows in ten thousand pixels: neither
alone makes an encoder that knows a tail from a handle within an hour. So a linear layer on each position's features says which
part of which category lies at the middle of each of its cells. The layer is thrown away when the parts are saved.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from model.plum.pictures import Placement
from model.tiny import scenes
from model.tiny.scenes import Drawn

#: Cells on a side of the photographs' square; each is one point that is asked for.
CELLS = 32
#: Marks cells that count for nothing: padding.
_OUTSIDE = -100


class RegionHead(nn.Module):
    """Logits over the regions of a world, from feature maps of h x h positions."""

    def __init__(self, seed: int, width: int, grid: int) -> None:
        """`width` of the features, `grid` positions on a side, a divisor of `CELLS`."""
        super().__init__()
        self.side = CELLS // grid
        self.classes = len(regions(seed)) + 1
        self.linear = nn.Linear(width, self.side**2 * self.classes)

    def forward(self, maps: Tensor) -> Tensor:
        """(I, classes, CELLS, CELLS) from features (I, h, h, width)."""
        images, grid = maps.shape[:2]
        split: Tensor = self.linear(maps).view(images, grid, grid, self.side, self.side, self.classes)
        return split.permute(0, 5, 1, 3, 2, 4).reshape(images, self.classes, CELLS, CELLS)


def regions(seed: int) -> dict[tuple[str, str], int]:
    """(category, part) → its class; 0 is what is no part."""
    pairs = {(one.name, part) for one in scenes.world(seed).categories for part in one.part_names}
    return {pair: number for number, pair in enumerate(sorted(pairs), 1)}


def loss_of(logits: Tensor, labels: Tensor) -> tuple[Tensor, float]:
    """Mean cross-entropy of the cells, and the share of right ones among those that show a part."""
    with torch.no_grad():
        shown = labels > 0
        right = float((logits.argmax(1) == labels)[shown].float().mean())
    return functional.cross_entropy(logits, labels, ignore_index=_OUTSIDE), right


def labels_of(drawn: Sequence[Drawn], seed: int, placements: Sequence[Placement] | None = None) -> Tensor:
    """int64 (I, CELLS, CELLS): the class at the middle of each cell.

    The square is SAM's where there are `placements`, else the one that the photograph was squeezed into.
    """
    known = regions(seed)
    found = np.full((len(drawn), CELLS, CELLS), _OUTSIDE)
    for number, one in enumerate(drawn):
        height, width = one.image.height, one.image.width
        classes = np.zeros((height, width), np.int64)
        for seen in one.objects:
            for part in seen.parts:
                classes[part.mask] = known[seen.category, part.name]
        down, across = _middles(height), _middles(width)
        if placements is not None:
            at = placements[number]
            down = _middles(height, at.image_size / at.resized_height)
            across = _middles(width, at.image_size / at.resized_width)
        rows, columns = np.flatnonzero(down < height), np.flatnonzero(across < width)
        found[number][np.ix_(rows, columns)] = classes[np.ix_(down[rows], across[columns])]
    return torch.from_numpy(found)


def _middles(pixels: int, extent: float = 1.0) -> NDArray[np.int64]:
    """Where the middles of `CELLS` cells fall in a line of pixels that fills 1 / `extent` of them."""
    return ((np.arange(CELLS) + 0.5) / CELLS * extent * pixels).astype(np.int64)
