"""The splits: a photograph in two of them, and training on what is held out, are told by the images that do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from partonomy_data.validation.rules import photographs
from tests.validation.damage import Change, damaged, doubling, dropping, first, found, read, setting, some

Rules = dict[str, dict[str, str | None]]


@pytest.fixture
def broken(few: Path, tmp_path: Path) -> Callable[..., Rules]:
    """`broken((table, change), …)`: the rules of splits that these changes break, and the rows that they name."""

    def check(*changes: tuple[str, Change]) -> Rules:
        for table, change in changes:
            damaged(few, table, change)
        told = found(few, tmp_path, photographs.CHECKS)
        assert {suite for suite, _ in told} <= {"splits"}
        return {rule: rows for (_, rule), rows in told.items()}

    return check


def test_what_is_wrong_with_the_splits_of_images(few: Path, broken: Callable[..., Rules]) -> None:
    faults = [
        ("split_known", "train", {"split": "dev"}),
        ("source_of_image", "train", {"source": "partonomy"}),
        ("held_out_fits_split", "train", {"held_out": "jar"}),
        ("held_out_fits_split", "test_unseen_object", {"held_out": None}),
        ("reason_fits_split", "test_unseen_object", {"reason": "keyed"}),
        ("reason_fits_split", "test_unseen_object", {"reason": "unseen_part"}),
        ("reason_fits_split", "test", {"reason": "unseen_part"}),
        ("reason_fits_split", "val", {"reason": "evaluation_only"}),
        ("reason_fits_split", "val", {"reason": "first"}),
        ("reason_fits_split", "val", {"reason": "made up"}),
    ]
    rows = {split: some(few, "splits", 3, split=split) for _, split, _ in faults}
    damage = [(rule, rows[split].pop(), values) for rule, split, values in faults]
    expected: dict[str, set[str]] = {}
    for rule, row, _ in damage:
        expected.setdefault(rule, set()).add(row["image_id"])
    told = broken(*(("splits", setting(row, **values)) for _, row, values in damage))
    assert {rule: set(rows) for rule, rows in told.items()} == expected


def test_an_image_that_is_placed_twice(few: Path, broken: Callable[..., Rules]) -> None:
    row = first(few, "splits")
    assert broken(("splits", doubling(row))) == {"key_unique": {row["image_id"]: "2 rows"}}


def test_the_split_of_an_image_that_is_not_there(few: Path, broken: Callable[..., Rules]) -> None:
    row = first(few, "splits")
    told = broken(("splits", doubling(row, image_id="paco/nowhere")))
    assert told == {"image_exists": {"paco/nowhere": "there is no paco/nowhere"}}


def test_an_image_without_a_split(few: Path, broken: Callable[..., Rules]) -> None:
    asked = set(read(few, "questions")["image_id"].to_pylist())
    row = next(row for row in read(few, "splits").to_pylist() if row["image_id"] not in asked)
    assert broken(("splits", dropping(row))) == {"images_placed": {row["image_id"]: None}}


def test_an_image_without_a_split_that_questions_are_about(few: Path, broken: Callable[..., Rules]) -> None:
    asked = read(few, "questions")["image_id"].to_pylist()
    row = first(few, "splits", image_id=asked[0])
    told = broken(("splits", dropping(row)))
    assert told == {
        "images_placed": {asked[0]: None},
        "asked_images_placed": {asked[0]: f"{asked.count(asked[0])} questions"},
    }


def test_a_version_without_splits_and_questions_is_well(few: Path, broken: Callable[..., Rules]) -> None:
    assert broken(("splits", lambda rows: rows.slice(0, 0)), ("questions", lambda rows: rows.slice(0, 0))) == {}


@pytest.mark.parametrize(
    ("table", "column", "value", "rule", "called"),
    [
        ("splits", "cluster", "pho_new", "one_split_of_cluster", "cluster"),
        ("images", "photograph", "coco/new", "one_split_of_photograph", "photograph"),
        ("images", "sha256", "a" * 64, "one_split_of_file", "the file of SHA-256"),
    ],
)
def test_one_photograph_in_two_splits(
    few: Path, broken: Callable[..., Rules], table: str, column: str, value: str, rule: str, called: str
) -> None:
    rows = [first(few, "splits", split=split)["image_id"] for split in ("train", "val")]
    changes = [(table, setting(first(few, table, image_id=row), **{column: value})) for row in rows]
    reason = f"{called} {value} is in train, val"
    assert broken(*changes) == {rule: dict.fromkeys(rows, reason)}


def test_one_photograph_in_one_split_comes_as_often_as_it_will(few: Path, broken: Callable[..., Rules]) -> None:
    rows = read(few, "splits").to_pylist()
    same = [row for row in rows if row["split"] == "train"][:2]
    assert broken(*(("splits", setting(row, cluster="pho_new")) for row in same)) == {}


@pytest.mark.parametrize("kind", ["object", "part", "pair"])
def test_training_on_what_is_held_out(few: Path, broken: Callable[..., Rules], kind: str) -> None:
    split_of = {row["image_id"]: row["split"] for row in read(few, "splits").to_pylist()}
    category_of = {row["object_id"]: row["object_category"] for row in read(few, "objects").to_pylist()}
    shown = [
        (
            part["image_id"],
            {
                "object": category_of[part["object_id"]],
                "part": part["part_category"],
                "pair": f"{category_of[part['object_id']]}: {part['part_category']}",
            }[kind],
        )
        for part in read(few, "parts").to_pylist()
    ]
    thing = next(name for image, name in shown if split_of[image] == "train")
    trained = {image: split_of[image] for image, name in shown if name == thing and split_of[image] in ("train", "val")}
    row = first(few, "splits", split="test_unseen_object")
    values = {"split": f"test_unseen_{kind}", "reason": f"unseen_{kind}", "held_out": thing}
    assert broken(("splits", setting(row, **values))) == {
        "held_out_is_unseen": {image: f"it is in {split} and shows {thing}" for image, split in trained.items()}
    }
