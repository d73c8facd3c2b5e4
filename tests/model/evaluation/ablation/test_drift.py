"""KL and perplexity are what their definitions give, passage by passage; a model that didn't move has none of it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from model.evaluation.ablation import drift
from model.evaluation.ablation.config import DriftConfig
from model.evaluation.ablation.drift import Passage
from model.plum.backbone import Backbone
from model.plum.errors import ModelError


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "held_out.txt"
    path.write_text("A wheel turns on its axle.\n\nThe tail is at the back,\nand the head in front.\n\n\n\nx\n")
    return path


def moved(backbone: Backbone) -> Backbone:
    other = copy.deepcopy(backbone)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in other.decoder.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.05)
    return other


@torch.no_grad()
def plainly(before: Backbone, after: Backbone, passages: list[Passage]) -> tuple[float, float, float, int]:
    """One passage at a time, one token at a time, in double precision."""
    kl, first, second, tokens = 0.0, 0.0, 0.0, 0
    for one in passages:
        pictures = [one.picture] if one.picture is not None else []
        said = []
        for backbone in (before, after):
            features = backbone.features(pictures) if pictures else []
            states = backbone.states(backbone.texts([one.ids], pictures), features)
            said.append(backbone.logits(states)[0].double())
        for begin, end in one.told:
            for place in range(begin, end):
                old, new = (torch.softmax(logits[place - 1], 0) for logits in said)
                kl += float(sum(p * math.log(p / q) for p, q in zip(old.tolist(), new.tolist(), strict=True) if p > 0))
                first -= math.log(float(old[one.ids[place]]))
                second -= math.log(float(new[one.ids[place]]))
                tokens += 1
    return kl / tokens, math.exp(first / tokens), math.exp(second / tokens), tokens


def test_a_model_that_stays_as_it_was_has_not_drifted(backbone: Backbone, texts: Path) -> None:
    passages = drift.passages(backbone, DriftConfig(str(texts)))
    found = drift.measure(backbone, backbone, passages)
    assert found.kl == pytest.approx(0, abs=1e-6)
    assert found.before == found.after
    assert found.tokens == sum(len(one.ids) - 1 for one in passages)


def test_text_is_read_as_its_definition_says(backbone: Backbone, texts: Path) -> None:
    other = moved(backbone)
    passages = drift.passages(backbone, DriftConfig(str(texts)))
    found = drift.measure(backbone, other, passages)
    assert (found.kl, found.before, found.after, found.tokens) == pytest.approx(
        plainly(backbone, other, passages), rel=1e-3
    )
    assert found.kl > 0.01


def test_captions_of_drawn_scenes_are_read_with_their_photographs(backbones: Callable[[str], Backbone]) -> None:
    backbone = backbones("llava")
    other = moved(backbone)
    passages = drift.passages(backbone, DriftConfig(passages=3))
    assert len(passages) == 3
    assert all(one.picture is not None and len(one.told) == 5 for one in passages)
    found = drift.measure(backbone, other, passages)
    assert (found.kl, found.before, found.after, found.tokens) == pytest.approx(
        plainly(backbone, other, passages), rel=1e-3
    )


def test_long_text_is_cut_and_none_of_it_lost(backbones: Callable[[str], Backbone], tmp_path: Path) -> None:
    backbone = backbones("llava")
    path = tmp_path / "long.txt"
    path.write_text("the wheel and the tail " * 400)
    passages = drift.passages(backbone, DriftConfig(str(path)))
    whole = backbone.renderer.tokenizer(path.read_text().strip())["input_ids"]
    assert [token for one in passages for token in one.ids] == whole
    assert max(len(one.ids) for one in passages) <= backbone.longest


def test_a_file_without_text_is_one_line(backbones: Callable[[str], Backbone], tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(ModelError, match=r"empty\.txt: it holds no text"):
        drift.passages(backbones("llava"), DriftConfig(str(tmp_path / "empty.txt")))
    with pytest.raises(ModelError, match="can't be read as text"):
        drift.passages(backbones("llava"), DriftConfig(str(tmp_path / "none.txt")))
