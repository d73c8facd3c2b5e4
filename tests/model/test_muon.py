"""Muon's share of a model, and what its steps are."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from model import muon


def test_hidden_matrices_are_those_of_layers_that_train_once_each() -> None:
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
    due = [shared.weight, model["convolution"].weight]
    assert [*map(id, muon.hidden_matrices(model, {id(head)}))] == [*map(id, due)]


def test_a_step_moves_all_directions_of_a_matrix_alike() -> None:
    """As far as AdamW's would: its mean square is 0.2 times the rate, whatever the gradient's scale."""
    torch.manual_seed(1)
    gradient = torch.randn(48, 96) @ torch.diag(torch.linspace(1, 50, 96))
    for scale in (1e-3, 1e3):
        weight = nn.Parameter(torch.zeros(48, 96))
        weight.grad = gradient * scale
        muon.Muon([weight], 0.1).step()
        sizes = torch.linalg.svdvals(weight.detach())
        assert float(sizes.max() / sizes.min()) < 2.5 < float(torch.linalg.cond(gradient))
        assert 0.8 < float(weight.detach().square().mean().sqrt()) / (0.2 * 0.1) < 1.2


def test_its_steps_are_those_of_torchs_own_within_what_bfloat16_tells() -> None:
    torch.manual_seed(2)
    ours = [nn.Parameter(torch.randn(shape)) for shape in [(24, 96), (96, 24), (24, 96), (40, 40)]]
    theirs = [nn.Parameter(one.detach().clone()) for one in ours]
    own = muon.Muon(ours, 0.02, 0.1)
    other = torch.optim.Muon(theirs, 0.02, 0.1, adjust_lr_fn="match_rms_adamw")
    for step in range(4):
        for one, same in zip(ours, theirs, strict=True):
            # One matrix gets no gradient now and then, as what a batch has no use for.
            one.grad = None if step == 2 and one is ours[0] else torch.randn_like(one)
            same.grad = None if one.grad is None else one.grad.clone()
        before, were = ([one.detach().clone() for one in some] for some in (ours, theirs))
        own.step()
        other.step()
        for one, same, was, there in zip(ours, theirs, before, were, strict=True):
            moved, due = (one - was).detach(), (same - there).detach()
            assert float((moved - due).norm()) <= 0.03 * float(due.norm())


def test_matrices_alike_are_made_orthogonal_as_each_alone() -> None:
    torch.manual_seed(3)
    stacked = torch.randn(3, 20, 50)
    for one, alone in zip(muon.orthogonal(stacked), map(muon.orthogonal, stacked[:, None]), strict=True):
        torch.testing.assert_close(one, alone[0], rtol=1e-4, atol=1e-5)
    assert not muon.orthogonal(torch.zeros(1, 3, 4)).any()


def test_a_run_goes_on_from_its_state_to_the_bit() -> None:
    def after(steps: int, weight: nn.Parameter, rule: muon.Muon, seed: int) -> torch.Tensor:
        drawn = torch.Generator().manual_seed(seed)
        for _ in range(steps):
            weight.grad = torch.randn(weight.shape, generator=drawn)
            rule.step()
        return weight.detach().clone()

    begun = nn.Parameter(torch.ones(6, 9))
    rule = muon.Muon([begun], 0.1)
    half, state = after(3, begun, rule, 1), copy.deepcopy(rule.state_dict())
    taken = nn.Parameter(half.clone())
    other = muon.Muon([taken], 0.5)
    other.load_state_dict(state)
    assert torch.equal(after(2, begun, rule, 2), after(2, taken, other, 2))


def test_what_is_no_matrix_is_refused() -> None:
    with pytest.raises(ValueError, match="matrices alone"):
        muon.Muon([nn.Parameter(torch.zeros(3))], 0.1)


def test_a_convolution_moves_as_the_matrix_of_its_outputs() -> None:
    torch.manual_seed(4)
    kernel, gradient = torch.randn(8, 3, 3, 3), torch.randn(8, 3, 3, 3)
    one, flat = nn.Parameter(kernel.clone()), nn.Parameter(kernel.flatten(1).clone())
    one.grad, flat.grad = gradient, gradient.flatten(1)
    for weight in (one, flat):
        muon.Muon([weight], 0.1, 0.1).step()
    assert torch.equal(one.flatten(1), flat)
