"""Tiny whole models of each family, and batches for them with masks drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from model.plum import bio, pictures, saving
from model.plum.batch import Batch, Choices, padded_tags, spans_of
from model.plum.config import PlumConfig
from model.plum.losses import LossConfig
from model.plum.mask_feedback import FeedbackConfig
from model.plum.model import Plum
from model.plum.span_extractor import SpanExtractorConfig
from tests.model.plum.sam_weights import photograph, stir

#: Two shapes: Qwen gives them 6 and 8 tokens, Idefics 5 and 3 crops.
PHOTOGRAPHS = [Image.fromarray(photograph(60, 40)), Image.fromarray(photograph(30, 90, seed=1))]
QUESTION = "Which visible parts does the bicycle have?"
#: The feed-forward of the extractor and the heads of the feedback are small, to be fast.
SMALL: dict[str, Any] = {"spans": SpanExtractorConfig(heads=4, feed_forward=32), "feedback": FeedbackConfig(heads=4)}


def settings_of(folder: Path, **settings: Any) -> PlumConfig:
    """Settings of a tiny model on the backbone of a folder."""
    losses = LossConfig(kl=0.0) if settings.get("marking") == "seg_token" else LossConfig()
    return PlumConfig(**{"backbone": str(folder), "sam": "random", "losses": losses, **SMALL, **settings})


def fresh(folder: Path, **settings: Any) -> Plum:
    """A tiny model as it is before any training, the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return saving.build(settings_of(folder, **settings)).eval()


def trained(folder: Path, **settings: Any) -> Plum:
    """A tiny model in which all that trains has moved, so that nothing of it may be left out."""
    plum = fresh(folder, **settings)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in plum.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.1)
    stir(plum.segmenter.sam.mask_decoder, 2, 0.1)
    return plum


@dataclass(frozen=True)
class Told:
    """An answer about one of the photographs, the parts that it names as they stand in it, and what could be chosen instead."""

    photograph: int
    answer: str
    named: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()

    @property
    def choices(self) -> tuple[str, ...]:
        """The right one first."""
        return (self.answer, *self.instead)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The characters of the parts, each looked for after the one before it."""
        found, at = [], 0
        for part in self.named:
            start = self.answer.index(part, at)
            at = start + len(part)
            found.append((start, at))
        return found


#: Answers with two spans, none, one and three, about two photographs.
TOLD = (
    Told(0, "It has a front wheel, and a tail.", ("front wheel", "tail"), ("It has a wing.",)),
    Told(1, "It has none of these.", (), ("A mug.", "The handle bar of the bicycle")),
    Told(1, "A saddle", ("saddle",), ("Two pedals and a saddle",)),
    Told(0, "The legs, the left foot and the wing are visible.", ("legs", "left foot", "wing"), ("Foot",)),
)


def batch_of(plum: Plum, told: Sequence[Told] = TOLD, *, choices: bool = False) -> Batch:
    """A batch of answers with random true masks, which depend on the photograph and the phrase only."""
    backbone, renderer = plum.backbone, plum.backbone.renderer
    used = sorted({one.photograph for one in told})
    seen = {number: backbone.picture(PHOTOGRAPHS[number]) for number in used}
    pixels, placements = pictures.prepare_all([PHOTOGRAPHS[number] for number in used], plum.sam_config)
    at = dict(zip(used, placements, strict=True))
    prompts = [renderer.prompt(seen[one.photograph].replacement, QUESTION) for one in told]
    rendered = [renderer.answered(prompt, one.answer) for prompt, one in zip(prompts, told, strict=True)]
    spans = [bio.tokens_of(one.answer, text.offsets, one.spans) for one, text in zip(told, rendered, strict=True)]
    parts = [(one.photograph, part) for one in told for part in one.named]
    masks = [photograph(at[n].height, at[n].width, seed=sum(map(ord, part)) + n)[..., 0] > 150 for n, part in parts]
    size = plum.sam_config.mask_size
    visible = [photograph(one.height, one.width)[..., 0] >= 0 for one in placements]
    batch = Batch(
        ids=tuple(str(number) for number in range(len(told))),
        pictures=tuple(seen.values()),
        pixels=pixels,
        picture_of=torch.tensor([used.index(one.photograph) for one in told]),
        rendered=tuple(rendered),
        spans=spans_of(spans),
        tags=padded_tags(rendered, spans),
        targets=pictures.targets_of(masks, [at[n] for n, _ in parts], size).coverage,
        valid=pictures.targets_of(visible, placements, size).valid,
    )
    return replace(batch, choices=_choices(plum, prompts, told)) if choices else batch


def _choices(plum: Plum, prompts: Sequence[Any], told: Sequence[Told]) -> Choices:
    answered = plum.backbone.renderer.answered
    texts = [answered(prompt, text) for prompt, one in zip(prompts, told, strict=True) for text in one.choices]
    of = [number for number, one in enumerate(told) for _ in one.choices]
    return Choices(
        tuple(prompts), tuple(texts), torch.tensor(of), torch.tensor([of.index(n) for n in range(len(told))])
    )


def gradients_of(plum: Plum) -> dict[str, Tensor]:
    """The gradients that there are, by name."""
    return {name: one.grad.clone() for name, one in plum.named_parameters() if one.grad is not None}
