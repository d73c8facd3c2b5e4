"""The cells that the image encoders are asked about show what is said of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from model.plum import pictures
from model.plum.pictures import Placement
from model.plum.sam import SamConfig
from model.tiny import regions, scenes
from model.tiny.descriptions import OUTLINES
from model.tiny.regions import Regions
from model.tiny.scenes import Drawn

CELLS = 24


@pytest.fixture(scope="module")
def drawn() -> list[Drawn]:
    return [scenes.draw(3, number, "fresh") for number in range(6)]


@pytest.mark.parametrize("padded", [False, True], ids=["squeezed", "padded"])
def test_a_cell_tells_of_the_part_at_its_middle(drawn: list[Drawn], padded: bool) -> None:
    placements = pictures.prepare_all([one.image for one in drawn], SamConfig.named("tiny"))[1] if padded else None
    made = regions.of(drawn, CELLS, placements)
    shown = 0
    for number, one in enumerate(drawn):
        height, width = one.image.height, one.image.width
        at = placements[number] if placements is not None else Placement(height, width, 1, 1, 1)
        for row in range(CELLS):
            for column in range(CELLS):
                y = (row + 0.5) / CELLS * (at.image_size / at.resized_height) * height
                x = (column + 0.5) / CELLS * (at.image_size / at.resized_width) * width
                found = int(made.classes[number, row, column])
                if y >= height or x >= width:
                    assert found == -100
                    continue
                label = int(one.labels[int(y), int(x)])
                if not label:
                    assert found == 0
                    continue
                surface = one.surfaces.get(label)
                if surface is None:
                    assert found == 0, "of what is beside the box nothing is told"
                    continue
                shown += 1
                assert found == OUTLINES[surface.outline]
                quarter = max(height, width) / 4
                here = np.array([int(x), int(y)])
                ways = [(np.array(point) - here) / quarter for point in (surface.middle, surface.object_middle)]
                told = made.measures[number, row, column].numpy()
                assert np.allclose(told[:4], np.concatenate(ways), atol=1e-5)
                assert np.isclose(told[4], np.log(surface.object_size / max(height, width)), atol=1e-5)
    assert shown > 300


def test_a_head_tells_of_cells_where_their_features_lie() -> None:
    """A head whose layer is a look-up: each position's features name the cells inside of it."""
    head = regions.RegionHead(1, 4)
    side, told = 4, len(OUTLINES) + 1 + 5
    with torch.no_grad():
        head.linear.bias.zero_()
        head.linear.weight.copy_(torch.arange(side * side)[:, None].expand(-1, told).reshape(-1, 1).float())
        logits, measures = head(torch.arange(1, 65).view(1, 8, 8, 1).float())
    assert logits.shape == (1, 32, 32, len(OUTLINES) + 1)
    assert measures.shape == (1, 32, 32, 5)
    for row, column in [(0, 0), (0, 5), (7, 2), (31, 30)]:
        position = 1 + (row // side) * 8 + column // side
        cell = (row % side) * side + column % side
        assert logits[0, row, column, 0] == measures[0, row, column, 4] == position * cell


def test_padding_counts_for_nothing_and_only_parts_are_measured() -> None:
    rng = np.random.default_rng(0)
    kinds = len(OUTLINES) + 1
    logits = torch.tensor(rng.normal(size=(1, CELLS, CELLS, kinds)), dtype=torch.float32)
    measures, true = torch.tensor(rng.normal(size=(2, 1, CELLS, CELLS, 5)), dtype=torch.float32)
    classes = torch.tensor(rng.integers(0, kinds, (1, CELLS, CELLS)))
    classes[:, 12:] = -100
    loss, right = regions.loss_of((logits, measures), Regions(classes, true))
    above = logits[:, :12].flatten(0, 2), classes[:, :12].flatten()
    errors = [
        functional.smooth_l1_loss(measures[0, row, column], true[0, row, column])
        for row, column in torch.argwhere(classes[0] > 0).tolist()
    ]
    assert torch.allclose(loss, functional.cross_entropy(*above) + torch.stack(errors).mean())
    told = [bool(a == b) for a, b in zip(above[0].argmax(1), above[1], strict=True) if b > 0]
    assert right == np.float32(np.mean(told))
