"""Claims: what a category that is only named has, lacks, or may have, against plain sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions.claims import CONFIDENT, Claims, claims
from partonomy_data.taxonomy.lexicon import lexicon
from tests.questions.hand_made import graph_of, kinds_of, relations_of, verdicts_of

Relation = tuple[str, str, str, float]


@dataclass(frozen=True, slots=True)
class World:
    """A small taxonomy."""

    has: Mapping[str, frozenset[str]]
    parents: Mapping[str, frozenset[str]]
    relations: tuple[Relation, ...] = ()
    verdicts: Mapping[tuple[str, str], str] | None = None
    loose: frozenset[str] = frozenset()
    """Categories of a source whose authors didn't choose the parts one by one."""

    def claims(self) -> Claims:
        """What the module makes of it."""
        return claims(
            graph_of(self.has, {category: ["pascal_part"] for category in self.loose}),
            verdicts_of(self.verdicts or {}),
            relations_of(self.relations),
            kinds_of(self.parents),
            ("paco", "partonomy"),
        )

    def statuses(self) -> dict[tuple[str, str], str]:
        """(category, part) → `has`, `lacks` or `unsettled`, as the module says."""
        found = self.claims()
        return {(c, p): status(found, c, p) for c in found.categories for p in found.parts}

    def above(self, category: str) -> set[str]:
        """The category and all that are broader."""
        return {category}.union(*(self.above(parent) for parent in self.parents.get(category, ())))

    def related(self, a: str, b: str, least: float = 0.0) -> bool:
        """Whether two parts are equal, or related with that confidence."""
        return a == b or any(
            {a, b} == {one, other} and relation != "distinct" and sure >= least
            for one, relation, other, sure in self.relations
        )

    def kin(self, category: str) -> set[str]:
        """The categories that speak for it: siblings, parents and children; else all that share a topmost category."""

        def tops(name: str) -> set[str]:
            return {one for one in self.above(name) if not self.parents.get(one)}

        mine = self.parents.get(category, frozenset())
        near = {
            one
            for one in self.has
            if one in mine or category in self.parents.get(one, ()) or mine & self.parents.get(one, frozenset())
        }
        far = {one for one in self.has if tops(one) & tops(category)}
        return (far if category in self.loose else near) - {category}

    def plainly(self, category: str, part: str) -> str:
        """The same by the words of the module's docstring, one part after another."""
        own, kin = self.has[category], self.kin(category)
        if any(self.related(part, one, CONFIDENT) for one in own):
            return "has"
        verdict = (self.verdicts or {}).get((category, part))
        if verdict is not None:
            return "lacks" if verdict == "implausible" else "unsettled"
        speaks = any(self.related(part, one) for name in (category, *kin) for one in self.has[name])
        place = part.split(" ")[-1] in lexicon().regions
        return "unsettled" if speaks or place or not kin else "lacks"


def status(found: Claims, category: str, part: str) -> str:
    at = found.row(category), int(found.columns([part])[0])
    assert at[1] >= 0
    return "has" if found.shared[at] else "unsettled" if found.unsettled[at] else "lacks"


def world(
    *relations: Relation,
    verdicts: Mapping[tuple[str, str], str] | None = None,
    loose: Iterable[str] = (),
    **has: str,
) -> World:
    """Categories with their parts ("wing, tail"); two in "vehicle", two in "animal", and "rock", which has no kin."""
    parents = {"plane": {"vehicle"}, "car": {"vehicle"}, "dog": {"animal"}, "bird": {"animal"}}
    parts = {"plane": "wing, engine", "car": "wheel", "dog": "leg", "bird": "beak", **has}
    return World(
        {category: frozenset(of.split(", ")) for category, of in parts.items()},
        {child: frozenset(above) for child, above in parents.items()},
        relations,
        verdicts,
        frozenset(loose),
    )


def test_a_category_has_the_parts_of_the_part_graph_and_lacks_what_nothing_speaks_for() -> None:
    found = world().statuses()
    assert {part for (category, part), one in found.items() if category == "plane" and one == "has"} == {
        "wing",
        "engine",
    }
    assert found["plane", "leg"] == "lacks"
    assert found["plane", "beak"] == "lacks"


@pytest.mark.parametrize("relation", ["same", "broader", "narrower"])
@pytest.mark.parametrize("other_way", [False, True])
def test_a_name_that_is_surely_the_same_broader_or_narrower_is_had_too(relation: str, other_way: bool) -> None:
    pair = ("wing", "flap")[:: -1 if other_way else 1]
    found = world((pair[0], relation, pair[1], CONFIDENT), bird="beak, flap").statuses()
    assert found["plane", "flap"] == "has"
    assert found["bird", "wing"] == "has"
    assert found["car", "flap"] == "unsettled"  # as the plane has it


def test_a_doubtful_relation_makes_a_part_neither_had_nor_lacking() -> None:
    found = world(("wing", "narrower", "flap", CONFIDENT - 0.01), bird="beak, flap").statuses()
    assert found["plane", "flap"] == "unsettled"
    assert found["bird", "wing"] == "unsettled"


def test_parts_that_are_kept_distinct_are_no_relatives() -> None:
    assert world(("wing", "distinct", "flap", 0.95), bird="beak, flap").statuses()["plane", "flap"] == "lacks"


def test_a_relation_to_a_relative_does_not_carry_on() -> None:
    found = world(("wing", "same", "flap", 0.9), ("flap", "same", "fin", 0.9), bird="beak, flap, fin").statuses()
    assert found["plane", "flap"] == "has"
    assert found["plane", "fin"] == "lacks"


def test_what_a_sibling_has_or_a_doubtful_relative_of_it_is_unsettled() -> None:
    assert world().statuses()["car", "wing"] == "unsettled"
    found = world(("wing", "same", "flap", 0.3), bird="beak, flap").statuses()
    assert found["car", "flap"] == "unsettled"
    assert found["dog", "wing"] == "unsettled"


@pytest.mark.parametrize("part", ["side", "back", "left side", "car back"])
def test_no_category_lacks_a_mere_place(part: str) -> None:
    found = world(bird=f"beak, {part}").statuses()
    assert found["bird", part] == "has"
    assert found["plane", part] == "unsettled"


def test_a_word_of_place_within_a_name_makes_it_no_place() -> None:
    assert world(bird="beak, back feather").statuses()["plane", "back feather"] == "lacks"


def test_a_category_without_siblings_lacks_nothing() -> None:
    found = world(rock="crack").statuses()
    assert found["rock", "crack"] == "has"
    assert {one for (category, _), one in found.items() if category == "rock"} == {"has", "unsettled"}


def test_cousins_speak_for_a_category_whose_source_has_one_list_for_all_of_a_kind() -> None:
    parents = {"dog": ["pet"], "cat": ["pet"], "horse": ["steed"], "fish": ["animal"], "pet": ["animal"]}
    has = {"dog": "ear", "cat": "tail", "horse": "mane", "fish": "fin", "rock": "crack"}
    made = World(
        {category: frozenset({part}) for category, part in has.items()},
        {child: frozenset(above) for child, above in {**parents, "steed": ["animal"]}.items()},
    )
    loose = World(made.has, made.parents, loose=frozenset({"dog"}))
    assert [made.statuses()["dog", part] for part in ("tail", "fin", "mane", "crack")] == ["unsettled", *["lacks"] * 3]
    assert [loose.statuses()["dog", part] for part in ("tail", "fin", "mane", "crack")] == [
        *["unsettled"] * 3,
        "lacks",
    ]
    assert loose.statuses()["cat", "mane"] == "lacks"  # what one category's source is makes no difference to another


def test_the_next_broader_and_narrower_categories_speak_as_siblings_do() -> None:
    parents = {"taxi": ["car"], "car": ["vehicle"], "bus": ["vehicle"]}
    has = {"taxi": "meter", "car": "wheel", "bus": "door", "vehicle": "engine"}
    found = World(
        {category: frozenset({part}) for category, part in has.items()},
        {child: frozenset(above) for child, above in parents.items()},
    ).statuses()
    assert {part for part in has.values() if found["car", part] == "unsettled"} == {"meter", "door", "engine"}
    assert {part for part in has.values() if found["taxi", part] == "unsettled"} == {"wheel"}
    assert found["bus", "meter"] == "lacks"


def test_a_category_is_curated_if_a_source_s_authors_chose_any_of_its_parts() -> None:
    found = world(loose=["dog", "car"]).claims()
    assert {one for one in found.categories if found.curated[found.row(one)]} == {"plane", "bird"}
    graph = pa.concat_tables(
        [
            graph_of({"car": ["door"], "dog": ["ear"]}, {"car": ["partonomy", "pascal_part"], "dog": ["pascal_part"]}),
            graph_of({"car": ["wheel"], "dog": ["leg"]}, {"car": ["pascal_part"], "dog": ["partimagenet"]}),
        ]
    )
    mixed = claims(graph, verdicts_of({}), relations_of([]), kinds_of({}), ("paco", "partonomy"))
    assert dict(zip(mixed.categories, mixed.curated.tolist(), strict=True)) == {"car": True, "dog": False}


@pytest.mark.parametrize(
    ("verdict", "expected"), [("plausible", "unsettled"), ("annotated", "unsettled"), ("implausible", "lacks")]
)
@pytest.mark.parametrize("part", ["leg", "wheel"])
def test_a_source_s_verdict_wins_over_the_rule(verdict: str, expected: str, part: str) -> None:
    assert world(verdicts={("plane", part): verdict}).statuses()["plane", part] == expected


@pytest.mark.parametrize("verdict", ["plausible", "implausible"])
def test_no_verdict_takes_a_part_away_that_the_graph_gives(verdict: str) -> None:
    assert world(verdicts={("plane", "wing"): verdict}).statuses()["plane", "wing"] == "has"


def test_verdicts_on_names_that_no_category_has_say_nothing() -> None:
    verdicts = {("ghost", "wing"): "plausible", ("plane", "halo"): "plausible"}
    assert world(verdicts=verdicts).statuses() == world().statuses()


def test_names_that_there_are_not_have_no_row_and_no_column() -> None:
    found = world().claims()
    assert found.columns(["wing", "halo", "beak"]).tolist() == [
        found.parts.index("wing"),
        -1,
        found.parts.index("beak"),
    ]
    with pytest.raises(KeyError):
        found.row("ghost")


def test_a_taxonomy_without_parts_gives_claims_without_rows() -> None:
    found = World({}, {}).claims()
    assert (found.categories, found.parts, found.shared.shape) == ((), (), (0, 0))


CATEGORIES = ("a", "b", "c", "d", "e")
PARENTS = (*CATEGORIES, "x", "y")
PARTS = ("wing", "fin", "leg", "side", "tail end")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Some categories in an acyclic graph, related parts, verdicts."""
    lists = st.frozensets(st.sampled_from(PARTS), max_size=3)
    has = {one: parts for one in CATEGORIES if (parts := draw(lists))}
    # A parent comes later in PARENTS, so there is no cycle.
    parents = {
        child: draw(st.frozensets(st.sampled_from(PARENTS[place + 1 :]), max_size=2))
        for place, child in enumerate(CATEGORIES)
    }
    pairs = draw(st.sets(st.sampled_from([(a, b) for a in PARTS for b in PARTS if a < b]), max_size=4))
    relations = tuple(
        (
            a,
            draw(st.sampled_from(["same", "broader", "narrower", "distinct"])),
            b,
            draw(st.sampled_from([0.3, 0.7, CONFIDENT, 0.95])),
        )
        for a, b in sorted(pairs)
    )
    verdicts = draw(
        st.dictionaries(
            st.tuples(st.sampled_from(CATEGORIES), st.sampled_from(PARTS)),
            st.sampled_from(["annotated", "plausible", "implausible"]),
            max_size=3,
        )
    )
    return World(has, parents, relations, verdicts, draw(st.frozensets(st.sampled_from(CATEGORIES))))


@given(worlds())
def test_every_part_of_every_category_is_had_unsettled_or_lacking_as_plain_sets_say(one: World) -> None:
    found = one.claims()
    assert not (found.shared & found.unsettled).any()
    assert one.statuses() == {
        (category, part): one.plainly(category, part) for category in found.categories for part in found.parts
    }
    assert {
        (category, part)
        for category in found.categories
        for part in found.parts
        if found.has[found.row(category), found.columns([part])[0]]
    } == {(category, part) for category, parts in one.has.items() for part in parts}


@given(worlds())
def test_without_verdicts_nothing_is_lacking_that_a_relative_a_place_or_a_lack_of_kin_speaks_for(one: World) -> None:
    found = World(one.has, one.parents, one.relations, None, one.loose)
    for (category, part), said in found.statuses().items():
        if said == "lacks":
            assert found.kin(category)
            assert part not in ("side", "tail end")
            for name in (category, *found.kin(category)):
                assert not any(found.related(part, other) for other in found.has[name])


@given(worlds())
def test_more_parts_of_others_never_make_a_part_lacking(one: World) -> None:
    """What is not lacking stays so when another category gets all parts, or when a relation is added."""
    before = one.statuses()
    if not before:
        return
    last = max(one.has)
    more = World({**one.has, last: frozenset(PARTS)}, one.parents, one.relations, one.verdicts, one.loose).statuses()
    for at, said in before.items():
        assert more[at] != "lacks" or said == "lacks"
    known = {frozenset(pair[:3:2]) for pair in one.relations}
    if frozenset(("wing", "leg")) not in known:
        related = (*one.relations, ("leg", "same", "wing", 0.3))
        for at, said in World(one.has, one.parents, related, one.verdicts, one.loose).statuses().items():
            assert said != "lacks" or before[at] == "lacks"
            assert said != "has" or before[at] == "has"


@given(worlds())
def test_only_the_tables_content_decides_not_the_order_of_their_rows(one: World) -> None:
    def turned(of: World) -> Claims:
        return claims(
            graph_of(of.has, {category: ["pascal_part"] for category in of.loose})[::-1],
            verdicts_of(of.verdicts or {})[::-1],
            relations_of(of.relations)[::-1],
            kinds_of(of.parents),
            ("partonomy", "paco"),
        )

    here, there = one.claims(), turned(one)
    assert (here.categories, here.parts) == (there.categories, there.parts)
    for name in ("has", "shared", "unsettled", "curated"):
        assert (getattr(here, name) == getattr(there, name)).all()
