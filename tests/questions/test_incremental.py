"""Whatever was published before, a build gives what one from scratch gives, and a change touches what depends on it alone."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import partonomy_data
from partonomy_data import BuildConfig
from partonomy_data.questions.settings import TYPES, QuestionSettings
from tests.questions import changed_sources, oracle
from tests.questions.changed_sources import config, copied, files

Row = dict[str, Any]


@pytest.fixture
def world(demo_store: Path, tmp_path: Path) -> Path:
    """A copy of the demo world's sources."""
    return copied(demo_store / "demo", tmp_path / "world")


@pytest.fixture
def store(demo_store: Path, tmp_path: Path) -> Path:
    """A copy of the demo world's store, with all that its next build may use again."""
    shutil.copytree(demo_store, tmp_path / "store", symlinks=True, ignore=shutil.ignore_patterns("demo"))
    return tmp_path / "store"


def build(root: Path, how: BuildConfig) -> dict[str, str]:
    """Builds, and gives the digests of all files of the version."""
    partonomy_data.build(root, how)
    return files(root)


def questions(root: Path) -> dict[str, Row]:
    """question_id → row."""
    rows = changed_sources.table(root, "questions").to_pylist()
    found = {row["question_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def first_images(world: Path, split: str, count: int) -> set[int]:
    content = json.loads((world / "paco" / "annotations" / f"paco_lvis_v1_{split}.json").read_text("utf-8"))
    return {row["id"] for row in content["images"][:count]}


def drop_pascal(world: Path) -> None:
    for path in sorted((world / "pascal_part" / "Annotations_Part").glob("*.mat"))[:3]:
        path.unlink()


def drop_paco(world: Path) -> None:
    change = changed_sources.without_images(first_images(world, "train", 2))
    changed_sources.change_json(world / "paco" / "annotations" / "paco_lvis_v1_train.json", change)


def drop_partimagenet(world: Path) -> None:
    number = json.loads((world / "partimagenet" / "test.json").read_text("utf-8"))["images"][0]["id"]
    changed_sources.change_json(world / "partimagenet" / "test.json", changed_sources.without_images({number}))


def drop_partonomy(world: Path) -> None:
    changed_sources.remove_partonomy(world / "partonomy", "images/tools--spanner/tools--spanner-2.jpg")


def drop_some_of_each(world: Path) -> None:
    for drop in (drop_pascal, drop_paco, drop_partimagenet, drop_partonomy):
        drop(world)


# `tests/pipeline` has of smaller sources that a change comes to what a build from scratch does.
@pytest.mark.soak
@pytest.mark.parametrize("back", [False, True])
def test_photographs_removed_and_added_equal_a_build_from_scratch(
    world: Path, store: Path, demo_store: Path, tmp_path: Path, back: bool
) -> None:
    whole = files(demo_store)
    drop_some_of_each(world)
    less = build(store, config(world))
    assert less == build(tmp_path / "scratch", config(world))
    same = {less.get(name) == sha for name, sha in whole.items() if name.startswith("questions/")}
    assert same == {True, False}
    if back:
        assert build(store, config(demo_store / "demo")) == whole


@pytest.mark.soak
def test_a_source_added_equals_a_build_from_scratch(world: Path, demo_store: Path, tmp_path: Path) -> None:
    build(tmp_path / "store", config(world, ("partimagenet", "partonomy")))
    assert build(tmp_path / "store", config(world)) == files(demo_store)


@pytest.mark.soak
def test_a_type_added_changes_no_question_of_the_others(world: Path, store: Path, demo_store: Path) -> None:
    without = QuestionSettings(types=tuple(name for name in TYPES if name not in ("difference", "whole_to_part")))
    build(store, config(world, questions=without))
    fewer, all_types = questions(store), questions(demo_store)
    assert {row["question_type"] for row in fewer.values()} == set(without.types)
    assert fewer == {name: row for name, row in all_types.items() if row["question_type"] in without.types}
    assert build(store, config(world)) == files(demo_store)


def taxonomy_sets(root: Path) -> list[list[Row]]:
    """What the questions may know of the taxonomy: names and pairs, without the counts of instances."""
    wanted = {
        "part_graph": ["object_category", "part_category", "sources"],
        "category_graph": ["child", "parent"],
        "part_relations": ["part_a", "part_b", "relation"],
        "object_categories": ["object_category"],
    }
    return [changed_sources.table(root, name, columns).to_pylist() for name, columns in wanted.items()]


def other_splits(root: Path, gone: set[str]) -> list[Row]:
    rows = changed_sources.table(root, "splits", ["image_id", "split"]).to_pylist()
    return [row for row in rows if row["image_id"] not in gone]


def families(root: Path) -> dict[str, frozenset[str]]:
    """Object category → the topmost of its broader names; itself where it has none."""
    with partonomy_data.open(root) as opened:
        above = oracle.ancestors_of(opened)
    return {name: frozenset(one for one in found if one not in above) for name, found in above.items()}


@pytest.mark.soak
def test_a_removed_photograph_touches_its_own_buckets_alone(
    demo_store: Path, world: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Questions of another split, source or family of categories stay as they are.

    Within a family some groups stand across its categories, so that a photograph that goes may take them along.
    """
    before, objects = questions(demo_store), changed_sources.table(demo_store, "objects").to_pylist()
    category = {row["object_id"]: row["object_category"] for row in objects}
    family = families(demo_store)
    asked = Counter(row["image_id"] for row in before.values() if row["source"] == "pascal_part" and row["balanced"])
    checked = 0
    for image in sorted(asked)[:: max(len(asked) // 6, 1)]:
        mat = world / "pascal_part" / "Annotations_Part" / f"{image.rpartition('/')[2]}.mat"
        root = tmp_path / f"store{checked}"
        shutil.copytree(demo_store, root, symlinks=True, ignore=shutil.ignore_patterns("demo"), dirs_exist_ok=True)
        kept = mat.read_bytes()
        mat.unlink()
        partonomy_data.build(root, config(world))
        mat.write_bytes(kept)
        rest = other_splits(root, {image}) == other_splits(demo_store, {image})
        if taxonomy_sets(root) != taxonomy_sets(demo_store) or not rest:
            continue
        checked += 1
        after = questions(root)
        shown = {row["object_category"] for row in objects if row["image_id"] == image}
        touched = frozenset().union(*(family.get(name, frozenset()) | {name} for name in shown))
        split = next(row["split"] for row in before.values() if row["image_id"] == image)
        elsewhere = {
            name: row
            for name, row in before.items()
            if (row["split"], row["source"]) != (split, "pascal_part")
            or not touched & (family.get(category[row["object_id"]], frozenset()) | {category[row["object_id"]]})
        }
        assert len(elsewhere) > 0.7 * len(before)
        assert {name: after.get(name) for name in elsewhere} == elsewhere
        same = sum(after.get(name) == row for name, row in before.items()) / len(before)
        record_property(f"share of questions unchanged without {image}", same)
        print(f"{same:.3f} of {len(before)} questions are the same without {image}")
        assert same > 0.9
        if checked == 2:
            return
    pytest.fail("every photograph that was tried changes the taxonomy or other photographs' splits")


@pytest.mark.soak
def test_another_seed_gives_other_questions_of_the_same_photographs(demo_store: Path, world: Path, store: Path) -> None:
    other = build(store, config(world, questions=QuestionSettings(seed=7)))
    mine = files(demo_store)
    same = {name for name in mine if not name.startswith(("questions/", "question_masks/", "splits"))}
    assert {name: other[name] for name in same} == {name: mine[name] for name in same}
    assert other != mine
    with partonomy_data.open(store) as opened:
        assert '"seed": 7' in json.dumps(opened.manifest["config"])
    mine_asked, other_asked = questions(demo_store), questions(store)
    assert abs(len(mine_asked) - len(other_asked)) < 0.2 * len(mine_asked)
