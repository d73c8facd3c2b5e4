"""The language model learns captions: the photograph and a question in, the answer's tokens out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from model.plum import losses
from model.plum.backbone import Backbone
from model.tiny import regions
from model.tiny.captions import Caption
from model.tiny.regions import RegionHead
from model.tiny.scenes import Drawn


def loss_of(
    backbone: Backbone, head: RegionHead, drawn: Sequence[Drawn], said: Sequence[Sequence[Caption]], seed: int
) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy a token of the captions of scenes of a seed's world, and of the parts in the photographs' cells.

    Beside it the share of tokens that the model would have said itself, and of cells whose part it tells.
    """
    pictures = [backbone.picture(one.image) for one in drawn]
    features = backbone.features(pictures)
    of = [number for number, captions in enumerate(said) for _ in captions]
    rendered = [
        backbone.renderer.answered(
            backbone.renderer.prompt(pictures[number].replacement, caption.question), caption.answer
        )
        for number, captions in enumerate(said)
        for caption in captions
    ]
    texts = backbone.texts([one.ids for one in rendered], [pictures[number] for number in of])
    states = backbone.states(texts, [features[number] for number in of])
    places = torch.arange(texts.ids.shape[1] - 1)
    starts = torch.tensor([[one.n_prompt - 1] for one in rendered])
    ends = torch.tensor([[len(one.ids) - 1] for one in rendered])
    told = (places >= starts) & (places < ends)
    logits = backbone.logits(states[:, :-1][told])
    targets = texts.ids[:, 1:][told]
    right = float((logits.argmax(-1) == targets).float().mean())
    maps = torch.stack(features)
    grid = math.isqrt(maps.shape[1])
    where, cells = regions.loss_of(head(maps.view(len(maps), grid, grid, -1)), regions.labels_of(drawn, seed))
    return losses.language(logits, targets) / len(targets) + where, {"tokens": right, "regions": cells}
