"""The real Pascal-Part samples: every answer is recomputed from the .mat files, by scipy and a table of codes alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting
from partonomy_data.questions.settings import QuestionSettings
from partonomy_data.splits import SplitSettings
from tests.questions import pascal_files, structure
from tests.questions.pascal_files import Thing

Row = dict[str, Any]

MIN_PART_PIXELS = 16


@dataclass(frozen=True)
class Asked:
    """A question with the object of the file that it is about."""

    row: Row
    thing: Thing
    others: list[Thing]

    def wanted(self) -> set[str]:
        """The right answer."""
        kind, contrasts = self.row["question_type"], self.row["contrast_categories"]
        clear = self.thing.clear(MIN_PART_PIXELS)
        if kind in ("intersection", "contrast"):
            clear = {part for part in clear if pascal_files.has(contrasts[0], part)}
        if kind in ("difference", "contrast"):
            clear = {part for part in clear if not pascal_files.has(contrasts[-1], part)}
        return clear


#: So few photographs that any that is held out takes much of a category along: once as they come, once all to train on.
SETTINGS = {
    "default": QuestionSettings(),
    "all in training": QuestionSettings(
        splits=SplitSettings(val=0, test=0, unseen_objects=0, unseen_parts=0, unseen_pairs=0)
    ),
}


@pytest.fixture(scope="module", params=SETTINGS)
def root(request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real") / "store"
    source = SourceSetting(str(shared_data / "pascal_part"))
    how = BuildConfig(sources={"pascal_part": source}, workers=1, questions=SETTINGS[request.param])
    partonomy_data.build(folder, how)
    return folder


@pytest.fixture(scope="module")
def asked(root: Path, shared_data: Path) -> list[Asked]:
    files = pascal_files.read(shared_data / "pascal_part" / "Annotations_Part")
    with partonomy_data.open(root) as store:
        places = {
            row["object_id"]: (
                row["image_id"].removeprefix("pascal_part/"),
                int(row["source_key"].removeprefix("object_")),
            )
            for row in store.table("objects", ["object_id", "image_id", "source_key"]).to_pylist()
        }
        rows = store.table("questions").to_pylist()
    found = []
    for row in rows:
        stem, place = places[row["object_id"]]
        things = files[stem]
        found.append(Asked(row, things[place], things[:place] + things[place + 1 :]))
    return found


def test_every_right_choice_is_what_the_file_says(asked: list[Asked]) -> None:
    assert len(asked) >= 10
    for one in asked:
        right = one.row["choices"][one.row["correct_index"]]["parts"]
        assert set(right) == one.wanted(), (one.row["question"], one.thing.class_name, sorted(one.thing.parts))


def test_every_wrong_choice_leaves_out_a_clear_part_or_names_one_that_is_not_there(asked: list[Asked]) -> None:
    judged = 0
    for one in asked:
        for choice in one.row["choices"]:
            if not choice["is_correct"]:
                judged += 1
                # A part of a few pixels may be listed or not, so it can't be what makes a choice wrong.
                listed = set(choice["parts"]) - (set(one.thing.parts) - one.thing.clear(MIN_PART_PIXELS))
                assert listed != one.wanted(), (one.row["question"], choice["text"], sorted(one.thing.parts))
    assert judged >= 25


def test_objects_are_named_as_the_file_says(asked: list[Asked]) -> None:
    turns = [one for one in asked if one.row["object_choices"]]
    if not turns:
        pytest.skip("so few photographs make no group that is asked for its object")
    for one in turns:
        names = {choice["object_category"]: choice["is_correct"] for choice in one.row["object_choices"]}
        assert {name for name, right in names.items() if right} == {one.thing.category}


def test_the_question_can_mean_no_other_object_of_the_file(asked: list[Asked]) -> None:
    seen = Counter(one.row["referent"] for one in asked)
    assert set(seen) <= {"unique", "crop", "box"}
    for one in asked:
        if one.row["referent"] == "unique":
            others = [
                other for other in one.others if not one.row["names_object"] or other.category == one.thing.category
            ]
            assert not others, one.row["question"]
        else:
            ys, xs = np.nonzero(one.thing.mask)
            x, y, width, height = one.row["region"]
            assert x <= xs.min()
            assert y <= ys.min()
            assert x + width >= xs.max() + 1
            assert y + height >= ys.max() + 1


def test_the_masks_of_an_answer_are_those_of_the_file(root: Path, asked: list[Asked]) -> None:
    of_question = {one.row["question_id"]: one for one in asked}
    with partonomy_data.open(root) as store:
        rows = store.table("question_masks").to_pylist()
        masks = store.masks(sorted({name for row in rows for name in row["part_ids"]}))
    assert {row["question_id"] for row in rows} == set(of_question)
    for row in rows:
        drawn = Counter(mask.tobytes() for mask in of_question[row["question_id"]].thing.parts[row["part_category"]])
        assert Counter((masks[name] != 0).tobytes() for name in row["part_ids"]) == drawn


def test_tables_hold_what_any_store_s_must(root: Path) -> None:
    faults = structure.faults_of(root)
    assert not faults, "\n".join(map(str, faults[:20]))


def test_of_the_objects_that_show_a_part_clearly_most_are_asked_about_in_training(
    asked: list[Asked], shared_data: Path
) -> None:
    """The others are alone in showing something of their category, so that there is nothing false to choose."""
    if {one.row["split"] for one in asked} != {"train"}:
        assert any(one.row["balanced"] for one in asked if one.row["split"] != "train")
        return
    files = pascal_files.read(shared_data / "pascal_part" / "Annotations_Part")
    clear = sum(bool(thing.clear(MIN_PART_PIXELS)) for things in files.values() for thing in things)
    assert len({one.row["object_id"] for one in asked}) >= 0.7 * clear
    assert len(asked) >= 25
