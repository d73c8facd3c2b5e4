"""How far a fine-tuned language model has moved from what it was: KL and perplexity on text that it didn't train on.

Models that are taught to segment by new tokens are known to lose some of their language. So both are measured in the
same passages: the mean KL divergence a token of what the model says now from what it said before, and the perplexity of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from model.evaluation.ablation.config import DriftConfig
from model.plum.backbone import Backbone, Picture
from model.plum.errors import ModelError
from model.tiny import captions, language, scenes
from model.tiny.job import TinyConfig

#: Tokens of a passage that are read at once; longer ones are cut into several.
_LONGEST: Final = 512
#: Scenes from this number on come in no pre-training.
_UNSEEN: Final = 1 << 60
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Passage:
    """Token ids, and which of them count."""

    ids: tuple[int, ...]
    told: tuple[tuple[int, int], ...]
    """Tokens [first, last)."""
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """Of a model from what it was."""

    kl: float
    """Nats a token: of what it said before, relative to what it says now."""
    before: float
    """Perplexity."""
    after: float
    tokens: int


def passages(backbone: Backbone, config: DriftConfig) -> list[Passage]:
    """The passages, tokenized as the backbone does. Raises ModelError for a file that can't be read or has none."""
    return _of_file(backbone, config) if config.texts else _of_scenes(backbone, config.passages)


@torch.no_grad()
def measure(before: Backbone, after: Backbone, wanted: Sequence[Passage]) -> Drift:
    """Both read the same passages. Tokens that only one of them knows (`[SEG]`) are left out of what it might say."""
    kl = first = second = 0.0
    tokens = 0
    for some in _batches(wanted):
        old, targets = _told(before, some)
        new, _ = _told(after, some)
        shared = min(old.shape[-1], new.shape[-1])
        old, new = old[:, :shared].log_softmax(-1), new[:, :shared].log_softmax(-1)
        kl += float((old.exp() * (old - new)).sum())
        first -= float(old.gather(1, targets[:, None]).sum())
        second -= float(new.gather(1, targets[:, None]).sum())
        tokens += len(targets)
    return Drift(kl / tokens, math.exp(first / tokens), math.exp(second / tokens), tokens)


def _told(backbone: Backbone, some: Sequence[Passage]) -> tuple[Tensor, Tensor]:
    """Float32 logits (T, vocabulary) of the tokens that count, and their ids (T,)."""
    pictures = [one.picture for one in some if one.picture is not None]
    features = backbone.features(pictures) if pictures else []
    texts = backbone.texts([one.ids for one in some], pictures)
    states = backbone.states(texts, features)
    places = torch.zeros(texts.ids.shape, dtype=torch.bool, device=texts.ids.device)
    for number, one in enumerate(some):
        for begin, end in one.told:
            # A state says the token after it.
            places[number, begin - 1 : end - 1] = True
    return backbone.logits(states[places]), texts.ids[:, 1:][places[:, :-1]]


def _batches(wanted: Sequence[Passage]) -> Iterator[list[Passage]]:
    ordered = sorted(wanted, key=lambda one: len(one.ids))
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]


def _of_file(backbone: Backbone, config: DriftConfig) -> list[Passage]:
    path = Path(config.texts)
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"it can't be read as text: {error}", where=str(path), mend="Name a UTF-8 file") from error
    longest = min(_LONGEST, backbone.longest)
    found = []
    for text in (one.strip() for one in content.split("\n\n")):
        ids = backbone.renderer.tokenizer(text)["input_ids"]
        for start in range(0, len(ids), longest):
            piece = tuple(ids[start : start + longest])
            if len(piece) > 1:
                found.append(Passage(piece, ((1, len(piece)),)))
    if not found:
        raise ModelError("it holds no text", where=str(path), mend="Write passages, apart by blank lines")
    return found[: config.passages]


def _of_scenes(backbone: Backbone, count: int) -> list[Passage]:
    found = []
    seed = TinyConfig().seed
    for number in range(_UNSEEN, _UNSEEN + count):
        drawn = scenes.draw(seed, number, "shared" if number % 2 else "fresh")
        picture = backbone.picture(drawn.image)
        talk = language.conversation(backbone, picture, captions.captions(drawn, seed, number, 5))
        found.append(Passage(talk.ids, talk.answers, picture))
    return found
