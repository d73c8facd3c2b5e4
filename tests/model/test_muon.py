"""Muon's share of a model, and what its steps are."""

from __future__ import annotations

import torch
from torch import nn

from model import muon


def test_hidden_matrices_are_those_of_linear_layers_that_train_once_each() -> None:
    shared = nn.Linear(4, 4)
    model = nn.ModuleDict(
        {
            "embedding": nn.Embedding(4, 4),
            "first": shared,
            "again": shared,
            "frozen": nn.Linear(4, 4).requires_grad_(False),
            "convolution": nn.Conv2d(4, 4, 1),
            "head": nn.Linear(4, 4),
        }
    )
    head = model["head"].weight
    assert [id(one) for one in muon.hidden_matrices(model, {id(head)})] == [id(shared.weight)]


def test_a_step_moves_all_directions_of_a_matrix_alike() -> None:
    """As far as AdamW's would: its mean square is 0.2 times the rate, whatever the gradient's scale."""
    torch.manual_seed(1)
    gradient = torch.randn(48, 96) @ torch.diag(torch.linspace(1, 50, 96))
    for scale in (1e-3, 1e3):
        weight = nn.Parameter(torch.zeros(48, 96))
        weight.grad = gradient * scale
        muon.muon([weight], 0.1, 0.0).step()
        sizes = torch.linalg.svdvals(weight.detach())
        assert float(sizes.max() / sizes.min()) < 2.5 < float(torch.linalg.cond(gradient))
        assert 0.8 < float(weight.detach().square().mean().sqrt()) / (0.2 * 0.1) < 1.2
