"""What photographs show: counts, families of part names, categories that stand alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.splits.identity import photographs
from partonomy_data.splits.shown import Incidence, Shown, isolated, shown
from partonomy_data.taxonomy.algebra import PartRelations
from partonomy_data.taxonomy.judges import Judgement

from .worlds import PLAIN, World, image

#: Distinct numbers up to 9.
SETS = st.sets(st.integers(0, 9))


def of(world: World) -> Shown:
    images = world.image_table()
    rows = [Judgement(a, b, relation, "curated", 0.1) for a, b, relation in world.relations]
    return shown(images, world.label_table(), photographs(images, PLAIN), PartRelations.of_rows(rows))


def mask(chosen: set[int], length: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.isin(np.arange(length), sorted(chosen))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40), SETS, SETS, st.integers(0, 9))
def test_incidence_counts_as_sets_do(pairs: list[tuple[int, int]], some: set[int], things: set[int], one: int) -> None:
    photos, seen = np.array([p for p, _ in pairs], np.int64), np.array([t for _, t in pairs], np.int64)
    found = Incidence.of(photos, seen, 10, 10)
    rows = sorted(set(pairs))
    assert list(zip(found.photograph.tolist(), found.thing.tolist(), strict=True)) == rows
    assert found.count(mask(some, 10)).tolist() == [sum(t == i and p in some for p, t in rows) for i in range(10)]
    assert set(np.flatnonzero(found.showing(mask(things, 10)))) == {p for p, t in rows if t in things}
    firsts = [min((t for p, t in rows if p == i and t in things), default=-1) for i in range(10)]
    assert found.first(mask(things, 10)).tolist() == firsts
    assert found.photographs(one).tolist() == [p for p, t in rows if t == one]
    tally = found.tally(np.array(sorted(some), np.int32))
    assert tally.tolist() == found.count(mask(some, 10)).tolist()


def test_a_family_is_all_that_relations_reach() -> None:
    world = World(
        [image("a")],
        [("a", "car", part) for part in ("left wing", "wing", "tire", "door", None)],
        [("left wing", "wing", "narrower"), ("pinion", "wing", "same"), ("rim", "wheel", "distinct")],
    )
    found = of(world)
    assert found.parts == ["door", "left wing", "tire", "wing"]
    assert found.families == [["door"], ["left wing", "pinion", "wing"], ["tire"]]
    assert found.family_of.tolist() == [0, 1, 2, 1]
    assert found.pairs == [(0, 0), (0, 1), (0, 2)]
    assert found.named_pairs == {("car", part) for part in found.parts}


def test_labels_of_images_of_one_photograph_are_put_together() -> None:
    rows = [image("a", photograph="coco/1"), image("b", photograph="coco/1"), image("c")]
    found = of(World(rows, [("a", "cat", None), ("b", "cat", "tail"), ("b", "dog", None), ("c", "cat", None)]))
    assert found.of_object.count(np.array([True, True])).tolist() == [2, 1]
    assert found.of_pair.count(np.array([True, True])).sum() == 1


def test_labels_of_an_unknown_image_are_refused() -> None:
    with pytest.raises(ValueError, match="not there: paco/9"):
        of(World([image("paco/1")], [("paco/1", "cat", None), ("paco/9", "cat", None)]))


def test_categories_with_broader_or_narrower_ones_in_use_do_not_stand_alone() -> None:
    parents = {
        "beagle": frozenset({"dog"}),
        "dog": frozenset({"quadruped"}),
        "quadruped": frozenset({"animal"}),
        "tabby": frozenset({"cat"}),
        "cat": frozenset({"quadruped"}),
    }
    found = isolated(frozenset({"beagle", "quadruped", "jar"}), parents)
    assert found == {"jar": frozenset()}
    assert isolated(frozenset({"dog", "cat"}), parents) == {"cat": {"tabby"}, "dog": {"beagle"}}


def test_a_circle_of_categories_ends() -> None:
    circle = {"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"a"})}
    assert isolated(frozenset({"a", "x"}), circle) == {"a": {"b", "c"}, "x": frozenset()}
    assert isolated(frozenset({"a", "b"}), circle) == {}
