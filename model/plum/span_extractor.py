"""The span extractor: which tokens of an answer name a part.

The paper's text has a token-wise MLP, then one bidirectional Transformer layer, then a linear layer to {B, I, O}; the
authors' code has the Transformer first (`order="transformer_first"`). Either sees the current answer's tokens alone, in
training as later: not the prompt, not the image, not the padding, so that what it has to learn is the same for each
backbone and question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from model.plum.bio import N_TAGS
from model.plum.errors import ModelError


@dataclass(frozen=True)
class SpanExtractorConfig:
    """Sizes of the span extractor."""

    order: Literal["mlp_first", "transformer_first"] = "mlp_first"
    width: int | None = None
    """Width inside of it; the backbone's if not given."""
    heads: int = 8
    feed_forward: int = 2048
    dropout: float = 0.1
    renamed: float = 0.0
    """Beside the paper's: the share of answers that it also learns from with other words in the place of names (`renaming`)."""
    reworded: float = 0.0
    """Beside the paper's: the share that it also learns from in another English sentence (`rewording`). Those drawn for both are
    read once, with both."""
    whole_words: bool = False
    """Beside the paper's: spans begin and end at words' edges; for writing that parts words by blanks or signs."""


class SpanExtractor(nn.Module):
    """Hidden states of answers → logits of the tags O, B, I."""

    def __init__(self, config: SpanExtractorConfig, hidden: int) -> None:
        """`hidden` is the width of the backbone's states. Raises ModelError if the heads don't divide the width."""
        super().__init__()
        width = config.width or hidden
        attended = width if config.order == "mlp_first" else hidden
        if config.heads < 1 or attended % config.heads:
            raise ModelError(
                f"the span extractor's {config.heads} heads can't share {attended} channels evenly",
                mend="Name a divisor as spans.heads",
            )
        self.order = config.order
        self.transformer = nn.TransformerEncoderLayer(
            attended, config.heads, config.feed_forward, config.dropout, batch_first=True
        )
        self.mlp = nn.Sequential(nn.Linear(hidden, width), nn.ReLU(), nn.Linear(width, width))
        self.tags = nn.Linear(width, N_TAGS)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Logits (N, A, 3) from `states` (N, A, hidden) of N answers, padded; `mask` bool (N, A) is true at real tokens.

        Logits at padding are 0.
        """
        states = states.to(self.tags.weight.dtype)
        # A row without any token would have nothing to attend to, which gives NaN in some of torch's kernels.
        padding = ~mask & mask.any(1, keepdim=True)
        if self.order == "mlp_first":
            inner = self.transformer(self.mlp(states), src_key_padding_mask=padding)
        else:
            inner = self.mlp(self.transformer(states, src_key_padding_mask=padding))
        return torch.where(mask[..., None], self.tags(inner), 0.0)
