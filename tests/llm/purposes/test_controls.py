"""The controls are what they should be, and a model is believed as far as it does well on them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.llm.guard import reads_as_a_name
from partonomy_data.llm.purposes import plausibility, relations
from partonomy_data.llm.purposes.controls import MOST_CONFIDENCE, Score, controls, kind, scores
from partonomy_data.llm.purposes.intervals import Z80, wilson
from partonomy_data.taxonomy import relations as weighing
from partonomy_data.taxonomy.overrides import INVERSE
from partonomy_data.taxonomy.words import normalise


def test_there_are_twenty_pairs_of_each_relation_and_thirty_absurd_ones() -> None:
    assert Counter(one.relation for one in controls().related) == {"same": 20, "narrower": 20, "distinct": 20}
    pairs = {frozenset((one.part_a, one.part_b)) for one in controls().related}
    assert len(pairs) == 60
    assert all(len(pair) == 2 for pair in pairs)
    assert len(set(controls().absurd)) == 30


def test_all_names_of_the_controls_are_canonical_and_may_be_shown() -> None:
    names = {name for pair in controls().absurd for name in pair}
    for one in controls().related:
        names |= {one.part_a, one.part_b, *one.contexts_a, *one.contexts_b}
        assert 1 <= len(one.contexts_a) <= 3
        assert 1 <= len(one.contexts_b) <= 3
    assert all(map(reads_as_a_name, names))
    # A canonical name has no hyphen: two spellings of one name are the same name before any pair is asked about.
    assert {name: normalise(name) for name in names if normalise(name) != name} == {}


def test_the_rules_contradict_no_control() -> None:
    """What the curated lists and the rules on words say of these names, where they say anything."""
    names = {name for one in controls().related for name in (one.part_a, one.part_b)}
    ruled = {(one.part_a, one.part_b): one.relation for one in weighing.judge(names) if one.method != "head_noun"}
    for one in controls().related:
        assert ruled.get((one.part_a, one.part_b), one.relation) == one.relation, one


def test_the_spelling_gives_no_verdict_away() -> None:
    sharing = Counter(one.relation for one in controls().related if set(one.part_a.split()) & set(one.part_b.split()))
    alone = Counter(one.relation for one in controls().related) - sharing
    assert all(sharing[relation] >= 3 and alone[relation] >= 3 for relation in ("same", "narrower", "distinct"))


def test_the_instructions_answer_no_control() -> None:
    for one in controls().related:
        assert not (one.part_a in relations.BRIEF.instructions and one.part_b in relations.BRIEF.instructions), one
    for category, part in controls().absurd:
        told = plausibility.BRIEF.instructions.split()
        assert not (category in told and part in told)


@pytest.mark.parametrize(
    ("right", "given", "believed"),
    [(20, 20, True), (5, 5, True), (4, 4, False), (16, 20, True), (15, 20, False), (20, 60, False), (0, 0, False)],
)
def test_a_verdict_is_believed_if_it_was_right_often_enough(right: int, given: int, believed: bool) -> None:
    assert (Score(right, given).confidence is not None) == believed


@given(st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_no_confidence_is_above_the_share_nor_above_the_cap(counts: tuple[int, int]) -> None:
    right, given_ = counts
    low, _ = wilson(right, given_, Z80)
    confidence = Score(right, given_).confidence
    assert confidence is None or confidence == min(low, MOST_CONFIDENCE) <= right / given_


@given(st.lists(st.tuples(st.sampled_from(list(INVERSE)), st.sampled_from(list(INVERSE)))))
def test_every_verdict_is_counted_once(known: list[tuple[str, str]]) -> None:
    measured = scores(("same", "narrower", "distinct"), known)
    assert sum(one.given for one in measured.values()) == len(known)
    assert sum(one.right for one in measured.values()) == sum(truth == said for truth, said in known)
    assert measured["narrower"].given == sum(kind(said) == "narrower" for _, said in known)


def test_a_relation_the_wrong_way_round_is_wrong() -> None:
    assert scores(("same", "narrower", "distinct"), [("narrower", "broader")])["narrower"] == Score(0, 1)
