"""Other data become samples like those of the store; what can't is left out and counted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.data import others
from model.data.rows import Rows
from model.data.samples import Sample, sample_of
from model.data.selection import OtherConfig
from model.plum.errors import ModelError
from partonomy_data import masks
from partonomy_data.errors import UsageError
from partonomy_data.photographs.places import Photographs
from tests.model.data.others.written import SIZES, coco, config, square


def samples(folder: Path, config: OtherConfig) -> tuple[list[Sample], tuple[str, ...]]:
    read = others.prepare("extra", config, folder / "rows")
    rows = Rows([read.path])
    shown = Photographs({"extra": Path(config.images)})
    return [sample_of(rows[number], shown) for number in range(len(rows))], read.left_out


def spelled(sample: Sample) -> list[str]:
    return [sample.answer[start:end] for start, end, _ in sample.spans]


def test_each_phrase_asks_for_the_mask_of_its_annotation(tmp_path: Path) -> None:
    bitmap = np.zeros((50, 25), np.uint8)
    bitmap[10:20, 3:9] = 1
    annotations = [
        {"id": 1, "image_id": 1, "segmentation": square(4, 5, 10), "sentences": [{"raw": "the left one."}, "a  cup"]},
        {"id": 2, "image_id": 2, "segmentation": masks.to_json(masks.from_bitmap(bitmap)), "caption": "a mug"},
    ]
    found, left = samples(tmp_path, config(tmp_path, "referring", coco(annotations)))
    assert [spelled(one) for one in found] == [["the left one"], ["a cup"], ["a mug"]]
    assert all(phrase in one.question for one in found for phrase in spelled(one))
    expected = np.zeros((30, 40), np.uint8)
    expected[5:15, 4:14] = 1
    assert np.array_equal(found[0].masks[0], expected)
    assert np.array_equal(found[1].masks[0], expected)
    assert np.array_equal(found[2].masks[0], bitmap)
    assert found[0].view_id == found[1].view_id != found[2].view_id
    assert [one.choices for one in found] == [(), (), ()]
    assert left == ()


def test_all_of_a_category_in_a_photograph_is_one_mask(tmp_path: Path) -> None:
    annotations = [
        {"id": number, "image_id": image, "category_id": category, "segmentation": square(left, 2, 4)}
        for number, (image, category, left) in enumerate([(1, 7, 2), (2, 7, 3), (1, 8, 9), (1, 7, 20)])
    ]
    categories = [{"id": 7, "name": "traffic_light"}, {"id": 8, "name": "road"}]
    found, left = samples(tmp_path, config(tmp_path, "semantic", coco(annotations, categories)))
    assert [(spelled(one), int(one.masks[0].sum())) for one in found] == [
        (["traffic light"], 32),
        (["road"], 16),
        (["traffic light"], 16),
    ]
    assert left == ()


def test_each_answer_of_a_conversation_comes_after_the_turns_before_it(tmp_path: Path) -> None:
    content = [
        {
            "id": "x",
            "image": "sub/b.jpg",
            "conversations": [
                {"from": "human", "value": "<image>\nWhat is it?"},
                {"from": "gpt", "value": "A bus."},
                {"from": "human", "value": "Of what color?"},
                {"from": "gpt", "value": "Red."},
            ],
        }
    ]
    found, left = samples(tmp_path, config(tmp_path, "conversations", content))
    told = [(one.question, one.answer, [(turn.question, turn.answer) for turn in one.history]) for one in found]
    assert told == [
        ("What is it?", "A bus.", []),
        ("Of what color?", "Red.", [("What is it?", "A bus.")]),
    ]
    assert [one.view.size for one in found] == [(50, 25), (50, 25)]
    assert (left, found[0].spans) == ((), ())


def test_what_cannot_be_used_is_counted_by_reason(tmp_path: Path) -> None:
    good = {"segmentation": square(1, 1, 5), "phrase": "a thing"}
    annotations: list[dict[str, Any]] = [
        {"id": 1, "image_id": 1, **good},
        {"id": 2, "image_id": 9, **good},
        {"id": 3, "image_id": 3, **good},
        {"id": 4, "image_id": 1, "phrase": "no mask"},
        {"id": 5, "image_id": 1, "segmentation": square(1, 1, 5), "phrase": "  . "},
        {"id": 6, "image_id": 1, "segmentation": square(90, 90, 5), "phrase": "outside"},
        {"id": 7, "image_id": 1, "segmentation": {"size": [9, 9], "counts": [81]}, "phrase": "another size"},
        {"id": 8, "image_id": 1, "segmentation": {"size": [30, 40], "counts": "\x01"}, "phrase": "no run lengths"},
    ]
    found, left = samples(tmp_path, config(tmp_path, "referring", coco(annotations)))
    assert [one.sample_id for one in found] == ["extra/1/0"]
    told = {line.split(" left out: ")[1].split(" (")[0]: int(line.split()[0]) for line in left}
    assert told == {
        "annotations of no known photograph": 1,
        "annotations whose photograph isn't there": 1,
        "annotations without a mask": 1,
        "annotations without a phrase": 1,
        "masks that can't be used": 3,
    }
    assert len(found) + sum(told.values()) == len(annotations)


def test_conversations_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    asked, said = {"from": "human", "value": "What?"}, {"from": "gpt", "value": "That."}
    turns = {
        "good": [asked, said],
        "begins with an answer": [said, asked],
        "no answer": [asked],
        "empty": [{"from": "human", "value": "<image>"}, said],
        "none": [],
    }
    content: list[dict[str, Any]] = [
        {"id": name, "image": "a.jpg", "conversations": one} for name, one in turns.items()
    ]
    content += [
        {"id": "text alone", "conversations": [asked, said]},
        {"id": "gone", "image": "gone.jpg", "conversations": [asked, said]},
        {"id": "outside", "image": "../conversations.json", "conversations": [asked, said]},
        {"id": "no image", "image": "broken.jpg", "conversations": [asked, said]},
    ]
    settings = config(tmp_path, "conversations", content)
    (Path(settings.images) / "broken.jpg").write_bytes(b"not an image")
    found, left = samples(tmp_path, settings)
    assert [one.sample_id for one in found] == ["extra/0/good/0"]
    assert sum(int(line.split()[0]) for line in left) == len(content) - 1
    assert len(left) == 4


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("referring", "{", "it is not JSON of the kind `referring`"),
        ("semantic", "[]", "it is not JSON of the kind `semantic`"),
        ("conversations", coco([]), "it is not JSON of the kind `conversations`"),
        ("referring", coco([]), "no sample can be made of it"),
        ("referring", coco([{"id": 1, "image_id": 3, "segmentation": square(1, 1, 2)}]), r"of it: 1 left out: .*there"),
    ],
)
def test_a_file_of_another_kind_or_of_nothing_is_refused_in_one_line(
    tmp_path: Path, kind: str, content: Any, message: str
) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        others.prepare("extra", config(tmp_path, kind, content), tmp_path / "rows")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "rows").glob("*.arrow"))


def test_a_missing_file_or_folder_is_refused_by_its_setting(tmp_path: Path) -> None:
    there = config(tmp_path, "referring", coco([]))
    with pytest.raises(ModelError, match=r"No such file.*data\.others\.extra\.annotations"):
        others.prepare("extra", OtherConfig("referring", str(tmp_path / "no.json"), there.images), tmp_path)
    with pytest.raises(ModelError, match=r"no such folder.*data\.others\.extra\.images"):
        others.prepare("extra", OtherConfig("referring", there.annotations, str(tmp_path / "no")), tmp_path)


def test_rows_are_made_once_and_again_when_the_file_changes(tmp_path: Path) -> None:
    annotation = {"id": 1, "image_id": 1, "segmentation": square(1, 1, 5), "phrase": "a thing"}
    settings = config(tmp_path, "referring", coco([annotation]))
    first = others.prepare("extra", settings, tmp_path / "rows")
    made = os.stat(first.path).st_ino
    assert os.stat(others.prepare("extra", settings, tmp_path / "rows").path).st_ino == made
    Path(settings.annotations).write_text(json.dumps(coco([{**annotation, "phrase": "another"}])))
    again = others.prepare("extra", settings, tmp_path / "rows")
    assert again.path != first.path
    assert [spelled(one) for one in samples(tmp_path, settings)[0]] == [["another"]]


def test_the_sizes_in_the_tests_are_those_of_the_photographs(tmp_path: Path) -> None:
    """A photograph of another size than its masks is refused when it is opened, as the store's are."""
    annotation = {"id": 1, "image_id": 1, "segmentation": square(1, 1, 5), "phrase": "a thing"}
    content = coco([annotation])
    content["images"][0]["width"] = SIZES["a.jpg"][0] + 1
    with pytest.raises(UsageError, match="the photograph is 40x30, its masks 41x30"):
        samples(tmp_path, config(tmp_path, "referring", content))
