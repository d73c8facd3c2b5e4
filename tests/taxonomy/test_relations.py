"""Relations between part names: what the judges find, what follows, and who wins."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import UsageError
from partonomy_data.taxonomy.judges import judgements
from partonomy_data.taxonomy.lexicon import synonyms
from partonomy_data.taxonomy.overrides import INVERSE, Overrides, RelationOverride, overrides
from partonomy_data.taxonomy.relations import Judgement, judge, table
from schemas.tables import schema
from tests.taxonomy.reach import reachable


def found(*parts: str, relations: Overrides | None = None) -> dict[tuple[str, str], Judgement]:
    return {(one.part_a, one.part_b): one for one in judge(parts, relations)}


def said(*rows: tuple[str, str, str]) -> Overrides:
    return overrides(tuple(RelationOverride(a, b, relation, where="o.yaml:1") for a, relation, b in rows))


@pytest.mark.parametrize(
    ("a", "relation", "b", "method"),
    [
        ("handlebar", "same", "handle bar", "exact"),
        ("tailboom", "same", "tail boom", "exact"),
        ("t-shirt", "same", "tshirt", "exact"),
        ("seat tracks guard", "same", "seat track guard", "lexical"),
        ("driver's seat", "same", "driver seat", "lexical"),
        ("seat of the driver", "same", "driver's seat", "lexical"),
        ("front left wheel", "same", "left front wheel", "lexical"),
        ("rear wheel", "same", "back wheel", "lexical"),
        ("left wing", "narrower", "wing", "lexical"),
        ("front wheel", "narrower", "wheel", "lexical"),
        ("upper deck", "narrower", "deck", "lexical"),
        ("inner wall", "narrower", "wall", "lexical"),
        ("line 1", "narrower", "line", "lexical"),
        ("left front wheel", "narrower", "left wheel", "lexical"),
        ("rotor blade", "narrower", "blade", "head_noun"),
        ("oil pressure gauge", "narrower", "pressure gauge", "head_noun"),
        ("number plate", "same", "license plate", "curated"),
        ("windscreen", "same", "windshield", "curated"),
        ("saddle", "narrower", "seat", "curated"),
        ("tire", "distinct", "wheel", "curated"),
        ("steering wheel", "distinct", "wheel", "curated"),
    ],
)
def test_a_pair_is_judged_and_stored_both_ways(a: str, relation: str, b: str, method: str) -> None:
    rows = found(a, b)
    assert (rows[a, b].relation, rows[a, b].method) == (relation, method)
    assert (rows[b, a].relation, rows[b, a].method) == (INVERSE[relation], method)
    assert rows[a, b].confidence == rows[b, a].confidence
    assert len(rows) == 2


@pytest.mark.parametrize(
    "parts",
    [
        ("wing", "wheel"),
        ("left wing", "right wing"),
        ("row of windows", "windows"),
        ("row of windows", "window row"),
        ("leg", "foot"),
        ("shell", "shell (crew boat)"),
        ("back", "front"),
        ("left", "left side"),
    ],
)
def test_names_that_don_t_relate_have_no_row(parts: tuple[str, ...]) -> None:
    assert found(*parts) == {}


def test_side_and_place_are_surer_than_any_other_word() -> None:
    rows = found("left wing", "glider wing", "wing", "brush head", "head")
    assert rows["left wing", "wing"].confidence > rows["glider wing", "wing"].confidence
    assert rows["glider wing", "wing"].confidence > rows["brush head", "head"].confidence


def test_narrower_is_passed_on_along_a_chain_even_over_a_missing_link() -> None:
    rows = found("left front wheel", "front wheel", "wheel", "upper left front wheel")
    assert {pair for pair, one in rows.items() if one.relation == "narrower"} == {
        ("front wheel", "wheel"),
        ("left front wheel", "front wheel"),
        ("left front wheel", "wheel"),
        ("upper left front wheel", "left front wheel"),
        ("upper left front wheel", "front wheel"),
        ("upper left front wheel", "wheel"),
    }
    chained = found("oil pressure gauge", "pressure gauge", "gauge")
    assert chained["oil pressure gauge", "gauge"].method == "closure"
    assert chained["oil pressure gauge", "gauge"].confidence == 0.7


def test_what_is_said_of_a_name_holds_for_the_names_that_are_the_same() -> None:
    rows = found("tailboom", "tail boom", "boom")
    assert (rows["tailboom", "boom"].relation, rows["tailboom", "boom"].method) == ("narrower", "closure")
    assert rows["boom", "tailboom"].relation == "broader"


def test_what_is_true_in_some_objects_only_is_not_passed_on() -> None:
    rows = found("boot", "trunk", "car boot", "tree trunk")
    assert rows["boot", "trunk"].relation == "same"
    assert rows["boot", "trunk"].confidence < 0.9
    assert ("car boot", "trunk") not in rows
    assert ("car boot", "tree trunk") not in rows


def test_distinct_is_no_bridge_and_no_barrier_to_others() -> None:
    rows = found("steering wheel", "left steering wheel", "wheel", "front wheel")
    assert ("left steering wheel", "wheel") not in rows
    assert rows["left steering wheel", "steering wheel"].relation == "narrower"


def test_an_override_wins_over_every_judge_and_is_passed_on() -> None:
    rows = found(
        "number plate",
        "license plate",
        "rotor blade",
        "blade",
        "knife",
        relations=said(
            ("license plate", "distinct", "number plate"),
            ("rotor blade", "same", "blade"),
            ("knife", "broader", "blade"),
            ("unknown", "same", "blade"),
        ),
    )
    assert (rows["number plate", "license plate"].relation, rows["number plate", "license plate"].method) == (
        "distinct",
        "override",
    )
    assert (rows["blade", "rotor blade"].relation, rows["blade", "rotor blade"].confidence) == ("same", 1.0)
    assert (rows["rotor blade", "knife"].relation, rows["rotor blade", "knife"].method) == ("narrower", "closure")
    assert not any("unknown" in pair for pair in rows)


def test_a_judge_gives_way_where_an_override_would_close_a_cycle() -> None:
    about_beams = said(("tail boom", "narrower", "beam"), ("beam", "narrower", "tailboom"))
    assert found("tail boom", "tailboom", "beam", relations=about_beams)["tail boom", "tailboom"].relation == "narrower"
    turned = found("blade", "rotor blade", relations=said(("blade", "narrower", "rotor blade")))
    assert turned["blade", "rotor blade"].relation == "narrower"


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([("a", "narrower", "b"), ("b", "narrower", "c"), ("c", "narrower", "a")], ["a", "b", "c"]),
        ([("a", "narrower", "b"), ("a", "broader", "b")], ["a", "b"]),
        ([("a", "same", "b"), ("b", "distinct", "a")], ["a", "b"]),
        ([("a", "same", "b"), ("b", "same", "c"), ("a", "narrower", "c")], ["a", "c"]),
        ([("a", "same", "b"), ("b", "same", "c"), ("a", "distinct", "c")], ["a", "c"]),
        ([("a", "distinct", "c"), ("a", "narrower", "b"), ("b", "narrower", "c")], ["a", "c"]),
    ],
)
def test_overrides_that_contradict_one_another_stop_the_build_in_one_line(
    rows: list[tuple[str, str, str]], names: list[str]
) -> None:
    with pytest.raises(UsageError, match="contradict") as caught:
        judge([], said(*rows))
    message = str(caught.value)
    assert message.startswith("o.yaml:1: ")
    assert "\n" not in message
    assert all(name in message for name in names)


def test_saying_the_same_twice_is_no_contradiction() -> None:
    rows = found("a", "b", relations=said(("a", "narrower", "b"), ("b", "broader", "a"), ("a", "narrower", "b")))
    assert rows["a", "b"].relation == "narrower"


_VOCABULARY = "left front rear upper rotor tail blade boom tailboom wheel tire steering handle bar grip 1 of seat"
_WORDS = st.sampled_from(_VOCABULARY.split(" "))
_PARTS = st.lists(st.lists(_WORDS, min_size=1, max_size=4).map(" ".join), max_size=14)
_OVERRIDES = st.lists(
    st.tuples(
        st.sampled_from(["blade", "wheel", "handle", "grip", "seat"]),
        st.sampled_from(["same", "narrower", "broader", "distinct"]),
        st.sampled_from(["boom", "tail", "bar", "tire", "left wheel", "rotor blade"]),
    ),
    max_size=3,
)


@given(_PARTS, _OVERRIDES)
def test_relations_are_inverse_acyclic_and_independent_of_order(
    parts: list[str], given_rows: list[tuple[str, str, str]]
) -> None:
    try:
        rows = judge(parts, said(*given_rows))
    except UsageError:
        return
    by_pair = {(one.part_a, one.part_b): one for one in rows}
    assert list(by_pair) == sorted(by_pair)
    assert len(by_pair) == len(rows)
    above: dict[str, set[str]] = {}
    for (a, b), one in by_pair.items():
        assert a != b
        assert {a, b} <= set(parts)
        back = by_pair[b, a]
        assert (back.relation, back.method, back.confidence) == (INVERSE[one.relation], one.method, one.confidence)
        if one.relation == "narrower":
            above.setdefault(a, set()).add(b)
    assert not any(start in reachable(start, above) for start in above)
    shuffled = random.Random(len(parts)).sample(parts, len(parts))
    assert judge(shuffled, said(*given_rows)) == rows


@given(_PARTS)
def test_the_judges_that_look_names_up_find_what_comparing_all_pairs_finds(parts: list[str]) -> None:
    """The oracle for side and place: the same rest, and fewer such words."""
    places = {"left": "l", "front": "f", "rear": "b", "upper": "u"}

    def split(name: str) -> tuple[frozenset[str], str]:
        tokens, start = name.split(), 0
        while start < len(tokens) - 1 and tokens[start] in places:
            start += 1
        numbered = len(tokens) - start > 1 and tokens[-1] == "1"
        own = {places[token] for token in tokens[:start]} | ({"1"} if numbered else set())
        return frozenset(own), " ".join(tokens[start : len(tokens) - numbered])

    expected = {(a, b) for a in parts for b in parts if split(a)[1] == split(b)[1] and split(b)[0] < split(a)[0]}
    looked_up = {
        (one.part_a, one.part_b) for one in judgements(parts) if one.relation == "narrower" and one.method == "lexical"
    }
    assert looked_up == expected


def test_the_curated_relations_form_no_cycle_and_contradict_nothing() -> None:
    listed = synonyms()
    same = {frozenset((a, b)) for group in listed.same for a in group.names for b in group.names if a != b}
    narrower = [(pair.part, pair.than) for pair in listed.narrower]
    distinct = {frozenset((pair.part, pair.than)) for pair in listed.distinct}
    assert len(set(narrower)) == len(narrower)
    assert not distinct & same
    assert not {frozenset(pair) for pair in narrower} & (distinct | same)
    above: dict[str, set[str]] = {}
    for a, b in narrower:
        above.setdefault(a, set()).add(b)
    assert not any(start in reachable(start, above) for start in above)
    names = {name for pair in narrower for name in pair} | {name for group in listed.same for name in group.names}
    rows = {(one.part_a, one.part_b): one.relation for one in judge(names)}
    assert all(rows[pair] == "narrower" for pair in narrower)


def test_the_table_has_the_published_schema_and_no_call() -> None:
    made = table(["left wing", "wing", "tail"])
    assert made.schema.equals(schema("part_relations"))
    assert made["part_a"].to_pylist() == ["left wing", "wing"]
    assert made["relation"].to_pylist() == ["narrower", "broader"]
    assert made["call_id"].null_count == 2
    assert table([]).num_rows == 0


def test_the_cost_grows_with_the_names_not_with_their_pairs() -> None:
    def seconds(n: int) -> float:
        names = [f"left modifier{i} thing{i % (n // 4)}" for i in range(n)] + [f"thing{i}" for i in range(n // 4)]
        start = time.process_time()
        judge(names)
        return time.process_time() - start

    seconds(400)
    times = [min(seconds(n) for _ in range(2)) for n in (2_000, 8_000)]
    assert all(late < 12 * early for early, late in pairwise(times)), times
    assert times[-1] < 3.0


def test_a_name_made_of_two_names_of_a_part_is_the_same_as_either() -> None:
    found = {(one.part_a, one.part_b): one.relation for one in judgements(["aerial antenna", "aerial", "wing"])}
    assert found["aerial", "aerial antenna"] == "same"
    assert len(found) == 1
