"""Cuts of a mask's probabilities, against every set of pixels that there is, and in a model's answers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.evaluation.adapters import interventions
from model.evaluation.adapters.plum import PlumModel
from model.evaluation.asking import Asked as Posed
from model.plum import cutting
from model.plum.cutting import Cut
from model.plum.errors import ModelError
from model.plum.pictures import enlarge, masks_of, place
from tests.model.plum.tiny import PHOTOGRAPHS, QUESTION, TOLD, trained

logits = st.lists(st.integers(-60, 60).map(lambda tenths: tenths / 10), min_size=1, max_size=8)


def expected(chances: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float:
    """The expected overlap of a set of pixels over the expected size of what it and the truth fill together."""
    overlap = chances[chosen].sum()
    return float(overlap / (chosen.sum() + chances.sum() - overlap))


@given(logits)
def test_no_other_set_of_pixels_is_expected_to_overlap_more(values: list[float]) -> None:
    given = torch.tensor(values)[None]
    mask = cutting.inside(given, "expected_iou")[0].numpy()
    chances = given[0].double().sigmoid().numpy()
    sets = (np.array(one) for one in product((False, True), repeat=len(values)) if any(one))
    assert expected(chances, mask) == pytest.approx(max(expected(chances, one) for one in sets), abs=1e-9)


@given(logits)
def test_pixels_are_inside_by_their_chance_alone(values: list[float]) -> None:
    given = torch.tensor(values)[None]
    mask = cutting.inside(given, "expected_iou")
    assert mask.any()
    assert all(given[mask].min() > one for one in given[~mask])
    assert torch.equal(cutting.inside(given.flip(1), "expected_iou"), mask.flip(1))


def test_what_is_sure_is_cut_as_sam_does() -> None:
    given = torch.full((20, 20), -9.0)
    given[4:9, 3:11] = 9.0
    assert torch.equal(cutting.inside(given, "expected_iou"), cutting.inside(given, "half"))


def test_a_part_that_may_be_in_one_of_two_places_has_a_mask() -> None:
    given = torch.full((20, 20), -9.0)
    given[2:5, 2:5] = given[12:15, 12:15] = -0.1
    assert not cutting.inside(given, "half").any()
    assert torch.equal(cutting.inside(given, "expected_iou"), given > -1)


def test_what_is_nowhere_is_at_its_likeliest_pixel() -> None:
    given = torch.full((5, 5), -30.0)
    given[3, 1] = -20.0
    assert cutting.inside(given, "expected_iou").nonzero().tolist() == [[3, 1]]


@given(st.integers(0, 99))
def test_masks_are_cut_at_the_photographs_size(seed: int) -> None:
    given = torch.randn(2, 16, 16, generator=torch.Generator().manual_seed(seed)) * 3
    placements = [place(30, 44, 64), place(51, 20, 64)]
    cuts: tuple[Cut, ...] = ("half", "expected_iou")
    for cut in cuts:
        found = masks_of(given, placements, cut)
        for mask, one, at in zip(found, given, placements, strict=True):
            assert np.array_equal(mask, cutting.inside(enlarge(one[None], at)[0], cut).numpy())
            assert mask.shape == (at.height, at.width)


@torch.no_grad()
def test_a_model_cuts_as_its_settings_say_and_is_measured_by_both(folder_of: Callable[[str], Path]) -> None:
    text, spans = TOLD[0].answer, TOLD[0].spans
    posed = [Posed("qst_1", "view", PHOTOGRAPHS[TOLD[0].photograph], QUESTION, ())]
    masks = {}
    for kind in ("half-cut", ""):
        model = interventions.applied("plum", trained(folder_of("llava"), cut="expected_iou"), kind, 4)
        (said,) = model.segment(posed, [text], [spans])
        assert said is not None
        masks[kind] = [part.mask for part in said.parts]
    (half,) = PlumModel("plum", trained(folder_of("llava"))).segment(posed, [text], [spans])
    assert half is not None
    same = zip(masks["half-cut"], (part.mask for part in half.parts), strict=True)
    assert all(np.array_equal(one, other) for one, other in same)
    assert not all(np.array_equal(one, other) for one, other in zip(masks["half-cut"], masks[""], strict=True))
    with pytest.raises(ModelError, match="cut at one half as it is"):
        interventions.applied("plum", trained(folder_of("llava")), "half-cut", 4)
