"""Questions about instances that no group has a place for: wrong choices that are wrong for sure, near the right one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions import buckets
from partonomy_data.questions.blocks import Block
from partonomy_data.questions.claims import Claim
from partonomy_data.questions.instances import ONLY_ONE, SEVERAL, SOLE
from partonomy_data.questions.settings import CONTRASTS, TWO_TURNS, TYPES
from partonomy_data.questions.ungrouped import ungrouped
from tests.questions.hand_made import Thing, claim, context_of, instances_of

CATEGORIES = ("car", "dog")
#: What two contrast categories share with the things of this file, whose parts are letters; they lack the others.
CLAIMS = {"bus": claim("ab"), "van": claim("acd", curated=False)}


def car(name: str, visible: str, tiny: str = "", **other: Any) -> Thing:
    return Thing(name=name, visible=tuple(visible), tiny=tuple(tiny), **other)


def blocks_of(
    things: Sequence[Thing],
    related: Iterable[tuple[str, str]] = (),
    claims: Mapping[str, Claim] = CLAIMS,
    rows: Iterable[int] | None = None,
    **settings: Any,
) -> list[Block]:
    """All blocks about the things, which are compared with all categories that there are claims on."""
    context = context_of(contrasts={one: list(claims) for one in CATEGORIES}, claims=claims, **settings)
    instances = instances_of(things, related)
    chosen = np.array(list(range(len(instances)) if rows is None else rows), np.int64)
    return [block for _, blocks in ungrouped(instances, context, chosen) for block in blocks]


def lists(block: Block) -> list[str]:
    """The choices, as letters."""
    return ["".join(np.array(block.parts)[choice]) for choice in block.choices]


def right(block: Block) -> str:
    return lists(block)[int(block.right[0])]


def about(blocks: Iterable[Block], row: int, question_type: str) -> Block:
    return next(one for one in blocks if one.rows[0] == row and one.question_type == question_type)


def test_the_true_answers_of_the_nearest_others_are_the_wrong_choices() -> None:
    shown = ["abc", "abd", "abcd", "xyzuvw", "uvwxy"]
    block = about(blocks_of([car(f"c{i}", one) for i, one in enumerate(shown)], choices=3), 0, "identification")
    assert right(block) == "abc"
    assert sorted(lists(block)) == ["abc", "abcd", "abd"]


def test_edits_fill_up_where_too_few_others_are_surely_wrong() -> None:
    block = about(blocks_of([car("c0", "abc"), car("c1", "abd")]), 0, "identification")
    wrong = set(lists(block)) - {"abc"}
    assert len(wrong) == 4
    assert "abd" in wrong
    for one in wrong:
        assert len(set(one) - set("abc")) <= 1
        assert len(set("abc") - set(one)) <= 1


def test_an_answer_of_another_is_taken_before_any_edit_however_far_it_is() -> None:
    block = about(blocks_of([car("c0", "abc"), car("c1", "uvwxyz")], choices=3), 0, "identification")
    assert "uvwxyz" in lists(block)


def test_nothing_is_asked_that_has_not_two_wrong_choices() -> None:
    assert blocks_of([car("c0", "a")]) == []
    assert blocks_of([car("c0", "a"), car("c1", "a")]) == []
    assert {len(block.choices) for block in blocks_of([car("c0", "ab")], claims={})} == {3}


def test_a_wrong_choice_is_none_by_a_tiny_part_alone() -> None:
    """The first may be said to show x or not, so the second's answer is right for it too."""
    block = about(blocks_of([car("c0", "abc", "x"), car("c1", "abcx")], claims={}), 0, "identification")
    assert "abcx" not in lists(block)
    block = about(blocks_of([car("c0", "abc"), car("c1", "abcx")], claims={}), 0, "identification")
    assert "abcx" in lists(block)


def test_two_names_of_one_part_make_no_other_choice() -> None:
    for related, expected in (([], True), ([("c", "x")], False)):
        block = about(blocks_of([car("c0", "abc"), car("c1", "abx")], related, {}), 0, "identification")
        assert ("abx" in lists(block)) is expected


def test_wrong_choices_keep_to_the_parts_that_the_question_asks_for() -> None:
    things = [car("c0", "abxy"), car("c1", "ax"), car("c2", "by"), car("c3", "cdx")]
    found = blocks_of(things, claims={"bus": claim("abcd")})
    assert {
        letter for block in found if block.question_type == "intersection" for one in lists(block) for letter in one
    } <= set("abcd")
    assert {
        letter for block in found if block.question_type == "difference" for one in lists(block) for letter in one
    } <= set("xy")
    assert right(about(found, 0, "intersection")) == "ab"


def test_others_of_another_category_or_that_are_not_asked_for_give_no_choice() -> None:
    things = [car("c0", "abc"), car("c1", "abd", category="dog"), car("c2", "uvw")]
    found = blocks_of(things, claims={}, rows=[0, 1])
    assert {letter for one in lists(about(found, 0, "identification")) for letter in one} == set("abc")
    assert {letter for one in lists(about(found, 1, "identification")) for letter in one} == set("abd")


@pytest.mark.parametrize(
    ("standing", "evaluated"), [(SOLE, {"unique"}), (ONLY_ONE, {"unique", "crop", "box"}), (SEVERAL, {"crop", "box"})]
)
def test_an_object_that_its_name_does_not_single_out_is_pointed_at(standing: int, evaluated: set[str]) -> None:
    things = [car(f"c{i:02}", "abc" if i % 2 else "abd", standing=standing) for i in range(60)]
    found = blocks_of(things)
    assert {block.referent for block in found} == evaluated
    if standing == ONLY_ONE:
        assert {(block.referent == "unique") == block.names_object for block in found} == {True}


def test_about_half_of_the_objects_are_named() -> None:
    things = [car(f"c{i:03}", "abc" if i % 2 else "abd") for i in range(400)]
    named = {int(block.rows[0]): block.names_object for block in blocks_of(things, types=("identification",))}
    assert len(named) == 400
    assert 150 < sum(named.values()) < 250


def test_what_is_unknown_or_not_curated_is_not_verified() -> None:
    things = [car(f"c{i}", one, known=i != 0) for i, one in enumerate(["abx", "acx", "ady", "bcy"])]
    found = blocks_of(things)
    assert not any(block.verified for block in found if block.rows[0] == 0)
    for block in found:
        if block.rows[0]:
            assert block.verified == ("van" not in block.contrasts)
    assert {block.verified for block in found if block.rows[0]} == {True, False}


def test_only_the_types_that_are_published_are_made_the_same_whichever_others_are() -> None:
    things = [car(f"c{i}", one) for i, one in enumerate(["abx", "acx", "ady", "bcy"])]
    everything, few = blocks_of(things), blocks_of(things, types=("difference", "whole_to_part"))
    expected = [one for one in everything if one.question_type == "difference"]
    assert [(one.rows[0], one.contrasts, lists(one)) for one in few] == [
        (one.rows[0], one.contrasts, lists(one)) for one in expected
    ]
    assert expected


def test_a_change_is_felt_in_one_bucket_alone() -> None:
    things = [car(f"c{i:03}", "".join(p for b, p in enumerate("abcd") if i + 1 >> b & 1) or "abc") for i in range(150)]

    def told(some: Sequence[Thing]) -> dict[str, list[tuple[str, tuple[str, ...], list[str], int]]]:
        names = [one.name for one in some]
        found: dict[str, list[tuple[str, tuple[str, ...], list[str], int]]] = {name: [] for name in names}
        for one in blocks_of(some):
            found[names[one.rows[0]]].append((one.unit, one.contrasts, lists(one), int(one.right[0])))
        return found

    before, after = told(things), told([car("c000", "xyz"), *things[1:]])
    changed = {name for name in before if before[name] != after[name]}
    hashes = instances_of(things).hashes
    homes = [set(bucket.members.tolist()) for bucket in buckets.cut(buckets.bits_of(hashes))]
    assert len(homes) > 1
    assert "c000" in changed
    assert changed <= {things[place].name for home in homes if 0 in home for place in home}


def test_buckets_come_in_the_order_of_their_keys_and_hold_each_instance_once() -> None:
    things = [car(f"c{i:03}", "abc" if i % 2 else "abd", category=CATEGORIES[i % 3 == 0]) for i in range(200)]
    instances = instances_of(things)
    rows = np.arange(0, 200, 2)
    found = [(key, list(blocks)) for key, blocks in ungrouped(instances, context_of(), rows)]
    keys = [key for key, _ in found]
    assert keys == sorted(set(keys))
    assert len(keys) > len(CATEGORIES)
    asked = Counter(int(block.rows[0]) for _, blocks in found for block in blocks)
    assert asked == Counter(rows.tolist())
    for key, blocks in found:
        assert {block.unit for block in blocks} == {key}
        assert len({instances.categories[block.rows[0]] for block in blocks}) == 1


def test_of_no_instances_nothing_is_asked() -> None:
    assert blocks_of([car("c0", "abc")], rows=[]) == []


PARTS = "abcdeA"
letters = st.text(PARTS, max_size=5)
some_things = st.lists(
    st.tuples(st.text(PARTS, min_size=1, max_size=5), letters, st.sampled_from(CATEGORIES)), min_size=1, max_size=8
).map(
    lambda rows: [
        car(f"c{i}", "".join(sorted(set(shown))), "".join(sorted(set(tiny) - set(shown))), category=category)
        for i, (shown, tiny, category) in enumerate(rows)
    ]
)
some_claims = st.lists(st.tuples(letters, letters, st.booleans()), max_size=3).map(
    lambda rows: {
        f"category {i}": claim(shared, unsettled=set(may) - set(shared), curated=curated)
        for i, (shared, may, curated) in enumerate(rows)
    }
)


def covers(some: Iterable[str]) -> set[str]:
    """The letters and their relatives: capitals are narrower."""
    return {one.lower() for one in some}


def plainly_wrong(choice: Iterable[str], shown: Iterable[str], tiny: Iterable[str]) -> bool:
    """Whether a list leaves out a visible part, or has one that is neither visible nor tiny, in any words."""
    return bool(covers(shown) - covers(choice) or covers(choice) - covers(shown) - covers(tiny))


@given(some_things, some_claims, st.integers(3, 6))
def test_one_choice_is_right_and_all_others_are_surely_wrong(
    things: list[Thing], claims: dict[str, Claim], choices: int
) -> None:
    for block in blocks_of(things, [("a", "A")], claims, choices=choices):
        row, place = int(block.rows[0]), int(block.right[0])
        thing, offered = things[row], lists(block)
        assert block.question_type in set(TYPES) - set(TWO_TURNS)
        assert len(block.contrasts) == CONTRASTS.get(block.question_type, 0)
        assert (len(block.rows), len(block.right), block.groups, block.balanced) == (1, 1, (), False)
        assert block.category == (thing.category if block.names_object else "")
        asked = {part for part in block.parts if answers(block, claims, part)}
        assert set(offered[place]) == set(thing.visible) & asked
        assert 3 <= len(offered) <= choices
        for at, one in enumerate(offered):
            assert one
            assert set(one) <= asked
            for other in offered[:at]:
                # Neither says the same as the other in other words.
                assert covers(one) != covers(other)
            if at != place:
                assert plainly_wrong(one, offered[place], set(thing.tiny) & asked)


def answers(block: Block, claims: Mapping[str, Claim], part: str) -> bool:
    """Whether a question asks for a part, by its type."""
    of = [claims[name] for name in block.contrasts]
    has = [part in one.shared for one in of]
    lacks = [part not in one.shared and part not in one.unsettled for one in of]
    match block.question_type:
        case "intersection":
            return has[0]
        case "difference":
            return lacks[0]
        case "contrast":
            return has[0] and lacks[1]
    return True


@given(some_things, some_claims)
def test_no_question_rests_on_what_is_unsettled(things: list[Thing], claims: dict[str, Claim]) -> None:
    for block in blocks_of(things, claims=claims):
        for name in block.contrasts:
            assert claims[name].unsettled.isdisjoint(block.parts)


@given(some_things, some_claims, st.integers(1, 4))
def test_no_object_is_asked_more_than_it_may_be_nor_the_same_twice(
    things: list[Thing], claims: dict[str, Claim], most: int
) -> None:
    found = blocks_of(things, claims=claims, max_questions=most)
    assert all(count <= most for count in Counter(int(block.rows[0]) for block in found).values())
    asked = [(int(block.rows[0]), block.question_type, block.contrasts) for block in found]
    assert len(set(asked)) == len(asked)
