"""The benchmark of the training step compares two ways that do the same, and notices where they don't."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

pytest.importorskip("transformers")

from benchmarks import plain_loop, train_step, two_ways
from benchmarks.made_up_model import SIZES, tokenizer
from benchmarks.plain_loop import Shared
from benchmarks.two_ways import World
from model.data.samples import Sample
from model.plum.rendering import Turn
from partonomy_data.photographs.views import View

#: Two answers, of three parts and of one, about one photograph that fills neither square; the second follows an earlier turn.
TOLD = (
    ("It has a wing, a tail, and a front wheel.", ("wing", "tail", "front wheel"), ()),
    ("The tail", ("tail",), (Turn("What is it?", "An airplane."),)),
)
CHOICES = ("A wing.", "The tail", "It has a wing, a tail, and a front wheel.")


def sample(number: int) -> Sample:
    answer, parts, history = TOLD[number]
    generator = np.random.default_rng(3)
    image = Image.fromarray(generator.integers(0, 255, (60, 90, 3), dtype=np.uint8))
    rows, columns = np.mgrid[:60, :90]
    masks = {part: ((rows - 9 * n - 20) ** 2 + (columns - 20 * n - 20) ** 2 < 144) for n, part in enumerate(TOLD[0][1])}
    spans = tuple((answer.index(part), answer.index(part) + len(part), part) for part in parts)
    return Sample(
        sample_id=f"question {number}",
        photograph="0" * 64,
        view_id="view",
        view=View(image, 0, 0, (image.height, image.width)),
        question="Which visible parts does the airplane have?",
        answer=answer,
        history=history,
        spans=spans,
        masks=tuple(masks[part].astype(np.uint8) for part in parts),
        choices=CHOICES,
        correct=CHOICES.index(answer),
    )


PASSES = [[sample(0), sample(1)]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("words")
    tokenizer([one.question for one in PASSES[0]] + [answer for answer, _, _ in TOLD]).save(
        str(made / "tokenizer.json")
    )
    return made


@pytest.fixture
def world(folder: Path) -> Iterator[World]:
    with World.opened(folder, "smallest", 1) as opened:
        yield opened


def test_both_ways_give_the_same_losses_gradients_and_scores(world: World) -> None:
    found = world.compared(PASSES)
    assert found["losses"].keys() == {"lm", "span", "overlap", "bce", "kl"}
    assert all(min(pair) > 0 for pair in found["losses"].values())
    assert train_step.differing(found) == []
    train_step.agree(found)


@pytest.mark.parametrize("passes", [PASSES, [[one] for one in PASSES[0]]])
def test_passes_make_no_difference(world: World, passes: list[list[Sample]]) -> None:
    assert train_step.differing(world.compared(passes)) == []


def test_each_waste_that_is_taken_away_leaves_the_losses_and_the_scores_as_they_are(world: World) -> None:
    plum, teacher = world.plum.train(), plain_loop.teacher_of(world.plum)
    talks, asked = world.conversations(PASSES), world.questions(PASSES[0])
    found = [plain_loop.backward(plum, teacher, talks, shared) for _, shared in two_ways.STEP]
    for (label, shared), told in zip(two_ways.STEP, found, strict=True):
        alike = next(one for (_, other), one in zip(two_ways.STEP, found, strict=True) if other.cells == shared.cells)
        assert told == pytest.approx(alike, rel=1e-5), label
        assert all(told[name] == pytest.approx(found[0][name], rel=1e-5) for name in ("lm", "span", "kl")), label
    plum.eval()
    scores = [plain_loop.log_likelihoods(plum, asked, shared) for _, shared in two_ways.CHOICES]
    assert all(torch.allclose(one, scores[0], atol=1e-4) for one in scores)


def test_what_is_said_to_be_done_once_is_done_once(world: World) -> None:
    plum, teacher = world.plum.train(), plain_loop.teacher_of(world.plum)
    talks, calls = world.conversations(PASSES), []
    sam = plum.segmenter.sam
    for module in (plum.backbone.plain.model.vision_tower, sam.image_encoder, sam.mask_decoder):
        module.register_forward_hook(lambda one, *_: calls.append(one))
    found = []
    for _, shared in two_ways.STEP:
        calls.clear()
        plain_loop.backward(plum, teacher, talks, shared)
        kinds = [type(one).__name__ for one in calls]
        found.append(tuple(kinds.count(name) for name in ("CLIPVisionModel", "ImageEncoderViT", "MaskDecoder")))
    assert found == [(2, 2, 4), (1, 2, 4), (1, 1, 4), (1, 1, 4), (1, 1, 0)]


def test_a_mask_at_the_photographs_size_costs_about_what_it_does_in_cells(world: World) -> None:
    plum, teacher = world.plum.train(), plain_loop.teacher_of(world.plum)
    talks = world.conversations(PASSES)
    whole, cells = (plain_loop.backward(plum, teacher, talks, Shared(cells=one)) for one in (False, True))
    for name in ("overlap", "bce"):
        assert whole[name] != cells[name]
        assert whole[name] == pytest.approx(cells[name], rel=0.05)


def _other_teacher(plum: Any) -> Any:
    made = copy.deepcopy(plum.backbone.lmm).unload().requires_grad_(False).eval()
    made.get_input_embeddings().weight.mul_(1.01)
    return made


def _without_feedback(feedback: Any, maps: Tensor, positions: Tensor) -> Tensor:
    return torch.zeros_like(maps[:1])


@pytest.mark.parametrize("share", [0.0, 0.9])
def test_a_gradient_that_is_cut_off_is_noticed_where_the_losses_are_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    pooled = plain_loop._pooled

    def cut(*given: Any) -> Tensor:
        made = pooled(*given)
        return share * made + (1 - share) * made.detach() if share else made.detach()

    monkeypatch.setattr(plain_loop, "_pooled", cut)
    found = world.compared(PASSES)
    assert train_step.differing(found) == ["gradient"]
    assert math.isinf(found["gradient"]) != bool(share)


def test_a_choice_that_is_scored_otherwise_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    scored = World.scored
    monkeypatch.setattr(World, "scored", lambda *given: scored(*given).index_add(0, torch.tensor([4]), torch.ones(1)))
    found = world.compared(PASSES)
    assert found["choices"] == pytest.approx(1.0, abs=1e-3)
    assert train_step.differing(found) == ["choices"]


@pytest.mark.parametrize(("name", "other"), [("teacher_of", _other_teacher), ("_pooled", _without_feedback)])
def test_a_way_that_computes_something_else_ends_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, other: Any
) -> None:
    monkeypatch.setattr(plain_loop, name, other)
    found = world.compared(PASSES)
    assert "loss" in train_step.differing(found)
    with pytest.raises(SystemExit, match="the two ways differ in: loss"):
        train_step.agree(found)


@pytest.mark.parametrize("name", train_step.TOLERANCE)
def test_not_a_number_is_a_difference(name: str) -> None:
    found = {**dict.fromkeys(train_step.TOLERANCE, 0.0), "losses": {}, name: math.nan}
    assert train_step.differing(found) == [name]


def test_a_step_of_both_ways_moves_the_same_weights_alike(folder: Path) -> None:
    moved = {}
    for way in train_step.WAYS:
        with World.opened(folder, "smallest", 1) as world:
            before = {name: one.detach().clone() for name, one in world.plum.named_parameters()}
            told = world.step(way, [PASSES])(0)
            assert told["lm"] > 0
            moved[way] = {name for name, one in world.plum.named_parameters() if not torch.equal(one, before[name])}
            assert world.choices(way, [PASSES])(0).shape == (len(CHOICES) * 2,)
    assert moved["plain"] == moved["ours"]
    assert any("lora" in name for name in moved["ours"])


def test_the_sizes_that_are_measured_fill_their_passes() -> None:
    assert all(size.batch % size.at_once == 0 for size in SIZES.values())
