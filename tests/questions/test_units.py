"""Units: every pair of a category and a part set once, so that nothing said of the one tells anything of the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions import keyed
from partonomy_data.questions.arrays import Instances
from partonomy_data.questions.blocks import Block, blocks
from partonomy_data.questions.context import Context
from partonomy_data.questions.grouping import Group
from partonomy_data.questions.settings import TWO_TURNS, TYPES
from partonomy_data.questions.units import Unit, units
from tests.questions.hand_made import Thing, claim, context_of, instances_of

CATEGORIES = ("bus", "car", "dog", "van", "cat", "cow")
#: Part sets, as letters.
THREE, OTHERS, FOUR = ("a", "b", "ab"), ("a", "b", "bc"), ("a", "b", "ab", "c")


@dataclass(slots=True)
class Shard:
    """Groups under construction, each of new instances."""

    things: list[Thing] = field(default_factory=list)
    kinds: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        category: str | Sequence[str],
        sets: Sequence[str] = THREE,
        *,
        names_object: bool = False,
        crop: bool = False,
        contrasts: Sequence[str] = (),
        across: bool = False,
        **thing: Any,
    ) -> None:
        """Adds a group whose members show `sets`; of one category, or of one each."""
        categories = [category] * len(sets) if isinstance(category, str) else category
        names = [f"obj_{len(self.things) + at:04}" for at in range(len(sets))]
        for name, shown, own in zip(names, sets, categories, strict=True):
            self.things.append(Thing(name=name, visible=tuple(shown), category=own, **thing))
        of = {"names_object": names_object, "crop": crop, "contrasts": tuple(contrasts), "across": across}
        self.kinds.append({**of, "names": names})

    def made(self) -> tuple[Instances, list[Group]]:
        """The instances and the groups."""
        instances = instances_of(self.things)
        at = {name: row for row, name in enumerate(instances.ids)}
        found = []
        for kind in self.kinds:
            given = {key: value for key, value in kind.items() if key != "names"}
            rows = np.array([at[name] for name in kind["names"]], np.int64)
            found.append(Group(rows=rows, key=keyed.hexdigest("group", *kind["names"]), **given))
        return instances, found

    def units(self, context: Context | None = None) -> list[Unit]:
        """The units."""
        instances, groups = self.made()
        return units(instances, context or context_of(categories=CATEGORIES), groups)

    def blocks(self, context: Context) -> list[Block]:
        """Their blocks."""
        instances, groups = self.made()
        return [block for unit in units(instances, context, groups) for block in blocks(instances, context, unit)]

    def categories(self, unit: Unit) -> list[str]:
        """The categories of a unit's groups."""
        return sorted({self.things[row].category for group in unit.groups for row in group.rows})

    def shapes(self, context: Context | None = None) -> list[list[str]]:
        """Of each unit the categories."""
        return sorted(self.categories(unit) for unit in self.units(context))


def shard(*categories: str, **other: Any) -> Shard:
    """A group of each category."""
    made = Shard()
    for one in categories:
        made.add(one, **other)
    return made


def test_groups_of_three_or_more_categories_with_the_same_part_sets_make_a_unit() -> None:
    assert shard("car", "bus", "van").shapes() == [["bus", "car", "van"]]
    assert shard("car", "bus").shapes() == [["bus"], ["car"]]


def test_a_unit_has_at_most_as_many_categories_as_a_question_has_choices() -> None:
    found = shard(*CATEGORIES).shapes(context_of(categories=CATEGORIES, choices=3))
    assert [len(one) for one in found] == [3, 3]
    assert sorted(name for one in found for name in one) == sorted(CATEGORIES)
    sizes = sorted(len(one) for one in shard(*CATEGORIES).shapes(context_of(categories=CATEGORIES, choices=5)))
    assert sizes == [1, 5]


def test_several_groups_of_a_category_are_in_different_units() -> None:
    found = shard("car", "car", "bus", "van", "bus", "van", "car").shapes()
    assert found == [["bus", "car", "van"], ["bus", "car", "van"], ["car"]]


@pytest.mark.parametrize(
    "other", [{"sets": OTHERS}, {"sets": FOUR}, {"crop": True}, {"names_object": True}, {"across": True}]
)
def test_groups_that_differ_in_what_is_seen_or_asked_are_no_partners(other: dict[str, Any]) -> None:
    made = shard("car", "bus")
    made.add("van", **other)
    assert made.shapes() == [["bus"], ["car"], ["van"]]


def test_the_order_of_members_makes_no_difference() -> None:
    made = shard("car", "bus")
    made.add("van", sets=THREE[::-1])
    assert made.shapes() == [["bus", "car", "van"]]


@pytest.mark.parametrize("member", ["car", "bus", "van"])
def test_a_category_that_another_s_photograph_shows_is_not_offered_beside_it(member: str) -> None:
    made = Shard()
    for one in ("car", "bus", "van"):
        made.add(one, beside=("bus",) if one == member != "bus" else ("car",) if one == member else ())
    assert [len(one) for one in made.shapes()] == [1, 1, 1]


def test_a_broader_or_narrower_category_is_not_offered_beside_one() -> None:
    relatives = {"car": ["van"], "van": ["car"]}
    context = context_of(categories=CATEGORIES, relatives=relatives)
    assert shard("car", "bus", "van").shapes(context) == [["bus"], ["car"], ["van"]]
    assert [len(one) for one in shard("car", "bus", "van", "dog").shapes(context)] in ([1, 3], [3, 1])


def contrast_context(**other: Any) -> Context:
    """Two categories to be compared with, of which one is a unit's own."""
    claims = {"cow": claim("ab"), "truck": claim("ab"), "bus": claim("ab"), "lorry": claim("ab")}
    return context_of(categories=CATEGORIES, claims=claims, **other)


def compared(unit: Unit) -> set[str]:
    return {name for ask in unit.asks for name in ask.contrasts}


def test_a_unit_is_compared_with_none_of_its_categories_nor_of_their_relatives() -> None:
    context = contrast_context(relatives={"van": ["lorry"]})
    group = ("ac", "bd", "abe")
    (unit,) = shard("car", "bus", "van", sets=group, contrasts=["bus", "lorry", "truck", "cow"]).units(context)
    assert compared(unit) == {"truck", "cow"}
    alone = shard(*["car"] * 20, sets=group, contrasts=["bus", "lorry", "truck", "cow"]).units(context)
    assert set().union(*map(compared, alone)) == {"bus", "lorry", "truck", "cow"}


def test_all_groups_of_a_unit_get_the_same_questions_with_the_same_choices() -> None:
    made = shard("car", "bus", "van", sets=("ac", "bd", "abe"), contrasts=["truck", "cow"])
    found = made.blocks(contrast_context())
    assert {block.question_type for block in found} >= {"identification", "intersection", "difference", *TWO_TURNS}
    for block in found:
        assert len(block.rows) == 9
        assert len(block.choices) == 3
        by_group = Counter(zip(block.groups, block.right.tolist(), strict=True))
        assert set(by_group.values()) == {1}
        assert len(by_group) == 9


def test_the_object_question_of_a_unit_offers_its_categories_and_is_balanced() -> None:
    (unit,) = shard("car", "bus", "van").units()
    question = unit.object_question
    assert question is not None
    assert question.categories == ("bus", "car", "van")
    assert (question.first_balanced, question.second_balanced) == (True, True)


def test_a_lone_group_s_object_question_offers_siblings_and_is_not_balanced() -> None:
    context = context_of(categories=CATEGORIES, siblings={"car": ["bus", "van", "dog", "cat", "cow"]}, choices=4)
    (unit,) = shard("car").units(context)
    question = unit.object_question
    assert question is not None
    assert question.categories[0] == "car"
    assert len(set(question.categories)) == 4
    assert (question.first_balanced, question.second_balanced) == (False, False)


def test_siblings_are_offered_before_cousins_and_those_in_keyed_order() -> None:
    siblings, cousins = ["bus", "van"], ["dog", "cat", "cow"]
    context = context_of(categories=CATEGORIES, siblings={"car": siblings}, cousins={"car": cousins})
    made = shard(*["car"] * 20)
    offered = {unit.object_question.categories for unit in made.units(context) if unit.object_question}
    assert {one[3:] for one in offered} == {("dog", "cat")}
    assert {one[1:3] for one in offered} == {("bus", "van"), ("van", "bus")}


def test_no_object_is_offered_that_the_photograph_shows_or_that_is_compared_with_or_that_is_a_relative_of_one() -> None:
    context = contrast_context(
        siblings={"car": ["bus", "truck", "van", "dog", "taxi", "cat", "puppy", "tabby"]},
        relatives={"car": ["taxi"], "dog": ["puppy"], "cat": ["tabby"], "tabby": ["cat"]},
        choices=9,
    )
    (unit,) = shard("car", sets=("ac", "bd", "abe"), contrasts=["truck"], beside=("dog",)).units(context)
    question = unit.object_question
    assert question is not None
    assert compared(unit) == {"truck"}
    assert set(question.categories) in ({"car", "bus", "van", "cat"}, {"car", "bus", "van", "tabby"})


def test_without_two_objects_that_are_surely_wrong_there_is_no_object_question() -> None:
    context = context_of(categories=CATEGORIES, siblings={"car": ["bus", "van"]})
    for beside, expected in (((), {"identification", *TWO_TURNS}), (("van",), {"identification"})):
        (unit,) = shard("car", beside=beside).units(context)
        assert (unit.object_question is not None) == (expected != {"identification"})
        assert {ask.question_type for ask in unit.asks} == expected


def test_a_group_that_names_its_object_asks_for_none() -> None:
    context = context_of(categories=CATEGORIES, siblings={"car": ["bus", "van"]})
    (unit,) = shard("car", names_object=True).units(context)
    assert unit.object_question is None
    assert [ask.question_type for ask in unit.asks] == ["identification"]


def test_a_group_across_categories_offers_them_and_is_balanced_before_the_parts_alone() -> None:
    made = Shard()
    made.add(("car", "bus", "van"), across=True)
    (unit,) = made.units()
    question = unit.object_question
    assert question is not None
    assert question.categories == ("bus", "car", "van")
    assert (question.first_balanced, question.second_balanced) == (True, False)


def test_parts_after_the_object_are_balanced_in_a_group_of_one_category_alone() -> None:
    for categories, fair in ((("car", "bus", "van"), False), (("car", "bus", "car"), False), (("car",) * 3, True)):
        made = Shard()
        made.add(categories, across=True)
        context = context_of(categories=CATEGORIES, siblings={"car": ["bus", "van", "cow"]})
        balanced = {block.question_type: block.balanced for block in made.blocks(context)}
        assert balanced == {"identification": True, "part_to_whole": True, "whole_to_part": fair}


def test_groups_of_one_category_each_that_are_asked_together_stay_balanced() -> None:
    balanced = {block.question_type: block.balanced for block in shard("car", "bus", "van").blocks(context_of())}
    assert balanced == {"identification": True, "part_to_whole": True, "whole_to_part": True}


def test_a_group_across_categories_where_one_is_twice_is_not_balanced_and_offers_others() -> None:
    made = Shard()
    made.add(("car", "bus", "car"), across=True)
    (unit,) = made.units(context_of(categories=CATEGORIES, siblings={"car": ["bus", "van"]}, cousins={"bus": ["cow"]}))
    question = unit.object_question
    assert question is not None
    assert question.categories[:2] == ("bus", "car")
    assert set(question.categories[2:]) == {"van", "cow"}
    assert (question.first_balanced, question.second_balanced) == (False, False)


def test_only_published_types_are_asked() -> None:
    context = context_of(categories=CATEGORIES, types=("whole_to_part",))
    (unit,) = shard("car", "bus", "van").units(context)
    assert [ask.question_type for ask in unit.asks] == ["whole_to_part"]


def test_a_changed_group_changes_units_of_its_cell_alone() -> None:
    made = Shard()
    for place in range(150):
        made.add(CATEGORIES[place % 5])
    instances, groups = made.made()
    context = context_of(categories=CATEGORIES)
    gone = groups[7]

    def cell(group: Group) -> int:
        return int(group.key[:8], 16) % 8

    def elsewhere(found: Iterable[Unit]) -> list[tuple[str, ...]]:
        keys = [[group.key for group in unit.groups] for unit in found if cell(unit.groups[0]) != cell(gone)]
        return [tuple(sorted(one)) for one in keys]

    before, after = units(instances, context, groups), units(instances, context, groups[:7] + groups[8:])
    assert elsewhere(before) == elsewhere(after)
    assert sum(len(unit.groups) > 1 for unit in before) > 8
    assert all(len({cell(group) for group in unit.groups}) == 1 for unit in before)


some_groups = st.lists(
    st.tuples(
        st.sampled_from(CATEGORIES),
        st.sampled_from([THREE, OTHERS, FOUR, THREE[::-1]]),
        st.booleans(),
        st.sampled_from([0, 0, 0, 1]),
        st.sampled_from([(), (), (), ("dog",), ("bus", "car")]),
    ),
    max_size=14,
)
some_relatives = st.lists(st.tuples(st.sampled_from(CATEGORIES), st.sampled_from(CATEGORIES)), max_size=2).map(
    lambda pairs: {
        one: sorted({b for a, b in (*pairs, *(p[::-1] for p in pairs)) if a == one != b}) for one in CATEGORIES
    }
)


def shard_of(rows: Iterable[tuple[str, Sequence[str], bool, int, tuple[str, ...]]]) -> Shard:
    made = Shard()
    for category, sets, crop, named, beside in rows:
        made.add(category, sets, crop=crop, names_object=bool(named), beside=beside, contrasts=["truck", "lorry"])
    return made


@given(some_groups, some_relatives, st.integers(3, 6))
def test_each_group_is_in_one_unit_whose_grid_of_categories_and_sets_is_complete(
    rows: list[Any], relatives: Mapping[str, Sequence[str]], choices: int
) -> None:
    made = shard_of(rows)
    _, groups = made.made()
    found = made.units(contrast_context(relatives=relatives, choices=choices))
    assert sorted(group.key for unit in found for group in unit.groups) == sorted(group.key for group in groups)
    assert [unit.key for unit in found] == sorted(unit.key for unit in found)
    for unit in found:
        members = [made.things[row] for group in unit.groups for row in group.rows]
        grid = Counter((one.category, one.visible) for one in members)
        assert set(grid.values()) == {1}
        assert grid.keys() == {(one.category, other.visible) for one in members for other in members}
        if len(unit.groups) > 1:
            assert 3 <= len(unit.groups) <= choices
            assert not any(group.names_object or group.across for group in unit.groups)
            assert len({group.crop for group in unit.groups}) == 1
            shown = {name for one in members for name in one.beside if name != one.category}
            for category in made.categories(unit):
                assert category not in shown
                assert set(relatives[category]).isdisjoint(made.categories(unit))


@given(some_groups, some_relatives, st.randoms(use_true_random=False))
def test_the_order_of_groups_decides_nothing(
    rows: list[Any], relatives: Mapping[str, Sequence[str]], random: Any
) -> None:
    instances, groups = shard_of(rows).made()
    context = contrast_context(relatives=relatives)

    def told(some: Sequence[Group]) -> list[Any]:
        return [(u.key, [g.key for g in u.groups], u.object_question) for u in units(instances, context, some)]

    mixed = list(groups)
    random.shuffle(mixed)
    assert told(mixed) == told(groups)


@given(some_groups, some_relatives, st.integers(3, 6))
def test_each_choice_of_a_block_is_right_once_in_each_group_and_objects_are_offered_by_what_is_sure(
    rows: list[Any], relatives: Mapping[str, Sequence[str]], choices: int
) -> None:
    made = shard_of(rows)
    siblings = {one: [other for other in CATEGORIES if other != one] for one in CATEGORIES}
    context = contrast_context(relatives=relatives, siblings=siblings, choices=choices)
    for block in made.blocks(context):
        members = [made.things[row] for row in block.rows]
        assert block.balanced
        assert block.question_type in TYPES
        assert block.category == (members[0].category if block.names_object else "")
        assert set(block.contrasts).isdisjoint(one.category for one in members)
        right = Counter(zip(block.groups, block.right.tolist(), strict=True))
        assert set(right) == {(group, place) for group in block.groups for place in range(len(block.choices))}
        assert set(right.values()) == {1}
        for thing, place in zip(members, block.right, strict=True):
            mine = {part for part, inside in zip(block.parts, block.choices[place], strict=True) if inside}
            assert mine
            assert mine <= set(thing.visible)
            assert mine == set(thing.visible) or block.contrasts
        question = block.object_question
        assert (question is not None) == (block.question_type in TWO_TURNS)
        if question is not None:
            offered = question.categories
            assert 3 <= len(offered) == len(set(offered)) <= max(choices, len({one.category for one in members}))
            assert {one.category for one in members} <= set(offered)
            shown = {name for one in members for name in one.beside if name != one.category}
            assert shown.isdisjoint(offered)
            assert set(block.contrasts).isdisjoint(offered)
            assert not any(a in relatives[b] for a in offered for b in offered)
            assert question.first_balanced == question.second_balanced == (len(set(block.groups)) > 1)
