"""Steps: their learning rate, and that a step's loss and gradient don't depend on how it is dealt into passes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st

from model import settings
from model.data import rows
from model.data.collate import Collator
from model.data.order import Effective
from model.muon import Muon
from model.plum import saving
from model.training import loop
from model.training.config import OptimisationConfig, TrainingConfig
from model.training.feeding import Feed, Step
from partonomy_data import store as stores
from partonomy_data.photographs.places import of_store
from tests.model.training.runs import small


@given(st.integers(1, 400), st.integers(1, 200))
def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing(steps: int, warm_up: int) -> None:
    rates = [loop.rate_at(step, steps, warm_up) for step in range(steps)]
    top = min(warm_up, steps)
    assert all(0 < one <= 1 for one in rates)
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[top - 1] == 1
    if steps > top:
        assert rates[-1] == pytest.approx(1 / (steps - top))


@given(st.integers(1, 400), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_true_masks_are_shown_as_often_as_at_first_until_they_begin_to_give_way(
    steps: int, first: float, last: float, begins: float
) -> None:
    config = OptimisationConfig(truth_at_first=first, truth_falls_from=begins, truth_at_last=last)
    shares = [loop.truth_at(config, step, steps) for step in range(steps)]
    whole = min(steps, round(begins * steps) + 1)
    assert shares[:whole] == [first] * whole
    assert all(min(first, last) - 1e-9 <= one <= max(first, last) + 1e-9 for one in shares)
    assert shares[whole:] == sorted(shares[whole:], reverse=last < first)
    if whole < steps:
        assert shares[-1] == pytest.approx(last)


def without_chance(config: TrainingConfig) -> TrainingConfig:
    plain = settings.plain(config)
    plain["model"]["lora"]["dropout"] = plain["model"]["spans"]["dropout"] = 0.0
    plain["optimisation"]["truth_at_first"] = 0.0
    return settings.convert(plain, TrainingConfig)


def state_of(root: Path, config: TrainingConfig, folder: Path) -> loop.Run:
    """A run whose optimiser changes nothing, so that the gradient can be looked at."""
    torch.manual_seed(0)
    plum = saving.build(config.model)
    with stores.open(root) as store:
        samples = rows.prepare(store, config.data, folder / "samples")
        pairs = zip(samples.column("source").to_pylist(), samples.column("uri").to_pylist(), strict=True)
        shown = of_store(store.root, {}).check(dict(pairs))
    effective = Effective(config.optimisation.batch, config.optimisation.at_once)
    feed = Feed(samples, shown, Collator(plum, learning=True), config.data, effective, seed=1)
    accelerator = Accelerator(cpu=True)
    optimiser = torch.optim.SGD(loop.parameters_of(plum, config.optimisation), 0.0)
    wrapped, optimiser = accelerator.prepare(plum, optimiser)
    return loop.Run(config, accelerator, plum, wrapped, [optimiser], feed, folder, 4, {})


def test_a_step_is_the_same_however_it_is_dealt(root: Path, backbone: Path, tmp_path: Path) -> None:
    found = {}
    for at_once in (1, 3, 6):
        config = without_chance(small(backbone, optimisation={"batch": 6, "at_once": at_once, "clip": 1e9}))
        state = state_of(root, config, tmp_path)
        kept = []
        state.optimisers[0].step = lambda state=state, kept=kept: kept.append(
            {name: one.grad.clone() for name, one in state.plum.named_parameters() if one.grad is not None}
        )
        step = next(iter(state.feed.steps(0, 1)))
        assert len(step.passes) == 6 // at_once
        found[at_once] = (loop.one_step(state, step), kept[0])
    told, gradients = found[6]
    for at_once in (1, 3):
        values, others = found[at_once]
        assert values["loss"] == pytest.approx(told["loss"], rel=1e-5)
        assert others.keys() == gradients.keys()
        for name, one in gradients.items():
            assert torch.allclose(others[name], one, rtol=1e-3, atol=1e-5), name


def test_muon_takes_hidden_matrices_and_adamw_the_rest(backbone: Path) -> None:
    config = small(backbone, optimisation={"hidden_learning_rate": 3e-3, "own_hidden_learning_rate": 5e-3})
    plum = saving.build(config.model)
    adam, muon = loop.optimisers_of(plum, config.optimisation)
    assert (type(adam), type(muon)) == (torch.optim.AdamW, Muon)
    assert [group["peak"] for group in muon.param_groups] == [3e-3, 5e-3]
    assert id(plum.query.mlp[2].weight) in {id(one) for one in muon.param_groups[1]["params"]}
    assert id(plum.segmenter.sam.mask_decoder.iou_prediction_head.layers[0].weight) not in map(
        id, muon.param_groups[1]["params"]
    )
    by_adam, by_muon = ([one for group in rule.param_groups for one in group["params"]] for rule in (adam, muon))
    assert {one.ndim for one in by_muon} == {2, 4}, "linear layers and convolutions"
    assert len({*map(id, by_adam), *map(id, by_muon)}) == len(by_adam) + len(by_muon)
    assert {*map(id, by_adam), *map(id, by_muon)} == {id(one) for one in plum.parameters() if one.requires_grad}
    assert id(plum.query.mlp[0].weight) in set(map(id, by_muon))
    assert [type(one) for one in loop.optimisers_of(plum, small(backbone).optimisation)] == [torch.optim.AdamW]


def test_a_sample_that_cant_be_shown_whole_is_counted_and_the_rest_is_learnt(
    root: Path, backbone: Path, tmp_path: Path
) -> None:
    config = without_chance(small(backbone, optimisation={"batch": 8, "at_once": 4}))
    state = state_of(root, config, tmp_path)
    lengths = [
        len(one.ids) for passes in state.feed.steps(0, 1) for p in passes.passes if p.batch for one in p.batch.rendered
    ]
    short = sorted(lengths)[3]
    state.feed._collator = Collator(state.plum, longest=short)
    step = next(iter(state.feed.steps(0, 1)))
    values = loop.one_step(state, step)
    assert values["left_out"] == sum(one > short for one in lengths) > 0
    assert all("tokens, and at most" in why for why in state.left_out.values())
    assert values["loss"] > 0


def test_a_step_without_any_usable_sample_is_said(root: Path, backbone: Path, tmp_path: Path) -> None:
    state = state_of(root, without_chance(small(backbone)), tmp_path)
    state.feed._collator = Collator(state.plum, longest=3)
    step: Step = next(iter(state.feed.steps(0, 1)))
    with pytest.raises(saving.ModelError, match="none of the step's samples can be used"):
        loop.one_step(state, step)
