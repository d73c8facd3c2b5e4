"""A part described by what it looks like, as a prompt of SAM's decoder: the place that the language model's states will take.

A point or a box says where a mask is. PLUM's queries say what it is of, and the decoder has to find it. So in pre-training some
prompts are descriptions: a part's outline, size and place on its object, and the object's body. The layers that turn them into
prompts are thrown away; what the decoder and the image encoder have learned of finding parts stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.tiny.invented import BODIES, LIMBS, Look

#: Outlines by their class; 0 stands for none.
OUTLINES: Final = {outline: number for number, outline in enumerate(sorted({*BODIES, *LIMBS}), 1)}
_MOST_COPIES: Final = 4
#: A description's length: outlines of part and body, measures (two, five), copies, layer, turn, and whether it is a whole.
LENGTH: Final = 2 * (len(OUTLINES) + 1) + 7 + _MOST_COPIES + 3 + 1 + 1


def of(part: Look | None, body: Look) -> NDArray[np.float32]:
    """Float32 (LENGTH,) of a part of an object with that body; None for the object as a whole."""
    found = np.zeros(LENGTH, np.float32)
    kinds = len(OUTLINES) + 1
    found[OUTLINES[body.outline]] = 1
    found[2 * kinds : 2 * kinds + 2] = body.half
    if part is None:
        found[-1] = 1
        return found
    found[kinds + OUTLINES[part.outline]] = 1
    at = 2 * kinds + 2
    found[at : at + 5] = (*np.log(np.array(part.half) * 4), *part.center, part.apart)
    found[at + 5 + min(part.copies, _MOST_COPIES) - 1] = 1
    found[at + 5 + _MOST_COPIES + 1 + part.layer] = 1
    found[-2] = part.turn / 45
    return found


class Describer(nn.Module):
    """Descriptions (N, LENGTH) to prompts (N, 1, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(LENGTH, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, descriptions: Tensor) -> Tensor:
        """The prompts, one token each."""
        made: Tensor = self.layers(descriptions)
        return made[:, None]


def stacked(described: Sequence[NDArray[np.float32]]) -> Tensor:
    """Float32 (N, LENGTH)."""
    return torch.from_numpy(np.stack(described)) if described else torch.zeros(0, LENGTH)
