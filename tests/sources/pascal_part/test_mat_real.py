"""The real samples, read by this reader and by scipy alone: nothing lost, every pixel the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat

from partonomy_data.sources.pascal_part import codes
from partonomy_data.sources.records import Photograph

from .pascal_files import pixels, read


@pytest.fixture(scope="module")
def source(shared_data: Path) -> Path:
    return shared_data / "pascal_part"


@pytest.fixture(scope="module")
def photographs(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Photograph]:
    _, found, rejected = read(source, tmp_path_factory.mktemp("work"))
    assert rejected == []
    return found


def _objects(path: Path) -> list[Any]:
    return list(loadmat(path)["anno"][0, 0]["objects"].ravel())


def test_numbers_are_those_that_scipy_counts(source: Path, photographs: dict[str, Photograph]) -> None:
    files = sorted((source / "Annotations_Part").glob("*.mat"))
    assert len(files) > 10
    assert sorted(photographs) == [path.stem for path in files]
    for path in files:
        objects = _objects(path)
        photograph = photographs[path.stem]
        assert len(photograph.objects) == len(objects)
        assert len(photograph.parts) == sum(row["parts"].size for row in objects)
        assert photograph.rejected == []


def test_every_mask_is_identical_pixel_by_pixel(source: Path, photographs: dict[str, Photograph]) -> None:
    n_masks = 0
    for stem, photograph in photographs.items():
        by_key = {record.key: record for record in photograph.objects}
        parts = {record.key: record for record in photograph.parts}
        for index, row in enumerate(_objects(source / "Annotations_Part" / f"{stem}.mat")):
            record = by_key[f"object_{index}"]
            assert np.array_equal(pixels(record.segmentation), row["mask"])
            assert record.category == (codes.category_of(row["class"][0]))
            for part in row["parts"].ravel():
                code = str(part["part_name"][0])
                found = parts[f"object_{index}/{code}"]
                assert np.array_equal(pixels(found.segmentation), part["mask"])
                assert found.object_key == record.key
                assert found.category == f"{record.category}/{code}"
                n_masks += 1
            n_masks += 1
    assert n_masks == sum(len(p.objects) + len(p.parts) for p in photographs.values())


def test_photographs_are_found_and_as_large_as_their_masks(source: Path, photographs: dict[str, Photograph]) -> None:
    from PIL import Image

    for stem, photograph in photographs.items():
        assert photograph.path == f"JPEGImages/{stem}.jpg"
        assert photograph.photograph == f"voc/{stem}"
        with Image.open(source / photograph.path) as image:
            assert image.size == (photograph.width, photograph.height)


def test_objects_with_parts_are_exhaustive_and_others_not(photographs: dict[str, Photograph]) -> None:
    for photograph in photographs.values():
        with_parts = {record.object_key for record in photograph.parts}
        assert {record.key for record in photograph.objects if record.exhaustive} == with_parts
