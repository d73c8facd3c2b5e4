"""The Pascal-Part folder holds the original's nested structs, and the truth's masks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from partonomy_data.demo.write_pascal_part import mat_file
from tests.demo.conftest import Small, dense

CODES = re.compile(
    r"body|stern|[lr]wing|tail|(engine|wheel|door|headlight)_([1-9]|10)|window_(1?[1-9]|[12]0)|[fb]wheel|saddle|handlebar"
    r"|chainwheel|head|[lr]eye|[lr]ear|beak|torso|neck|[lr]leg|[lr]foot|cap|(front|left|right|back|roof)side"
    r"|(left|right)mirror|[fb]liplate|nose|muzzle|[lr]horn|[lr][fb](leg|pa|ho|uleg|lleg)|pot|plant|screen"
    r"|h(front|left|right|back|roof)side|coach_([1-9]|10)"
)


@pytest.fixture(scope="module")
def structs(small: Small) -> dict[str, Any]:
    folder = small.made.sources["pascal_part"] / "Annotations_Part"
    return {path.stem: loadmat(path)["anno"] for path in sorted(folder.iterdir())}


def test_structs_are_nested_as_in_the_original(structs: dict[str, Any]) -> None:
    without_parts = 0
    for name, anno in structs.items():
        assert anno.shape == (1, 1)
        assert anno.dtype.names == ("imname", "objects")
        assert anno[0, 0]["imname"].tolist() == [name]
        objects = anno[0, 0]["objects"]
        assert objects.shape[0] == 1
        assert objects.dtype.names == ("class", "class_ind", "mask", "parts")
        for item in objects[0]:
            assert item["class_ind"].shape == (1, 1)
            assert item["class_ind"].dtype == item["mask"].dtype == np.uint8
            assert item["parts"].dtype.names == ("part_name", "mask")
            assert item["parts"].shape == (0, 0) or item["parts"].shape[0] == 1
            without_parts += item["parts"].shape == (0, 0)
    assert without_parts >= 3


def test_names_are_pascals(structs: dict[str, Any]) -> None:
    for anno in structs.values():
        for item in anno[0, 0]["objects"][0]:
            assert (item["class"][0], int(item["class_ind"][0, 0])) in CLASSES.items()
            codes = [str(part["part_name"][0]) for part in item["parts"].ravel()]
            assert len(codes) == len(set(codes))
            assert all(CODES.fullmatch(code) for code in codes), codes


CLASSES = {
    "aeroplane": 1, "bicycle": 2, "bird": 3, "boat": 4, "bottle": 5, "bus": 6, "car": 7, "cat": 8, "chair": 9, "cow": 10,
    "table": 11, "dog": 12, "horse": 13, "motorbike": 14, "pottedplant": 16, "sheep": 17, "sofa": 18, "train": 19,
    "tvmonitor": 20,
}  # fmt: skip


def test_masks_equal_the_truth(small: Small, structs: dict[str, Any]) -> None:
    for line in small.photographs["pascal_part"]:
        objects = structs[line["file_name"].removesuffix(".jpg")][0, 0]["objects"][0]
        known = [item for item in line["objects"] if item["source_category"] is not None]
        assert [item["object_key"] for item in known] == [str(place) for place in range(len(objects))]
        for item, written in zip(known, objects, strict=True):
            assert written["class"][0] == item["source_category"]
            np.testing.assert_array_equal(written["mask"].astype(bool), dense(item["rle"]))
            masks = {str(part["part_name"][0]): part["mask"] for part in written["parts"].ravel()}
            assert set(masks) == {part["source_part"] for part in item["parts"]}
            for part in item["parts"]:
                assert part["keys"] == [part["source_part"]]
                np.testing.assert_array_equal(masks[part["source_part"]].astype(bool), dense(part["rle"]))


def test_photographs_and_lists_go_with_the_annotations(small: Small, structs: dict[str, Any]) -> None:
    folder: Path = small.made.sources["pascal_part"]
    lists = {
        split: (folder / "ImageSets" / "Main" / f"{split}.txt").read_text("ascii").split() for split in ("train", "val")
    }
    assert sorted(lists["train"] + lists["val"]) == sorted(structs)
    for line in small.photographs["pascal_part"]:
        name = line["file_name"].removesuffix(".jpg")
        assert name in lists[line["split"]]
        assert re.fullmatch(r"20\d\d_\d{6}", name)
        with Image.open(folder / "JPEGImages" / line["file_name"]) as photograph:
            assert photograph.size == (line["width"], line["height"])


def test_files_name_no_time_of_writing() -> None:
    content = np.empty((1, 1), dtype=[("imname", "O")])
    content[0, 0] = ("x",)
    written = mat_file({"anno": content})
    assert written.startswith(b"MATLAB 5.0 MAT-file, Platform: GLNXA64")
    assert written[124:128] == b"\x00\x01IM"
    assert written == mat_file({"anno": content})
