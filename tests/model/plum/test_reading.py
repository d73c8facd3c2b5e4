"""Texts about one photograph share its reading: the same states and gradients as when each is read whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from model.plum import reading
from model.plum.backbone import Backbone, Picture, Texts
from model.plum.reading import Shown
from model.plum.rendering import Rendered, Turn
from tests.model.plum.tiny import PHOTOGRAPHS, QUESTION

#: Five answers about two photographs of different shapes, in mixed order; one after an earlier turn.
OF = [0, 1, 0, 0, 1]
ANSWERS = ["It has a saddle, two pedals and a handle bar.", "A tail", "A wing", "None of these.", "The left foot"]
HISTORY = [(), (), (Turn("What is it?", "It is a bicycle."),), (), ()]


@pytest.fixture
def asked(backbone: Backbone) -> tuple[list[Rendered], list[Picture]]:
    seen = [backbone.picture(one) for one in PHOTOGRAPHS]
    prompts = [
        backbone.renderer.prompt(seen[n].replacement, QUESTION, turns) for n, turns in zip(OF, HISTORY, strict=True)
    ]
    return [backbone.renderer.answered(p, text) for p, text in zip(prompts, ANSWERS, strict=True)], seen


def whole(backbone: Backbone, texts: list[Rendered], seen: list[Picture], features: list[Tensor]) -> Tensor:
    found: Tensor = backbone.states(
        backbone.texts([one.ids for one in texts], [seen[n] for n in OF]), [features[n] for n in OF]
    )
    return found


def read(backbone: Backbone, texts: list[Rendered], seen: list[Picture], features: list[Tensor], **more: Any) -> Any:
    until = [one.n_prompt - 1 for one in texts]
    return reading.read(backbone, [one.ids for one in texts], Shown(seen, features, OF), until=until, **more)


def test_states_are_those_of_texts_read_whole(backbone: Backbone, asked: tuple[list[Rendered], list[Picture]]) -> None:
    texts, seen = asked
    with torch.no_grad():
        features = backbone.features(seen)
        wanted, found = whole(backbone, texts, seen, features), read(backbone, texts, seen, features)
    for number, one in enumerate(texts):
        skipped = int(found.skipped[number])
        assert 0 < skipped < one.n_prompt
        own = found.states[number, : len(one.ids) - skipped]
        assert torch.allclose(own, wanted[number, skipped : len(one.ids)], atol=2e-5)
        assert torch.allclose(found.last()[number], wanted[number, len(one.ids) - 1], atol=2e-5)


def test_each_photograph_is_read_once(
    backbone: Backbone, asked: tuple[list[Rendered], list[Picture]], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, seen = asked
    calls: list[Texts] = []
    real = backbone.states

    def counted(given: Texts, *rest: Any, **more: Any) -> Tensor:
        calls.append(given)
        return real(given, *rest, **more)

    monkeypatch.setattr(backbone, "states", counted)
    with torch.no_grad():
        found = read(backbone, texts, seen, backbone.features(seen))
    openings, tails = calls
    assert len(openings.ids) == 2
    assert int(tails.mask.sum()) == sum(len(one.ids) for one in texts) - int(found.skipped.sum())
    assert not (tails.ids[tails.mask] == backbone.image_token_id).any()


def test_gradients_flow_back_to_the_photographs_through_what_is_kept(
    backbone: Backbone, asked: tuple[list[Rendered], list[Picture]]
) -> None:
    texts, seen = asked
    with torch.no_grad():
        known = backbone.features(seen)
    gradients = []
    for shared in (False, True):
        features = [one.clone().requires_grad_() for one in known]
        if shared:
            found = read(backbone, texts, seen, features)
            states, skipped = found.states, found.skipped.tolist()
        else:
            states, skipped = whole(backbone, texts, seen, features), [0] * len(texts)
        total = sum(
            states[n, one.n_prompt - skipped[n] : len(one.ids) - skipped[n]].square().sum()
            for n, one in enumerate(texts)
        )
        gradients.append(torch.autograd.grad(total, features))  # type: ignore[arg-type]
    for mine, theirs in zip(*gradients, strict=True):
        assert mine.abs().max() > 0
        assert torch.allclose(mine, theirs, rtol=1e-3, atol=1e-5 * float(theirs.abs().max()))


def test_what_is_kept_can_be_gone_on_from(backbone: Backbone, asked: tuple[list[Rendered], list[Picture]]) -> None:
    texts, seen = asked
    more = torch.tensor([[5, 6, 7]]).expand(len(texts), -1)
    with torch.no_grad():
        features = backbone.features(seen)
        found = read(backbone, texts, seen, features, keep=True)
        further = Texts(more, torch.ones_like(more, dtype=torch.bool), backbone.after(found.texts, 3))
        states = backbone.states(further, [], cache=found.cache, seen=found.seen)
        rows = [(*one.ids, 5, 6, 7) for one in texts]
        wanted = backbone.states(backbone.texts(rows, [seen[n] for n in OF]), [features[n] for n in OF])
    for number, row in enumerate(rows):
        assert torch.allclose(states[number], wanted[number, len(row) - 3 : len(row)], atol=2e-5)


def test_texts_that_share_nothing_are_read_whole(
    backbone: Backbone, asked: tuple[list[Rendered], list[Picture]]
) -> None:
    texts, seen = asked
    with torch.no_grad():
        features = backbone.features(seen)
        found = reading.read(backbone, [texts[0].ids, texts[1].ids], Shown(seen, features, [0, 1]))
    assert found.skipped.tolist() == [0, 0]
    assert found.cache is None
