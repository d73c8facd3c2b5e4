"""Answers in a model's own words: the likeliest token each time, all answers at once.

One token is never written: the one that stands for a piece of a photograph. It has no text, and what was said could not be read
again. Models that have learned little do find it likely, as it is the most frequent one of all that they have read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.plum import scoring
from model.plum.backbone import Backbone, Texts
from model.plum.reading import Shown
from model.plum.rendering import Prompt


@dataclass(frozen=True)
class Written:
    """What a model wrote."""

    ids: list[int]
    """Without the token that ends a turn."""
    states: Tensor
    """(tokens, hidden): of each, once it was read."""
    finished: bool
    """Whether the model ended it itself, or it was cut off."""


@torch.no_grad()
def write(backbone: Backbone, prompts: Sequence[Prompt], shown: Shown, longest: int) -> list[Written]:
    """Answers to prompts, each about one of the photographs that are `shown`, of at most `longest` tokens."""
    prefix = scoring.read_prompts(backbone, prompts, shown)
    latest, cache, seen = prefix.last(), prefix.cache, prefix.seen
    positions = backbone.after(prefix.texts, longest)
    going = torch.ones(len(prompts), dtype=torch.bool, device=backbone.device)
    ids: list[Tensor] = []
    states: list[Tensor] = []
    for step in range(longest):
        logits = backbone.logits(latest)
        logits[:, backbone.image_token_id] = -torch.inf
        token = logits.argmax(-1)
        going = going & (token != backbone.renderer.end_id)
        if not going.any():
            break
        further = Texts(token[:, None], going[:, None], positions[..., step : step + 1])
        latest = backbone.states(further, [], cache=cache, seen=seen)[:, 0]
        seen = torch.cat([seen, going[:, None]], 1)
        ids.append(token.masked_fill(~going, -1))
        states.append(latest)
    if not ids:
        return [Written([], latest[:0], not one) for one in going.tolist()]
    found = []
    for row, of_row, cut in zip(torch.stack(ids, 1).tolist(), torch.stack(states, 1), going.tolist(), strict=True):
        own = [token for token in row if token >= 0]
        found.append(Written(own, of_row[: len(own)], not cut))
    return found
