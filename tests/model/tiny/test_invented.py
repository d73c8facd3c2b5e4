"""Invented objects: the same whatever is asked first, none of the demo world's, and looks that are where the parts hang."""

from __future__ import annotations

import numpy as np

from model.tiny import invented
from partonomy_data.demo import pools
from partonomy_data.demo import world as demo


def test_nothing_of_the_demo_world_is_in_them() -> None:
    theirs = {plan.name for plan in pools.categories()} | {
        slot.part for plan in pools.categories() for slot in plan.slots
    }
    theirs |= {category.name for category in demo.build(0).categories}
    for seed in (7, 8):
        there = invented.shared(seed).world
        ours = {category.name for category in there.categories} | {s.part for c in there.categories for s in c.slots}
        assert len(there.categories) == invented.CATEGORIES
        assert not ours & theirs


def test_categories_are_the_same_whatever_is_asked_first() -> None:
    first = invented.shared(9)
    invented.shared.cache_clear()
    assert invented.shared(9).looks[3] == first.looks[3]
    assert invented.fresh(9, 4).looks == invented.fresh(9, 4).looks
    assert invented.fresh(9, 4).looks != invented.fresh(9, 5).looks


def test_parts_of_a_fresh_world_are_called_as_they_are_shaped() -> None:
    for number in range(20):
        there = invented.fresh(7, number)
        assert len(there.world.categories) == invented.FRESH
        for category, looks in zip(there.world.categories, there.looks, strict=True):
            assert set(category.part_names) == set(looks)
            assert {name: invented.said(look.outline) for name, look in looks.items()} == {name: name for name in looks}
            body = category.slots[0].part
            assert category.name == f"{body} thing"
            assert looks[body].layer == 0
            assert all(look.layer != 0 for name, look in looks.items() if name != body)


def test_a_look_has_the_middle_and_the_number_of_the_slots_of_its_part() -> None:
    """A slot's own way from its parent is `at` less `by`, as long as nothing is turned."""
    rows = 0
    for category, looks in zip(invented.shared(7).world.categories, invented.shared(7).looks, strict=True):
        middles: list[np.ndarray] = []
        for slot in category.slots:
            parent = middles[slot.parent] if slot.parent >= 0 else np.zeros(2)
            middles.append(parent + np.array(slot.at) - np.array(slot.by))
        for part, look in looks.items():
            own = np.array([middle for middle, slot in zip(middles, category.slots, strict=True) if slot.part == part])
            assert look.copies == len(own)
            assert np.allclose(look.center, own.mean(0))
            assert np.isclose(look.apart, (own[:, 0].max() - own[:, 0].min()) / 2)
            rows += look.copies > 1
    assert rows > 20
