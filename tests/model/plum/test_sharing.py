"""What the language model sees of SAM's embeddings: against loops, and in a whole model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from model.plum import answering
from model.plum.answering import Asked
from model.plum.errors import ModelError
from model.plum.model import Plum
from model.plum.sharing import SharedSight
from tests.model.plum.sam_weights import noise
from tests.model.plum.tiny import PHOTOGRAPHS, QUESTION, TOLD, batch_of, fresh, trained


def sight() -> SharedSight:
    made = SharedSight(6, 5)
    with torch.no_grad():
        made.linear.weight.copy_(noise(5, 6))
    return made


def valid_of(*sizes: tuple[int, int]) -> Tensor:
    valid = torch.zeros(len(sizes), 16, 16, dtype=torch.bool)
    for number, (height, width) in enumerate(sizes):
        valid[number, :height, :width] = True
    return valid


@torch.no_grad()
def test_a_patch_sees_the_mean_of_the_positions_that_it_touches() -> None:
    made, features, embeddings = sight(), list(noise(2, 4, 5)), noise(2, 6, 4, 4)
    # Of 16 cells the second photograph fills 16 and 6 on its sides, so of 4 positions 4 and 2.
    found = made(features, embeddings, valid_of((16, 16), (16, 6)))
    for photograph, columns in enumerate((4, 2)):
        for patch in range(4):
            row, column = divmod(patch, 2)
            half = columns // 2
            seen = embeddings[photograph, :, 2 * row : 2 * row + 2, half * column : half * (column + 1)].mean((1, 2))
            wanted = features[photograph][patch] + made.linear.weight @ torch.nn.functional.layer_norm(seen, (6,))
            assert torch.allclose(found[photograph][patch], wanted, atol=1e-5)


def test_padding_of_sams_square_is_not_seen() -> None:
    made, features, embeddings = sight(), [noise(4, 5)], noise(1, 6, 4, 4)
    soiled = embeddings.clone()
    soiled[:, :, :, 2:] = 1e6
    valid = valid_of((16, 8))
    assert torch.equal(made(features, embeddings, valid)[0], made(features, soiled, valid)[0])


@torch.no_grad()
def test_at_first_the_language_model_sees_what_it_did(folder_of: Callable[[str], Path]) -> None:
    plain, shared = (fresh(folder_of("llava-whole"), shared_sight=one) for one in (False, True))
    for one, other in zip(answering.look(plain, PHOTOGRAPHS), answering.look(shared, PHOTOGRAPHS), strict=True):
        assert torch.equal(one.features, other.features)


@pytest.fixture(scope="module")
def plum(folder_of: Callable[[str], Path]) -> Plum:
    return trained(folder_of("llava-whole"), shared_sight=True)


@torch.no_grad()
def test_training_and_answering_read_the_same(plum: Plum) -> None:
    batch = batch_of(plum)
    looks = answering.look(plum, PHOTOGRAPHS)
    found = plum.features(batch.pictures, plum.embeddings(batch), batch.valid)
    for one, look in zip(found, looks, strict=True):
        assert torch.allclose(one, look.features, atol=1e-5)
        assert not torch.allclose(one, plum.backbone.features([look.picture])[0], atol=1e-2)
    several = [Asked(looks[one.photograph], QUESTION) for one in TOLD]
    alone = [answering.score_choices(plum, [ask], [one.choices])[0] for ask, one in zip(several, TOLD, strict=True)]
    together = answering.score_choices(plum, several, [one.choices for one in TOLD])
    for left, right in zip(together, alone, strict=True):
        assert [one.log_likelihood for one in left] == pytest.approx([one.log_likelihood for one in right], rel=1e-4)


def test_words_teach_what_is_shared(plum: Plum) -> None:
    plum.zero_grad()
    plum(batch_of(plum))["lm"].backward()
    assert plum.sight is not None
    gradient = plum.sight.linear.weight.grad
    assert gradient is not None
    assert float(gradient.abs().sum()) > 0


def test_photographs_of_several_crops_are_refused(folder_of: Callable[[str], Path]) -> None:
    plum = fresh(folder_of("qwen"), shared_sight=True)
    with pytest.raises(ModelError, match="one square of patches"):
        answering.look(plum, PHOTOGRAPHS)
