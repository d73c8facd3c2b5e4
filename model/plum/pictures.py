"""Photographs as SAM wants them, the way back from its masks, and masks as its decoder is to learn them.

A photograph is scaled so that its longest side fills SAM's square, normalized, and padded right and below. Three scales
meet here: the photograph's pixels, the square's (`image_size`), and the cells of the decoder's masks (`mask_size`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, pad

from model.plum.cutting import Cut, inside
from model.plum.errors import ModelError, PhotographError
from model.plum.sam import SamConfig

#: Pillow's modes whose values are on the scale of 0 to 255, so that they have a meaning as RGB.
_MODES: Final = ("RGB", "L", "1", "P", "LA", "PA", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a photograph lies in SAM's square: at its upper left, scaled. All in pixels."""

    height: int
    """Of the photograph."""
    width: int
    resized_height: int
    """Of what it became in the square."""
    resized_width: int
    image_size: int
    """Side of the square."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Masks as the decoder is to learn them."""

    coverage: Tensor
    """float32 (N, m, m): the share of each cell that the mask covers, 0 to 1, 0 where the cell isn't valid."""
    valid: Tensor
    """bool (N, m, m): the cells that show some of the photograph, rather than padding alone."""


def place(height: int, width: int, image_size: int) -> Placement:
    """Where SAM puts a photograph of that many pixels. Raises PhotographError for one without pixels.

    The sides are rounded as SAM does, half up; but a side that it would round to nothing (10000 x 3 pixels in a square of
    1024) keeps one pixel.
    """
    if height < 1 or width < 1:
        raise PhotographError(f"a photograph of {height} x {width} pixels has nothing to show", mend="Leave it out")
    scale = image_size * 1.0 / max(height, width)
    resized_height, resized_width = (max(1, int(side * scale + 0.5)) for side in (height, width))
    return Placement(height, width, resized_height, resized_width, image_size)


def prepare(photograph: Image.Image, config: SamConfig) -> tuple[Tensor, Placement]:
    """Pixels float32 (3, S, S) of a photograph for SAM's image encoder, S its image size, and where it lies in them.

    The photograph is upright: its EXIF orientation has been applied. Gray, palette and CMYK become RGB, and transparency is
    left out; a photograph of more than 8 bits a value raises PhotographError, as its scale isn't known.
    """
    if photograph.mode not in _MODES:
        raise PhotographError(
            f"a photograph of Pillow's mode {photograph.mode!r} has no known scale", mend="Convert it to RGB first"
        )
    placement = place(photograph.height, photograph.width, config.image_size)
    size = (placement.resized_width, placement.resized_height)
    # By way of RGBA, as Pillow warns of a palette's transparency that would be lost.
    upright = photograph.convert("RGBA").convert("RGB") if photograph.mode in ("P", "PA") else photograph.convert("RGB")
    values = torch.from_numpy(np.array(upright.resize(size, Image.Resampling.BILINEAR))).permute(2, 0, 1)
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in (config.pixel_mean, config.pixel_std))
    free_right, free_below = config.image_size - size[0], config.image_size - size[1]
    return pad((values - mean) / std, (0, free_right, 0, free_below)), placement


def prepare_all(photographs: Iterable[Image.Image], config: SamConfig) -> tuple[Tensor, list[Placement]]:
    """The same for I photographs of any sizes: pixels float32 (I, 3, S, S), and their placements."""
    prepared = [prepare(photograph, config) for photograph in photographs]
    empty = torch.zeros(0, 3, config.image_size, config.image_size)
    pixels = torch.stack([pixels for pixels, _ in prepared]) if prepared else empty
    return pixels, [placement for _, placement in prepared]


def enlarge(logits: Tensor, placement: Placement) -> Tensor:
    """Logits float32 (N, h, w) over a photograph, from the decoder's (N, m, m): what `Sam.postprocess_masks` gives."""
    side = placement.image_size
    square = interpolate(logits[:, None].float(), (side, side), mode="bilinear", align_corners=False)
    shown = square[..., : placement.resized_height, : placement.resized_width]
    size = (placement.height, placement.width)
    return interpolate(shown, size, mode="bilinear", align_corners=False)[:, 0]


def masks_of(logits: Tensor, placements: Sequence[Placement], cut: Cut = "half") -> list[NDArray[np.bool_]]:
    """Masks bool (h, w), each of its photograph's size, from the decoder's logits (N, m, m) and the N placements.

    `cut`: which pixels are inside. `half` is SAM's threshold, logits above 0. One mask after the other, so that no more than
    one is held in floats.
    """
    if len(logits) != len(placements):
        raise ModelError(f"{len(logits)} masks can't lie in {len(placements)} photographs")
    return [inside(enlarge(logits[i : i + 1], at)[0], cut).cpu().numpy() for i, at in enumerate(placements)]


def targets_of(masks: Sequence[NDArray[np.generic]], placements: Sequence[Placement], mask_size: int) -> Targets:
    """N binary masks (h, w), each of its photograph's size, as the decoder is to learn them: in cells, m = `mask_size`.

    A cell's target is the share of it that the mask covers, exactly (pixels are cut where a cell ends); of a cell that the
    photograph's edge runs through, only what is inside counts. So thin parts don't vanish, and where the target crosses a
    half is the mask's edge, as it is for the enlarged logits. Raises ModelError for a mask of another size.
    """
    if len(masks) != len(placements):
        raise ModelError(f"{len(masks)} masks can't lie in {len(placements)} photographs")
    coverage = torch.zeros(len(masks), mask_size, mask_size)
    valid = torch.zeros(len(masks), mask_size, mask_size, dtype=torch.bool)
    for i, (mask, at) in enumerate(zip(masks, placements, strict=True)):
        if mask.shape != (at.height, at.width):
            raise ModelError(
                f"a mask of shape {mask.shape} doesn't fit a photograph of {at.height} x {at.width} pixels"
            )
        (down, inside_down), (along, inside_along) = _sides(at, mask_size)
        coverage[i] = (down @ torch.from_numpy(mask != 0).float() @ along.T).clamp_(0, 1)
        valid[i] = inside_down[:, None] & inside_along[None, :]
    return Targets(coverage, valid)


def valid_cells(placements: Sequence[Placement], mask_size: int) -> Tensor:
    """The cells that show some of each of N photographs: `valid` of `targets_of`, bool (N, m, m), without any masks."""
    valid = torch.zeros(len(placements), mask_size, mask_size, dtype=torch.bool)
    for i, at in enumerate(placements):
        (_, inside_down), (_, inside_along) = _sides(at, mask_size)
        valid[i] = inside_down[:, None] & inside_along[None, :]
    return valid


def _sides(at: Placement, mask_size: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """`_averaging` of a photograph's height and of its width."""
    cells = at.image_size / mask_size
    down = _averaging(at.height, at.resized_height / cells, mask_size)
    return down, _averaging(at.width, at.resized_width / cells, mask_size)


@lru_cache(maxsize=64)
def _averaging(pixels: int, extent: float, cells: int) -> tuple[Tensor, Tensor]:
    """How a line of `pixels` that spans `extent` cells averages into `cells` cells: weights float32 (cells, pixels).

    A row of weights adds up to 1, or is 0 where the cell shows no pixel; the second value, bool (cells,), is which don't.
    """
    edges = torch.arange(pixels + 1, dtype=torch.float64) * (extent / pixels)
    cell = torch.arange(cells, dtype=torch.float64)[:, None]
    overlap = (torch.minimum(edges[1:], cell + 1) - torch.maximum(edges[:-1], cell)).clamp_(min=0)
    total = overlap.sum(1, keepdim=True)
    # Less than a millionth of a cell is rounding, not a photograph.
    inside = total > 1e-6
    return torch.where(inside, overlap / total.clamp(min=1e-6), 0.0).float(), inside[:, 0]
