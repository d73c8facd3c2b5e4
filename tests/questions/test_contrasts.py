"""Contrast categories: near, instructive, never the object itself under another name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions.claims import Claim, Claims
from partonomy_data.questions.contrasts import MOST, contrast_names, contrasts
from partonomy_data.questions.kinds import Kinds
from tests.questions.hand_made import claim, kinds_of

LONER: Mapping[str, Sequence[str]] = {}


def claims_of(has: Mapping[str, str], unsettled: Mapping[str, str] | None = None) -> Claims:
    """Category → its parts, a letter each, and those that it may have; it lacks the other letters."""
    possible = unsettled or {}
    categories, parts = tuple(sorted(has)), tuple(sorted({*"".join(has.values()), *"".join(possible.values())}))
    shape = (len(categories), len(parts))
    own = np.array([part in has[one] for one in categories for part in parts], bool).reshape(shape)
    may = np.array([part in possible.get(one, "") for one in categories for part in parts], bool).reshape(shape)
    return Claims(
        categories=categories,
        parts=parts,
        has=own,
        shared=own,
        unsettled=may & ~own,
        curated=np.ones(len(categories), bool),
        judged=np.zeros_like(own),
    )


def names_of(
    has: Mapping[str, str],
    *,
    category: str = "car",
    unsettled: Mapping[str, str] | None = None,
    parents: Mapping[str, Sequence[str]] = LONER,
    held_out: Sequence[str] = (),
) -> list[str]:
    """The contrast categories of `category`, asked about all its parts."""
    return contrast_names(category, list(has[category]), claims_of(has, unsettled), kinds_of(parents), held_out)


def test_a_category_is_compared_with_those_that_share_some_part_and_lack_some_or_share_several() -> None:
    has = {"car": "abcd", "one of four": "a", "three of four": "abc", "all": "abcd", "none": "xy"}
    assert set(names_of(has)) == {"one of four", "three of four", "all"}
    assert names_of({"car": "a", "all of one": "axy"}) == []  # neither an intersection nor a difference to ask for


def test_what_may_be_had_is_neither_shared_nor_lacking() -> None:
    assert names_of({"car": "ab", "bus": "ax"}) == ["bus"]
    assert names_of({"car": "ab", "bus": "ax"}, unsettled={"bus": "b"}) == []
    assert names_of({"car": "ab", "bus": "x"}, unsettled={"bus": "a"}) == []


def test_those_that_serve_both_an_intersection_and_a_difference_come_first() -> None:
    has = {"car": "abcd", "all": "abcd", "one": "a", "both": "abvwxyz"}
    assert names_of(has)[0] == "both"


def test_of_equals_the_one_with_the_greater_share_of_parts_in_common_comes_first() -> None:
    assert names_of({"car": "abcd", "bus": "abcx", "van": "abxy", "tram": "abwxyz"}) == ["bus", "van", "tram"]


def test_a_sibling_comes_before_one_that_has_somewhat_more_in_common() -> None:
    has = {"car": "abcd", "bus": "abcwx", "van": "abxy", "tram": "abqrstuvwxyz"}
    assert names_of(has, parents={"car": ["vehicle"], "van": ["vehicle"]}) == ["van", "bus", "tram"]
    assert names_of(has, parents={"car": ["vehicle"], "tram": ["vehicle"]}) == ["bus", "tram", "van"]


def test_of_those_that_are_alike_the_first_in_the_alphabet_comes_first() -> None:
    assert names_of({"car": "abc", "y": "ab", "x": "ab", "z": "ab"}) == ["x", "y", "z"]


@pytest.mark.parametrize("other", ["vehicle", "thing", "taxi", "red taxi", "car (toy)"])
def test_no_category_is_compared_with_a_broader_or_narrower_one_nor_with_its_own_name_qualified(other: str) -> None:
    has = {"car": "abc", "bus": "ab", other: "ab"}
    parents = {"car": ["vehicle"], "vehicle": ["thing"], "taxi": ["car"], "red taxi": ["taxi"]}
    assert names_of(has, parents=parents) == ["bus"]


def test_what_is_held_out_is_not_named() -> None:
    assert names_of({"car": "abc", "bus": "ab", "van": "ab"}, held_out=["bus", "car"]) == ["van"]


def test_parts_that_no_category_has_are_left_out_of_account() -> None:
    has = claims_of({"car": "ab", "bus": "ax"})
    assert contrast_names("car", ["a", "b", "halo"], has, kinds_of({}), ()) == ["bus"]
    assert contrast_names("car", ["halo"], has, kinds_of({}), ()) == []


def test_there_is_a_limit_and_a_third_of_the_places_is_kept_for_those_with_unsettled_parts() -> None:
    many = {"car": "abcdef", **{f"settled {i:02}": "abc" for i in range(40)}}
    doubtful = {f"doubtful {i:02}": "abcd" for i in range(40)}  # nearer
    found = names_of(many)
    assert found == [f"settled {i:02}" for i in range(MOST)]
    found = names_of({**many, **doubtful}, unsettled=dict.fromkeys(doubtful, "e"))
    assert len(found) == MOST
    assert [name for name in found if name in doubtful] == [f"doubtful {i:02}" for i in range(MOST // 3)]
    assert found == sorted(found)  # the nearest first: doubtful ones, then settled ones
    few = {name: doubtful[name] for name in list(doubtful)[:3]}
    assert len(names_of({**many, **few}, unsettled=dict.fromkeys(few, "e"))) == MOST


CATEGORIES = ("car", "bus", "van", "car (toy)", "dog", "taxi")
TOY_OR_NOT = frozenset({"car", "car (toy)"})
letters = st.text("abcdef", max_size=6)


@st.composite
def taxonomies(draw: st.DrawFn) -> tuple[Claims, Mapping[str, frozenset[str]]]:
    """Claims on some categories, and their parents."""
    some = draw(st.lists(st.sampled_from(CATEGORIES), unique=True, min_size=1))
    broad = (*CATEGORIES, "vehicle", "animal")
    parents = {
        child: draw(st.frozensets(st.sampled_from(broad[place + 1 :]), max_size=2))
        for place, child in enumerate(CATEGORIES)
    }
    return claims_of({one: draw(letters) for one in some}, {one: draw(letters) for one in some}), parents


def above(category: str, parents: Mapping[str, frozenset[str]]) -> set[str]:
    return set(parents.get(category, ())).union(*(above(one, parents) for one in parents.get(category, ())))


def plainly(category: str, parts: frozenset[str], of: Claims, kinds: Kinds) -> list[tuple[bool, float, str]]:
    """The ranks of those that may be named, by loops: whether little can be asked, nearness, name."""
    found = []
    known = parts & set(of.parts)
    for row, name in enumerate(of.categories):
        shared = {part for part in known if of.shared[row, of.parts.index(part)]}
        lacking = {part for part in known - shared if not of.unsettled[row, of.parts.index(part)]}
        if shared and (lacking or len(shared) > 1):
            union = len(known) + int(of.has[row].sum()) - len(shared)
            near = len(shared) / union + 0.25 * (name in kinds.siblings(category))
            found.append((len(shared) < 2 or not lacking, -near, name))
    return found


@given(taxonomies(), st.sampled_from(CATEGORIES), st.frozensets(st.sampled_from("abcdefg")), st.data())
def test_the_names_are_all_that_may_be_compared_the_nearest_first(
    taxonomy: tuple[Claims, Mapping[str, frozenset[str]]], category: str, parts: frozenset[str], data: st.DataObject
) -> None:
    of, parents = taxonomy
    kinds = kinds_of(parents)
    held_out = data.draw(st.frozensets(st.sampled_from(CATEGORIES), max_size=2))
    found = contrast_names(category, parts, of, kinds, held_out)
    assert category not in found
    assert held_out.isdisjoint(found)
    assert above(category, parents).isdisjoint(found)
    assert not any(category in above(name, parents) for name in found)
    assert category not in TOY_OR_NOT or TOY_OR_NOT.isdisjoint(found)
    barred = {category, *above(category, parents), *held_out, *(TOY_OR_NOT if category in TOY_OR_NOT else ())}
    barred |= {name for name in CATEGORIES if category in above(name, parents)}
    ranks = [rank for rank in plainly(category, parts, of, kinds) if rank[2] not in barred]
    assert found == [name for *_, name in sorted(ranks)]


def test_the_arrays_say_of_each_part_what_the_claim_says() -> None:
    claims = {
        "bus": claim({"wheel": "wheel", "left door": "door"}, unsettled=["mirror"]),
        "dog": claim(["leg"], curated=False),
    }
    found = contrasts(["dog", "bus"], claims, ["wheel", "mirror", "left door", "horn"])
    assert found.names == ("dog", "bus")
    assert found.shared.tolist() == [[False, False, False, False], [True, False, True, False]]
    assert found.unsettled.tolist() == [[False, False, False, False], [False, True, False, False]]
    assert found.curated.tolist() == [False, True]


def test_parts_that_would_be_called_the_same_are_unsettled_together() -> None:
    """A teapot has a foot; a hoof and a paw are both feet, and the answer would name it twice."""
    shared = {"hoof": "foot", "paw": "foot", "spout": "spout", "left ear": "ear"}
    teapot = {"teapot": claim(shared, heads={"hoof": "foot", "paw": "foot", "left ear": "ear"})}

    def unsettled(*parts: str) -> list[str]:
        found = contrasts(["teapot"], teapot, parts)
        assert found.shared.all()
        return [part for part, may in zip(parts, found.unsettled[0], strict=True) if may]

    assert unsettled("hoof", "paw", "spout", "left ear") == ["hoof", "paw"]
    assert unsettled("hoof", "spout", "left ear") == []
    # The foot itself keeps its name, and no other part may take it.
    of_foot = {"teapot": claim({**shared, "foot": "foot"}, heads={"hoof": "foot"})}
    assert contrasts(["teapot"], of_foot, ["hoof", "foot"]).unsettled.tolist() == [[True, False]]


@pytest.mark.parametrize(("names", "parts"), [((), ()), ((), ("wheel",)), (("bus",), ())])
def test_arrays_have_a_row_for_each_name_and_a_column_for_each_part(
    names: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    found = contrasts(names, {"bus": claim(["wheel"])}, parts)
    assert found.shared.shape == found.unsettled.shape == (len(names), len(parts))
    assert found.curated.shape == (len(names),)


part_names = st.sampled_from(["wheel", "left wheel", "hoof", "paw", "foot", "horn"])


@st.composite
def any_claims(draw: st.DrawFn) -> Claim:
    shared = draw(st.dictionaries(part_names, st.sampled_from(["wheel", "foot"])))
    heads = {part: own for part, own in shared.items() if part != own and draw(st.booleans())}
    return claim(shared, heads=heads, unsettled=draw(st.frozensets(part_names)) - shared.keys())


@given(st.lists(any_claims(), max_size=4), st.lists(part_names, unique=True))
def test_the_arrays_against_loops(some: list[Claim], parts: list[str]) -> None:
    claims = {f"category {place}": one for place, one in enumerate(some)}
    found = contrasts(list(claims), claims, parts)
    for row, one in enumerate(some):
        for column, part in enumerate(parts):
            others = {one.heads.get(other, other) for other in parts if other != part}
            ambiguous = part in one.heads and one.heads[part] in others
            assert found.shared[row, column] == (part in one.shared)
            assert found.unsettled[row, column] == (part in one.unsettled or ambiguous)
