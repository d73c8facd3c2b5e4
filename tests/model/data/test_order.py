"""Which samples each step takes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.data import order
from model.data.order import Effective
from model.plum.errors import ModelError

SIZES = st.integers(1, 60)


@given(SIZES, st.integers(0, 2**32), st.integers(0, 5), st.integers(1, 5), st.integers(1, 12))
def test_an_epoch_takes_each_sample_once(n: int, seed: int, epoch: int, together: int, views: int) -> None:
    of = np.random.default_rng(n).integers(0, views, n)
    found = order.epoch_order(of, seed, epoch, together)
    assert sorted(found.tolist()) == list(range(n))
    assert np.array_equal(found, order.epoch_order(of, seed, epoch, together))


@given(SIZES, st.integers(0, 1000), st.integers(2, 5), st.integers(1, 12))
def test_questions_of_a_view_stand_together_and_no_more_than_asked(
    n: int, seed: int, together: int, views: int
) -> None:
    of = np.random.default_rng(n).integers(0, views, n)
    found = of[order.epoch_order(of, seed, 0, together)].tolist()
    counts = {view: found.count(view) for view in set(found)}
    runs: dict[int, list[int]] = {view: [] for view in counts}
    for place, view in enumerate(found):
        if place and found[place - 1] == view:
            runs[view][-1] += 1
        else:
            runs[view].append(1)
    for view, lengths in runs.items():
        groups = -(-counts[view] // together)
        assert len(lengths) <= groups  # two groups of a view may meet
        assert sum(lengths) == counts[view]


def test_epochs_and_seeds_differ() -> None:
    views = np.arange(50)
    orders = {tuple(order.epoch_order(views, seed, epoch)) for seed in (1, 2) for epoch in (0, 1, 2)}
    assert len(orders) == 6


def test_a_mixture_has_its_shares_and_goes_through_each_type_in_turn() -> None:
    types = ["identification"] * 900 + ["contrast"] * 100
    found = order.epoch_order(
        np.arange(1000), 3, 0, 1, types, {"identification": 1.0, "contrast": 1.0, "difference": 5.0}
    )
    rare = found[found >= 900]
    assert 440 < len(rare) < 560
    assert sorted(rare[:100].tolist()) == list(range(900, 1000))
    assert rare[:100].tolist() == rare[100:200].tolist()
    common = found[found < 900]
    assert len(set(common.tolist())) == len(common)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(0, 99))
def test_processes_share_a_step_without_overlap_whatever_their_number(
    at_once: int, times: int, processes: int, seed: int
) -> None:
    samples = at_once * times * processes
    n = samples * 3
    lengths = np.random.default_rng(seed).integers(1, 500, n)
    alone_in_view = np.arange(n)
    shuffled = order.epoch_order(alone_in_view, seed, 0)
    alone = [
        set(one.tolist())
        for one in (
            np.concatenate(order.passes(shuffled, lengths, alone_in_view, s, Effective(samples, samples)))
            for s in range(3)
        )
    ]
    assert set().union(*alone) == set(range(n))
    for step in range(3):
        dealt = [
            order.passes(shuffled, lengths, alone_in_view, step, Effective(samples, at_once, processes), process)
            for process in range(processes)
        ]
        assert [len(one) for one in dealt] == [times] * processes
        assert sorted(np.concatenate([piece for one in dealt for piece in one]).tolist()) == sorted(alone[step])
        rounds = [lengths[np.concatenate(pieces)] for pieces in zip(*dealt, strict=True)]
        assert all(before.max() <= after.min() for before, after in itertools.pairwise(rounds))


def test_a_batch_that_does_not_come_out_even_is_refused() -> None:
    with pytest.raises(ModelError, match=r"60 samples can't be dealt to 4 processes, 6 at once.*multiple of 24"):
        Effective(60, 6, 4)
    with pytest.raises(ModelError, match="10 samples don't fill one step of 12"):
        order.steps_of(10, Effective(12, 6))
    assert Effective(60, 6, 5).accumulated == 2


@given(st.integers(0, 99))
def test_questions_of_a_view_stay_together_when_a_step_is_cut_into_passes(seed: int) -> None:
    views = np.repeat(np.arange(24), 5)
    lengths = np.random.default_rng(seed).integers(1, 500, len(views))
    shuffled = order.epoch_order(views, seed, 0, together=5)
    for step in range(2):
        for one in order.passes(shuffled, lengths, views, step, Effective(60, 5)):
            assert len(set(views[one])) == 1


@pytest.mark.parametrize("together", [1, 3])
def test_processes_that_wait_for_each_other_have_about_the_same_work(together: int) -> None:
    n, effective = 960, Effective(16, 8, 2)
    rng = np.random.default_rng(5)
    lengths, work = rng.integers(50, 400, n), rng.lognormal(0, 0.6, n)
    views = np.arange(n) // together
    shuffled = order.epoch_order(views, 1, 0, together)
    aside, apart = [], []
    for step in range(n // 16):
        given = shuffled, lengths, views, step, effective
        first, second = (order.passes(*given, process, work)[0] for process in (0, 1))
        mean = work[np.concatenate([first, second])].sum() / 2
        aside.append(max(work[first].sum(), work[second].sum()) / mean - 1)
        apart.append(len(set(views[first]) & set(views[second])))
    assert np.mean(aside) < (0.03 if together == 1 else 0.08)
    # A step's ends may cut views, but few are cut between processes.
    assert np.mean(apart) < 1


def test_a_view_that_no_process_has_room_for_is_cut() -> None:
    views, lengths = np.array([0, 0, 0, 0, 0, 1]), np.ones(6, np.int64)
    dealt = [order.passes(np.arange(6), lengths, views, 0, Effective(6, 3, 2), process) for process in (0, 1)]
    assert [len(piece) for one in dealt for piece in one] == [3, 3]
    assert sorted(np.concatenate([piece for one in dealt for piece in one]).tolist()) == list(range(6))
