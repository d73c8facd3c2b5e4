"""The language model learns captions: the photograph and a question in, the answer's tokens out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.plum import bio, losses
from model.plum.backbone import Backbone, Picture
from model.plum.rendering import Turn
from model.tiny import regions
from model.tiny.captions import Caption
from model.tiny.regions import RegionHead
from model.tiny.scenes import Drawn

#: Cells of the second task in each patch, on a side.
SIDE = 3


@dataclass(frozen=True)
class Conversation:
    """The captions of a scene, one after the other."""

    ids: tuple[int, ...]
    """Of their tokens, the photograph's among them."""
    answers: tuple[tuple[int, int], ...]
    """[first, last) token of each answer, the one that ends it included."""
    named: tuple[tuple[int, int, NDArray[np.bool_]], ...]
    """What answers name and the photograph shows: first and last token, and the mask (h, w)."""


@dataclass(frozen=True)
class Heard:
    """What came of a language model's reading of conversations."""

    loss: Tensor
    """Cross-entropy a token of their answers, and of what the cells of the photographs show."""
    measured: dict[str, float]
    """Shares of tokens that the model would have said itself, and of cells whose outline it tells."""
    states: Tensor
    """(N, T, hidden)."""
    conversations: tuple[Conversation, ...]
    pictures: tuple[Picture, ...]
    features: list[Tensor]
    """Of the photographs' patches."""


def hear(backbone: Backbone, head: RegionHead, drawn: Sequence[Drawn], said: Sequence[Sequence[Caption]]) -> Heard:
    """Reads the captions of scenes, each scene's in one conversation."""
    pictures = [backbone.picture(one.image) for one in drawn]
    features = backbone.features(pictures)
    talks = [conversation(backbone, one, talk) for one, talk in zip(pictures, said, strict=True)]
    texts = backbone.texts([talk.ids for talk in talks], pictures)
    states = backbone.states(texts, features)
    places = torch.zeros(texts.ids.shape, dtype=torch.bool)
    for number, talk in enumerate(talks):
        for first, last in talk.answers:
            # A state says the token after it.
            places[number, first - 1 : last - 1] = True
    logits = backbone.logits(states[places])
    targets = texts.ids[:, 1:][places[:, :-1]]
    right = float((logits.argmax(-1) == targets).float().mean())
    maps = torch.stack(features)
    grid = math.isqrt(maps.shape[1])
    where, cells = regions.loss_of(head(maps.view(len(maps), grid, grid, -1)), regions.of(drawn, grid * SIDE))
    loss = losses.language(logits, targets) / len(targets) + where
    return Heard(loss, {"tokens": right, "regions": cells}, states, tuple(talks), tuple(pictures), features)


def loss_of(
    backbone: Backbone, head: RegionHead, drawn: Sequence[Drawn], said: Sequence[Sequence[Caption]]
) -> tuple[Tensor, dict[str, float]]:
    """The loss of captions and of what cells show, and what is measured."""
    heard = hear(backbone, head, drawn, said)
    return heard.loss, heard.measured


def conversation(backbone: Backbone, picture: Picture, talk: Sequence[Caption]) -> Conversation:
    """A scene's captions as tokens."""
    turns: list[Turn] = []
    answers = []
    named = []
    ids: tuple[int, ...] = ()
    for caption in talk:
        rendered = backbone.renderer.answered(
            backbone.renderer.prompt(picture.replacement, caption.question, turns), caption.answer
        )
        ids = rendered.ids
        answers.append((rendered.n_prompt, len(ids)))
        spans = bio.tokens_of(caption.answer, rendered.offsets, [(start, end) for start, end, _ in caption.named])
        for span, (_, _, mask) in zip(spans, caption.named, strict=True):
            named.append((rendered.n_prompt + span.first, rendered.n_prompt + span.last, mask))
        turns.append(Turn(caption.question, caption.answer))
    return Conversation(ids, tuple(answers), tuple(named))
