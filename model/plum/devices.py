"""Where a model that is asked computes."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from model.plum.errors import ModelError

Module = TypeVar("Module", bound=nn.Module)


def best() -> torch.device:
    """CUDA where there is one, else the processor. Apple's MPS is left out: not all that is used here is known to work on it."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def placed(module: Module, device: torch.device | str | None = None) -> Module:
    """The same module, moved to a device; to the best, if none is given. Raises ModelError where there is no room for it."""
    there = best() if device is None else torch.device(device)
    try:
        return module.to(there)
    except torch.OutOfMemoryError as error:
        needed = sum(one.numel() * one.element_size() for one in module.parameters()) / 2**30
        raise ModelError(
            f"there is no room on {there} for a model of {needed:.1f} GiB",
            mend="Free some, or set CUDA_VISIBLE_DEVICES to a device that has it; to nothing, for the processor",
        ) from error
