"""Scenes of invented objects, and what is said of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from model.tiny import captions, scenes
from model.tiny.scenes import Drawn
from partonomy_data.demo import pools
from partonomy_data.demo import world as demo


@pytest.fixture(scope="module")
def drawn() -> list[Drawn]:
    return [scenes.draw(7, number) for number in range(12)]


def test_a_scene_depends_on_its_number_alone(drawn: list[Drawn]) -> None:
    again = scenes.draw(7, 5)
    assert np.array_equal(np.asarray(again.image), np.asarray(drawn[5].image))
    assert [one.category for one in again.objects] == [one.category for one in drawn[5].objects]
    assert not np.array_equal(np.asarray(scenes.draw(8, 5).image), np.asarray(drawn[5].image))


def test_parts_show_within_their_object_and_apart(drawn: list[Drawn]) -> None:
    for one in drawn:
        taken = np.zeros((one.image.height, one.image.width), int)
        for seen in one.objects:
            for part in seen.parts:
                assert part.mask.sum() >= 12
                assert not (part.mask & ~seen.mask).any()
                taken += part.mask
            assert [part.name for part in seen.parts] == sorted(part.name for part in seen.parts)
            assert not {part.name for part in seen.parts} & set(seen.lacking)
        assert taken.max() <= 1


def test_nothing_of_the_demo_world_is_in_them() -> None:
    theirs = {plan.name for plan in pools.categories()} | {
        slot.part for plan in pools.categories() for slot in plan.slots
    }
    theirs |= {category.name for category in demo.build(0).categories}
    for seed in (7, 8):
        there = scenes.world(seed)
        ours = {category.name for category in there.categories} | {s.part for c in there.categories for s in c.slots}
        assert len(there.categories) == scenes.CATEGORIES
        assert not ours & theirs


def test_categories_are_the_same_whatever_is_asked_first() -> None:
    first = scenes.world(9).categories[3]
    scenes.world.cache_clear()
    assert scenes.world(9).categories[3].name == first.name
    assert [slot.key for slot in scenes.world(9).categories[3].slots] == [slot.key for slot in first.slots]


def test_captions_say_what_is_true(drawn: list[Drawn]) -> None:
    kinds = set()
    for number, one in enumerate(drawn):
        subject = one.objects[0]
        there = {part.name: part.mask for part in subject.parts}
        for caption in captions.captions(one, 7, number, 12):
            named = {word for word in re.findall(r"\w+", caption.answer) if word in {*there, *subject.lacking}}
            if caption.question.startswith("Where"):
                kinds.add("place")
                (part,) = named
                assert caption.answer == f"The {part} is at the {captions.place_of(there[part])}."
            elif caption.question.startswith("Does"):
                kinds.add(caption.answer.split()[0])
                assert named <= (set(there) if caption.answer.startswith("Yes") else set(subject.lacking))
                assert len(named) == 1
            elif "missing" in caption.question:
                kinds.add("missing")
                assert named == set(subject.lacking)
            elif "called" in caption.question or "shown?" in caption.question:
                kinds.add("name")
                assert subject.category in caption.answer
            else:
                kinds.add("parts")
                assert {name.lower() for name in re.findall(r"\w+", caption.answer)} >= set(there)
    assert kinds >= {"place", "Yes,", "No,", "missing", "name", "parts"}


def test_a_place_is_said_by_thirds() -> None:
    mask = np.zeros((90, 120), bool)
    for row, column, said in (
        (5, 5, "top left"),
        (45, 60, "center"),
        (45, 110, "center right"),
        (85, 60, "bottom middle"),
    ):
        mask[:] = False
        mask[row, column] = True
        assert captions.place_of(mask) == said


def test_lists_are_english() -> None:
    assert captions.listed(["lid"]) == "a lid"
    assert captions.listed(["lid", "rim", "base"]) == "a lid, a rim and a base"
