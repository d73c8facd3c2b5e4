"""Scenes of invented objects, and what is said of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from model.tiny import captions, invented, scenes
from model.tiny.scenes import Drawn


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


@pytest.mark.parametrize("kind", ["shared", "fresh"])
def test_each_surface_is_where_its_pixels_are(kind: str) -> None:
    for number in range(6):
        one = scenes.draw(7, number, kind)
        labels = set(np.unique(one.labels)) - {0}
        # A box marks one of several objects, and only its surfaces are known.
        assert labels == set(one.surfaces) or (len(one.objects) == 1 and labels > set(one.surfaces))
        objects = [np.argwhere(seen.mask)[:, ::-1] for seen in one.objects]
        for label, surface in one.surfaces.items():
            pixels = np.argwhere(one.labels == label)[:, ::-1]
            assert np.allclose(surface.middle, pixels.mean(0))
            own = [
                there for seen, there in zip(one.objects, objects, strict=True) if seen.mask[one.labels == label].all()
            ]
            assert np.allclose(surface.object_middle, own[0].mean(0))
            assert np.isclose(surface.object_size, len(own[0]) ** 0.5)


def test_in_a_fresh_scene_parts_are_called_as_they_are_shaped() -> None:
    for number in range(6):
        for seen in scenes.draw(7, number, "fresh").objects:
            assert seen.category == f"{invented.said(seen.body.outline)} thing"
            assert all(part.name == invented.said(part.look.outline) for part in seen.parts)


@pytest.mark.parametrize("kind", ["shared", "fresh"])
def test_captions_say_what_is_true(kind: str) -> None:
    kinds = set()
    for number in range(16):
        one = scenes.draw(7, number, kind)
        subject = one.objects[0]
        there = {part.name: part.mask for part in subject.parts}
        known = sorted({*there, *subject.lacking, *subject.foreign}, key=len, reverse=True)
        for caption in captions.captions(one, 7, number, 7):
            for start, end, mask in caption.named:
                shown = {(part.name, part.mask.tobytes()) for part in one.objects[0].parts}
                shown |= {(seen.category, seen.mask.tobytes()) for seen in one.objects}
                assert (caption.answer[start:end], mask.tobytes()) in shown
            # Longer names first: a "leaf wide" is no "leaf".
            named = set(re.findall("|".join(rf"\b{name}\b" for name in known), caption.answer.lower()))
            if caption.question.startswith("Where"):
                kinds.add("place")
                (part,) = named
                assert caption.answer == f"The {part} is at the {captions.place_of(there[part])}."
            elif caption.question.startswith("What is at"):
                kinds.add("at")
                places = {captions.place_of(mask) for name, mask in there.items() if name in named}
                assert len(places) == 1
                assert f"at the {places.pop()} of" in caption.question
            elif caption.question.startswith("Does"):
                kinds.add(caption.answer.split()[0])
                lacks = {*subject.lacking, *subject.foreign}
                assert not lacks & set(there)
                assert named <= (set(there) if caption.answer.startswith("Yes") else lacks)
                assert len(named) == 1
            elif "missing" in caption.question:
                kinds.add("missing")
                assert named == set(subject.lacking)
            elif "called" in caption.question or "shown?" in caption.question:
                kinds.add("name")
                assert all(seen.category in caption.answer.lower() for seen in one.objects)
            else:
                kinds.add("parts")
                assert named == set(there)
    assert kinds == {"place", "at", "Yes,", "No,", "name", "parts"} | ({"missing"} if kind == "shared" else set())


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
    assert captions.listed(["lid", "ear", "base"]) == "a lid, an ear and a base"
    assert captions.listed(["lid", "ear"], "the") == "the lid and the ear"
