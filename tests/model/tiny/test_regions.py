"""The cells that the image encoders are asked about show the part that is said of them."""

from __future__ import annotations

import numpy as np
import torch

from model.plum import pictures
from model.plum.sam import SamConfig
from model.tiny import regions, scenes


def test_the_class_of_a_cell_is_the_part_at_its_middle() -> None:
    drawn = [scenes.draw(3, number) for number in range(6)]
    known = {number: pair for pair, number in regions.regions(3).items()}
    _, placements = pictures.prepare_all([one.image for one in drawn], SamConfig.named("tiny"))
    squares = {"squeezed": regions.labels_of(drawn, 3), "padded": regions.labels_of(drawn, 3, placements)}
    for kind, labels in squares.items():
        shown = 0
        for number, (one, cells) in enumerate(zip(drawn, labels.tolist(), strict=True)):
            masks = [((seen.category, part.name), part.mask) for seen in one.objects for part in seen.parts]
            at = placements[number]
            height, width = one.image.height, one.image.width
            for row in range(regions.CELLS):
                for column in range(regions.CELLS):
                    y, x = (row + 0.5) / regions.CELLS, (column + 0.5) / regions.CELLS
                    if kind == "padded":
                        y *= at.image_size / at.resized_height
                        x *= at.image_size / at.resized_width
                    if y >= 1 or x >= 1:
                        assert cells[row][column] == -100
                        continue
                    there = [pair for pair, mask in masks if mask[int(y * height), int(x * width)]]
                    found = cells[row][column]
                    assert known.get(found) in there if found else not there
                    shown += bool(found)
        assert shown > 100


def test_a_head_says_its_logits_where_the_features_lie() -> None:
    """A head whose layer is a look-up: each position's features name the cells inside of it."""
    head = regions.RegionHead(3, 1, 8)
    side, classes = 4, head.classes
    with torch.no_grad():
        head.linear.bias.zero_()
        head.linear.weight.copy_(torch.arange(side * side)[:, None].expand(-1, classes).reshape(-1, 1).float())
        maps = torch.arange(1, 65).view(1, 8, 8, 1).float()
        logits = head(maps)
    for row, column in [(0, 0), (0, 5), (7, 2), (31, 30)]:
        position = 1 + (row // side) * 8 + column // side
        cell = (row % side) * side + column % side
        assert logits[0, 0, row, column] == position * cell


def test_padding_counts_for_nothing() -> None:
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(size=(1, 5, regions.CELLS, regions.CELLS)), dtype=torch.float32)
    labels = torch.tensor(rng.integers(0, 5, (1, regions.CELLS, regions.CELLS)))
    labels[:, 16:] = -100
    loss, right = regions.loss_of(logits, labels)
    above = logits[:, :, :16], labels[:, :16]
    assert torch.allclose(loss, torch.nn.functional.cross_entropy(*above))
    told = [bool(a == b) for a, b in zip(above[0].argmax(1).flatten(), above[1].flatten(), strict=True) if b > 0]
    assert right == np.float32(np.mean(told))
