"""Patches learn to say what they show, as fine-tuning goes on to teach them: see `model.plum.patches`."""

from __future__ import annotations

import torch
from torch import Tensor

from model.plum import patches
from model.plum.backbone import Backbone
from model.plum.queries import normalized
from model.tiny.language import Heard
from model.tiny.pointing import cells_of


def loss_of(backbone: Backbone, heard: Heard) -> tuple[Tensor, float]:
    """The loss of the names in questions and answers, a name; how well the patches that say one overlap those that show it."""
    every = [(row, *one) for row, talk in enumerate(heard.conversations) for one in (*talk.asked, *talk.named)]
    embeddings = backbone.plain.get_input_embeddings()
    ids = [torch.tensor(heard.conversations[row].ids[first : last + 1]) for row, first, last, _ in every]
    of = torch.repeat_interleave(torch.arange(len(ids)), torch.tensor([len(one) for one in ids]))
    each = normalized(embeddings(torch.cat(ids)))
    names = each.new_zeros(len(ids), each.shape[1]).index_add(0, of, each) / of.bincount()[:, None]
    cells = cells_of([mask for *_, mask in every])
    logits = patches.logits_of(torch.stack(heard.features)[[row for row, *_ in every]], names)
    with torch.no_grad():
        made, due = logits > 0, cells > 0.5
        iou = ((made & due).sum(1) / (made | due).sum(1).clamp(min=1))[due.any(1)]
    return patches.loss_of(logits, cells).mean(), float(iou.mean()) if len(iou) else 0.0
