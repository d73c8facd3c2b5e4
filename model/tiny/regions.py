"""What lies where: a second task of both image encoders, so that what they see tells one part of an object from another.

SAM learns masks without classes, and a caption says in a dozen words what a photograph shows in ten thousand pixels: neither
alone makes an encoder that knows a ring from a funnel within an hour. So a linear layer on each position's features says, for
each of its cells, the outline of the part at its middle, where that part's own middle is and its object's, and how large the
object is. The layer is thrown away when the parts are saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from model.plum.pictures import Placement
from model.tiny.descriptions import OUTLINES
from model.tiny.scenes import Drawn

#: Marks cells that count for nothing: padding.
_OUTSIDE: Final = -100
_CLASSES: Final = len(OUTLINES) + 1
#: What is measured of a cell that shows a part: the way to the part's middle, to its object's (x and y), the object's size.
_MEASURES: Final = 5


@dataclass(frozen=True)
class Regions:
    """What is to be told of C x C cells of P photographs."""

    classes: Tensor
    """int64 (P, C, C): `descriptions.OUTLINES`, 0 for none, -100 for padding."""
    measures: Tensor
    """Float32 (P, C, C, 5), in quarters of the photograph's longer side; the size as a natural logarithm of its share of it."""


class RegionHead(nn.Module):
    """What is told of cells, from feature maps of h x h positions."""

    def __init__(self, width: int, side: int) -> None:
        """`width` of the features; `side` x `side` cells lie in a position."""
        super().__init__()
        self.side = side
        self.linear = nn.Linear(width, side**2 * (_CLASSES + _MEASURES))

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (P, C, C, classes) and measures (P, C, C, 5) from features (P, h, h, width); C = h times `side`."""
        images, grid = maps.shape[:2]
        split: Tensor = self.linear(maps).view(images, grid, grid, self.side, self.side, -1)
        cells = split.transpose(2, 3).reshape(images, grid * self.side, grid * self.side, -1)
        return cells[..., :_CLASSES], cells[..., _CLASSES:]


def loss_of(told: tuple[Tensor, Tensor], regions: Regions) -> tuple[Tensor, float]:
    """Mean cross-entropy of the cells and mean error of what is measured; the share of right outlines where a part shows."""
    logits, measures = told
    shown = regions.classes > 0
    with torch.no_grad():
        right = float((logits.argmax(-1) == regions.classes)[shown].float().mean())
    outlines = functional.cross_entropy(logits.flatten(0, 2), regions.classes.flatten(), ignore_index=_OUTSIDE)
    return outlines + functional.smooth_l1_loss(measures[shown], regions.measures[shown]), right


def of(drawn: Sequence[Drawn], cells: int, placements: Sequence[Placement] | None = None) -> Regions:
    """What is to be told of scenes, in so many cells on a side.

    The square is SAM's where there are `placements`, else the one that the photograph was squeezed into.
    """
    classes = np.full((len(drawn), cells, cells), _OUTSIDE)
    measures = np.zeros((len(drawn), cells, cells, _MEASURES), np.float32)
    for number, one in enumerate(drawn):
        labels, rows, columns = labels_of(one, cells, placements[number] if placements is not None else None)
        kinds, said = _tables(one)
        inside = np.s_[number, : len(rows), : len(columns)]
        classes[inside] = kinds[labels]
        longest = max(one.labels.shape)
        here = np.stack(np.broadcast_arrays(columns[None, :], rows[:, None]), -1)
        ways = (said[labels][..., :4].reshape(*labels.shape, 2, 2) - here[..., None, :]) / longest * 4
        measures[inside][..., :4] = ways.reshape(*labels.shape, 4)
        measures[inside][..., 4] = np.log(said[labels][..., 4] / longest)
    return Regions(torch.from_numpy(classes), torch.from_numpy(measures))


def labels_of(
    one: Drawn, cells: int, placement: Placement | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Which surface shows at the middles of a square's cells, (r, c) without those in padding; their rows and columns of pixels.

    The square is SAM's where there is a `placement`, else the one that the photograph was squeezed into.
    """
    height, width = one.labels.shape
    tall = wide = 1.0
    if placement is not None:
        tall = placement.image_size / placement.resized_height
        wide = placement.image_size / placement.resized_width
    down, across = _middles(cells, height, tall), _middles(cells, width, wide)
    rows, columns = down[down < height], across[across < width]
    return one.labels[np.ix_(rows, columns)], rows, columns


def _tables(one: Drawn) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """By label: the outline's class; the part's middle, its object's, and the object's size, in pixels."""
    kinds, said = np.zeros(256, np.int64), np.ones((256, _MEASURES))
    for label, surface in one.surfaces.items():
        kinds[label] = OUTLINES[surface.outline]
        said[label] = *surface.middle, *surface.object_middle, surface.object_size
    return kinds, said


def _middles(cells: int, pixels: int, extent: float) -> NDArray[np.int64]:
    """Where the middles of cells fall in a line of pixels that fills 1 / `extent` of them; each is a pixel, or beyond."""
    return ((np.arange(cells) + 0.5) / cells * extent * pixels).astype(np.int64)
