"""Patches in the language model's words: against loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.plum import patches
from model.plum.errors import ModelError
from tests.model.plum.sam_weights import noise


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=4), st.integers(1, 4))
def test_a_patch_is_covered_by_the_mean_of_the_cells_that_it_touches(sizes: list[tuple[int, int]], side: int) -> None:
    targets, valid = noise(len(sizes), 12, 12).abs().clamp(max=1), torch.zeros(len(sizes), 12, 12, dtype=torch.bool)
    for n, (height, width) in enumerate(sizes):
        valid[n, :height, :width] = True
    found = patches.coverage_of(targets, valid, side).view(-1, side, side)
    for n, (height, width) in enumerate(sizes):
        for row, column in np.ndindex(side, side):
            # The squeezed photograph's patch, in whole cells: from the floor of its start to the ceiling of its end.
            rows = slice(row * height // side, -(-(row + 1) * height // side))
            columns = slice(column * width // side, -(-(column + 1) * width // side))
            wanted = float(targets[n, rows, columns].mean())
            assert float(found[n, row, column]) == pytest.approx(wanted, abs=1e-5)


def test_a_patch_that_lies_near_a_name_says_it() -> None:
    names = noise(2, 16)
    near = torch.stack([3 * names[0], -3 * names[0], torch.zeros(16)])
    logits = patches.logits_of(near.expand(2, -1, -1), names)
    assert logits[0, 0] > 0 > logits[0, 1]
    assert logits[:, 2].tolist() == [-2, -2]


def test_the_loss_of_a_name_is_less_the_better_its_patches_are_told() -> None:
    coverage = torch.tensor([[1.0, 0.0, 0.0, 0.5], [0.0, 0.0, 0.0, 0.0]])
    right = torch.tensor([[8.0, -8.0, -8.0, 0.0], [-8.0, -8.0, -8.0, -8.0]])
    assert (patches.loss_of(right, coverage) < patches.loss_of(torch.zeros(2, 4), coverage)).all()
    # Nothing that isn't there can be missed: without a patch to show it, only its cross-entropy counts.
    wanted = 4 * torch.nn.functional.softplus(torch.tensor(-8.0))
    assert float(patches.loss_of(right, coverage)[1]) == pytest.approx(float(wanted), abs=1e-5)


@pytest.mark.parametrize(("tokens", "side"), [([64, 64], 8), ([9], 3)])
def test_squares_of_one_size_have_a_side(tokens: list[int], side: int) -> None:
    assert patches.side_of([torch.zeros(n, 2) for n in tokens]) == side


@pytest.mark.parametrize("tokens", [[64, 49], [8]])
def test_other_shapes_are_refused(tokens: list[int]) -> None:
    with pytest.raises(ModelError, match="one square of patches"):
        patches.side_of([torch.zeros(n, 2) for n in tokens])
