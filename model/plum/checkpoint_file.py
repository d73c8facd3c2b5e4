"""Files of weights, read with care: a checkpoint comes from elsewhere, and a pickle can hold more than tensors."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from model.plum.errors import ModelError

Weights: TypeAlias = Mapping[str, Tensor]

#: How many names a message gives of those that are wrong.
_NAMED: Final = 3

#: Whatever a file that is no checkpoint makes the two readers raise.
_UNREADABLE: Final = (
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    AssertionError,
    pickle.UnpicklingError,
    SafetensorError,
)


def read(path: Path) -> Weights:
    """The named tensors of a checkpoint, on the CPU: a `.safetensors` file, or else what `torch.save` made of a state dictionary.

    Nothing but tensors is unpickled. Raises ModelError where the file can't be read,
    where it holds anything but named tensors of floating-point numbers, or where a number isn't finite.
    """
    try:
        if path.suffix == ".safetensors":
            weights: Any = load_file(path)
        else:
            with warnings.catch_warnings():
                # Torch warns of pickles that it may not know; whether it does, is seen at once.
                warnings.simplefilter("ignore", UserWarning)
                weights = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelError("there is no such file", where=str(path), mend="Name a checkpoint of SAM") from None
    except _UNREADABLE as error:
        # Torch's own words for a file with more than tensors in it say how to run it; that nobody should.
        reason = error.strerror if isinstance(error, OSError) else "it is damaged, or holds more than tensors"
        raise ModelError(
            f"this is no checkpoint that can be read ({reason})", where=str(path), mend="Download it again"
        ) from error
    if not (isinstance(weights, Mapping) and all(map(_is_weight, weights.items()))):
        raise ModelError(
            "this is not a dictionary of named tensors, as checkpoints are",
            where=str(path),
            mend="Save the model's `state_dict()` alone",
        )
    damaged = [name for name, weight in weights.items() if not torch.isfinite(weight).all()]
    if damaged:
        what = f"the checkpoint is damaged: not finite is {damaged[0]}, the first of {len(damaged)} such tensors"
        raise ModelError(what, where=str(path), mend="Download it again")
    return dict(weights)


def faults(weights: Weights, wanted: Weights) -> str:
    """How `weights` differ from those that are `wanted` in names and shapes; empty where they don't."""
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    found = [
        _some("it lacks", [name for name in wanted if name not in weights]),
        _some("it has, and should not,", [name for name in weights if name not in wanted]),
        _some(
            "of another shape are",
            [
                f"{name} {shapes[name]}, not {tuple(weight.shape)},"
                for name, weight in wanted.items()
                if name in weights and shapes[name] != tuple(weight.shape)
            ],
        ),
    ]
    return "; ".join(fault for fault in found if fault)


def _some(what: str, names: list[str]) -> str:
    """`what` and the first few names; empty where there are none."""
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{what} {', '.join(names[:_NAMED]).rstrip(',')}{more}"


def _is_weight(item: tuple[object, object]) -> bool:
    name, weight = item
    return isinstance(name, str) and isinstance(weight, Tensor) and weight.is_floating_point()
