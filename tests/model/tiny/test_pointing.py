"""Where names point: the cells of what they name, and attention that is the language model's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.plum.backbone import Backbone
from model.tiny import captions, language, parts, pointing, scenes
from model.tiny.language import Heard
from model.tiny.pointing import PointingHead, Watched
from model.tiny.regions import RegionHead


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    torch.manual_seed(5)
    processor = parts.processor(5)
    return Backbone(parts.language_model(processor.tokenizer), processor)


def heard(backbone: Backbone, count: int = 3) -> tuple[Heard, Watched]:
    drawn = [scenes.draw(5, number, ("shared", "fresh")[number % 2]) for number in range(count)]
    said = [captions.captions(one, 5, number, 6) for number, one in enumerate(drawn)]
    with pointing.watching(backbone) as watched:
        return language.hear(backbone, RegionHead(backbone.hidden, language.SIDE), drawn, said), watched


def test_cells_are_the_shares_that_a_mask_covers() -> None:
    mask = np.zeros((24, 48), bool)
    mask[:4, :6] = True
    mask[3, 47] = True
    (cells,) = pointing.cells_of([mask]).view(1, pointing.CELLS, pointing.CELLS)
    assert cells[0, 0] == 1.0  # three rows of the four, six columns
    assert cells[1, 0] == pytest.approx(1 / 3)
    assert cells[1, -1] == pytest.approx(1 / 18)
    assert float(cells.sum()) == pytest.approx(mask.sum() / 18)


def test_names_are_those_of_questions_and_answers(backbone: Backbone) -> None:
    found, _ = heard(backbone)
    names = pointing.names_of(found)
    spelled = []
    for row, talk in enumerate(found.conversations):
        for first, last, mask in (*talk.asked, *talk.named):
            spelled.append((row, last, bool(mask.any())))
            assert backbone.renderer.tokenizer.decode(talk.ids[first : last + 1]).strip().islower()
    shows = (names.cells.sum(1) > 0).tolist()
    assert spelled == list(zip(names.row.tolist(), names.token.tolist(), shows, strict=True))
    assert {one for _, _, one in spelled} == {True, False}


@torch.no_grad()
def test_attention_is_what_the_language_model_attends_with(backbone: Backbone) -> None:
    """Against the library's own weights of attention, among the photograph's patches."""
    found, watched = heard(backbone)
    kept: dict[int, torch.Tensor] = {}
    handles = []
    for number in pointing.LAYERS:
        attention = backbone.decoder.layers[number].self_attn
        handles.append(attention.register_forward_hook(lambda _, __, out, n=number: kept.__setitem__(n, out[1])))
    before = backbone.plain.config._attn_implementation
    backbone.plain.set_attn_implementation("eager")
    heard(backbone)
    backbone.plain.set_attn_implementation(before)
    for handle in handles:
        handle.remove()
    row, token = pointing.names_of(found).row, pointing.names_of(found).token
    first = found.conversations[0].ids.index(backbone.image_token_id)
    patches = slice(first, first + pointing.CELLS**2)
    for number in pointing.LAYERS:
        queries, keys = pointing._turned(backbone.decoder.layers[number].self_attn, watched, number)
        scores = torch.einsum("shd,sphd->shp", queries[row, token], keys[row][:, patches]) * keys.shape[-1] ** -0.5
        due = kept[number][row, :, token, patches]
        assert torch.allclose(scores.softmax(-1), due / due.sum(-1, keepdim=True), atol=1e-5)


def test_it_learns_to_point_and_to_attend(backbone: Backbone) -> None:
    head = PointingHead(backbone.hidden)
    optimiser = torch.optim.AdamW([*backbone.parameters(), *head.parameters()], 2e-3)

    def step() -> tuple[float, dict[str, float]]:
        loss, measured = pointing.loss_of(backbone, head, *heard(backbone, 2))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return float(loss.detach()), measured

    taken = [step() for _ in range(12)]
    assert taken[-1][0] < 0.8 * taken[0][0]
    assert taken[-1][1]["attended"] > taken[0][1]["attended"]


def test_where_nothing_shows_there_is_no_attention_to_learn(backbone: Backbone) -> None:
    found, watched = heard(backbone, 1)
    nothing = [(first, last, np.zeros_like(mask)) for first, last, mask in found.conversations[0].asked]
    bare = replace(found, conversations=(replace(found.conversations[0], named=(), asked=tuple(nothing)),))
    loss, measured = pointing.loss_of(backbone, PointingHead(backbone.hidden), bare, watched)
    assert measured == {"pointed": 0.0, "attended": 0.0}
    assert 0 < float(loss.detach()) < 4
