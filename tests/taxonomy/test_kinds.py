"""The curated kinds of objects, and look-ups in the graph that they are part of."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from itertools import combinations, permutations
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.demo import pools
from partonomy_data.sources.partonomy import labels
from partonomy_data.sources.pascal_part import codes
from partonomy_data.sources.records import ObjectName, Vocabulary
from partonomy_data.taxonomy import kinds
from partonomy_data.taxonomy.categories import CURATED, Edge, acyclic, cycle
from partonomy_data.taxonomy.names import Names, build, normalise
from partonomy_data.taxonomy.words import without_qualifier

PARTIMAGENET = (
    "quadruped",
    "biped",
    "fish",
    "bird",
    "snake",
    "reptile",
    "car",
    "bicycle",
    "boat",
    "airplane",
    "bottle",
)


def vocabulary(*objects: tuple[str, ...]) -> Vocabulary:
    """Objects as (name, parents…)."""
    return Vocabulary(
        tuple(
            ObjectName(key=f"k{place}", source_category=name, name=name, parents=tuple(parents))
            for place, (name, *parents) in enumerate(objects)
        ),
        (),
    )


def graph(*pairs: tuple[str, str]) -> pa.Table:
    return pa.table(
        {
            "child": pa.array([child for child, _ in pairs], pa.string()),
            "parent": pa.array([parent for _, parent in pairs], pa.string()),
            "source": pa.array(["s"] * len(pairs), pa.string()),
        }
    )


def table_of(made: Names) -> pa.Table:
    return graph(*sorted({(child, parent) for child, parent, _ in made.edges}))


@pytest.fixture(scope="module")
def paco_objects(shared_data: Path) -> list[str]:
    with (shared_data / "paco/paco_lvis_v1_categories_attributes_parts.json").open(encoding="utf-8") as file:
        return [row["name"] for row in json.load(file)["categories"] if ":" not in row["name"]]


@pytest.fixture(scope="module")
def partonomy(shared_data: Path) -> Vocabulary:
    """The published labels as PARTONOMY's reader names them, with its categories above."""
    raw = json.loads((shared_data / "partonomy/object_names_to_nl.json").read_text(encoding="utf-8"))
    found = [label for label in map(labels.parse, raw) if label is not None and label.part is None]
    names = labels.object_names(sorted({label.object_key for label in found}))
    return vocabulary(*((name, labels.category_word(key.partition("--")[0])) for key, name in names.items()))


def test_the_table_has_canonical_names_no_cycle_and_no_pair_that_follows_from_others() -> None:
    pairs = [(child, parent, CURATED) for child, parents in kinds.table().items() for parent in parents]
    assert len(pairs) > 200
    assert all(normalise(name) == name == without_qualifier(name) for pair in pairs for name in pair[:2])
    assert cycle(pairs) is None
    assert kinds.without_implied(pairs) == tuple(sorted(pairs))


def test_every_object_of_paco_has_a_parent_and_one_like_it_where_there_is_one(paco_objects: list[str]) -> None:
    made = build({"paco": vocabulary(*((name,) for name in paco_objects))})
    names = set(made.sources["paco"].objects.values())
    assert len(names) == 75
    assert set(made.supercategory) == names
    assert {source for *_, source in made.edges} == {CURATED}
    siblings = kinds.siblings(table_of(made))
    alone = {name for name in names if not siblings.of(name) & names}
    assert alone == {"dog", "pipe"}
    assert siblings.of("mug") == {"cup", "glass"}
    assert {"chair", "stool"} <= siblings.of("bench")


def test_everything_in_the_demo_world_s_pool_has_a_parent() -> None:
    spelled = [name for plan in pools.categories() for name in (plan.paco, plan.pascal_part) if name]
    assert len(spelled) > 80
    made = build({"s": vocabulary(*((name,) for name in sorted({normalise(name) for name in spelled})))})
    assert set(made.sources["s"].objects.values()) == set(made.supercategory)


def test_pascal_s_classes_and_the_groups_of_all_sources_meet_at_a_few_roots() -> None:
    pascal = codes.vocabulary()
    classes = vocabulary(*((f"class {place}", parent) for place, parent in enumerate(PARTIMAGENET)))
    concepts = Vocabulary(
        tuple(
            ObjectName(key=name, source_category=name, name=f"concept {place}", parents=(one.word, *one.more_general))
            for place, (name, one) in enumerate(labels.CATEGORIES.items())
        ),
        (),
    )
    made = build({"pascal_part": pascal, "partimagenet": classes, "partonomy": concepts})
    roots = kinds.roots(table_of(made))
    assert all(
        name in roots and roots[name] != {name} for one in made.sources.values() for name in one.objects.values()
    )
    for name in ("quadruped", "biped", "fish", "bird", "snake", "reptile", "person", "sheep"):
        assert roots[name] == {"animal"}
    for name in ("car", "bicycle", "boat", "airplane", "ship", "drone", "helicopter", "train", "motorbike"):
        assert roots[name] == {"vehicle"}
    assert roots["garden tool"] == {"tool"}
    assert roots["bottle"] == {"household object", "receptacle"}


def test_supercategories_that_a_source_gives_stay(partonomy: Vocabulary, paco_objects: list[str]) -> None:
    pascal = codes.vocabulary()
    given = {"paco": vocabulary(*((name,) for name in paco_objects)), "pascal_part": pascal, "partonomy": partonomy}
    made = build(given)
    said: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for child, parent, source in made.edges:
        if source != CURATED:
            said[child].add((source, parent))
    assert len(said) > 500
    assert all(
        made.supercategory[name] == min(parents)[1] for name, parents in said.items() if name in made.supercategory
    )
    for source, listed in given.items():
        for one in listed.objects:
            name = made.sources[source].objects[one.key]
            if one.parents:
                assert (name, normalise(one.parents[0]), source) in made.edges
    assert made.supercategory["dining table"] == "household object"
    assert made.supercategory["telephone"] == "office supply"


def test_no_kind_is_an_object_of_another_sense(partonomy: Vocabulary, shared_data: Path) -> None:
    """What a source has as an object and the table has as a kind is the same thing."""
    synsets = (shared_data / "partimagenet/LOC_synset_mapping.txt").read_text(encoding="utf-8").splitlines()
    imagenet = {normalise(line.partition(" ")[2].split(",")[0]) for line in synsets}
    objects = imagenet | {normalise(one.name) for one in partonomy.objects}
    used = {parent for parents in kinds.table().values() for parent in parents}
    assert used & objects == {
        "axe", "bookcase", "bottle", "bowl", "chair", "cup", "hammer", "knife", "monitor", "mug", "pencil", "plate",
        "pot", "screwdriver", "tray",
    }  # fmt: skip


def test_only_names_in_use_and_what_is_above_them_get_edges() -> None:
    made = build({"s": vocabulary(("mug",), ("unheard of",))})
    assert made.edges == (
        ("drinking vessel", "receptacle", CURATED),
        ("mug", "drinking vessel", CURATED),
    )
    assert made.supercategory == {"mug": "drinking vessel"}
    assert build({"s": vocabulary(("x", "cookware"))}).edges == (
        ("cookware", "kitchen item", CURATED),
        ("cookware", "receptacle", CURATED),
        ("x", "cookware", "s"),
    )


@given(st.sets(st.sampled_from(sorted(kinds.table())), min_size=1, max_size=6), st.data())
def test_the_parents_of_a_name_don_t_depend_on_the_other_names(names: set[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(names)))
    together = build({"s": vocabulary(*((one,) for one in sorted(names)))})
    alone = build({"s": vocabulary((name,))})
    assert [edge for edge in together.edges if edge[0] == name] == [edge for edge in alone.edges if edge[0] == name]
    assert kinds.ancestors(table_of(together))[name] == kinds.ancestors(table_of(alone))[name]
    assert together.supercategory[name] == alone.supercategory[name]


@pytest.mark.parametrize(
    ("name", "parents"),
    [
        ("guitar (toy)", ("musical instrument",)),
        ("broom (besom)", ("cleaning supply",)),
        ("car (automobile)", ("vehicle",)),
        ("car (railway)", ()),
        ("mouse (animal)", ()),
        ("guitar (2)", ()),
        ("kind of nothing", ()),
    ],
)
def test_a_qualified_name_is_of_its_bare_name_s_kind_unless_that_may_be_another_sense(
    name: str, parents: tuple[str, ...]
) -> None:
    assert kinds.parents_of(name) == parents


def test_a_pair_that_the_sources_say_or_imply_is_not_repeated() -> None:
    made = build({"ships": Vocabulary(vocabulary(("submarine", "boat")).objects, (), (("boat", "watercraft"),))})
    assert made.edges == (
        ("boat", "watercraft", "ships"),
        ("submarine", "boat", "ships"),
        ("watercraft", "vehicle", CURATED),
    )


def test_the_table_yields_to_a_source_that_says_the_contrary() -> None:
    made = build({"zoo": vocabulary(("receptacle", "mug"))})
    assert ("receptacle", "mug", "zoo") in made.edges
    assert cycle(made.edges) is None
    assert [(r.source, r.rule, r.canonical) for r in made.reports] == [
        (CURATED, "category_cycle", ("mug", "drinking vessel"))
    ]
    assert made.supercategory["receptacle"] == "mug"


_EDGES = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"), st.sampled_from(["s", CURATED])), max_size=14
)


def reach(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """All pairs that follow, by joining until nothing is new."""
    closed = set(pairs)
    while more := {(a, d) for (a, b), (c, d) in permutations(closed, 2) if b == c} - closed:
        closed |= more
    return closed


@given(_EDGES)
def test_leaving_out_implied_pairs_takes_no_ancestor_away_and_leaves_none_that_is_implied(edges: list[Edge]) -> None:
    before, _ = acyclic(edges)
    after = kinds.without_implied(before)
    assert reach({edge[:2] for edge in after}) == reach({edge[:2] for edge in before})
    assert [edge for edge in before if edge[2] != CURATED] == [edge for edge in after if edge[2] != CURATED]
    for edge in after:
        if edge[2] == CURATED:
            assert edge[:2] not in reach({other[:2] for other in after if other != edge})


@given(_EDGES)
def test_look_ups_agree_with_joins_over_the_table(edges: list[Edge]) -> None:
    pairs = {edge[:2] for edge in acyclic(edges)[0]}
    table = graph(*sorted(pairs))
    names = {name for pair in pairs for name in pair}
    closed = reach(pairs)
    above = {name: {parent for child, parent in closed if child == name} for name in names}
    assert kinds.ancestors(table) == above
    tops = {name: {one for one in above[name] if not above[one]} or {name} for name in names}
    assert kinds.roots(table) == tops
    siblings = kinds.siblings(table)
    for name in names:
        shared = {a for (a, p), (b, q) in permutations(pairs, 2) if b == name and p == q and a != name}
        assert siblings.of(name) == {one for one in shared if one not in above[name] and name not in above[one]}
    assert {(c, p) for p, group in siblings.groups.items() for c in group} == pairs
    assert all((a in siblings.of(b)) == (b in siblings.of(a)) for a, b in combinations(sorted(names), 2))


def test_a_name_outside_the_graph_has_no_siblings_and_an_empty_graph_has_no_names() -> None:
    assert kinds.siblings(graph(("a", "b"))).of("zzz") == frozenset()
    assert kinds.ancestors(graph()) == kinds.roots(graph()) == {}


def test_a_graph_with_a_cycle_is_refused() -> None:
    for look_up in (kinds.ancestors, kinds.roots, kinds.siblings):
        with pytest.raises(ValueError, match="cycle among a, b"):
            look_up(graph(("a", "b"), ("b", "a"), ("c", "d")))


def test_a_parent_of_many_and_a_long_chain_cost_no_more_than_their_edges() -> None:
    many = graph(*((f"c{number}", "kind") for number in range(20_000)))
    began = time.perf_counter()
    siblings = kinds.siblings(many)
    assert len(siblings.of("c7")) == 19_999
    assert sum(map(len, siblings.groups.values())) == 20_000
    deep = [(f"{number}", f"{number + 1}") for number in range(20_000)]
    assert kinds.roots(graph(*deep))["0"] == {"20000"}
    assert len(kinds.ancestors(graph(*deep[:500]))["0"]) == 500
    assert time.perf_counter() - began < 10
