"""Patches that learn to say what they show: the loss of fine-tuning, on captions."""

from __future__ import annotations

import pytest
import torch

from model.plum import patches
from model.plum.backbone import Backbone
from model.plum.queries import normalized
from model.tiny import captions, language, parts, scenes, speaking
from model.tiny.language import Heard
from model.tiny.pointing import cells_of
from model.tiny.regions import RegionHead


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    torch.manual_seed(5)
    processor = parts.processor(5)
    return Backbone(parts.language_model(processor.tokenizer), processor)


@pytest.fixture(scope="module")
def heard(backbone: Backbone) -> Heard:
    drawn = [scenes.draw(5, number, ("shared", "fresh")[number]) for number in range(2)]
    said = [captions.captions(one, 5, number, 6) for number, one in enumerate(drawn)]
    return language.hear(backbone, RegionHead(backbone.hidden, language.SIDE), drawn, said)


@torch.no_grad()
def test_the_loss_is_the_mean_over_names_in_questions_and_answers(backbone: Backbone, heard: Heard) -> None:
    embeddings = backbone.plain.get_input_embeddings()
    each = []
    for row, talk in enumerate(heard.conversations):
        for first, last, mask in (*talk.asked, *talk.named):
            name = normalized(embeddings(torch.tensor(talk.ids[first : last + 1]))).mean(0)
            logits = patches.logits_of(heard.features[row][None], name[None])
            each.append(float(patches.loss_of(logits, cells_of([mask]))))
    found, overlap = speaking.loss_of(backbone, heard)
    assert float(found) == pytest.approx(sum(each) / len(each), rel=1e-4)
    assert 0 <= overlap <= 1


def test_it_teaches_the_tower_and_the_embeddings(backbone: Backbone, heard: Heard) -> None:
    backbone.zero_grad()
    speaking.loss_of(backbone, heard)[0].backward(retain_graph=True)
    reached = {name for name, one in backbone.plain.named_parameters() if one.grad is not None and one.grad.any()}
    assert any("vision_tower" in name for name in reached)
    assert any("embed_tokens" in name for name in reached)
    assert not any("layers." in name and "language_model" in name for name in reached)
