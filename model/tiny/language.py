"""The language model learns captions: the photograph and a question in, the answer's tokens out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from model.plum import losses
from model.plum.backbone import Backbone, Picture
from model.plum.rendering import Turn
from model.tiny import regions
from model.tiny.captions import Caption
from model.tiny.regions import RegionHead
from model.tiny.scenes import Drawn

#: Cells of the second task in each patch, on a side.
SIDE = 3


def loss_of(
    backbone: Backbone, head: RegionHead, drawn: Sequence[Drawn], said: Sequence[Sequence[Caption]]
) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy a token of the captions of scenes, each scene's in one conversation, and of what its cells show.

    Beside it the share of tokens that the model would have said itself, and of cells whose outline it tells.
    """
    pictures = [backbone.picture(one.image) for one in drawn]
    features = backbone.features(pictures)
    rows, told = zip(
        *(conversation(backbone, one, talk) for one, talk in zip(pictures, said, strict=True)), strict=True
    )
    texts = backbone.texts(rows, pictures)
    states = backbone.states(texts, features)
    places = torch.zeros(texts.ids.shape, dtype=torch.bool)
    for number, spans in enumerate(told):
        for first, last in spans:
            # A state says the token after it.
            places[number, first - 1 : last - 1] = True
    logits = backbone.logits(states[places])
    targets = texts.ids[:, 1:][places[:, :-1]]
    right = float((logits.argmax(-1) == targets).float().mean())
    maps = torch.stack(features)
    grid = math.isqrt(maps.shape[1])
    where, cells = regions.loss_of(head(maps.view(len(maps), grid, grid, -1)), regions.of(drawn, grid * SIDE))
    return losses.language(logits, targets) / len(targets) + where, {"tokens": right, "regions": cells}


def conversation(
    backbone: Backbone, picture: Picture, talk: Sequence[Caption]
) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """Token ids of a scene's captions one after the other, and for each answer its [first, last) token, its end included."""
    turns: list[Turn] = []
    spans = []
    ids: tuple[int, ...] = ()
    for caption in talk:
        rendered = backbone.renderer.answered(
            backbone.renderer.prompt(picture.replacement, caption.question, turns), caption.answer
        )
        ids = rendered.ids
        spans.append((rendered.n_prompt, len(ids)))
        turns.append(Turn(caption.question, caption.answer))
    return ids, spans
