"""A world is decided by its seed, and is rich enough whatever the seed."""

from __future__ import annotations

import numpy as np
import pytest

from partonomy_data.demo import naming, pools
from partonomy_data.demo.world import World, build

SEEDS = range(6)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_world_has_thirty_categories_of_six_kinds_and_some_eighty_parts(seed: int) -> None:
    categories = build(seed).categories
    assert len(categories) == 30
    assert len({category.super_category for category in categories}) == 6
    assert 70 <= len({part for category in categories for part in category.part_names}) <= 95


@pytest.mark.parametrize("seed", SEEDS)
def test_some_categories_are_plain_and_some_rich_in_parts(seed: int) -> None:
    sizes = [len(category.part_names) for category in build(seed).categories]
    assert min(sizes) >= 2
    assert sum(size <= 3 for size in sizes) >= 1
    assert sum(size >= 12 for size in sizes) >= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_most_categories_occur_in_several_sources(seed: int) -> None:
    sources = [len(category.sources) for category in build(seed).categories]
    assert min(sources) >= 1
    assert sum(count >= 2 for count in sources) >= 20
    assert sum(count >= 3 for count in sources) >= 6


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_part_has_different_names_in_different_sources(seed: int) -> None:
    assert len(differing_names(build(seed))) >= 15


def differing_names(world: World) -> set[str]:
    """The parts of a category that PACO and PARTONOMY call by words of different meaning to a computer."""
    found = set()
    for category in world.categories:
        words: dict[str, set[str]] = {}
        for source in ("paco", "partonomy"):
            for entry in category.sources.get(source, []):
                for name, concepts in naming.vocabulary(entry, category.slot_names).items():
                    words.setdefault(concepts[0], set()).add(name.replace("_", " "))
        found |= {concept for concept, names in words.items() if len(names) > 1}
    return found


def test_another_seed_is_another_world() -> None:
    one, other = build(0), build(1)
    names = [{category.name for category in world.categories} for world in (one, other)]
    assert len(names[0] ^ names[1]) >= 12
    assert naming.word_choices(0) != naming.word_choices(1)


def test_another_seed_lays_the_same_category_out_anew() -> None:
    pairs = [(one, other) for one in build(0).categories for other in build(1).categories if one.name == other.name]
    assert pairs
    for one, other in pairs:
        shared = {slot.key for slot in one.slots} & {slot.key for slot in other.slots}
        first = {slot.key: slot for slot in one.slots}
        second = {slot.key: slot for slot in other.slots}
        assert all(not np.array_equal(first[key].polygons[0], second[key].polygons[0]) for key in shared), one.name


def test_every_seed_gives_a_world() -> None:
    for seed in range(100, 112):
        assert len(build(seed).categories) == 30


def test_two_concepts_of_different_categories_share_a_name() -> None:
    labels = [entry.name.split("--") for _, entry in build(0).of_source("partonomy")]
    names = [name for _, name in labels]
    assert len(set(names)) < len(names)


def test_one_paco_category_has_no_part_categories() -> None:
    plain = [entry for _, entry in build(0).of_source("paco") if not any(entry.patterns)]
    assert len(plain) == 1


def test_a_mirrored_animal_shows_its_left_side() -> None:
    world = build(0)
    category = next(item for item in world.categories if "pascal_part" in item.sources and "paw" in item.part_names)
    entry = category.sources["pascal_part"][0]
    paws = [
        n
        for n, slot in enumerate(category.slot_names)
        if (slot.part, slot.side, slot.position) == ("paw", "right", "front")
    ]
    assert [part.name for part in naming.parts(entry, category.slot_names, paws, False)] == ["rfpa"]
    assert [part.name for part in naming.parts(entry, category.slot_names, paws, True)] == ["lfpa"]


def test_a_paw_belongs_to_the_foot_of_its_own_leg() -> None:
    world = build(0)
    category = next(item for item in world.categories if "partimagenet" in item.sources and "paw" in item.part_names)
    entry = category.sources["partimagenet"][0]
    everything = range(len(category.slots))
    feet = [part for part in naming.parts(entry, category.slot_names, everything, False) if part.name == "Foot"]
    assert len(feet) == 4
    for foot in feet:
        assert sorted(category.slot_names[slot].part for slot in foot.slots) == ["leg", "paw"]
        assert len({(category.slot_names[slot].side, category.slot_names[slot].position) for slot in foot.slots}) == 1


def test_all_categories_of_the_pool_have_a_source() -> None:
    for plan in pools.categories():
        assert plan.paco or plan.pascal_part or plan.partimagenet or plan.partonomy, plan.name
