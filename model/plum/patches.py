"""A photograph in the language model's own words: a patch's feature is to lie near the names of the parts that it shows.

The likelihood of a list of parts teaches what a photograph shows by a few bits an answer, and a language model that learns from
it alone would rather guess. Masks say it of every patch. So the feature of a patch, as it goes into the language model, is
compared with the input embeddings of each name: what the model reads in the place of a photograph then says in its own words
what lies where, and to name what can be seen it need only repeat it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from model.plum.errors import ModelError

#: Before anything is learned, a patch shows a name with a chance of 1 in 8.
_BIAS: Final = -2.0
#: Weight of the cross-entropy beside the dice loss.
_BCE: Final = 4.0


def side_of(features: Sequence[Tensor]) -> int:
    """Patches on a side of photographs, by their features (tokens, hidden). Raises ModelError for any but squares of one size."""
    tokens, *others = {len(one) for one in features}
    side = math.isqrt(tokens)
    if others or side**2 != tokens:
        raise ModelError(
            "losses.patches and shared_sight need photographs that are each one square of patches; this model's are not",
            mend="Set losses.patches to 0, and shared_sight to false",
        )
    return side


def check_whole(processor: Any) -> None:
    """Raises ModelError for a processor that cuts a photograph's middle out: patches would be told of what they don't show."""
    if getattr(processor.image_processor, "do_center_crop", False):
        raise ModelError(
            "losses.patches and shared_sight need photographs that are shown whole; this model's processor crops their middle",
            mend="Give it one that squeezes them (do_center_crop: false, a height and a width as size),"
            " or set losses.patches to 0 and shared_sight to false",
        )


def logits_of(patches: Tensor, names: Tensor) -> Tensor:
    """Float32 (S, T): whether each of the patches (S, T, hidden) of a name's photograph shows it.

    `names` (S, hidden): the means of the `normalized` embeddings of their tokens.
    """
    return torch.einsum("sth,sh->st", patches.float(), names) / math.sqrt(names.shape[-1]) + _BIAS


def loss_of(logits: Tensor, coverage: Tensor) -> Tensor:
    """(S,): binary cross-entropy and, where a name shows, dice of `logits` (S, T) against the shares of patches that show it."""
    each = functional.binary_cross_entropy_with_logits(logits, coverage, reduction="none").mean(1)
    shares = logits.sigmoid()
    overlap = (2 * (shares * coverage).sum(1) + 1) / (shares.sum(1) + coverage.sum(1) + 1)
    return _BCE * each + (1 - overlap) * (coverage.sum(1) > 0)


def coverage_of(targets: Tensor, valid: Tensor, side: int) -> Tensor:
    """Float32 (S, side * side): the share of each patch that a name's mask covers, the photograph squeezed into a square.

    `targets` (S, m, m) lie in SAM's square, of which `valid` bool (S, m, m), its upper left, is the photograph.
    """
    heights, widths = valid.any(2).sum(1).tolist(), valid.any(1).sum(1).tolist()
    found = targets.new_zeros(len(targets), side**2)
    for height, width in set(zip(heights, widths, strict=True)):
        here = [n for n, size in enumerate(zip(heights, widths, strict=True)) if size == (height, width)]
        cut = targets[here, :height, :width]
        found[here] = functional.adaptive_avg_pool2d(cut, side).flatten(1)
    return found
