"""What is taken away of a model is gone, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from model.evaluation.adapters import interventions, named
from model.evaluation.adapters.plum import PlumModel
from model.evaluation.asking import Asked, Said
from model.plum.errors import ModelError
from tests.model.plum.sam_weights import photograph
from tests.model.plum.tiny import QUESTION, trained

TEXT, SPANS = "The legs, the left foot and the wing are visible.", ((4, 8), (14, 23), (32, 36))
PICTURES = [Image.fromarray(photograph(60, 40, seed=seed)) for seed in (0, 1)]
ASKED = [
    Asked("qst_1", f"view {number}", one, QUESTION, ("It has a wing.", "It has a tail."))
    for number, one in enumerate(PICTURES)
]
Folder = Callable[[str], Path]


def masks(said: list[Said | None]) -> list[list[np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]]:
    return [[part.mask for part in one.parts] for one in said if one is not None]


def test_what_is_done_to_a_model_stands_in_its_name() -> None:
    assert named.split("plum-1f--blank-image") == ("plum-1f", "blank-image")
    assert named.split("plum--1f") == ("plum--1f", "")
    assert named.split("plum-1f") == ("plum-1f", "")


def test_a_model_that_sees_nothing_says_the_same_of_all_photographs_of_a_size(folder_of: Folder) -> None:
    plum = trained(folder_of("llava"))
    seeing, blank = PlumModel("plum", plum), interventions.applied("plum", plum, "blank-image", 4)
    first, second = blank.choose(ASKED)
    assert first == second
    assert len(set(map(str, seeing.choose(ASKED)))) == 2
    one, other = masks(blank.segment(ASKED, [TEXT] * 2, [SPANS] * 2))
    assert all(np.array_equal(mine, its) for mine, its in zip(one, other, strict=True))
    assert blank.tag(ASKED, [TEXT] * 2)[0] == blank.tag(ASKED, [TEXT] * 2)[1]
    said = blank.say(ASKED)
    assert said[0] is not None
    assert said[1] is not None
    assert said[0].text == said[1].text
    assert ASKED[0].image.size == (40, 60)


def test_without_feedback_each_mask_is_as_if_it_were_the_only_one(folder_of: Folder) -> None:
    alone = PlumModel("plum", trained(folder_of("llava")))
    (said,) = masks(
        interventions.applied("plum", trained(folder_of("llava")), "feedback-off", 4).segment(
            ASKED[:1], [TEXT], [SPANS]
        )
    )
    for place, span in enumerate(SPANS):
        ((expected,),) = masks(alone.segment(ASKED[:1], [TEXT], [[span]]))
        assert np.array_equal(said[place], expected)


def test_scrambled_feedback_leaves_the_first_mask_and_not_the_others(folder_of: Folder) -> None:
    plain = masks(PlumModel("plum", trained(folder_of("llava"))).segment(ASKED, [TEXT] * 2, [SPANS] * 2))
    shuffled = interventions.applied("plum", trained(folder_of("llava")), "feedback-shuffled", 4)
    found = masks(shuffled.segment(ASKED, [TEXT] * 2, [SPANS] * 2))
    assert all(np.array_equal(mine[0], its[0]) for mine, its in zip(plain, found, strict=True))
    assert any(not np.array_equal(mine[2], its[2]) for mine, its in zip(plain, found, strict=True))
    one_by_one = [masks(shuffled.segment([one], [TEXT], [SPANS]))[0] for one in ASKED]
    for together, alone in zip(found, one_by_one, strict=True):
        assert all(np.array_equal(mine, its) for mine, its in zip(together, alone, strict=True))


def test_scrambled_maps_hold_the_same_values_elsewhere(folder_of: Folder) -> None:
    plum = trained(folder_of("llava"))
    assert plum.feedback is not None
    shuffled = interventions.Shuffled(plum.feedback)
    side, width = plum.feedback.grid[0], plum.feedback.query_map.shape[1]
    logits, queries = torch.randn(2, 4 * side, 4 * side), torch.randn(2, width)
    with torch.no_grad():
        plain, found = plum.feedback.encode(logits, queries), shuffled.encode(logits, queries)
    assert not torch.equal(plain, found)
    assert torch.equal(plain.flatten(2).sort(2).values, found.flatten(2).sort(2).values)


def test_a_model_without_feedback_has_none_to_take(folder_of: Folder) -> None:
    plum = trained(folder_of("llava"), feedback=None)
    with pytest.raises(ModelError, match="no mask feedback"):
        interventions.applied("plum", plum, "feedback-off", 4)


def test_only_the_picture_is_changed() -> None:
    given = replace(ASKED[0], question="Which?")
    (blank,) = interventions._blank([given])
    assert replace(blank, image=given.image) == given
    assert len(np.unique(np.asarray(blank.image).reshape(-1, 3), axis=0)) == 1
