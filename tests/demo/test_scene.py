"""Scenes: what is drawn can be seen, and colors say nothing of the parts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from partonomy_data.demo import palette
from partonomy_data.demo.photographs import Drawn, draw, jobs
from partonomy_data.demo.scene import FINENESS, FIRST_OCCLUDER


@pytest.fixture(scope="module")
def drawn() -> list[Drawn]:
    """Seventy photographs of a world of their own."""
    return [draw(job) for job in jobs(7, 3, 70)]


def test_no_object_is_hidden_from_view(drawn: list[Drawn]) -> None:
    for item in drawn:
        assert item.objects
        for view in item.objects:
            assert view.pixels >= 150


def test_every_photograph_shows_its_subject(drawn: list[Drawn]) -> None:
    for item in drawn:
        assert any(view.entry is not None for view in item.objects)


def test_labels_of_objects_do_not_overlap(drawn: list[Drawn]) -> None:
    for item in drawn:
        labels = list(itertools.chain.from_iterable(view.labels for view in item.objects))
        assert len(labels) == len(set(labels))
        assert max(labels) < FIRST_OCCLUDER
        assert sum(view.pixels for view in item.objects) == np.count_nonzero(item.scene.labels)


def test_photographs_hide_and_cut_off_parts(drawn: list[Drawn]) -> None:
    cut, occluded = 0, 0
    for item in drawn:
        for view in item.objects:
            left, top, right, bottom = view.instance.figure.box
            cut += left < -3 or top < -3 or right > item.scene.width + 3 or bottom > item.scene.height + 3
            occluded += any(item.scene.visible[label] == 0 for label in view.labels)
    assert cut >= 5
    assert occluded >= 5


def test_instances_of_a_category_differ_in_their_parts(drawn: list[Drawn]) -> None:
    shown: dict[str, set[frozenset[str]]] = {}
    for item in drawn:
        for view in item.objects:
            parts = frozenset(name for part in view.parts for name in part.concepts)
            shown.setdefault(view.category.name, set()).add(parts)
    assert sum(len(sets) >= 2 for sets in shown.values()) >= 10


def test_parts_that_touch_have_colors_far_apart(drawn: list[Drawn]) -> None:
    for item in drawn:
        labels = item.scene.fine[1::FINENESS, 1::FINENESS]
        first, second = np.nonzero(np.triu(palette.neighbors(labels)))
        both = (first < FIRST_OCCLUDER) & (second < FIRST_OCCLUDER)
        apart = np.linalg.norm(item.picture.colors[first[both]] - item.picture.colors[second[both]], axis=1)
        assert (apart > 40).all()


def test_colors_do_not_depend_on_the_name_of_the_part(drawn: list[Drawn]) -> None:
    """Variance of color between parts' names, against the same with the names shuffled in each photograph."""
    names: list[str] = []
    colors: list[np.ndarray] = []
    groups: list[int] = []
    for number, item in enumerate(drawn):
        for view in item.objects:
            for slot, label in zip(view.category.slots, view.instance.labels, strict=True):
                if label and item.scene.visible[label]:
                    names.append(slot.part)
                    colors.append(item.picture.colors[label])
                    groups.append(number)
    values, codes = np.array(colors), np.unique(names, return_inverse=True)[1]

    def between(order: np.ndarray) -> float:
        sizes = np.bincount(codes[order])
        sums = np.stack([np.bincount(codes[order], weights=values[:, channel]) for channel in range(3)])
        return float((sums**2 / sizes).sum())

    rng = np.random.default_rng(0)
    members = [np.flatnonzero(np.array(groups) == number) for number in range(len(drawn))]
    shuffled = []
    for _ in range(200):
        order = np.arange(len(codes))
        for rows in members:
            order[rows] = rng.permutation(rows)
        shuffled.append(between(order))
    assert np.mean(np.array(shuffled) >= between(np.arange(len(codes)))) > 0.01


def test_pictures_are_as_large_as_their_masks(drawn: list[Drawn]) -> None:
    for item in drawn:
        assert item.picture.pixels.size == (item.scene.width, item.scene.height)
        assert item.scene.labels.shape == (item.scene.height, item.scene.width)
    assert len({item.picture.pixels.size for item in drawn}) >= 6
