"""What is held out is truly unseen in training, chosen by its own name, and leaves the rest to be learned."""

from __future__ import annotations

from collections import Counter, defaultdict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.splits import HeldOut, SplitSettings

from .worlds import EAGER, PLAIN, World, image, many, together, worlds

OBJECTS_ONLY = msgspec.structs.replace(PLAIN, unseen_objects=0.1, most_photographs=0.5)
PARTS_ONLY = msgspec.structs.replace(PLAIN, unseen_parts=0.1, most_photographs=0.5)
PAIRS_ONLY = msgspec.structs.replace(PLAIN, unseen_pairs=0.1, most_photographs=0.5)


def related(world: World, part: str) -> set[str]:
    """The part with all names that relations lead to."""
    found = {part}
    for _ in world.relations:
        found |= {one for a, b, _ in world.relations for one in (a, b) if found & {a, b}}
    return found


def below(world: World, thing: str) -> set[str]:
    """The category with all narrower ones."""
    found = {thing}
    for _ in world.parents:
        found |= {child for child, above in world.parents.items() if above & found}
    return found


@given(worlds(), st.integers(0, 5))
def test_training_never_sees_what_is_held_out(world: World, seed: int) -> None:
    made = world.assign(msgspec.structs.replace(EAGER, seed=seed))
    found, held = {row["image_id"]: row for row in made.table.to_pylist()}, made.held_out
    assert all(below(world, thing) <= held.objects for thing in held.objects)
    assert all(related(world, part) <= held.parts for part in held.parts)
    shows = defaultdict(set)
    for name, thing, part in world.labels:
        shows[found[name]["cluster"]].add((thing, part))
    families = {(thing, one) for thing, part in held.pairs for one in related(world, part)}
    only = {found[row["image_id"]]["cluster"] for row in world.images if row["source"] == "partonomy"}
    for row in found.values():
        seen = shows[row["cluster"]]
        expected = (
            "test_unseen_object"
            if any(thing in held.objects for thing, _ in seen)
            else "test_unseen_part"
            if any(part in held.parts for _, part in seen)
            else "test_unseen_pair"
            if any(pair in families for pair in seen)
            else None
        )
        if row["cluster"] in only:
            assert row["split"] == "test"
        else:
            assert (row["split"] if row["split"].startswith("test_unseen") else None) == expected
        assert (row["held_out"] is not None) == row["split"].startswith("test_unseen")
        assert row["split"].startswith("test_unseen") == row["reason"].startswith("unseen")


@given(worlds(), st.integers(0, 5))
def test_what_a_held_out_pair_is_made_of_stays_in_training(world: World, seed: int) -> None:
    made = world.assign(msgspec.structs.replace(EAGER, seed=seed, unseen_objects=0))
    split = {row["image_id"]: row["split"] for row in made.table.to_pylist()}
    trained = {(thing, part) for name, thing, part in world.labels if split[name] == "train"}
    for thing, part in made.held_out.pairs:
        assert any(thing == other for other, _ in trained)
        assert any(one in related(world, part) for _, one in trained)


@given(worlds(), st.integers(0, 5))
def test_held_out_categories_have_no_broader_or_narrower_ones_in_training(world: World, seed: int) -> None:
    made = world.assign(msgspec.structs.replace(EAGER, seed=seed))
    split = {row["image_id"]: row["split"] for row in made.table.to_pylist()}
    trained = {thing for name, thing, _ in world.labels if split[name] == "train"}
    for thing in made.held_out.objects | {thing for thing, _ in made.held_out.pairs}:
        assert not trained & below(world, thing) - {thing}
    for thing in trained:
        assert not (below(world, thing) - {thing}) & {one for one, _ in made.held_out.pairs}


def test_neither_a_kind_nor_what_is_of_that_kind_is_held_out_where_both_have_photographs() -> None:
    dogs = World([], parents={"beagle": frozenset({"dog"}), "dog": frozenset({"quadruped"})})
    world = together(
        *(many(9, [(name, "paw")], f"{name}/a", "train") for name in ("dog", "beagle", "lynx")),
        *(many(9, [(name, None)], f"{name}/b", "train") for name in ("dog", "beagle", "lynx")),
        dogs,
    )
    chosen = msgspec.structs.replace(PLAIN, unseen_objects=1.0, most_photographs=1.0)
    assert world.assign(chosen).held_out == HeldOut(objects=frozenset({"lynx"}))
    chosen = msgspec.structs.replace(PLAIN, unseen_pairs=1.0, most_photographs=1.0)
    assert world.assign(chosen).held_out == HeldOut(pairs=frozenset({("lynx", "paw")}))


def test_the_limit_moves_only_when_the_photographs_double() -> None:
    chosen = msgspec.structs.replace(PLAIN, unseen_objects=1.0, most_photographs=0.5)
    for total, held in ((67, set()), (100, set()), (127, set()), (128, {"jar"}), (200, {"jar"})):
        world = together(many(33, [("jar", None)], "a/", "train"), many(total - 33, [], "b/", "train"))
        assert world.assign(chosen).held_out.objects == held, total


def test_nothing_is_held_out_where_the_share_is_0() -> None:
    world = many(100, [("cat", "tail")])
    assert world.assign(PLAIN).held_out == HeldOut()


def test_a_thing_that_is_seen_too_often_or_too_seldom_is_not_held_out() -> None:
    often, seldom, between = (
        many(n, [(name, None)], f"{name}/") for n, name in ((60, "often"), (4, "seldom"), (5, "jar"))
    )
    chosen = msgspec.structs.replace(PLAIN, unseen_objects=1.0, most_photographs=0.5)
    assert together(often, seldom, between).assign(chosen).held_out.objects == {"jar"}
    assert together(often, seldom).assign(chosen).held_out.objects == set()
    none = msgspec.structs.replace(chosen, most_photographs=0.0, few=4)
    assert together(often, seldom, between).assign(none).held_out.objects == set()


def test_a_thing_that_no_source_trains_on_needs_no_holding_out() -> None:
    world = together(many(9, [("jar", None)], "a/", "test"), many(9, [("cup", None)], "b/", "train"))
    chosen = msgspec.structs.replace(PLAIN, unseen_objects=1.0, most_photographs=1.0)
    assert world.assign(chosen).held_out.objects == {"cup"}


def test_sources_for_evaluation_have_no_say_and_stay_whole() -> None:
    core = many(50, [("jar", "lid")], "core/", source="partonomy")
    world = together(core, many(6, [("jar", "lid")], "web/", "train"), many(30, [("cup", "rim")], "cups/", "train"))
    chosen = msgspec.structs.replace(PLAIN, unseen_objects=1.0, most_photographs=0.3)
    made = world.assign(chosen)
    assert made.held_out.objects == {"jar"}
    assert Counter(made.table["split"].to_pylist()) == {"test": 50, "test_unseen_object": 6, "train": 30}


def test_narrower_names_go_with_a_held_out_category() -> None:
    world = together(
        many(8, [("missile", None)], "web/", "train"),
        many(2, [("cruise missile", None)], "core/", source="partonomy"),
        World([], parents={"cruise missile": frozenset({"missile"})}),
    )
    chosen = msgspec.structs.replace(PLAIN, unseen_objects=1.0, most_photographs=1.0)
    assert world.assign(chosen).held_out.objects == {"missile", "cruise missile"}


def test_a_part_whose_objects_would_vanish_from_training_is_not_held_out() -> None:
    chosen = msgspec.structs.replace(PARTS_ONLY, unseen_parts=1.0)
    always = many(20, [("bird", "beak")], "a/", "train")
    sometimes = together(many(7, [("fish", "fin")], "b/", "train"), many(7, [("fish", None)], "c/", "train"))
    assert together(always, sometimes).assign(chosen).held_out.parts == {"fin"}


def test_what_has_left_training_with_something_else_is_not_held_out_too() -> None:
    world = together(
        many(6, [("bird", "beak"), ("bird", "bill")], "a/", "train"), many(20, [("bird", None)], "b/", "train")
    )
    assert len(world.assign(msgspec.structs.replace(PARTS_ONLY, unseen_parts=1.0)).held_out.parts) == 1


def test_a_part_is_held_out_with_its_relatives() -> None:
    world = together(
        many(6, [("plane", "left wing")], "a/", "train"),
        many(6, [("bird", "pinion")], "b/", "val"),
        many(20, [("plane", None), ("bird", None)], "c/", "train"),
        World([], relations=[("left wing", "wing", "narrower"), ("pinion", "wing", "same")]),
    )
    made = world.assign(msgspec.structs.replace(PARTS_ONLY, unseen_parts=1.0))
    assert made.held_out.parts == {"left wing", "pinion", "wing"}
    assert Counter(made.table["held_out"].to_pylist()) == {"left wing": 6, "pinion": 6, None: 20}


def test_a_pair_is_held_out_with_the_parts_relatives_on_that_object() -> None:
    world = together(
        many(6, [("plane", "left wing")], "a/", "train"),
        many(6, [("plane", "wing")], "b/", "train"),
        many(40, [("bird", "wing")], "c/", "train"),
        many(20, [("plane", None)], "d/", "train"),
        World([], relations=[("left wing", "wing", "narrower")]),
    )
    made = world.assign(msgspec.structs.replace(PAIRS_ONLY, unseen_pairs=1.0, most_photographs=0.4))
    assert made.held_out.pairs == {("plane", "left wing"), ("plane", "wing")}
    assert Counter(made.table["held_out"].to_pylist()) == {"plane: left wing": 12, None: 60}


def forest(count: int, prefix: str = "") -> World:
    """Things in eight photographs each, with a part of their own seen on six of them and on another thing."""
    names = [f"{prefix}{i}" for i in range(count)]
    return together(
        *(many(6, [(name, f"{name} part")], f"{name}/a", "train") for name in names),
        *(many(6, [(name, None)], f"{name}/b", "train") for name in names),
        *(many(6, [("rack", f"{name} part")], f"{name}/c", "train") for name in names),
    )


@pytest.mark.parametrize("chosen", [OBJECTS_ONLY, PARTS_ONLY, PAIRS_ONLY])
def test_names_more_in_the_vocabulary_do_not_reshuffle_the_others(chosen: SplitSettings) -> None:
    chosen = msgspec.structs.replace(chosen, most_photographs=0.02)
    small, large = forest(60), together(forest(60), forest(20, "new "))
    before, after = small.assign(chosen).held_out, large.assign(chosen).held_out
    old = {f"{i}" for i in range(60)}
    for kind in ("objects", "parts"):
        mine = {name for name in getattr(after, kind) if name.removesuffix(" part") in old}
        assert getattr(before, kind) == mine
    pairs = {(thing, part) for thing, part in after.pairs if not part.startswith("new ")}
    assert before.pairs == pairs
    assert before != HeldOut()
    assert after != before


def test_about_the_share_asked_for_is_held_out() -> None:
    found = forest(300).assign(msgspec.structs.replace(OBJECTS_ONLY, most_photographs=0.01)).held_out
    assert 12 < len(found.objects) < 55


@pytest.mark.parametrize(("chosen", "kind"), [(OBJECTS_ONLY, "objects"), (PARTS_ONLY, "parts"), (PAIRS_ONLY, "pairs")])
def test_a_share_over_0_holds_out_one_thing_at_least(chosen: SplitSettings, kind: str) -> None:
    for seed in range(8):
        few = msgspec.structs.replace(chosen, seed=seed, unseen_objects=0, unseen_parts=0, unseen_pairs=0)
        tiny = msgspec.structs.replace(few, **{f"unseen_{kind}": 1e-9})
        assert len(getattr(forest(5).assign(tiny).held_out, kind)) == 1


def test_a_photograph_that_shows_several_held_out_things_is_in_the_first_split_of_them() -> None:
    world = together(
        forest(6),
        World([image("both", "train")], [("both", "0", None), ("both", "rack", "1 part"), ("both", "1", None)]),
    )
    chosen = msgspec.structs.replace(OBJECTS_ONLY, unseen_objects=1.0, unseen_parts=1.0, most_photographs=0.3)
    row = world.rows(chosen)["both"]
    assert (row["split"], row["reason"], row["held_out"]) == ("test_unseen_object", "unseen_object", "0")
