"""SAM learns masks without classes: from a point or a box, a part, an object, or several parts together.

As in SAM's own training (Kirillov et al. 2023) the prompt is a point inside of the mask, or its box with noise; and the decoder
learns to guess the IoU of what it made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.plum import losses, pictures
from model.plum.pictures import Placement
from model.plum.sam import SamConfig
from model.plum.segmenter import Segmenter
from model.tiny import regions
from model.tiny.regions import RegionHead
from model.tiny.scenes import Drawn

#: Weight of the decoder's guess of its IoU, beside the mask's.
_IOU: Final = 0.5


@dataclass(frozen=True)
class MaskBatch:
    """Prompts of photographs, with the masks that they ask for."""

    pixels: Tensor
    """Float32 (P, 3, S, S)."""
    image_of: Tensor
    """int64 (N,)."""
    points: Tensor
    """Float32 (N, 2, 2): x, y in pixels of the square: two corners of a box, or a point and one that stands for no other."""
    labels: Tensor
    """int64 (N, 2): 2 and 3 for corners, 1 for a point, -1 for none."""
    targets: Tensor
    """Float32 (N, m, m): shares of the decoder's cells."""
    valid: Tensor
    """bool (N, m, m)."""
    regions: Tensor
    """int64 (P, CELLS, CELLS): see `regions.labels_of`."""


def batch_of(
    drawn: Sequence[Drawn], config: SamConfig, per_scene: int, seed: int, rng: np.random.Generator
) -> MaskBatch:
    """Prompts of scenes of a seed's world, `per_scene` each."""
    pixels, placements = pictures.prepare_all([one.image for one in drawn], config)
    masks, image_of, points, labels = [], [], [], []
    for number, (one, placement) in enumerate(zip(drawn, placements, strict=True)):
        for _ in range(per_scene):
            mask = _mask(one, rng)
            own, kinds = _prompt(mask, placement, rng)
            masks.append(mask)
            image_of.append(number)
            points.append(own)
            labels.append(kinds)
    targets = pictures.targets_of(masks, [placements[number] for number in image_of], config.mask_size)
    of = torch.tensor(image_of)
    return MaskBatch(
        pixels,
        of,
        torch.tensor(np.array(points), dtype=torch.float32),
        torch.tensor(labels),
        targets.coverage,
        targets.valid,
        regions.labels_of(drawn, seed, placements),
    )


def loss_of(
    segmenter: Segmenter, head: RegionHead, batch: MaskBatch, config: losses.LossConfig
) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch; the mean IoU of its masks in the decoder's cells, and the share of cells whose part is told."""
    prompts, _ = segmenter.sam.prompt_encoder(points=(batch.points, batch.labels), boxes=None, masks=None)
    embeddings = segmenter.encode(batch.pixels)
    decoded = segmenter.decode(embeddings, batch.image_of, prompts)
    sums = losses.of_masks(decoded.logits, batch.targets, batch.valid, config)
    with torch.no_grad():
        made, true = decoded.logits > 0, batch.targets > 0.5
        union = (made | true).sum((1, 2)).clamp(min=1)
        iou = (made & true).sum((1, 2)) / union
    n = len(batch.image_of)
    guessed = (decoded.iou - iou).square().sum()
    loss = (config.overlap * sums["overlap"] + config.bce * sums["bce"] + _IOU * guessed) / n
    where, told = regions.loss_of(head(embeddings.permute(0, 2, 3, 1)), batch.regions)
    return loss + where, {"iou": float(iou.mean()), "regions": told}


def _mask(drawn: Drawn, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A part, an object, or two or three parts of one object."""
    seen = drawn.objects[int(rng.integers(len(drawn.objects)))]
    kind = rng.random()
    if kind < 0.2 or not seen.parts:
        return seen.mask
    picked = rng.permutation(len(seen.parts))[: 1 if kind < 0.85 else int(rng.integers(2, 4))]
    together: NDArray[np.bool_] = np.logical_or.reduce([seen.parts[place].mask for place in picked])
    return together


def _prompt(
    mask: NDArray[np.bool_], placement: Placement, rng: np.random.Generator
) -> tuple[list[tuple[float, float]], tuple[int, int]]:
    """Two points in the square, and their labels."""
    scale = placement.resized_width / placement.width
    rows, columns = np.nonzero(mask)
    if rng.random() < 0.5:
        place = int(rng.integers(len(rows)))
        return [((columns[place] + 0.5) * scale, (rows[place] + 0.5) * scale), (0.0, 0.0)], (1, -1)
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    noise = rng.normal(0, 0.05, 4) * np.array([right - left, bottom - top] * 2)
    corners = np.array([left, top, right, bottom]) + noise
    return [tuple(corners[:2] * scale), tuple(corners[2:] * scale)], (2, 3)
