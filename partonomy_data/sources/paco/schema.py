"""PACO's JSON, typed: the fields that are read of paco_lvis_v1_*.json and paco_ego4d_v1_*.json."""

from __future__ import annotations

import msgspec

from partonomy_data.sources.records import RleJson


class Image(msgspec.Struct, gc=False, kw_only=True):
    """A row of `images`. The lists of category ids are LVIS's federated labels, see `reading.evidence`."""

    id: int
    file_name: str
    width: int
    height: int
    license: int | None = None
    coco_url: str | None = None
    neg_category_ids: tuple[int, ...] = ()
    not_exhaustive_category_ids: tuple[int, ...] = ()
    image_id: str = ""
    """Set in planning, since it depends on all file names; not PACO's."""


class Category(msgspec.Struct, kw_only=True):
    """A row of `categories`: an object, or a part of one object (`object:part`)."""

    id: int
    name: str
    supercategory: str
    synset: str = ""


class Attribute(msgspec.Struct):
    """A row of `attributes`."""

    id: int
    name: str


class Annotation(msgspec.Struct, gc=False, kw_only=True):
    """A row of `annotations`: an object if its category is one, else a part of the object `obj_ann_id`."""

    id: int
    image_id: int
    category_id: int
    segmentation: list[list[float]] | RleJson
    # Tuples, as an empty one costs nothing, and the garbage collector doesn't come back to one of numbers.
    bbox: tuple[float, ...] = ()
    # PACO's files have none; those of `partonomy export coco` do.
    iscrowd: int = 0
    obj_ann_id: int | None = None
    attribute_ids: tuple[int, ...] = ()
    dom_color_ids: tuple[int, ...] = ()
    unknown_color: int = 0
    unknown_pattern_marking: int = 0
    unknown_material: int = 0
    unknown_transparency: int = 0
    instance_id: int | str | None = None
    blur_level: int | None = None


class Context(msgspec.Struct, kw_only=True):
    """What every shard of a file needs beside its photographs."""

    split: str
    categories: list[Category]
    attributes: list[Attribute]
    attr_type_to_attr_idxs: dict[str, list[int]]


class Header(msgspec.Struct, kw_only=True):
    """A whole file, its images and annotations still raw, so that a bad row spoils itself only.

    `info` and `licenses` are not always there, and not needed.
    """

    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[Category]
    part_categories: msgspec.Raw = msgspec.Raw()
    attributes: list[Attribute] = msgspec.field(default_factory=list)
    attr_type_to_attr_idxs: dict[str, list[int]] = msgspec.field(default_factory=dict)
