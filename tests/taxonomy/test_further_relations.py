"""Judgements beside those of the rules: what they outrank, what outranks them, and what is refused and reported."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.taxonomy.judges import METHODS, Judgement
from partonomy_data.taxonomy.overrides import INVERSE, Overrides, RelationOverride, overrides
from partonomy_data.taxonomy.relations import Refused, judge, of_table, table
from tests.taxonomy.reach import reachable

SURE = 0.92


def llm(a: str, relation: str, b: str, confidence: float = SURE, call_id: str = "call_1") -> Judgement:
    return Judgement(a, b, relation, "llm", confidence, call_id)


def unsure(a: str, b: str) -> Judgement:
    return Judgement(a, b, "distinct", "llm_unsure", 0.3, "call_9")


def said(*rows: tuple[str, str, str]) -> Overrides:
    return overrides(tuple(RelationOverride(a, b, relation, where="o.yaml:1") for a, relation, b in rows))


def found(
    parts: Sequence[str], *further: Judgement, user: Overrides | None = None
) -> tuple[dict[tuple[str, str], Judgement], list[Refused]]:
    refused: list[Refused] = []
    rows = judge(parts, user, further, refused)
    return {(one.part_a, one.part_b): one for one in rows}, refused


def test_a_model_is_believed_more_than_the_head_noun_and_less_than_the_rest() -> None:
    assert METHODS.index("lexical") < METHODS.index("llm") < METHODS.index("head_noun") < METHODS.index("llm_unsure")
    rows, refused = found(["brush head", "head"], llm("brush head", "distinct", "head"))
    assert rows["brush head", "head"] == llm("brush head", "distinct", "head")
    assert refused == []
    rows, refused = found(["left wing", "wing"], llm("left wing", "same", "wing"))
    assert (rows["left wing", "wing"].relation, rows["left wing", "wing"].method) == ("narrower", "lexical")
    assert [one.why for one in refused] == ["left wing is narrower than wing (lexical)"]


@pytest.mark.parametrize(
    ("parts", "user", "method"),
    [
        (("grip", "handle"), said(("grip", "distinct", "handle")), "override"),
        (("windscreen", "windshield"), None, "curated"),
        (("tail boom", "tailboom"), None, "exact"),
    ],
)
def test_what_people_and_sure_rules_say_stands(parts: tuple[str, str], user: Overrides | None, method: str) -> None:
    rows, refused = found(parts, llm(parts[0], "narrower", parts[1]), user=user)
    assert rows[parts].method == method
    assert rows[parts].relation != "narrower"
    assert len(refused) == 1
    assert method in refused[0].why


def test_an_unsure_model_changes_no_rule_and_says_distinct_where_there_is_none() -> None:
    parts = ["brush head", "head", "grip", "spout"]
    rows, _ = found(parts, unsure("brush head", "head"), unsure("grip", "spout"))
    assert (rows["brush head", "head"].relation, rows["brush head", "head"].method) == ("narrower", "head_noun")
    assert (rows["grip", "spout"].relation, rows["grip", "spout"].confidence) == ("distinct", 0.3)


def test_agreeing_with_a_rule_is_not_refused() -> None:
    _, refused = found(["left wing", "wing"], llm("wing", "broader", "left wing"))
    assert refused == []


def test_broader_is_turned_round_and_stored_both_ways_with_its_call() -> None:
    rows, _ = found(["lid", "cover"], llm("cover", "broader", "lid", call_id="call_7"))
    assert (rows["lid", "cover"].relation, rows["cover", "lid"].relation) == ("narrower", "broader")
    assert rows["lid", "cover"].call_id == rows["cover", "lid"].call_id == "call_7"
    made = table(["lid", "cover"], further=[llm("cover", "broader", "lid", call_id="call_7")])
    assert made["call_id"].to_pylist() == ["call_7", "call_7"]


@pytest.mark.parametrize("names", [("cap", "lid", "top"), ("top", "lid", "cap"), ("lid", "top", "cap")])
def test_a_circle_is_broken_and_what_breaks_it_reported(names: tuple[str, ...]) -> None:
    circle = [llm(a, "narrower", b) for a, b in pairwise([*names, names[0]])]
    rows, refused = found(names, *circle)
    assert len(refused) == 1
    assert refused[0].judgement in circle
    assert refused[0].why.count(" → ") == 3
    up = {name: {b for (a, b), one in rows.items() if a == name and one.relation == "narrower"} for name in names}
    assert sorted(map(len, up.values())) == [0, 1, 2]


def test_the_surest_of_a_circle_stay() -> None:
    circle = [llm("a", "narrower", "b", 0.91), llm("b", "narrower", "c", 0.95), llm("c", "narrower", "a", 0.93)]
    _, refused = found("abc", *circle)
    assert [one.judgement for one in refused] == [circle[0]]


def test_the_same_is_refused_of_names_that_are_apart() -> None:
    """tire and wheel are distinct by the curated list; a model that makes a third name the same as both is wrong once."""
    rows, refused = found(["tire", "wheel", "roller"], llm("roller", "same", "tire"), llm("roller", "same", "wheel"))
    assert len(refused) == 1
    assert rows["tire", "wheel"].relation == "distinct"
    assert sum(one.relation == "same" for one in rows.values()) == 2


def test_distinct_is_refused_of_names_that_follow_to_be_related() -> None:
    parts = ["windshield", "windscreen", "glass"]
    rows, refused = found(
        parts, llm("windscreen", "narrower", "glass", 0.95), llm("windshield", "distinct", "glass", 0.92)
    )
    assert (rows["windshield", "glass"].relation, rows["windshield", "glass"].method) == ("narrower", "closure")
    assert [one.why for one in refused] == ["it follows that glass is broader than windshield"]


def test_a_name_that_no_part_has_is_refused() -> None:
    rows, refused = found(["lid"], llm("cap", "same", "lid"))
    assert rows == {}
    assert [one.why for one in refused] == ["there is no such part"]


def test_a_method_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError):
        judge(["a", "b"], further=[Judgement("a", "b", "same", "guess", 0.9)])


def test_only_sure_judgements_are_passed_on() -> None:
    parts = ["lid", "cap", "cover"]
    sure, _ = found(parts, llm("lid", "same", "cap"), llm("cap", "narrower", "cover"))
    assert (sure["lid", "cover"].relation, sure["lid", "cover"].method) == ("narrower", "closure")
    weak, _ = found(parts, llm("lid", "same", "cap", 0.85), llm("cap", "narrower", "cover"))
    assert ("lid", "cover") not in weak


def test_what_follows_carries_a_call_if_and_only_if_it_rests_on_one() -> None:
    parts = ["left wing", "wing", "airfoil", "upper left wing", "vane"]
    rows, _ = found(
        parts, llm("wing", "same", "airfoil", call_id="call_5"), llm("airfoil", "narrower", "vane", call_id="call_6")
    )
    by_rules_alone, _ = found(parts)
    for pair, one in rows.items():
        assert (one.call_id is None) == (pair in by_rules_alone), pair
    assert rows["left wing", "airfoil"].call_id == "call_5"
    assert rows["airfoil", "vane"].call_id == "call_6"


def test_a_table_read_back_is_what_was_judged() -> None:
    parts = ["left wing", "wing", "airfoil", "brush head", "head"]
    further = [llm("wing", "same", "airfoil", 0.9), unsure("head", "wing")]
    rows = judge(parts, None, further)
    read = of_table(table(parts, None, further))
    assert read == rows
    assert [one.call_id for one in read] == [one.call_id for one in rows]


_NAMES = [
    *("wing", "left wing", "upper left wing", "blade", "rotor blade", "tail rotor blade"),
    *("windshield", "windscreen", "wheel", "tire"),
]
_FURTHER = st.lists(
    st.builds(
        lambda a, b, relation, confidence, method, n: Judgement(a, b, relation, method, confidence, f"call_{n}"),
        st.sampled_from(_NAMES),
        st.sampled_from(_NAMES),
        st.sampled_from(["same", "narrower", "broader", "distinct"]),
        st.sampled_from([0.5, 0.85, 0.9, 0.95]),
        st.sampled_from(["llm", "llm_unsure"]),
        st.integers(1, 3),
    ).filter(lambda one: one.part_a != one.part_b),
    max_size=8,
)


@given(_FURTHER, st.integers(0, 5))
def test_whatever_is_given_the_relations_are_sound_and_independent_of_order(further: list[Judgement], n: int) -> None:
    refused: list[Refused] = []
    rows = judge(_NAMES, None, further, refused)
    by_pair = {(one.part_a, one.part_b): one for one in rows}
    above: dict[str, set[str]] = {}
    for (a, b), one in by_pair.items():
        back = by_pair[b, a]
        assert (back.relation, back.method, back.call_id) == (INVERSE[one.relation], one.method, one.call_id)
        if one.relation == "narrower":
            above.setdefault(a, set()).add(b)
    assert not any(start in reachable(start, above) for start in above)
    # Sure rules are as they were; and what has no call is what the rules say.
    ruled = {(one.part_a, one.part_b): one for one in judge(_NAMES)}
    for pair, one in ruled.items():
        if one.method not in ("head_noun", "closure"):
            assert by_pair[pair] == one
    for pair, one in by_pair.items():
        if one.call_id is None:
            assert ruled[pair].relation == one.relation
    shuffled = random.Random(n).sample(further, len(further))
    again: list[Refused] = []
    assert judge(_NAMES, None, shuffled, again) == rows
    assert again == refused
    assert len(refused) <= len(further)
