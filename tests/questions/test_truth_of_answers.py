"""Which choices are surely wrong, against plain sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions import truth


@st.composite
def worlds(draw: st.DrawFn, most_parts: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Visible sets, what else may be visible, and relations between parts."""
    n, b = draw(st.integers(1, 6)), draw(st.integers(1, most_parts))
    bits = draw(st.lists(st.booleans(), min_size=2 * n * b + b * b, max_size=2 * n * b + b * b))
    flat = np.array(bits)
    visible = flat[: n * b].reshape(n, b)
    doubt = flat[n * b : 2 * n * b].reshape(n, b) & ~visible
    related = flat[2 * n * b :].reshape(b, b)
    return visible, doubt, related | related.T | np.eye(b, dtype=bool)


def _plain_wrong(visible: np.ndarray, doubt: np.ndarray, related: np.ndarray, i: int, j: int) -> bool:
    mine, other = set(np.flatnonzero(visible[i])), set(np.flatnonzero(visible[j]))
    may_show = mine | set(np.flatnonzero(doubt[i]))
    left_out = any(not any(related[part, one] for one in other) for part in mine)
    put_in = any(not any(related[part, one] for one in may_show) for part in other)
    return left_out or put_in


@given(worlds())
def test_a_choice_is_wrong_if_it_leaves_out_or_puts_in_a_part_that_nothing_is_related_to(world: tuple) -> None:
    visible, doubt, related = world
    found = truth.wrong(visible, doubt, related)
    for i in range(len(visible)):
        for j in range(len(visible)):
            assert found[i, j] == _plain_wrong(visible, doubt, related, i, j)


@given(worlds())
def test_members_of_a_block_differ_both_ways_and_show_something(world: tuple) -> None:
    visible, doubt, related = world
    differ = truth.distinct(visible, doubt, related)
    assert (differ == differ.T).all()
    assert not differ.diagonal().any()
    for i, j in zip(*np.nonzero(differ), strict=True):
        assert visible[i].any()
        assert visible[j].any()
        assert _plain_wrong(visible, doubt, related, i, j)
        assert _plain_wrong(visible, doubt, related, j, i)


@given(worlds())
def test_edits_are_what_is_left_to_add_delete_or_replace(world: tuple) -> None:
    visible, _, _ = world
    found = truth.edits(visible)
    for i, mine in enumerate(visible):
        for j, other in enumerate(visible):
            assert found[i, j] == max((mine & ~other).sum(), (other & ~mine).sum())


@given(st.lists(st.integers(1, 6), min_size=1, max_size=7), st.integers(2, 5))
def test_the_most_groups_are_those_that_taking_the_most_frequent_sets_gives(counts: list[int], k: int) -> None:
    left, groups = sorted(counts, reverse=True), 0
    while len([n for n in left if n]) >= k:
        left = sorted(left, reverse=True)
        left[:k] = [n - 1 for n in left[:k]]
        groups += 1
    assert truth.most_groups(np.array(counts), k) == groups


@given(worlds(most_parts=4))
def test_equal_sets_have_equal_labels_however_many_parts_there_are(world: tuple) -> None:
    visible, _, _ = world
    many = np.concatenate([visible, np.zeros((len(visible), 80), bool)], axis=1)
    for answers in (visible, many):
        labels = truth.labels(answers)
        assert [[a == b for a in labels] for b in labels] == [[(x == y).all() for x in answers] for y in answers]
    counts = sorted(truth.counts_of(visible).tolist())
    assert counts == sorted(truth.counts_of(many).tolist())
    assert sum(counts) == visible.any(axis=1).sum()
