"""What follows from a set of relations, against a plain closure by repetition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.taxonomy.ordering import Contradiction, Ordering

NAMES = "abcdefg"
_RELATIONS = st.lists(
    st.tuples(
        st.sampled_from(["same", "narrower"]),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
        st.sampled_from([0.5, 0.7, 0.9]),
    ).filter(lambda row: row[1] != row[2]),
    max_size=12,
)


def closed(accepted: list[tuple[str, str, str, float]]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """(same, narrower) pairs that follow from `accepted`, by repeating until nothing is new."""
    same = {(name, name) for name in NAMES}
    below: set[tuple[str, str]] = set()
    for relation, a, b, _ in accepted:
        same |= {(a, b), (b, a)} if relation == "same" else set()
        below |= {(a, b)} if relation == "narrower" else set()
    while True:
        more_same = same | {(a, d) for a, b in same for c, d in same if b == c}
        every = below | {(a, d) for a, b in below for c, d in more_same if b == c}
        every |= {(a, d) for a, b in more_same for c, d in below if b == c}
        every |= {(a, d) for a, b in below for c, d in below if b == c}
        if (more_same, every) == (same, below):
            return same, below
        same, below = more_same, every


@given(_RELATIONS)
def test_the_closure_is_what_follows_and_contradictions_are_refused(
    relations: list[tuple[str, str, str, float]],
) -> None:
    ordering = Ordering()
    accepted: list[tuple[str, str, str, float]] = []
    for row in relations:
        relation, a, b, confidence = row
        same, below = closed([*accepted, row])
        consistent = not any((x, y) in below for x, y in same)
        enter = ordering.same if relation == "same" else ordering.narrower
        if consistent:
            enter(a, b, confidence)
            accepted.append(row)
        else:
            with pytest.raises(Contradiction) as found:
                enter(a, b, confidence)
            assert found.value.cycle[0] == found.value.cycle[-1]
            assert {a, b} <= set(found.value.cycle)
    same, below = closed(accepted)
    rows = list(ordering.closure())
    assert len({frozenset(row[:2]) for row in rows}) == len(rows)
    assert {(a, b) for a, b, relation, _ in rows if relation == "narrower"} == below
    assert {frozenset((a, b)) for a, b, relation, _ in rows if relation == "same"} == {
        frozenset(pair) for pair in same if pair[0] != pair[1]
    }
    for a in NAMES:
        for b in NAMES:
            expected = "same" if (a, b) in same else "narrower" if (a, b) in below else "distinct"
            expected = "broader" if (b, a) in below else expected
            assert ordering.relation(a, b) == expected


def test_the_confidence_is_that_of_the_weakest_link_of_the_surest_way() -> None:
    ordering = Ordering()
    ordering.narrower("a", "b", 0.9)
    ordering.narrower("b", "d", 0.6)
    ordering.narrower("a", "c", 0.8)
    ordering.narrower("c", "d", 0.7)
    ordering.same("d", "e", 0.95)
    found = {(a, b): confidence for a, b, _, confidence in ordering.closure()}
    assert found["a", "d"] == 0.7
    assert found["a", "e"] == 0.7
    assert found["d", "e"] == 0.95
    assert found["b", "e"] == 0.6


def test_a_contradiction_names_the_way_round() -> None:
    ordering = Ordering()
    ordering.narrower("a", "b", 1.0)
    ordering.narrower("b", "c", 1.0)
    with pytest.raises(Contradiction, match="c → a → b → c"):
        ordering.narrower("c", "a", 1.0)
    with pytest.raises(Contradiction):
        ordering.same("a", "c", 1.0)


def test_a_long_chain_needs_no_deep_recursion() -> None:
    ordering = Ordering()
    for i in range(1100):
        ordering.narrower(f"n{i:04}", f"n{i + 1:04}", 0.9)
    assert ordering.relation("n0000", "n1100") == "narrower"
    assert next(ordering.closure()) == ("n0000", "n0001", "narrower", 0.9)
