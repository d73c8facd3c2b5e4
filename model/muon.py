"""Muon (Jordan et al. 2024) for the matrices of hidden layers, convolutions among them, beside AdamW for all other weights.

Muon makes each step of a matrix orthogonal, so that all its directions are learned at one pace. Its steps are scaled to the size
that AdamW's have (Liu et al. 2025), so that a learning rate means about the same for both.

torch's own Muon works matrix by matrix, in bfloat16, which many processors have to emulate: in pre-training that took almost a
third of a step. Here matrices of one shape are made orthogonal together, in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

#: Of the Newton-Schulz iteration's polynomial (Jordan et al. 2024).
_COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
_ITERATIONS: Final = 5
_MOMENTUM: Final = 0.95
_LEAST_NORM: Final = 1e-7


class Muon(Optimizer):
    """Nesterov's momentum, made orthogonal: the rule of `torch.optim.Muon` with `match_rms_adamw`, many matrices at a time."""

    def __init__(self, matrices: Iterable[Any], lr: float, weight_decay: float = 0.0) -> None:
        """`matrices` (m, n), or groups of them as torch's optimisers take; (m, n, ...) counts as (m, n * ...).

        Raises ValueError for vectors and numbers.
        """
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})
        if any(one.ndim < 2 for group in self.param_groups for one in group["params"]):
            raise ValueError("Muon is for matrices alone")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Moves all matrices that have a gradient; what `closure` gives, called first, where there is one."""
        told = None
        if closure is not None:
            with torch.enable_grad():
                told = closure()
        for group in self.param_groups:
            alike: dict[tuple[Any, ...], list[Tensor]] = {}
            for one in group["params"]:
                if one.grad is not None:
                    alike.setdefault((*one.shape, one.dtype, one.device), []).append(one)
            for some in alike.values():
                self._move(some, group["lr"], group["weight_decay"])
        return told

    def _move(self, matrices: list[Tensor], rate: float, weight_decay: float) -> None:
        """A step of matrices of one shape."""
        gradients = [cast(Tensor, one.grad) for one in matrices]
        moments = [self.state[one].setdefault("momentum_buffer", torch.zeros_like(one)) for one in matrices]
        torch._foreach_lerp_(moments, gradients, 1 - _MOMENTUM)
        ways = torch.stack(torch._foreach_lerp(gradients, moments, _MOMENTUM))
        flat = orthogonal(ways.flatten(2))
        torch._foreach_mul_(matrices, 1 - rate * weight_decay)
        torch._foreach_add_(matrices, list(flat.view_as(ways)), alpha=-rate * 0.2 * max(flat.shape[1:]) ** 0.5)


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices (N, m, n) with singular values near 1 (0.7 to 1.2) in the place of their own, by Newton and Schulz's iteration.

    A step X ← p(XXᵀ) X is a polynomial of the first XXᵀ times X. So the steps are taken on these squares of the shorter side,
    in float32, and the matrices are multiplied once.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    given = (matrices.mT if tall else matrices).float()
    given = given / given.norm(dim=(1, 2), keepdim=True).clamp(min=_LEAST_NORM)
    gram = given @ given.mT
    factor = together = _polynomial(gram)
    for _ in range(_ITERATIONS - 1):
        gram = factor @ gram @ factor
        factor = _polynomial(gram)
        together = factor @ together
    found: Tensor = (together @ given).to(matrices.dtype)
    return found.mT if tall else found


def _polynomial(gram: Tensor) -> Tensor:
    """What a step of the iteration multiplies X by, of X Xᵀ (N, m, m)."""
    first, second, third = _COEFFICIENTS
    unit = torch.eye(gram.shape[1], device=gram.device)
    return first * unit + torch.baddbmm(gram, gram, gram, beta=second, alpha=third)


def hidden_matrices(model: nn.Module, outer: Collection[int] = ()) -> list[nn.Parameter]:
    """The weights of a model's linear layers and convolutions that train, without those whose `id` is in `outer`: heads, and what
    they share."""
    found = {
        id(module.weight): cast(nn.Parameter, module.weight)
        for module in model.modules()
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and module.weight.requires_grad
    }
    return [weight for key, weight in found.items() if key not in outer]
