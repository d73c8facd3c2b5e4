"""Which of a source's files a row may be written in."""

from __future__ import annotations

from typing import Any

import pytest

from partonomy_data.provenance.origin import MOST_FILES, annotation, files_of

PHOTO = {"file_name": "train/n01/n01_3.JPEG", "source_split": "train"}


def listed(*paths: str) -> list[dict[str, Any]]:
    return [{"path": path, "sha256": path[::-1], "bytes": 1} for path in paths]


@pytest.mark.parametrize(
    ("paths", "key", "image", "found"),
    [
        (("a/x-1.json", "b/x-1.json", "b/yx-1.json"), "b/x-1.json", PHOTO, ("b/x-1.json",)),
        (("a/x-1.json", "ba/x-1.json"), "a/x-1.json", PHOTO, ("a/x-1.json",)),
        (("m/n01_3.mat", "m/n01_30.mat", "m/n01.mat"), "object_0", PHOTO, ("m/n01_3.mat",)),
        (("m/n01_3-1.json", "m/n01_3_2.json", "m/n01_31.json"), None, PHOTO, ("m/n01_3-1.json", "m/n01_3_2.json")),
        (("train.json", "val.json", "training.json"), "17", PHOTO, ("train.json",)),
        (("paco_lvis_v1_train.json", "paco_lvis_v1_val.json"), "17", PHOTO, ("paco_lvis_v1_train.json",)),
        (("all.json", "more.json"), "17", PHOTO, ("all.json", "more.json")),
        (("train.json", "val.json"), "17", PHOTO | {"source_split": ""}, ("train.json", "val.json")),
        (("train.json", "val.json"), "17", None, ("train.json", "val.json")),
        ((), "17", PHOTO, ()),
    ],
)
def test_the_narrowest_choice_that_the_names_allow(
    paths: tuple[str, ...], key: str | None, image: dict[str, Any] | None, found: tuple[str, ...]
) -> None:
    assert tuple(one["path"] for one in files_of(listed(*paths), key, image)) == found


def test_too_many_files_are_counted_not_listed() -> None:
    row = {"source": "x", "source_category": "leg", "source_key": "17"}
    paths = [f"part-{i}.json" for i in range(MOST_FILES + 1)]
    told = annotation({"inputs": {"x": {"files": listed(*paths)}}}, row, PHOTO)
    assert (told["files"], told["n_files"]) == ([], MOST_FILES + 1)
    told = annotation({"inputs": {"x": {"files": listed(*paths[1:])}}}, row, PHOTO)
    assert len(told["files"]) == MOST_FILES
    assert annotation({}, row, PHOTO)["n_files"] == 0
