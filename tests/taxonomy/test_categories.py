"""Is-a pairs without cycles."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.taxonomy.categories import Edge, acyclic, cycle

_EDGES = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde"), st.sampled_from(["s", "t"])), max_size=12
)


def has_cycle(edges: list[Edge]) -> bool:
    """By taking away leaves until nothing changes."""
    left = {(child, parent) for child, parent, _ in edges}
    while True:
        children = {child for child, _ in left}
        kept = {pair for pair in left if pair[1] in children}
        if kept == left:
            return bool(left)
        left = kept


@given(_EDGES)
def test_what_is_kept_has_no_cycle_and_what_is_dropped_would_close_one(edges: list[Edge]) -> None:
    kept, dropped = acyclic(edges)
    assert set(kept) | set(dropped) == set(edges)
    assert not set(kept) & set(dropped)
    assert not has_cycle(list(kept))
    assert all(has_cycle([*kept, edge]) for edge in dropped)
    assert acyclic(reversed(edges)) == (kept, dropped)


@given(_EDGES)
def test_a_cycle_is_found_where_there_is_one_and_is_one(edges: list[Edge]) -> None:
    way = cycle(edges)
    assert (way is not None) == has_cycle(edges)
    if way is not None:
        pairs = {edge[:2] for edge in edges}
        assert way[0] == way[-1]
        assert all(step in pairs for step in pairwise(way))
