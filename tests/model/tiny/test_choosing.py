"""Lists to choose from: one is right, all others are wrong by a part or two, and the model learns which."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.plum.backbone import Backbone
from model.tiny import captions, choosing, language, parts, scenes
from model.tiny.regions import RegionHead


def named(answer: str) -> list[str]:
    """The parts that a list names, in its order."""
    listed = answer.removeprefix("It shows ").removeprefix("Seen: ").removesuffix(".").replace(" and ", ", ")
    return [one.removeprefix("the ") for one in listed.split(", ")]


@pytest.mark.parametrize("kind", ["shared", "fresh"])
def test_the_first_list_is_what_shows_and_the_others_are_not(kind: str) -> None:
    sizes = set()
    for number in range(24):
        drawn = scenes.draw(7, number, kind)
        found = choosing.lists(drawn, 7, number)
        subject = drawn.objects[0]
        shown = [part.name for part in subject.parts]
        if found is None:
            assert not shown
            continue
        first, *others = map(named, found.answers)
        assert first == shown
        assert subject.category in found.question
        assert len(set(found.answers)) == len(found.answers) <= choosing.LISTS
        for one in others:
            assert one == sorted(one) != first
            assert set(one) - set(first) <= {*subject.lacking, *subject.foreign}
            assert len(set(one) - set(first)) <= 1
            assert len(set(first) - set(one)) <= 1
            sizes.add(len(one) - len(first))
        assert choosing.lists(drawn, 7, number) == found
    assert sizes == {-1, 0, 1}


def test_where_nothing_shows_there_is_nothing_to_choose() -> None:
    drawn = scenes.draw(7, 0, "fresh")
    bare = replace(drawn, objects=(replace(drawn.objects[0], parts=()),))
    assert choosing.lists(bare, 7, 0) is None


def test_the_right_list_becomes_the_likeliest() -> None:
    torch.manual_seed(5)
    processor = parts.processor(5)
    backbone = Backbone(parts.language_model(processor.tokenizer), processor)
    head = RegionHead(backbone.hidden, language.SIDE)
    drawn = [scenes.draw(5, number, "fresh") for number in range(2)]
    said = [captions.captions(one, 5, number, 2) for number, one in enumerate(drawn)]
    given = [choosing.lists(one, 5, number) for number, one in enumerate(drawn)]
    optimiser = torch.optim.AdamW(backbone.parameters(), 1e-3)

    def step() -> tuple[float, float]:
        loss, right = choosing.loss_of(backbone, language.hear(backbone, head, drawn, said), [*given[:1], None])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return float(loss.detach()), right

    losses = [step() for _ in range(32)]
    assert losses[-1][0] < 0.5 < losses[0][0]
    assert losses[-1][1] == 1.0
    with torch.no_grad():
        loss, right = choosing.loss_of(backbone, language.hear(backbone, head, drawn, said), [None, None])
    assert (float(loss), right) == (0.0, 0.0)
