"""Pairs of part names that are worth a look: those that may be related are among them, and they are not too many."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import simulated_vocabulary
from partonomy_data.taxonomy import graph
from partonomy_data.taxonomy.blocking import CONTEXTS, MOST, Candidate, candidates, evidence
from partonomy_data.taxonomy.judges import Judgement
from partonomy_data.taxonomy.names import build
from partonomy_data.taxonomy.overrides import RelationOverride, overrides
from partonomy_data.taxonomy.relations import judge
from schemas.tables import schema

TRUE_PAIRS = Path(__file__).resolve().parents[1] / "data" / "part_name_relations.tsv"


def part_graph(objects: Mapping[str, Iterable[str]]) -> pa.Table:
    pairs = [(category, part) for category, parts in objects.items() for part in parts]
    return pa.table({"object_category": [one for one, _ in pairs], "part_category": [part for _, part in pairs]})


def category_graph(kinds: Mapping[str, Iterable[str]]) -> pa.Table:
    rows = [{"child": child, "parent": kind, "source": "s"} for kind, some in kinds.items() for child in some]
    return pa.Table.from_pylist(rows, schema=schema("category_graph"))


def found(
    *parts: str, judged: Sequence[Judgement] | None = None, one_object: bool = False
) -> dict[tuple[str, str], Candidate]:
    objects = {"thing": parts} if one_object else {f"thing {i}": [part] for i, part in enumerate(parts)}
    rules = judge(parts) if judged is None else judged
    made = candidates(part_graph(objects), category_graph({"kind": objects}), rules)
    assert all(one.part_a < one.part_b for one in made)
    return {(one.part_a, one.part_b): one for one in made}


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        ("control panel", "door panel", "head"),
        ("blade", "rotor blade", "head"),
        ("gear case", "drive gear", "word"),
        ("boom", "mizzenboom", "compound"),
        ("wheel", "flywheel", "compound"),
        ("propeller", "propelier", "spelling"),
        ("stabiliser", "stabilizer", "spelling"),
        ("fuselage", "fuselgae", "spelling"),
        ("haft", "shank", "near"),
        ("mug lid", "pot cover", "near"),
        ("knob", "lever", "near"),
        ("seat", "armchair", "near"),
        ("cockpit", "pilot house", "near"),
        ("monitor with screen", "display", "near"),
        ("end of the rod", "tip", "near"),
        ("seating area", "saddle", "near"),
        ("propulsion unit", "propeller", "near"),
    ],
)
def test_an_index_brings_together_what_may_be_related(a: str, b: str, why: str) -> None:
    made = found(a, b)
    assert list(made) == [tuple(sorted((a, b)))]
    assert why in next(iter(made.values())).why


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("wing", "wheel"),
        # Two of a kind, each with a side or number of its own: never the same, nor one a kind of the other.
        ("left wing", "right wing"),
        ("parallel line 1", "parallel line 2"),
        ("front wheel", "left wheel"),
        # "A of B" is a B's A.
        ("row of windows", "window"),
        # Both are on a line of kinds, but not the kind itself.
        ("couch", "pew"),
        ("bow", "row"),
    ],
)
def test_nothing_else_is_worth_a_look(a: str, b: str) -> None:
    assert [
        why for why in evidence(part_graph({"x": [a], "y": [b]}), category_graph({})).values() if "word" not in why
    ] == []


def test_parts_of_siblings_in_the_same_place_are_brought_together() -> None:
    objects = {
        "mug": ["rim", "base", "grasp"],
        "cup": ["rim", "base", "holdfast"],
        "pan": ["base", "grasp", "spout"],
        "dog": ["muffle", "ear"],
    }
    kinds = {"vessel": ["mug", "cup", "pan"], "animal": ["dog"]}
    made = evidence(part_graph(objects), category_graph(kinds))
    assert "siblings" in made["grasp", "holdfast"]
    # Both are parts of one pan, so they are two things.
    assert ("grasp", "spout") not in made
    # And a dog is no sibling.
    assert not any("muffle" in pair for pair in made)
    # Without the kinds, nothing says that they are in the same place.
    assert ("grasp", "holdfast") not in evidence(part_graph(objects), category_graph({}))


def test_a_strong_pair_comes_before_a_weak_one() -> None:
    made = list(found("blade", "rotor blade", "cutter", "gear case", "drive gear", "mug lid", "pot cover"))
    assert made.index(("blade", "rotor blade")) < made.index(("cutter", "rotor blade"))
    assert made.index(("blade", "cutter")) < made.index(("cutter", "rotor blade"))
    assert made[-1] == ("mug lid", "pot cover")


def test_what_sure_judges_have_settled_is_left_out_and_the_head_noun_is_not() -> None:
    said = overrides((RelationOverride("grip", "lever", "distinct", where="o.yaml:1"),))
    parts = [
        "grip",
        "lever",
        "left lever",
        "windshield",
        "windscreen",
        "tailboom",
        "tail boom",
        "door handle",
        "handle",
    ]
    made = found(*parts, judged=judge(parts, said))
    for pair in (("grip", "lever"), ("left lever", "lever"), ("windscreen", "windshield"), ("tail boom", "tailboom")):
        assert pair not in made
    assert ("door handle", "handle") in made
    # An earlier word of a model settles nothing, nor what follows from it: it is asked again, and answers as before.
    judged = [Judgement("door handle", "handle", "distinct", "llm", 0.92, "call_1")]
    assert ("door handle", "handle") in found("door handle", "handle", judged=judged)


def test_what_surely_follows_is_settled_too() -> None:
    parts = ["upper tail boom", "tailboom", "tail boom"]
    assert found(*parts) == {}
    assert ("tail boom", "upper tail boom") in found(*parts, judged=[])


def test_each_part_is_shown_with_some_objects_that_have_it() -> None:
    objects = {f"object {i}": ["lid", *(["cover"] if i == 4 else [])] for i in range(6)}
    (one,) = candidates(part_graph(objects), category_graph({}), [])
    assert one == Candidate("cover", "lid", ("near",), ("object 4",), ("object 0", "object 1", "object 2"))
    assert len(one.contexts_b) == CONTEXTS


def test_a_function_may_bring_in_others() -> None:
    heard: list[Sequence[str]] = []

    def similar(names: Sequence[str]) -> list[tuple[str, str, float]]:
        heard.append(names)
        return [("wing", "wheel", 0.9), ("wing", "wing", 1.0), ("tail", "wing", 0.0), ("tail", "wheel", float("nan"))]

    objects = part_graph({"x": ["wing", "wheel"], "y": ["tail"]})
    made = candidates(objects, category_graph({}), [], similar)
    assert [(one.part_a, one.part_b, one.why) for one in made] == [("wheel", "wing", ("similar",))]
    assert heard == [["tail", "wheel", "wing"]]
    with pytest.raises(ValueError, match="'sail'"):
        candidates(objects, category_graph({}), [], lambda _: [("wing", "sail", 0.5)])


_WORDS = [
    *("left", "rear", "upper", "rotor", "main", "mug", "blade", "boom", "tail", "wheel", "handle", "grip"),
    *("lid", "cover", "cap", "rope", "cord", "hull", "body", "of", "1", "2"),
]
_PARTS = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3).map(" ".join)
_OBJECTS = st.dictionaries(
    st.sampled_from([f"object {i}" for i in range(8)]),
    st.lists(_PARTS, min_size=1, max_size=6, unique=True),
    max_size=8,
)
_KINDS = st.dictionaries(
    st.sampled_from(["kind", "sort"]),
    st.lists(st.sampled_from([f"object {i}" for i in range(8)]), max_size=5, unique=True),
)


@given(_OBJECTS, _KINDS, st.randoms(use_true_random=False))
def test_candidates_are_ordered_unsettled_and_independent_of_the_order_of_rows(
    objects: dict[str, list[str]], kinds: dict[str, list[str]], chance: random.Random
) -> None:
    names = sorted({part for parts in objects.values() for part in parts})
    judged = judge(names)
    made = candidates(part_graph(objects), category_graph(kinds), judged)
    pairs = [(one.part_a, one.part_b) for one in made]
    assert len(set(pairs)) == len(pairs)
    assert all(a < b and {a, b} <= set(names) for a, b in pairs)
    assert all(one.why and list(one.why) == sorted(one.why) for one in made)
    sure = {(one.part_a, one.part_b) for one in judged if one.method in ("override", "curated", "exact", "lexical")}
    assert not sure.intersection(pairs)
    for one in made:
        for part, contexts in ((one.part_a, one.contexts_a), (one.part_b, one.contexts_b)):
            assert 0 < len(contexts) <= CONTEXTS
            assert all(part in objects[category] for category in contexts)
    mixed = {
        name: chance.sample(objects[name], len(objects[name])) for name in chance.sample(list(objects), len(objects))
    }
    assert candidates(part_graph(mixed), category_graph(kinds), judged[::-1]) == made


@given(_OBJECTS, _KINDS)
def test_what_objects_are_called_has_no_influence(objects: dict[str, list[str]], kinds: dict[str, list[str]]) -> None:
    def renamed(name: str) -> str:
        return f"x{9 - int(name[-1])}"

    other = candidates(
        part_graph({renamed(name): parts for name, parts in objects.items()}),
        category_graph({kind[::-1]: list(map(renamed, some)) for kind, some in kinds.items()}),
        [],
    )
    made = candidates(part_graph(objects), category_graph(kinds), [])
    assert [(one.part_a, one.part_b, one.why) for one in other] == [(one.part_a, one.part_b, one.why) for one in made]


@given(_OBJECTS, _KINDS, st.lists(_PARTS, min_size=1, max_size=3))
def test_more_names_take_no_candidate_away(
    objects: dict[str, list[str]], kinds: dict[str, list[str]], more: list[str]
) -> None:
    """Of a vocabulary that is no larger than an index lists in full. New objects may tell two parts apart, not relate
    them less by name."""
    before = evidence(part_graph(objects), category_graph({}))
    after = evidence(part_graph({**objects, "another": list(dict.fromkeys(more))}), category_graph({}))
    assert before.keys() <= after.keys()


def many(n: int, shape: str) -> dict[str, list[str]]:
    """`n` names in objects of ten."""
    names = {
        "one head": [f"sort{i} button" for i in range(n)],
        "one first word": [f"button sort{i}" for i in range(n)],
        "a few words": [f"{_WORDS[i % 20]} x{i % 97} {_WORDS[i % 17]}{i // 1649}" for i in range(n)],
        "one letter apart": ["part" + "".join("bdfgklmnpr"[int(digit)] for digit in f"{i:04d}") for i in range(n)],
        "near": [f"sort{i} {('grip', 'handle', 'knob', 'lever')[i % 4]}" for i in range(n)],
        "numbers": [f"line {i}" for i in range(n)],
    }[shape]
    return {f"object {i // 10}": names[i : i + 10] for i in range(0, n, 10)}


@pytest.mark.parametrize("shape", ["one head", "one first word", "a few words", "one letter apart", "near", "numbers"])
def test_thousands_of_names_are_not_compared_with_one_another(shape: str) -> None:
    """What is looked at grows with the names, whatever they have in common; all pairs would be 1,250 for each."""
    n = 2_500
    objects = many(n, shape)
    assert len(evidence(part_graph(objects), category_graph({"kind": objects}))) <= 80 * n


def test_there_are_never_more_than_the_stated_number_and_the_weakest_are_left_out() -> None:
    objects = {**many(2_000, "one head"), "pair": ["rotor blade"], "other": ["blade"]}
    made = candidates(part_graph(objects), category_graph({}), [])
    assert len(made) == MOST
    assert (made[0].part_a, made[0].part_b) == ("blade", "rotor blade")


def test_the_real_vocabulary_has_the_true_pairs_among_its_candidates(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recall among what is judged by rule or is a candidate, of pairs that people found to be related."""
    design = simulated_vocabulary.partonomy(shared_data)
    tables = graph.tables([], {design.source: design.vocabulary}, build({design.source: design.vocabulary}))
    names = tables["part_categories"]["part_category"].to_pylist()
    judged = judge(names)
    made = candidates(tables["part_graph"], tables["category_graph"], judged)
    with TRUE_PAIRS.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t")
        true = {
            tuple(sorted((row["part_a"], row["part_b"])))
            for row in rows
            if row["relation"] != "distinct" and {row["part_a"], row["part_b"]} <= set(names)
        }
    ruled = {(one.part_a, one.part_b) for one in judged if one.relation != "distinct"}
    reached = true & (ruled | {(one.part_a, one.part_b) for one in made})
    with capsys.disabled():
        print(f"\n{len(reached)} of {len(true)} true pairs ({len(reached) / len(true):.1%}); {len(made)} candidates")
        print("missed:", "; ".join(" | ".join(pair) for pair in sorted(true - reached)))
    assert len(true) >= 100
    assert len(reached) >= 0.95 * len(true)
    assert len(made) <= MOST <= 12_000
