"""From the tokens of a span to the query that prompts the mask decoder: an MLP on each token's state, then their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

#: Of the embeddings of words, at first: small, so that AdamW turns them soon.
_WORDS: Final = 0.02


@dataclass(frozen=True)
class QueryConfig:
    """What a query is made from."""

    words: bool = False
    """Beside the paper's: embeddings of the span's tokens, the projection's own, join their states. The states of a large
    language model tell names apart; those of a small one tell what it makes of them, and a new name is lost in it."""


def normalized(embeddings: Tensor) -> Tensor:
    """Float32 embeddings (…, hidden) as vectors of root mean square 1."""
    each = embeddings.float()
    return each * torch.rsqrt(each.square().mean(-1, keepdim=True) + 1e-8)


class QueryProjection(nn.Module):
    """g(h) of the paper, averaged over the span's tokens."""

    def __init__(self, hidden: int, width: int, vocabulary: int | None = None) -> None:
        """`hidden` is the width of the backbone's states, `width` that of the mask decoder's prompts.

        With a `vocabulary`, so many tokens have embeddings (`QueryConfig.words`).
        """
        super().__init__()
        self.words = None if vocabulary is None else nn.Embedding(vocabulary, hidden)
        if self.words is not None:
            nn.init.normal_(self.words.weight, std=_WORDS)
        taken = hidden if self.words is None else 2 * hidden
        self.mlp = nn.Sequential(nn.Linear(taken, hidden), nn.ReLU(), nn.Linear(hidden, width))

    def forward(self, states: Tensor, ids: Tensor, row: Tensor, first: Tensor, last: Tensor) -> Tensor:
        """Queries (S, width) of S spans, from `states` (N, A, hidden) of tokens `ids` int64 (N, A).

        int64 (S,): row, first, last token of each.
        """
        given = states.to(next(self.mlp.parameters()).dtype)
        if self.words is not None:
            given = torch.cat([given, normalized(self.words(ids)).to(given.dtype)], -1)
        return mean_of_spans(given, row, first, last, self.mlp)


def mean_of_spans(states: Tensor, row: Tensor, first: Tensor, last: Tensor, each: nn.Module | None = None) -> Tensor:
    """Float32 (S, …): the mean over each span's tokens of `states` (N, A, hidden), or of what `each` makes of a token's.

    Only the tokens of spans are looked at. The sum runs over them in their order, so it is the same in each batch.
    """
    length = last - first + 1
    span = torch.repeat_interleave(torch.arange(len(row), device=row.device), length)
    before = torch.repeat_interleave(length.cumsum(0) - length, length)
    place = first[span] + torch.arange(len(span), device=row.device) - before
    tokens = states[row[span], place]
    tokens = (each(tokens) if each is not None else tokens).float()
    total = tokens.new_zeros(len(row), tokens.shape[-1]).index_add(0, span, tokens)
    return total / length[:, None].to(total.dtype)
