"""Groups: whose members differ under every kind of question, as many as there can be."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions import groups, truth
from partonomy_data.questions.truth import Sets


def _candidates(visible: np.ndarray, apart: np.ndarray | None = None) -> groups.Candidates:
    n, b = visible.shape
    sets = Sets(tuple(f"part {i}" for i in range(b)), visible, np.zeros_like(visible), np.eye(b, dtype=bool))
    everyone = np.ones((n, n), bool) if apart is None else apart
    return groups.Candidates(sets, everyone, np.zeros(n, np.float32), np.arange(n))


tables = st.integers(1, 40).flatmap(
    lambda n: st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=n, max_size=n)
)


@given(tables)
def test_as_many_groups_of_five_are_formed_as_the_sets_allow(rows: list[list[bool]]) -> None:
    visible = np.array(rows)
    formed = groups.form(_candidates(visible), [], [5])
    assert len(formed) == truth.most_groups(truth.counts_of(visible), 5)


@given(tables, st.integers(0, 15))
def test_groups_are_disjoint_and_all_their_members_differ(rows: list[list[bool]], mask: int) -> None:
    visible = np.array(rows)
    n = len(visible)
    photographs = np.arange(n) // 2
    candidates = _candidates(visible, photographs[:, None] != photographs[None, :])
    asked = visible & np.array([bool(mask >> bit & 1) for bit in range(4)])
    formed = groups.form(candidates, [asked], [5, 4, 3])
    members = [row for group in formed for row in group]
    assert len(members) == len(set(members))
    for group in formed:
        assert 3 <= len(group) <= 5
        assert len({tuple(visible[row]) for row in group}) == len(group)
        assert len({photographs[row] for row in group}) == len(group)


def test_a_kind_that_tells_less_apart_is_served_first() -> None:
    # Ten objects: under the mask only five sets, twice each; a group may mix them so that it serves no one.
    part = np.array([[i >> bit & 1 for bit in range(4)] for i in (1, 2, 3, 4, 5)] * 2, bool)
    extra = np.repeat([[False], [True]], 5, axis=0)
    visible = np.concatenate([part, extra], axis=1)
    asked = np.concatenate([part, np.zeros_like(extra)], axis=1)
    formed = groups.form(_candidates(visible), [asked], [5])
    assert len(formed) == 2
    for group in formed:
        assert len({tuple(asked[row]) for row in group}) == 5


def test_members_of_like_size_are_put_together() -> None:
    part = np.array([[i >> bit & 1 for bit in range(4)] for i in (1, 2, 3, 4, 5)] * 2, bool)
    size = np.repeat(np.array([-6.0, -2.0], np.float32), 5)
    found = groups.form(
        groups.Candidates(_candidates(part).sets, np.ones((10, 10), bool), size, np.arange(10)), [], [5]
    )
    assert sorted(found) == [(0, 1, 2, 3, 4), (5, 6, 7, 8, 9)]
