"""An image encoder of convolutions for small SAMs, whose finer maps the mask decoder sees too.

SAM's transformer cuts a photograph into patches, each one linear layer's work, and its decoder makes sixteen cells of what is
left of each. At 16 pixels a patch and 256 channels, after a billion masks, that is enough. A SAM that learns on a laptop
has neither. Convolutions learn sooner what an outline is, and their maps at four and two times the embedding's resolution
are added while the decoder upscales, as in SAM 2 (Ravi et al. 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
from segment_anything.modeling.common import LayerNorm2d
from torch import Tensor, nn
from torch.nn import functional

#: How much finer the two maps are than the embedding, on a side.
_FINER: Final = (4, 2)


class ConvEncoder(nn.Module):
    """An image encoder in the place of SAM's; its embeddings carry the finer maps, folded (see `fold`)."""

    def __init__(
        self, img_size: int, patch_size: int, stages: Sequence[tuple[int, int]], out_chans: int, wide: int
    ) -> None:
        """`stages`: width and residual blocks of each stride, the third of which ends at the embedding's positions; those after
        it look further around. `out_chans` C of the embeddings, `wide` channels of the map that masks are products of.
        """
        super().__init__()
        self.img_size = img_size
        before, made = 3, []
        for (width, depth), by in zip(stages, (patch_size // 4, *[2] * (len(stages) - 1)), strict=True):
            made.append(_stage(before, width, depth, by))
            before = width
        self.stages = nn.ModuleList(made)
        widths = [width for width, _ in stages]
        self.rising = nn.ModuleList(Rising(coarse, fine) for fine, coarse in pairwise(widths))
        self.neck = nn.Sequential(
            nn.Conv2d(widths[2], out_chans, 1, bias=False),
            LayerNorm2d(out_chans),
            nn.Conv2d(out_chans, out_chans, 3, padding=1, bias=False),
            LayerNorm2d(out_chans),
        )
        self.finer = nn.Conv2d(widths[1], out_chans // 4, 1)
        self.finest = nn.Conv2d(widths[0], out_chans // 8 + wide, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Embeddings (I, `carried`, h, w) of pixels (I, 3, S, S)."""
        maps, here = [], pixels
        for stage in self.stages:
            here = stage(here)
            maps.append(here)
        seen = [here]
        for rise, fine in zip(reversed(self.rising), reversed(maps[:-1]), strict=True):
            here = rise(here, fine)
            seen.append(here)
        finest, finer, coarse = seen[-1], seen[-2], seen[-3]
        return fold(self.neck(coarse), self.finest(finest), self.finer(finer))


class Residual(nn.Module):
    """Two convolutions beside the map itself (He et al. 2016); at first they add nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        last = _norm(width)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(first, _norm(width), nn.ReLU(), second, last)

    def forward(self, maps: Tensor) -> Tensor:
        """The same shape."""
        return torch.relu(maps + self.layers(maps))


class Rising(nn.Module):
    """A finer map in sight of the coarser one (Lin et al. 2017), so that an edge is told from one that bounds nothing."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.side = nn.Conv2d(coarse, fine, 1, bias=False)
        self.mixed = nn.Sequential(nn.Conv2d(fine, fine, 3, padding=1, bias=False), _norm(fine), nn.ReLU())

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Maps (I, fine, 2h, 2w) from (I, coarse, h, w) and (I, fine, 2h, 2w)."""
        found: Tensor = self.mixed(fine + grown(self.side(coarse), 2))
        return fine + found


def carried(width: int, wide: int) -> int:
    """Channels of embeddings of width C with `wide` channels of masks' products."""
    return 4 * width + 16 * wide


def fold(own: Tensor, finest: Tensor, finer: Tensor) -> Tensor:
    """Maps (I, C, h, w), (I, C / 8 + wide, 4h, 4w) and (I, C / 4, 2h, 2w) as one: caches and batches know of one."""
    folded = (functional.pixel_unshuffle(one, by) for one, by in zip((finest, finer), _FINER, strict=True))
    return torch.cat([own, *folded], 1)


def unfold(embeddings: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """What `fold` was given, of width C."""
    own, finest, finer = torch.split(embeddings, [width, embeddings.shape[1] - 2 * width, width], 1)
    return own, functional.pixel_shuffle(finest, _FINER[0]), functional.pixel_shuffle(finer, _FINER[1])


def products(filters: Tensor, maps: Tensor, of: Tensor) -> Tensor:
    """(n, h, w): each filter (n, c) times the map it is `of`, int64 (n,), among maps (I, c, h, w).

    The filters of a map are multiplied with it together. A copy of its map for each filter, and a gradient for each copy, took
    a sixth of a training step.
    """
    order, counts = of.argsort(stable=True), torch.bincount(of, minlength=len(maps))
    place = torch.empty_like(of)
    place[order] = torch.arange(len(of), device=of.device) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    most = int(counts.max())
    there = of * most + place
    table = filters.new_zeros(len(maps) * most, filters.shape[1]).index_copy(0, there, filters)
    made = table.view(len(maps), most, -1) @ maps.flatten(2).to(filters.dtype)
    return made.flatten(0, 1).index_select(0, there).view(len(of), *maps.shape[2:])


def grown(maps: Tensor, by: int) -> Tensor:
    """Maps (I, c, h, w) with each position repeated `by` times on a side."""
    return functional.interpolate(maps, scale_factor=float(by), mode="nearest")


def _stage(before: int, width: int, depth: int, by: int) -> nn.Sequential:
    down = nn.Conv2d(before, width, by + 1 if by > 2 else 3, by, padding=1, bias=False)
    return nn.Sequential(down, _norm(width), nn.ReLU(), *(Residual(width) for _ in range(depth)))


def _norm(width: int) -> nn.GroupNorm:
    # Within a photograph, so that no other of its batch matters.
    return nn.GroupNorm(max(1, width // 8), width)
