"""The six real photographs, with masks made for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from partonomy_world import Read, World, rectangle
from PIL import Image, ImageOps

from partonomy_data import masks


@pytest.fixture
def photographs(shared_data: Path, world: World) -> dict[str, Path]:
    """The real photographs in the folders of their labels: name → file."""
    found = sorted((shared_data / "partonomy" / "photos").glob("*"))
    if not found:
        pytest.skip("PARTONOMY's real photographs are not here")
    placed = {}
    for path in found:
        name = f"{path.stem.rpartition('-')[0]}/{path.name}"
        target = world.root / "images" / name
        target.parent.mkdir(parents=True)
        shutil.copyfile(path, target)
        placed[name] = target
    return placed


def test_real_photographs_have_the_size_that_the_authors_loader_sees(
    world: World, read: Read, photographs: dict[str, Path]
) -> None:
    sizes = {}
    for name, path in photographs.items():
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            sizes[name] = (upright.height, upright.width)
        label = name.split("/")[0]
        world.mask(f"{label}--part:middle/0.json", name, (10, 10, 50, 60), sizes[name])
    reading = read(world.root)
    assert reading.rejected == []
    assert {name: (p.height, p.width) for name, p in reading.photographs.items()} == sizes
    assert reading.repairs["extension_lies"] == 2
    names = {whole.key: whole.name for whole in reading.plan.vocabulary.objects}
    assert names["airplanes--agricultural"] == "agricultural airplane"
    assert names["drones--combat"] == "combat drone"


def test_masks_of_real_photographs_come_back_pixel_for_pixel(
    world: World, read: Read, photographs: dict[str, Path]
) -> None:
    drawn = {}
    for number, (name, path) in enumerate(photographs.items()):
        with Image.open(path) as image:
            height, width = image.height, image.width
        drawn[name] = rectangle(height, width, 5 + number, 7, height // 2, width // 2)
        world.mask(
            f"{name.split('/')[0]}--part:middle/0.json",
            name,
            (5 + number, 7, height // 2, width // 2),
            (height, width),
        )
    for name, photograph in read(world.root).photographs.items():
        (part,) = photograph.parts
        mask, repairs = masks.encode(part.segmentation, photograph.height, photograph.width)
        assert repairs == []
        np.testing.assert_array_equal(masks.decode(mask), drawn[name])
