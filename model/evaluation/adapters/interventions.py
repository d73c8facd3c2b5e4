"""What is changed of a model as it answers. Its weights stay; what it can rest on is taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, cast

import torch
from PIL import Image
from torch import Tensor, nn

from model.evaluation.adapters.plum import PlumModel
from model.evaluation.asking import Asked, Chosen, Model, Said
from model.plum.errors import ModelError
from model.plum.mask_feedback import MaskFeedback
from model.plum.model import Plum

_GREY: Final = (124, 116, 104)


def applied(name: str, plum: Plum, kind: str, longest: int) -> Model:
    """A trained model with that done to it, named `name`. Raises ModelError where it has nothing of what is changed."""
    if kind.startswith("feedback"):
        if plum.feedback is None:
            raise ModelError("it has no mask feedback that could be changed", where=name)
        plum.feedback = None if kind == "feedback-off" else cast(MaskFeedback, Shuffled(plum.feedback))
    if kind == "likelihood-alone":
        if not plum.config.grounding:
            raise ModelError("it chooses by likelihood alone as it is", where=name)
        plum.config = replace(plum.config, grounding=0.0)
    if kind == "half-cut":
        if plum.config.cut == "half":
            raise ModelError("its masks are cut at one half as it is", where=name)
        plum.config = replace(plum.config, cut="half")
    model = PlumModel(name, plum, longest)
    return Blank(model) if kind == "blank-image" else model


class Blank:
    """A model that sees a grey picture, of the photograph's size, in the place of each photograph."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.name = model.name

    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        """As the model does."""
        return self._model.choose(_blank(asked))

    def segment(
        self, asked: Sequence[Asked], answers: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]
    ) -> list[Said | None]:
        """As the model does."""
        return self._model.segment(_blank(asked), answers, spans)

    def tag(self, asked: Sequence[Asked], answers: Sequence[str]) -> list[tuple[tuple[int, int], ...] | None]:
        """As the model does."""
        return self._model.tag(_blank(asked), answers)

    def say(self, asked: Sequence[Asked]) -> list[Said | None]:
        """As the model does."""
        return self._model.say(_blank(asked))


class Shuffled(nn.Module):
    """Mask feedback whose maps of earlier masks are scrambled: as much to be seen in them, but not where.

    The positions are exchanged by a draw that is the same for all masks, so that answers don't depend on what they are
    asked together with.
    """

    def __init__(self, feedback: MaskFeedback, seed: int = 0) -> None:
        super().__init__()
        self.plain = feedback
        generator = torch.Generator().manual_seed(seed)
        self.order = torch.randperm(feedback.grid[0] * feedback.grid[1], generator=generator)

    def encode(self, logits: Tensor, queries: Tensor) -> Tensor:
        """The maps (M, C, h, w), scrambled."""
        maps = self.plain.encode(logits, queries)
        return maps.flatten(2)[:, :, self.order.to(maps.device)].view_as(maps)

    def pool(self, maps: Tensor, valid: Tensor, positions: Tensor, no_mask: Tensor) -> Tensor:
        """As the feedback does."""
        return self.plain.pool(maps, valid, positions, no_mask)


def _blank(asked: Sequence[Asked]) -> list[Asked]:
    return [replace(one, image=Image.new("RGB", one.image.size, _GREY)) for one in asked]
