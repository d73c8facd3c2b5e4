"""The sources' own splits are honoured, and the others dealt so that every category trains."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import UsageError
from partonomy_data.splits import SplitSettings

from .worlds import EAGER, PLAIN, World, image, many, together, worlds

SAYS = {"train": 1, "val": 2, "test": 3}


@pytest.mark.parametrize(
    ("said", "split"),
    [
        (("train", "test"), "test"),
        (("train", "val"), "val"),
        (("val", "test"), "test"),
        (("train", ""), "train"),
        (("", "val"), "val"),
        (("train", "train"), "train"),
    ],
)
def test_a_photograph_that_any_source_tests_on_is_tested_on(said: tuple[str, str], split: str) -> None:
    rows = [image(f"s{i}/1", own, f"s{i}", photograph="coco/1") for i, own in enumerate(said)]
    found = World(rows).rows()
    assert {row["split"] for row in found.values()} == {split}
    assert [found[f"s{i}/1"]["reason"] for i in (0, 1)] == ["source" if own == split else "cluster" for own in said]


@pytest.mark.parametrize(
    ("own", "split"),
    [("train_whole", "train"), ("trainval", "train"), ("validation", "val"), ("dev", "val"), ("testA", "test")],
)
def test_names_of_splits_are_read_by_how_they_begin(own: str, split: str) -> None:
    assert World([image("a", own)]).splits() == {"a": split}


def test_an_unknown_name_of_a_split_decides_nothing() -> None:
    assert World([image("a", "extra")]).rows()["a"]["reason"] == "keyed"


def test_sources_for_evaluation_are_in_test_with_all_copies_of_their_photographs() -> None:
    rows = [
        image("partonomy/1", "", "partonomy", sha256="x"),
        image("paco/1", "train", "paco", sha256="x"),
        image("web/1", "test", sha256="x"),
        image("paco/2", "train", "paco"),
    ]
    found = World(rows).rows()
    assert [found[name]["split"] for name in ("partonomy/1", "paco/1", "web/1", "paco/2")] == [*["test"] * 3, "train"]
    assert [found[row["image_id"]]["reason"] for row in rows] == ["evaluation_only", "cluster", "source", "source"]
    without = msgspec.structs.replace(PLAIN, evaluation_only=())
    assert World(rows[3:]).splits(without) == {"paco/2": "train"}


@given(worlds())
def test_own_splits_hold_unless_a_copy_is_kept_out_of_training(world: World) -> None:
    found = world.rows(EAGER)
    for row in world.images:
        mine = found[row["image_id"]]
        copies = [one for one in world.images if found[one["image_id"]]["cluster"] == mine["cluster"]]
        if any(one["source"] == "partonomy" for one in copies):
            assert mine["split"] == "test"
        elif mine["split"] in SAYS:
            said = max((one["source_split"] for one in copies), key=lambda own: SAYS.get(own, 0))
            assert mine["split"] == said or not said


def shares(world: World, with_settings: SplitSettings = PLAIN) -> Counter[str]:
    return Counter(world.splits(with_settings).values())


def test_photographs_without_splits_are_drawn_in_the_shares_asked_for() -> None:
    found = shares(many(4000, [("cat", None)]), msgspec.structs.replace(PLAIN, val=0.2, test=0.05))
    for split, share in (("train", 0.75), ("val", 0.2), ("test", 0.05)):
        assert abs(found[split] - 4000 * share) < 4 * (4000 * share * (1 - share)) ** 0.5


def test_another_seed_draws_otherwise() -> None:
    world = many(200, [("cat", None)])
    first, second = (world.splits(msgspec.structs.replace(PLAIN, seed=seed)) for seed in (0, 1))
    assert 10 < sum(first[name] != second[name] for name in first) < 190


@given(st.integers(1, 9), st.integers(0, 10**6), st.sampled_from([(0.1, 0.1), (0.3, 0.2), (0.0, 0.5), (0.0, 0.0)]))
def test_few_photographs_are_dealt_as_evenly_as_whole_ones_allow(
    count: int, seed: int, wanted: tuple[float, float]
) -> None:
    chosen = msgspec.structs.replace(PLAIN, seed=seed, val=wanted[0], test=wanted[1])
    found = shares(many(count, [("cat", None)]), chosen)
    assert found["train"] >= 1
    for split, share in (("val", wanted[0]), ("test", wanted[1])):
        assert abs(found[split] - count * share) <= 1
    assert sum(found.values()) == count


def test_few_photographs_keep_the_shares_over_many_categories() -> None:
    world = together(*(many(4, [(f"thing {i}", None)], f"web/{i}-") for i in range(500)))
    found = shares(world)
    assert 150 < found["val"] < 250
    assert 150 < found["test"] < 250
    assert {row["reason"] for row in world.rows().values()} <= {"few", "first"}


def test_the_rarest_category_of_a_photograph_deals_it() -> None:
    things = [many(5, [("common", None), (f"thing {i}", None)], f"web/{i}-") for i in range(60)]
    found = together(*things).rows()
    assert {row["reason"] for row in found.values()} <= {"few", "first"}
    for i in range(60):
        own = Counter(found[f"web/{i}-{k}"]["split"] for k in range(5))
        assert max(own["val"], own["test"]) <= 1
        assert own["train"] >= 3


def test_a_category_trains_where_its_first_photograph_is_held_out_for_another() -> None:
    pairs = [
        World(
            [image(f"a/{i}"), image(f"b/{i}")],
            [(f"a/{i}", f"thing {i}", None), (f"a/{i}", "jar", None), (f"b/{i}", f"thing {i}", None)],
        )
        for i in range(60)
    ]
    chosen = msgspec.structs.replace(PLAIN, unseen_objects=1e-9, most_photographs=1.0, fewest_photographs=3)
    found = together(*pairs).splits(chosen)
    assert {found[f"a/{i}"] for i in range(60)} == {"test_unseen_object"}
    assert {found[f"b/{i}"] for i in range(60)} == {"train"}


@given(worlds(), st.sampled_from([PLAIN, EAGER, msgspec.structs.replace(EAGER, val=0.5, test=0.49)]))
def test_no_category_is_in_val_and_test_alone(world: World, chosen: SplitSettings) -> None:
    """Of the photographs that no source decides on, and that show nothing held out."""
    found = world.rows(chosen)
    open_clusters = {row["cluster"] for row in found.values() if row["reason"] in ("keyed", "few", "first")}
    trained, drawn = set(), set()
    for name, thing, _ in world.labels:
        if found[name]["cluster"] in open_clusters:
            drawn.add(thing)
            if found[name]["split"] == "train":
                trained.add(thing)
    assert drawn == trained


@given(worlds(), st.data())
def test_removing_an_image_moves_nothing_outside_of_its_photograph_and_categories(
    world: World, data: st.DataObject
) -> None:
    if not world.images:
        return
    gone = data.draw(st.sampled_from([row["image_id"] for row in world.images]))
    chosen = msgspec.structs.replace(PLAIN, few=5, most_alike=1000)
    before, after = world.rows(chosen), world.without(gone).rows(chosen)
    cluster_of = {name: row["cluster"] for name, row in before.items()}
    shows: dict[str, set[str]] = {}
    for name, thing, _ in world.labels:
        shows.setdefault(cluster_of[name], set()).add(thing)
    touched = shows.get(cluster_of[gone], set())
    for name, row in after.items():
        if cluster_of[name] != cluster_of[gone] and not touched & shows.get(cluster_of[name], set()):
            assert row == before[name]


@pytest.mark.parametrize(
    "wrong",
    [
        {"val": 0.5, "test": 0.5},
        {"val": -0.1},
        {"unseen_parts": 1.5},
        {"few": 0},
        {"most_alike": 0},
        {"near_duplicate_bits": 9},
        {"near_duplicate_bits": -1},
        {"fewest_photographs": 0},
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))) as error:
        World([]).assign(msgspec.convert(wrong, SplitSettings))
    assert "\n" not in str(error.value)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"vall": 0.1}, SplitSettings)


def test_no_images_have_no_splits() -> None:
    found = World([]).assign()
    assert found.table.num_rows == 0
    assert found.table.column_names == ["image_id", "source", "cluster", "split", "reason", "held_out"]
