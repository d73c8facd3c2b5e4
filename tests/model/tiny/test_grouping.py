"""Cells that ask for all cells of their surface."""

from __future__ import annotations

import numpy as np
import torch

from model.plum import convolutional, pictures, sam
from model.plum.losses import LossConfig
from model.tiny import grouping, scenes
from model.tiny.grouping import Groups

CONFIG = sam.SamConfig.named("tiny_conv")
DICE = LossConfig(overlap=1.0, bce=1.0, overlap_kind="dice")


def of_scenes(count: int) -> tuple[list[scenes.Drawn], Groups]:
    drawn = [scenes.draw(4, number, "fresh") for number in range(count)]
    placements = pictures.prepare_all([one.image for one in drawn], CONFIG)[1]
    return drawn, grouping.of(drawn, CONFIG.mask_size, placements, np.random.default_rng(1))


def test_cells_tell_the_surface_at_their_middle_and_those_that_ask_show_one() -> None:
    drawn, groups = of_scenes(4)
    for one, surfaces, asking in zip(drawn, groups.surfaces, groups.asking, strict=True):
        height, width = one.labels.shape
        pixels = max(height, width) / CONFIG.mask_size
        for row in range(0, CONFIG.mask_size, 5):
            for column in range(0, CONFIG.mask_size, 5):
                x, y = int((column + 0.5) * pixels), int((row + 0.5) * pixels)
                near = (
                    {-1}
                    if x >= width or y >= height
                    else set(one.labels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].flat)
                )
                assert int(surfaces[row, column]) in near | ({-1} if x >= width - 1 or y >= height - 1 else set())
        asked = surfaces.flatten()[asking]
        assert (asked > 0).all()
        shown = surfaces[surfaces > 0].unique()
        assert len(asked.unique()) == min(grouping.ASKING, len(shown))


def test_the_right_cells_cost_nothing_and_are_counted_whole() -> None:
    _, groups = of_scenes(3)
    asked = groups.surfaces.flatten(1).gather(1, groups.asking)
    right = torch.where(groups.surfaces[:, None] == asked[..., None, None], 30.0, -30.0)
    loss, iou = grouping.loss_of(right, groups, DICE)
    assert float(loss) < 1e-2
    assert iou == 1
    # What padding is taken for doesn't matter; other cells do.
    outside = (groups.surfaces < 0)[:, None].expand_as(right)
    assert outside.any()
    other, same = grouping.loss_of(torch.where(outside, 30.0, right), groups, DICE)
    assert (float(other), same) == (float(loss), 1)
    assert float(grouping.loss_of(-right, groups, DICE)[0]) > 10


def test_features_ask_and_answer() -> None:
    _, groups = of_scenes(2)
    head = grouping.GroupHead(CONFIG.prompt_width, CONFIG.wide)
    carried = convolutional.carried(CONFIG.prompt_width, CONFIG.wide)
    embeddings = torch.randn(2, carried, CONFIG.grid, CONFIG.grid, requires_grad=True)
    logits = head(embeddings, groups.asking)
    assert logits.shape == (2, grouping.ASKING, CONFIG.mask_size, CONFIG.mask_size)
    grouping.loss_of(logits, groups, DICE)[0].backward()
    assert embeddings.grad is not None
    assert embeddings.grad.any(3).any(2).any(0).all()
