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
from model.tiny.captions import Caption, Named
from model.tiny.regions import RegionHead
from model.tiny.scenes import Drawn

#: Cells of the second task in each patch, on a side.
SIDE = 4


@dataclass(frozen=True)
class Conversation:
    """The captions of a scene, one after the other."""

    ids: tuple[int, ...]
    """Of their tokens, the photograph's among them."""
    answers: tuple[tuple[int, int], ...]
    """[first, last) token of each answer, the one that ends it included."""
    named: tuple[Named, ...]
    """What answers name and the photograph shows: first and last token, and the mask (h, w)."""
    asked: tuple[Named, ...]
    """What questions name, in the same way; the mask of what doesn't show is empty."""


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


def conversation(backbone: Backbone, picture: Picture, talk: Sequence[Caption]) -> Conversation:
    """A scene's captions as tokens."""
    turns: list[Turn] = []
    answers = []
    named: list[Named] = []
    asked: list[Named] = []
    ids: tuple[int, ...] = ()
    for caption in talk:
        prompt = backbone.renderer.prompt(picture.replacement, caption.question, turns)
        rendered = backbone.renderer.answered(prompt, caption.answer)
        ids = rendered.ids
        answers.append((rendered.n_prompt, len(ids)))
        named += _tokens(caption.answer, caption.named, rendered.offsets, rendered.n_prompt)
        begins = prompt.text.rindex(caption.question)
        offsets = np.clip(backbone.renderer.offsets(prompt) - begins, 0, len(caption.question))
        asked += _tokens(caption.question, caption.asked, offsets, 0)
        turns.append(Turn(caption.question, caption.answer))
    return Conversation(ids, tuple(answers), tuple(named), tuple(asked))


def _tokens(text: str, names: Sequence[Named], offsets: NDArray[np.int64], first: int) -> list[Named]:
    """Names in a text, by its tokens: `first` is the number of the first of those that `offsets` (T, 2) are of."""
    spans = bio.tokens_of(text, offsets, [(start, end) for start, end, _ in names])
    return [(first + span.first, first + span.last, mask) for span, (_, _, mask) in zip(spans, names, strict=True)]
