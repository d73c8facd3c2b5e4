"""The COCO JSON files of both releases: what is in a row, and whether a file is PartImageNet's.

images[]       {"id": 0, "file_name": "n04252225_8354.JPEG", "height": …, "width": …}
annotations[]  {"id", "image_id", "category_id": 0 … 39, "segmentation": [[x, y, …], …], "bbox", "area", "iscrowd"}
categories[]   {"id": 0, "name": "Quadruped Head", "supercategory": "Quadruped"}
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

from partonomy_data.errors import SourceError
from partonomy_data.sources import coco_json
from partonomy_data.sources.partimagenet.layout import looks_like
from partonomy_data.sources.partimagenet.names import part_words
from partonomy_data.sources.records import RleJson


class Category(msgspec.Struct, frozen=True):
    """A row of `categories`."""

    id: int
    name: str
    supercategory: str = ""


class ImageRow(msgspec.Struct, frozen=True):
    """A row of `images`, as far as it is needed."""

    id: int
    file_name: str
    height: int
    width: int


class Header(msgspec.Struct):
    """A COCO JSON file; its annotations and images stay raw text, so that a bad row spoils itself only."""

    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[Category]


class Annotation(msgspec.Struct, frozen=True, gc=False):
    """A row of `annotations`, as far as it is needed."""

    id: int
    image_id: int
    category_id: int
    segmentation: list[list[float]] | RleJson
    area: float | None = None
    iscrowd: int | bool = 0


class WholeAnnotation(msgspec.Struct, frozen=True, gc=False):
    """A row of `annotations` in a file of whole objects. The class is that of the file name's wnid."""

    id: int
    image_id: int
    segmentation: list[list[float]] | RleJson
    iscrowd: int | bool = 0


def load_parts(path: Path) -> Header:
    """A file of parts. Raises SourceError if its categories are not a super-category and a part each."""
    header = coco_json.load(path, Header)
    if not any(part_words(category.name, category.supercategory) for category in header.categories):
        found = looks_like([(category.name, category.supercategory) for category in header.categories])
        raise SourceError(
            f"has none of PartImageNet's categories; {found}",
            where=str(path),
            mend="Expected are parts such as 'Quadruped Head' of the supercategory 'Quadruped'",
        )
    counts = Counter(category.id for category in header.categories)
    twice = next((key for key, count in counts.items() if count > 1), None)
    if twice is not None:
        raise SourceError(f"has two categories with id {twice}", where=str(path), mend="Fetch the file again")
    return header


def load_whole(path: Path) -> Header | None:
    """A file of whole objects; None if it holds part categories, and so isn't one."""
    header = coco_json.load(path, Header)
    parts = any(part_words(category.name, category.supercategory) for category in header.categories)
    return None if parts else header
