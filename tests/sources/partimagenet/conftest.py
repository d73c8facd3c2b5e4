"""Makes PartImageNet's files in a temporary folder, and reads them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from partonomy_data.sources.base import Plan, SourceRequest
from partonomy_data.sources.partimagenet import PartImageNetReader
from partonomy_data.sources.records import Photograph, Rejected

_PARTS = {
    "Quadruped": ["Head", "Body", "Foot", "Tail"],
    "Biped": ["Head", "Body", "Hand", "Foot", "Tail"],
    "Fish": ["Head", "Body", "Fin", "Tail"],
    "Bird": ["Head", "Body", "Wing", "Foot", "Tail"],
    "Snake": ["Head", "Body"],
    "Reptile": ["Head", "Body", "Foot", "Tail"],
    "Car": ["Body", "Tier", "Side Mirror"],
    "Bicycle": ["Body", "Head", "Seat", "Tier"],
    "Boat": ["Body", "Sail"],
    "Aeroplane": ["Head", "Body", "Engine", "Wing", "Tail"],
    "Bottle": ["Mouth", "Body"],
}
NAMES = [f"{owner} {part}" for owner, parts in _PARTS.items() for part in parts]
CATEGORIES = [{"id": i, "name": n, "supercategory": n.split()[0]} for i, n in enumerate(NAMES)]


@pytest.fixture
def part_names() -> list[str]:
    """The 40 part categories in the order of their ids."""
    return list(NAMES)


@pytest.fixture
def square() -> Callable[..., dict[str, Any]]:
    """An annotation: a square of 10 pixels with its upper left corner at (x, 5)."""

    def make(id: int, image_id: int, category_id: int, x: float = 5, **other: Any) -> dict[str, Any]:
        row = {
            "id": id,
            "image_id": image_id,
            "category_id": category_id,
            "segmentation": [[x, 5, x + 10, 5, x + 10, 15, x, 15]],
            "bbox": [x, 5, 10, 10],
            "area": 100,
            "iscrowd": 0,
        }
        return {**row, **other}

    return make


@pytest.fixture
def write_json() -> Callable[..., Path]:
    """Writes a COCO JSON file; photographs given by name have 60 x 40 pixels and the ids 0, 1, …"""

    def write(
        path: Path, images: Sequence[Any], annotations: Sequence[Any], categories: Sequence[Any] = CATEGORIES
    ) -> Path:
        rows = [
            {"id": i, "file_name": image, "height": 40, "width": 60} if isinstance(image, str) else image
            for i, image in enumerate(images)
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"images": rows, "annotations": annotations, "categories": categories}))
        return path

    return write


@pytest.fixture
def write_map() -> Callable[..., Path]:
    """Writes a label map of 40 x 60 pixels: background, and rectangles (top, left, bottom, right) of labels."""

    def write(path: Path, labels: dict[tuple[int, int, int, int], int], background: int = 40, mode: str = "L") -> Path:
        pixels = np.full((40, 60), background, dtype=np.uint8)
        for (top, left, bottom, right), label in labels.items():
            pixels[top:bottom, left:right] = label
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels)
        if mode == "P":
            image.putpalette([255 - v // 3 for v in range(768)])
        image.save(path)
        return path

    return write


class Read:
    """What a reader made of a source."""

    def __init__(self, path: Path, work: Path, images: Path | None, limit: int | None) -> None:
        reader = PartImageNetReader()
        self.plan: Plan = reader.plan(SourceRequest("partimagenet", path, images, limit), work)
        records = [record for shard in self.plan.shards for record in reader.read(shard)]
        self.photographs: list[Photograph] = [one for one in records if isinstance(one, Photograph)]
        self.of: dict[str, Photograph] = {one.file_name: one for one in self.photographs}
        loose = [one for one in records if isinstance(one, Rejected)]
        inner = [row for one in self.photographs for row in one.rejected]
        self.rejected: list[Rejected] = [*self.plan.rejected, *loose, *inner]
        self.rules: list[tuple[str, str]] = sorted((row.table, row.rule) for row in self.rejected)
        self.repairs: list[str] = [rule for one in self.photographs for rule in one.repairs]
        for row in self.rejected:
            msgspec.json.decode(row.row if isinstance(row.row, str) else msgspec.json.encode(row.row))
        declared = {rule.name: rule.outcome for rule in reader.rules}
        assert all(declared[row.rule] == "quarantined" for row in self.rejected)
        applied = {*self.repairs, *self.plan.repairs}
        assert all(declared[rule] in ("repaired", "kept") for rule in applied)
        keys = {part.key: part.object_key for part in self.plan.vocabulary.parts}
        classes = {thing.key for thing in self.plan.vocabulary.objects}
        for one in self.photographs:
            objects = {thing.key for thing in one.objects}
            assert {thing.category for thing in one.objects} <= classes
            assert all(part.category in keys for part in one.parts)
            assert all(part.object_key is None or part.object_key in objects for part in one.parts)

    def parts(self, file_name: str) -> list[str]:
        """The categories of a photograph's parts, without the wnid."""
        return [part.category.split("/")[1] for part in self.of[file_name].parts]


@pytest.fixture
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Read]:
    """Plans and reads a source; fails where a row names no declared rule, category or object."""

    def run(path: Path, images: Path | None = None, limit: int | None = None) -> Read:
        return Read(path, tmp_path_factory.mktemp("work"), images, limit)

    return run
