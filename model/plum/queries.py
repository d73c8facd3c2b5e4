"""From the tokens of a span to the query that prompts the mask decoder: an MLP on each token's state, then their mean."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from model.plum import checkpoint_file
from model.plum.errors import ModelError


class QueryProjection(nn.Module):
    """g(h) of the paper, averaged over the span's tokens."""

    def __init__(self, hidden: int, width: int) -> None:
        """`hidden` is the width of the backbone's states, `width` that of the mask decoder's prompts."""
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, width))

    def forward(self, states: Tensor, row: Tensor, first: Tensor, last: Tensor) -> Tensor:
        """Queries (S, width) of S spans, from `states` (N, A, hidden); int64 (S,): row, first, last token of each."""
        return mean_of_spans(states.to(next(self.mlp.parameters()).dtype), row, first, last, self.mlp)


def load(projection: QueryProjection, path: Path) -> None:
    """Has a projection begin with the weights of a file, as `state_dict` names them. Raises ModelError where they don't fit."""
    weights = checkpoint_file.read(path, "a query projection")
    what = checkpoint_file.faults(weights, projection.state_dict())
    if what:
        raise ModelError(
            f"this is not a query projection of this model: {what}",
            where=str(path),
            mend="Name the file that was made with this backbone and SAM, or set model.query to random",
        )
    projection.load_state_dict(weights)


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
