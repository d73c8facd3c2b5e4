"""SAM learns masks without classes: from a point, a box, or a description, a part, an object, or several parts together.

As in SAM's own training (Kirillov et al. 2023) a prompt is a point inside of the mask, or its box with noise, and the decoder
learns to guess the IoU of what it made. Descriptions are this module's own: see `descriptions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.plum import losses, pictures
from model.plum.pictures import Placement
from model.plum.sam import SamConfig
from model.plum.segmenter import Decoded, Segmenter
from model.tiny import attending, descriptions, grouping, overlapping, regions
from model.tiny.descriptions import Describer
from model.tiny.grouping import GroupHead, Groups
from model.tiny.regions import RegionHead, Regions
from model.tiny.scenes import Drawn

#: Weight of the decoder's guess of its IoU, beside the mask's.
_IOU: Final = 0.5
#: Cells of the second task in each position of the embedding, on a side.
SIDE: Final = 2


@dataclass(frozen=True)
class Asked:
    """Prompts of one kind, and the masks that they ask for."""

    prompts: Tensor
    """Float32 (N, LENGTH) descriptions, or (N, 2, 3): x, y in pixels of the square and SAM's label, 1 for a point (and -1 for
    none beside it), 2 and 3 for two corners of a box."""
    image_of: Tensor
    """int64 (N,)."""
    targets: Tensor
    """Float32 (N, m, m): shares of the decoder's cells."""
    valid: Tensor
    """bool (N, m, m)."""


@dataclass(frozen=True)
class MaskBatch:
    """Photographs, and what is asked of them."""

    pixels: Tensor
    """Float32 (P, 3, S, S)."""
    described: Asked
    shown: Asked
    """By points and boxes."""
    regions: Regions
    groups: Groups


class Beside(nn.Module):
    """What learns beside SAM, and is thrown away."""

    def __init__(self, width: int, wide: int) -> None:
        """`width` C of SAM's embeddings, and the channels that masks are products of."""
        super().__init__()
        self.describer = Describer(width)
        self.region_head = RegionHead(width, SIDE)
        self.group_head = GroupHead(width, wide)


def batch_of(drawn: Sequence[Drawn], config: SamConfig, described: int, shown: int, seed: int) -> MaskBatch:
    """Of each scene at most so many parts by description, and so many by a point or box; drawn by `seed`."""
    rng = np.random.default_rng(seed)
    pixels, placements = pictures.prepare_all([one.image for one in drawn], config)
    told: list[tuple[int, NDArray[np.bool_], NDArray[np.float32]]] = []
    pointed: list[tuple[int, NDArray[np.bool_], NDArray[np.float32]]] = []
    for number, (one, placement) in enumerate(zip(drawn, placements, strict=True)):
        told += [(number, mask, words) for mask, words in _descriptions(one, described, rng)]
        masks = [_mask(one, rng) for _ in range(shown)]
        pointed += [(number, mask, _prompt(mask, placement, rng)) for mask in masks]
    cells = config.grid * SIDE
    return MaskBatch(
        pixels,
        asked(told, placements, config),
        asked(pointed, placements, config),
        regions.of(drawn, cells, placements),
        grouping.of(drawn, config.mask_size, placements, rng),
    )


def asked(
    given: Sequence[tuple[int, NDArray[np.bool_], NDArray[np.float32]]],
    placements: Sequence[Placement],
    config: SamConfig,
) -> Asked:
    """From photograph, mask (h, w) and prompt of each."""
    targets = pictures.targets_of(
        [mask for _, mask, _ in given], [placements[number] for number, _, _ in given], config.mask_size
    )
    prompts = torch.from_numpy(np.stack([prompt for _, _, prompt in given]))
    return Asked(prompts, torch.tensor([number for number, _, _ in given]), targets.coverage, targets.valid)


def loss_of(
    segmenter: Segmenter, beside: Beside, batch: MaskBatch, config: losses.LossConfig
) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch, and what is measured: the mean IoU, in the decoder's cells, of masks by points and boxes, of those by
    descriptions, and of those by features alone; the share of cells whose outline is told; how often the decoder looks right.
    """
    embeddings = segmenter.encode(batch.pixels)
    shown, iou, _ = of_prompts(segmenter, embeddings, batch.shown, embedded(segmenter, batch.shown), config)
    told = beside.describer(batch.described.prompts)
    described, found, looks = of_prompts(segmenter, embeddings, batch.described, told, config)
    own = embeddings[:, : segmenter.width].permute(0, 2, 3, 1)
    where, cells = regions.loss_of(beside.region_head(own), batch.regions)
    alike, grouped = grouping.loss_of(beside.group_head(embeddings, batch.groups.asking), batch.groups, config)
    measured = {"iou": iou, "found": found, "grouped": grouped, "regions": cells, "looks": looks}
    return shown + described + where + alike, measured


def embedded(segmenter: Segmenter, shown: Asked) -> Tensor:
    """Points and boxes as prompts (N, 2, C), as SAM's predictor gives them: it puts "not a point" beside a point alone.

    A decoder that always saw it beside boxes too made little of a box without: IoU .09 instead of .41.
    """
    encoder, prompts = segmenter.sam.prompt_encoder, shown.prompts
    boxes = prompts[:, 0, 2] == 2
    single = prompts[~boxes, :1]
    points, _ = encoder(points=(single[..., :2], single[..., 2]), boxes=None, masks=None)
    corners, _ = encoder(points=None, boxes=prompts[boxes, :, :2].flatten(1), masks=None)
    back = torch.argsort(torch.cat([torch.nonzero(~boxes), torch.nonzero(boxes)])[:, 0])
    found: Tensor = torch.cat([points, corners])[back]
    return found


def of_prompts(
    segmenter: Segmenter, embeddings: Tensor, asked: Asked, prompts: Tensor, config: losses.LossConfig
) -> tuple[Tensor, float, float]:
    """The loss of masks by `prompts` (N, K, C), their mean IoU, and how often the decoder looks at what is asked for."""
    with attending.watching(segmenter) as watched:
        decoded = segmenter.decode(embeddings, asked.image_of, prompts)
    loss, iou = of_masks(decoded, asked, config)
    looking, looks = attending.loss_of(watched, asked.targets)
    return loss + looking, iou, looks


def of_masks(decoded: Decoded, asked: Asked, config: losses.LossConfig) -> tuple[Tensor, float]:
    """The loss of masks, a mask, and their mean IoU."""
    loss, iou = overlapping.of_logits(decoded.logits, asked.targets, asked.valid, config)
    return loss + _IOU * (decoded.iou - iou).square().mean(), float(iou.mean())


def _descriptions(
    drawn: Drawn, count: int, rng: np.random.Generator
) -> list[tuple[NDArray[np.bool_], NDArray[np.float32]]]:
    """Masks of different parts, or of an object now and then, with what they look like."""
    parts = [(seen, part) for seen in drawn.objects for part in seen.parts]
    found = []
    for place in rng.permutation(len(parts))[:count]:
        seen, part = parts[place]
        if rng.random() < 0.08:
            found.append((seen.mask, descriptions.of(None, seen.body)))
        else:
            found.append((part.mask, descriptions.of(part.look, seen.body)))
    return found or [(drawn.objects[0].mask, descriptions.of(None, drawn.objects[0].body))]


def _mask(drawn: Drawn, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A part, an object, or two or three parts of one object."""
    seen = drawn.objects[int(rng.integers(len(drawn.objects)))]
    kind = rng.random()
    if kind < 0.2 or not seen.parts:
        return seen.mask
    picked = rng.permutation(len(seen.parts))[: 1 if kind < 0.85 else int(rng.integers(2, 4))]
    together: NDArray[np.bool_] = np.logical_or.reduce([seen.parts[place].mask for place in picked])
    return together


def _prompt(mask: NDArray[np.bool_], placement: Placement, rng: np.random.Generator) -> NDArray[np.float32]:
    """(2, 3): two points in the square, with their labels."""
    scale = placement.resized_width / placement.width
    rows, columns = np.nonzero(mask)
    if rng.random() < 0.5:
        place = int(rng.integers(len(rows)))
        return np.array([[(columns[place] + 0.5) * scale, (rows[place] + 0.5) * scale, 1], [0, 0, -1]], np.float32)
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    noise = rng.normal(0, 0.05, 4) * np.array([right - left, bottom - top] * 2)
    corners = (np.array([left, top, right, bottom]) + noise) * scale
    return np.array([[*corners[:2], 2], [*corners[2:], 3]], np.float32)
