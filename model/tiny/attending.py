"""Where the mask decoder looks: its attention is to lie on what a prompt asks for.

The features of a photograph soon tell one surface from another; what takes long is to learn that a mask is found by looking at
what is asked for. So the first heads of each attention from tokens to the photograph are told, for the token that makes the mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from model.plum.segmenter import Segmenter

#: Of how many heads one is told where to look.
_TOLD: Final = 2
#: The weight of attention, beside the masks.
_WEIGHT: Final = 0.3
#: The least share of a position's cells by which it counts as hit.
_HIT: Final = 0.1
#: The token that makes the single mask, after the one of the IoU.
_MASK: Final = 1


class Watched:
    """Queries and keys of the attentions from tokens to the photograph, of each decoding since the last `take`."""

    def __init__(self, attentions: list[Any]) -> None:
        self.attentions = attentions
        self.seen: list[Tensor] = []

    def take(self) -> list[Tensor]:
        """What was seen, and forgets it."""
        seen, self.seen = self.seen, []
        return seen


@contextmanager
def watching(segmenter: Segmenter) -> Iterator[Watched]:
    """Keeps what the decoder's attention compares."""
    transformer = segmenter.sam.mask_decoder.transformer
    attentions = [
        *(layer.cross_attn_token_to_image for layer in transformer.layers),
        transformer.final_attn_token_to_image,
    ]
    watched = Watched(attentions)
    hooks = [
        projection.register_forward_hook(lambda _module, _given, made: watched.seen.append(made))
        for one in attentions
        for projection in (one.q_proj, one.k_proj)
    ]
    try:
        yield watched
    finally:
        for hook in hooks:
            hook.remove()


def loss_of(watched: Watched, coverage: Tensor) -> tuple[Tensor, float]:
    """Kullback-Leibler divergence of the attention of one decoding from what is asked for, a mask and attention; how often the
    strongest hits.

    `coverage` float32 (N, 4h, 4w): shares of the decoder's cells.
    """
    seen = watched.take()
    cells = functional.avg_pool2d(coverage[:, None], 4).flatten(1)
    there = cells.sum(1) > 0
    wanted = cells[there] / cells[there].sum(1, keepdim=True)
    entropy = -torch.xlogy(wanted, wanted).sum(1).mean()
    total, hits = coverage.new_zeros(()), 0.0
    for number, attention in enumerate(watched.attentions):
        queries, keys = seen[2 * number][there, _MASK], seen[2 * number + 1][there]
        heads = attention.num_heads
        queries = queries.view(len(queries), heads, -1)
        keys = keys.view(*keys.shape[:2], heads, -1)
        told = max(1, heads // _TOLD)
        logits = torch.einsum("nhd,nphd->nhp", queries[:, :told], keys[:, :, :told]) * queries.shape[-1] ** -0.5
        total = total - (wanted[:, None] * logits.log_softmax(2)).sum(2).mean() - entropy
        strongest = logits[:, 0].argmax(1, keepdim=True)
        hits += float((cells[there].gather(1, strongest) > _HIT).float().mean())
    return _WEIGHT * total / len(watched.attentions), hits / len(watched.attentions)
