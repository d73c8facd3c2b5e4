"""The pool hangs together: every part hangs on one that is there, and no two parts of a thing share a name."""

from __future__ import annotations

import numpy as np
import pytest

from partonomy_data.demo import pools, shapes

CATEGORIES = pools.categories()


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.name)
def test_parts_hang_together(category: pools.CategoryPlan) -> None:
    keys = [slot.key for slot in category.slots]
    assert len(keys) == len(set(keys))
    assert sum(slot.on is None for slot in category.slots) == 1
    assert all(slot.on is None or slot.on in keys for slot in category.slots)


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.name)
def test_no_two_parts_of_a_category_may_get_the_same_word(category: pools.CategoryPlan) -> None:
    synonyms = pools.names().synonyms
    words = [word for part in {slot.part for slot in category.slots} for word in synonyms.get(part, (part,))]
    assert len(words) == len(set(words))


def test_outlines_lie_about_the_unit_square() -> None:
    for name in shapes.NAMES:
        for polygon in shapes.outline(name):
            assert polygon.shape[1] == 2
            assert np.abs(polygon).max() <= 1.6, name


def test_the_tables_of_names_speak_of_parts_that_exist() -> None:
    names = pools.names()
    parts = {slot.part for category in CATEGORIES for slot in category.slots}
    assert set(names.synonyms) <= parts
    assert {part for codes in names.pascal_part.values() for part in codes} <= parts
    covered = {part for group in names.partimagenet.values() for covers in group.values() for part in covers}
    assert covered <= parts


def test_the_pool_has_six_super_categories_to_choose_from() -> None:
    by_super = {name: sum(c.super_category == name for c in CATEGORIES) for name in pools.SUPER_CATEGORIES.values()}
    assert len(by_super) == 6
    assert min(by_super.values()) >= 8
