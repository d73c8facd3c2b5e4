"""Where a name's thing is, told by the language model's states of the name alone; and where its attention goes.

A language model can say most of a caption without a look at the photograph, and one that learns from captions alone does: after
some hundred thousand of them it told places no better than the most common one, and chose the same lists before a blank
photograph. So two things are asked of it at each name, in questions and answers:

- Some heads of its later layers attend to the patches that show what is named. This is what teaches it to look.
- A linear layer on the name's state, before its last layer and after it, says which cells show what is named; none, if nothing
  does. To tell that, the state must have kept what was seen. The layers are thrown away when the parts are saved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from model.plum.backbone import Backbone
from model.tiny.language import Heard

#: Cells of a photograph on a side: the patches of the language model.
CELLS: Final = 8
#: Layers, counted from the last, and heads that look.
LAYERS: Final = (-2, -1)
HEADS: Final = (0, 1)
#: Weight of the cross-entropy beside the dice loss of cells, and of attention beside cells.
_BCE: Final = 4.0
_ATTENTION: Final = 0.5
#: Least share of a patch that counts as showing a thing, where hits are counted.
_SHOWS: Final = 0.3


class PointingHead(nn.Module):
    """Cells from states of names, one linear layer for each of two depths."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before, self.after = nn.Linear(width, CELLS**2), nn.Linear(width, CELLS**2)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Logits (2, S, CELLS * CELLS) from the states (S, width) of S names before and after the last layer."""
        return torch.stack([self.before(before), self.after(after)])


@dataclass
class Watched:
    """What went into the later layers' attention in a call of the language model: by layer."""

    states: dict[int, Tensor] = field(default_factory=dict)
    """(N, T, hidden), normalized."""
    rotations: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    """Cosines and sines of the places, (N, T, width of a head)."""
    before_last: list[Tensor] = field(default_factory=list)
    """(N, T, hidden): what the last layer takes in."""


@contextmanager
def watching(backbone: Backbone) -> Iterator[Watched]:
    """Keeps what goes into attention; of the latest call."""
    found = Watched()
    layers = backbone.decoder.layers

    def keep(number: int) -> Any:
        def hook(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            found.states[number] = named["hidden_states"] if "hidden_states" in named else given[0]
            found.rotations[number] = named["position_embeddings"]

        return hook

    def enter(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        found.before_last[:] = [given[0] if given else named["hidden_states"]]

    handles = [layers[number].self_attn.register_forward_pre_hook(keep(number), with_kwargs=True) for number in LAYERS]
    handles.append(layers[-1].register_forward_pre_hook(enter, with_kwargs=True))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class Names:
    """S names in N conversations, and what they are names of."""

    row: Tensor
    """int64 (S,)."""
    token: Tensor
    """int64 (S,): the last token of each."""
    cells: Tensor
    """Float32 (S, CELLS * CELLS): the share of each cell that shows it."""


def names_of(heard: Heard) -> Names:
    """Those in questions and answers."""
    every = [(row, *one) for row, talk in enumerate(heard.conversations) for one in (*talk.asked, *talk.named)]
    row, token = (torch.tensor([one[place] for one in every]) for place in (0, 2))
    return Names(row, token, cells_of([one[3] for one in every]))


def cells_of(masks: Sequence[NDArray[np.bool_]]) -> Tensor:
    """Float32 (N, CELLS * CELLS): the share of each cell that N masks (h, w) cover, the photograph squeezed into a square."""
    each = [functional.adaptive_avg_pool2d(torch.from_numpy(one)[None].float(), CELLS).flatten() for one in masks]
    return torch.stack(each)


def loss_of(backbone: Backbone, head: PointingHead, heard: Heard, watched: Watched) -> tuple[Tensor, dict[str, float]]:
    """The loss of what names point at, a name; how well their cells overlap, and how often the strongest attention hits."""
    names = names_of(heard)
    logits = head(watched.before_last[0][names.row, names.token], heard.states[names.row, names.token])
    of_cells, pointed = _of_cells(logits, names.cells)
    first = [talk.ids.index(backbone.image_token_id) for talk in heard.conversations]
    of_attention, attended = _of_attention(backbone, watched, names, torch.tensor(first))
    return of_cells + _ATTENTION * of_attention, {"pointed": pointed, "attended": attended}


def _of_cells(logits: Tensor, cells: Tensor) -> tuple[Tensor, float]:
    loss = _BCE * functional.binary_cross_entropy_with_logits(logits, cells.expand_as(logits))
    there = cells.sum(1) > 0
    if not there.any():
        return loss, 0.0
    shares, true = logits.sigmoid()[:, there], cells[there]
    dice = 1 - (2 * (shares * true).sum(2) + 1) / (shares.sum(2) + true.sum(1) + 1)
    return loss + dice.mean(), overlap_of(logits[1], cells)


@torch.no_grad()
def overlap_of(logits: Tensor, cells: Tensor) -> float:
    """The mean IoU of what is told of cells, by logits (S, n), and those that are covered by half or more, where any is."""
    made, due = logits > 0, cells > 0.5
    iou = ((made & due).sum(1) / (made | due).sum(1).clamp(min=1))[due.any(1)]
    return float(iou.mean()) if len(iou) else 0.0


def _of_attention(backbone: Backbone, watched: Watched, names: Names, first: Tensor) -> tuple[Tensor, float]:
    """Kullback-Leibler divergence of attention among patches from the shares that show what is named, a name, layer and head.

    `first` int64 (N,): the first token of each photograph.
    """
    there = names.cells.sum(1) > 0
    if not there.any():
        return names.cells.new_zeros(()), 0.0
    row, token, cells = names.row[there], names.token[there], names.cells[there]
    wanted = cells / cells.sum(1, keepdim=True)
    entropy = -torch.xlogy(wanted, wanted).sum(1).mean()
    patches = first[:, None] + torch.arange(CELLS**2)
    total, hits = cells.new_zeros(()), 0.0
    for number in LAYERS:
        queries, keys = _turned(backbone.decoder.layers[number].self_attn, watched, number)
        for place in HEADS:
            of_patches = keys[:, :, place].gather(1, patches[..., None].expand(-1, -1, keys.shape[-1]))
            logits = torch.einsum("sd,spd->sp", queries[row, token, place], of_patches[row]) * keys.shape[-1] ** -0.5
            total = total - (wanted * logits.log_softmax(1)).sum(1).mean() - entropy
            hits += float((cells.gather(1, logits.argmax(1, keepdim=True)) > _SHOWS).float().mean())
    looks = len(LAYERS) * len(HEADS)
    return total / looks, hits / looks


def _turned(attention: Any, watched: Watched, number: int) -> tuple[Tensor, Tensor]:
    """Queries and keys (N, T, heads, width) as a layer's attention compares them: rotated by their places (Su et al. 2021)."""
    states, (cosines, sines) = watched.states[number], watched.rotations[number]
    shape = (*states.shape[:2], -1, attention.head_dim)
    found = []
    for projection in (attention.q_proj, attention.k_proj):
        one = projection(states).view(shape)
        left, right = one.chunk(2, -1)
        found.append(one * cosines[:, :, None] + torch.cat([-right, left], -1) * sines[:, :, None])
    return found[0], found[1]
