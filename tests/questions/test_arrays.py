"""Instances as arrays: the part sets of any few of them, in any order, against plain sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.questions.hand_made import Thing, instances_of

PARTS = ("door", "mirror", "wheel", "wing")
CATEGORIES = ("car", "dog", "taxi")


@st.composite
def things(draw: st.DrawFn) -> list[Thing]:
    """A few instances; what one shows, hides and lacks are different parts."""
    made = []
    for place in range(draw(st.integers(1, 6))):
        of = {part: draw(st.sampled_from("vvtau")) for part in (*PARTS, "left door", "car wheel")}
        of[draw(st.sampled_from(PARTS))] = "v"
        visible, tiny, absent = (tuple(part for part, one in of.items() if one == kind) for kind in "vta")
        made.append(
            Thing(
                name=f"obj_{place}",
                visible=visible,
                tiny=tiny,
                absent=absent,
                category=draw(st.sampled_from(CATEGORIES)),
                photograph=draw(st.sampled_from(["p", "q", ""])),
                beside=draw(st.sampled_from([(), ("dog",), ("bird", "car")])),
            )
        )
    return made


some_rows = st.lists(st.integers(0, 5), max_size=6)
RELATED = [("door", "left door"), ("mirror", "wing")]


def heads_alike(a: str, b: str) -> bool:
    return a.split(" ")[-1] == b.split(" ")[-1]


@given(things(), some_rows, st.booleans())
def test_the_part_sets_of_any_few_instances_in_any_order(some: list[Thing], chosen: list[int], across: bool) -> None:
    made = instances_of(some, RELATED)
    rows = np.array([place % len(some) for place in chosen], np.int64)
    found = made.sets(rows, across=across)
    assert found.parts == tuple(sorted({part for row in rows for part in some[row].visible}))
    for at, row in enumerate(rows):
        for column, part in enumerate(found.parts):
            assert found.visible[at, column] == (part in some[row].visible)
            assert found.doubt[at, column] == (part in some[row].tiny)
    for i, a in enumerate(found.parts):
        for j, b in enumerate(found.parts):
            plain = a == b or (a, b) in RELATED or (b, a) in RELATED
            assert found.related[i, j] == (plain or (across and heads_alike(a, b)))


@given(things(), some_rows)
def test_all_that_is_not_known_to_be_absent_may_be_there(some: list[Thing], chosen: list[int]) -> None:
    made = instances_of(some)
    rows = np.array([place % len(some) for place in chosen], np.int64)
    sets = made.sets(rows)
    found = made.all_doubts(rows, sets)
    assert found.parts == sets.parts
    assert (found.visible == sets.visible).all()
    for at, row in enumerate(rows):
        for column, part in enumerate(found.parts):
            assert found.doubt[at, column] == (part not in some[row].visible and part not in some[row].absent)
    assert (found.doubt | ~sets.doubt).all()  # what is tiny may be there too


@given(things())
def test_each_visible_part_of_each_instance_has_its_own_masks(some: list[Thing]) -> None:
    made = instances_of(some)
    masks = made.masks.to_pylist()
    for row, thing in enumerate(some):
        places = made.visible_places(row)
        assert set(places) == set(thing.visible)
        for part, place in places.items():
            assert masks[place] == [mask for of, mask in thing.masks() if of == part]
    assert len(masks) == sum(len(thing.visible) for thing in some)


@given(things(), some_rows)
def test_what_is_shown_beside_the_instances(some: list[Thing], chosen: list[int]) -> None:
    made = instances_of(some)
    rows = [place % len(some) for place in chosen]
    assert made.shown(rows) == {name for row in rows for name in (some[row].category, *some[row].beside)}


@given(things(), some_rows)
def test_a_list_for_each_instance_gives_items_with_the_place_of_their_owner(
    some: list[Thing], chosen: list[int]
) -> None:
    made = instances_of(some)
    rows = np.array([place % len(some) for place in chosen], np.int64)
    for lists, name in ((made.visible, "visible"), (made.tiny, "tiny"), (made.absent, "absent")):
        owner, code = lists.of_rows(rows)
        found = [(int(at), made.parts[one]) for at, one in zip(owner, code, strict=True)]
        assert found == [(at, part) for at, row in enumerate(rows) for part in sorted(getattr(some[row], name))]


@given(things())
def test_arrays_have_a_row_for_each_instance(some: list[Thing]) -> None:
    made = instances_of(some)
    assert len(made) == len(some)
    assert made.ids.tolist() == [one.name for one in some]
    assert made.categories.tolist() == [one.category for one in some]
    assert [(a == b) for a in made.photographs for b in made.photographs] == [
        one is two or (one.photograph == two.photograph != "") for one in some for two in some
    ]


def test_an_instance_s_bits_are_its_own_whatever_others_there_are() -> None:
    one, other = (Thing(name=name, visible=("door",)) for name in ("obj_a", "obj_b"))
    alone, together = instances_of([other]), instances_of([one, other])
    assert together.hashes[1] == alone.hashes[0]
    assert together.hashes[0] != together.hashes[1]
    assert instances_of([other], seed=1).hashes != alone.hashes
    assert all(0 <= number < 2**64 for number in together.hashes)


def test_names_that_end_alike_are_related_only_across_categories() -> None:
    made = instances_of([Thing(name="a", visible=("left rod", "shaft rod", "rodent"))])
    plain, across = (made.sets(np.array([0]), across=value) for value in (False, True))
    assert plain.related.tolist() == np.eye(3, dtype=bool).tolist()
    assert across.related.tolist() == [[True, False, True], [False, True, False], [True, False, True]]
