"""Mask feedback: the earlier masks of an answer, each seen with its span's query, pooled into the dense prompt of the next.

SAM's encoder of masks gets a FiLM layer in each of its two blocks, and a learned query at each position attends to that
position in the earlier masks.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Final, Literal, get_args

import torch
from segment_anything.modeling import Sam
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from model.plum.errors import ModelError
from model.plum.film import Film

Sharpness = Literal["logits", "probabilities", "binary"]

#: The learned queries and steps start near zero, so that the pool starts near the mean of the earlier masks.
_START: Final = 0.02


@dataclass(frozen=True, slots=True)
class FeedbackConfig:
    """How earlier masks are fed back. The defaults are the paper's."""

    heads: int = 8
    order_aware: bool = False
    """Whether each earlier mask also carries a learned embedding of its step; else their order makes no difference."""
    most_masks: int = 60
    """Earlier masks that there are such embeddings for."""
    detach: bool = False
    """Whether earlier masks are taken as given: no gradient goes back through them."""
    sharpen: Sharpness = "logits"
    """What is fed back: the logits, the probabilities, or 1 where the logit is above 0 (which has no gradient)."""
    numbers_at_once: int = 1 << 24
    """Numbers that the pool holds beside its input and output, about; fewer positions at a time if need be."""

    def __post_init__(self) -> None:
        """Raises ModelError for settings that can't be."""
        if self.sharpen not in get_args(Sharpness):
            raise ModelError(
                f"earlier masks can't be fed back as {self.sharpen!r}", mend=f"Known: {', '.join(get_args(Sharpness))}"
            )
        for name in ("heads", "most_masks", "numbers_at_once"):
            if getattr(self, name) < 1:
                raise ModelError(f"`{name}` of the mask feedback must be at least 1, not {getattr(self, name)}")


class MaskFeedback(nn.Module):
    """Encodes masks together with their queries, and pools those of an answer's earlier steps."""

    def __init__(self, sam: Sam, config: FeedbackConfig | None = None) -> None:
        """The encoder of masks starts as a copy of `sam`'s, which it equals at first, and trains. Widths are `sam`'s.

        Raises ModelError if the heads don't divide the width.
        """
        super().__init__()
        self.config = config or FeedbackConfig()
        width, heads = int(sam.prompt_encoder.embed_dim), self.config.heads
        if width % heads:
            raise ModelError(f"{heads} heads can't share {width} channels evenly", mend="Name a divisor as `heads`")
        self.grid: tuple[int, int] = tuple(sam.prompt_encoder.image_embedding_size)
        down = copy.deepcopy(sam.prompt_encoder.mask_downscaling).requires_grad_(True)
        self.first = nn.ModuleList([down[0], down[1], Film(width, down[0].out_channels), down[2]])
        self.second = nn.ModuleList([down[3], down[4], Film(width, down[3].out_channels), down[5]])
        self.last = down[6]
        self.query_map = nn.Parameter(torch.empty(self.grid[0] * self.grid[1], width))
        self.query_projection = nn.Linear(width, width)
        # Without a bias, which would add the same to the scores of all the masks, and so do nothing.
        self.key_projection = nn.Linear(width, width, bias=False)
        self.value_projection = nn.Linear(width, width)
        self.output_projection = nn.Linear(width, width)
        self.steps = nn.Parameter(torch.empty(self.config.most_masks, width)) if self.config.order_aware else None
        self._start(sam.prompt_encoder.no_mask_embed.weight.detach()[0])

    def _start(self, no_mask: Tensor) -> None:
        """Draws the attention's weights, as torch's own multi-head attention does, but for what comes out of it.

        That starts as SAM's embedding of "no mask", whatever the earlier masks are: a decoder that was pre-trained without
        feedback goes on to do what it did, and learns what earlier masks tell, where noise would have to be unlearned first.
        """
        for layer in (self.query_projection, self.key_projection, self.value_projection):
            nn.init.xavier_uniform_(layer.weight)
        for layer in (self.query_projection, self.value_projection):
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.output_projection.weight)
        with torch.no_grad():
            self.output_projection.bias.copy_(no_mask)
        for learned in (self.query_map, self.steps):
            if learned is not None:
                nn.init.trunc_normal_(learned, std=_START)

    def encode(self, logits: Tensor, queries: Tensor) -> Tensor:
        """Feature maps (M, C, h, w) of M masks, from the decoder's logits (M, 4h, 4w) and their spans' queries (M, C).

        SAM's encoder of masks, with FiLM after each of its two normalizations. Raises ModelError for shapes that don't fit.
        """
        size = (4 * self.grid[0], 4 * self.grid[1])
        width = self.query_map.shape[1]
        if logits.shape[1:] != size or queries.shape != (len(logits), width):
            raise ModelError(
                f"masks {tuple(logits.shape)} with queries {tuple(queries.shape)} are not (M, {size[0]}, {size[1]}) with "
                f"(M, {width})"
            )
        maps = self._sharpened(logits.detach() if self.config.detach else logits)[:, None].to(self.query_map.dtype)
        for convolution, norm, film, activation in (self.first, self.second):
            maps = activation(film(norm(convolution(maps)), queries.to(self.query_map.dtype)))
        encoded: Tensor = self.last(maps)
        return encoded

    def _sharpened(self, logits: Tensor) -> Tensor:
        if self.config.sharpen == "probabilities":
            return logits.sigmoid()
        return (logits > 0).to(logits.dtype) if self.config.sharpen == "binary" else logits

    def pool(self, maps: Tensor, valid: Tensor, positions: Tensor, no_mask: Tensor) -> Tensor:
        """Dense prompts (N, C, h, w) of N answers' next spans, from the maps (N, T, C, h, w) of up to T earlier masks each.

        The mask of an answer's step t is at t. `valid` bool (N, T) is true where there is one; what `maps` holds elsewhere,
        infinite or not a number even, makes no difference. `positions` (C, h, w) is SAM's positional encoding, added to
        each map; `no_mask` (C,) is SAM's embedding of "no mask", which an answer without earlier masks gets. Raises
        ModelError for shapes that don't fit.

        Memory. At each position there is one learned query for T maps, so keys and values are never made: a head's query is
        taken through the key projection instead (the scores are the same), and its values are projected once the maps are
        averaged (both are linear). What is left is worked through in slices of positions, as many at a time as
        `numbers_at_once` allows; where gradients are kept, each slice is computed again in the backward pass. So beside
        input and output the pool holds no more for many answers, masks and positions than for few (down to one position).
        Only the gradient of `maps` is there twice for a moment.
        """
        self._check(maps, valid, positions, no_mask)
        answers, masks, channels, height, width = maps.shape
        nothing = no_mask[None, :, None, None].expand(answers, channels, height, width)
        if not answers or not masks:
            return nothing
        held = 2 * answers * channels * (masks + self.config.heads)
        at_once = max(1, self.config.numbers_at_once // held)
        again = torch.is_grad_enabled() and at_once < height * width
        pieces = []
        # Split, not sliced: the backward pass of each slice would fill a gradient as large as all of the maps.
        for piece in zip(
            torch.split(maps.flatten(3), at_once, 3),
            torch.split(positions.flatten(1).T.to(maps.dtype), at_once),
            torch.split(self.query_map, at_once),
            strict=True,
        ):
            if again:
                pieces.append(checkpoint(self._attend, valid, *piece, use_reentrant=False, preserve_rng_state=False))
            else:
                pieces.append(self._attend(valid, *piece))
        pooled = torch.cat(pieces).permute(1, 2, 0).reshape(nothing.shape)
        return torch.where(valid.any(1)[:, None, None, None], pooled, nothing.to(pooled.dtype))

    def _attend(self, valid: Tensor, maps: Tensor, positions: Tensor, query_map: Tensor) -> Tensor:
        """Multi-head attention at P positions: (P, N, C) from maps (N, T, C, P), positions (P, C), queries (P, C).

        n, t: answer and step; p: position; h: head; d: channel of a head; c: channel of the maps. What is the same for all
        the masks at a position cancels in the softmax: so the positional encoding only has a part in the values.
        """
        places, channels = query_map.shape
        heads, own = self.config.heads, channels // self.config.heads
        seen = maps.permute(3, 0, 1, 2).clone(memory_format=torch.contiguous_format)
        seen = seen.masked_fill_(~valid[:, :, None], 0.0)
        if self.steps is not None:
            seen = seen + self.steps[: seen.shape[2]]
        per_head = self.query_projection(query_map).view(places, heads, own) * own**-0.5
        keys = self.key_projection.weight.view(heads, own, channels)
        values = self.value_projection.weight.view(heads, own, channels)
        scores = torch.einsum("pntc,phc->pnth", seen, torch.einsum("phd,hdc->phc", per_head, keys))
        # An answer without earlier masks would have nothing to attend to, and give NaN; its result isn't used.
        left_out = ~valid & valid.any(1, keepdim=True)
        weights = scores.masked_fill(left_out[:, :, None], -torch.inf).softmax(2)
        mean = torch.einsum("pnth,pntc->pnhc", weights, seen) + positions[:, None, None]
        pooled = torch.einsum("pnhc,hdc->pnhd", mean, values).flatten(2) + self.value_projection.bias
        attended: Tensor = self.output_projection(pooled)
        return attended

    def _check(self, maps: Tensor, valid: Tensor, positions: Tensor, no_mask: Tensor) -> None:
        """Raises ModelError for what `pool` can't use."""
        width = self.query_map.shape[1]
        if maps.ndim != 5 or maps.shape[2:] != (width, *self.grid):
            wanted = f"(N, T, {width}, {self.grid[0]}, {self.grid[1]})"
            raise ModelError(f"the maps of earlier masks are {tuple(maps.shape)}, not {wanted}")
        if valid.shape != maps.shape[:2] or valid.dtype != torch.bool:
            raise ModelError(f"`valid` is {valid.dtype} {tuple(valid.shape)}, not bool {tuple(maps.shape[:2])}")
        if positions.shape != maps.shape[2:] or no_mask.shape != (width,):
            raise ModelError(
                f"positions {tuple(positions.shape)} and no-mask embedding {tuple(no_mask.shape)} don't fit maps "
                f"{tuple(maps.shape)}"
            )
        if self.steps is not None and maps.shape[1] > len(self.steps):
            raise ModelError(
                f"an answer has {maps.shape[1]} earlier masks, and there are embeddings for {len(self.steps)} steps",
                mend="Raise `most_masks` of the mask feedback",
            )
