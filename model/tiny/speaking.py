"""Patches learn to say what they show, as fine-tuning goes on to teach them: see `model.plum.patches`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from model.plum import patches
from model.plum.backbone import Backbone
from model.plum.queries import mean_of_spans, normalized
from model.tiny.language import Heard
from model.tiny.pointing import cells_of, overlap_of


def loss_of(backbone: Backbone, heard: Heard) -> tuple[Tensor, float]:
    """The loss of the names in questions and answers, a name; how well the patches that say one overlap those that show it."""
    every = [(row, *one) for row, talk in enumerate(heard.conversations) for one in (*talk.asked, *talk.named)]
    row, first, last = torch.tensor([one[:3] for one in every]).unbind(1)
    ids = pad_sequence([torch.tensor(talk.ids) for talk in heard.conversations], batch_first=True)
    names = mean_of_spans(normalized(backbone.plain.get_input_embeddings()(ids)), row, first, last)
    cells = cells_of([mask for *_, mask in every])
    logits = patches.logits_of(torch.stack(heard.features)[row], names)
    return patches.loss_of(logits, cells).mean(), overlap_of(logits, cells)
