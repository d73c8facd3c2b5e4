"""VLPart's JSON, typed: the fields that are read of its train.json and val.json."""

from __future__ import annotations

import msgspec

from partonomy_data.sources.pascal_part import codes
from partonomy_data.sources.records import PartName, RleJson


class Image(msgspec.Struct, gc=False, kw_only=True):
    """A row of `images`; what is below `width` is set in planning."""

    id: int
    file_name: str
    height: int
    width: int
    image_id: str = ""
    split: str = ""
    path: str | None = None


class Category(msgspec.Struct, kw_only=True):
    """A row of `categories`. VLPart writes no supercategory; other datasets do."""

    id: int
    name: str
    abbr: str | None = None
    supercategory: str = ""


class Annotation(msgspec.Struct, gc=False, kw_only=True):
    """A row of `annotations`: one part."""

    id: int
    image_id: int
    category_id: int
    segmentation: RleJson | list[list[float]]
    bbox: list[float] = msgspec.field(default_factory=list)
    area: float | None = None


class Header(msgspec.Struct, kw_only=True):
    """A whole file, its images and annotations still raw, so that a bad row spoils itself only."""

    images: list[msgspec.Raw] = msgspec.field(default_factory=list)
    annotations: list[msgspec.Raw] = msgspec.field(default_factory=list)
    categories: list[Category] = msgspec.field(default_factory=list)
    part_categories: msgspec.Raw = msgspec.Raw()
    """PACO's; asked for only to tell its files apart."""


def part_name(category: Category) -> PartName | None:
    """The part that a category names, or None unless it is `object:part` with one of VOC's classes."""
    pieces = [piece.strip() for piece in category.name.split(":")]
    if len(pieces) != 2 or not all(pieces):
        return None
    whole, part = codes.category_of(pieces[0]), pieces[1]
    if whole is None:
        return None
    return PartName(key=f"{whole}/{part}", object_key=whole, source_category=category.name, name=part)
