"""PACO's categories as a vocabulary: 75 objects, and parts that are each the part of one object."""

from __future__ import annotations

from collections.abc import Iterable

from partonomy_data.sources.paco.schema import Category
from partonomy_data.sources.records import ObjectName, PartName, Vocabulary


def words(name: str) -> str:
    """PACO's spelling in plain words: `car_(automobile)` → "car (automobile)"."""
    return " ".join(name.replace("_", " ").split())


def malformed(category: Category) -> bool:
    """Whether a category isn't called as one of its kind is: `object`, or `object:part` for a part."""
    whole, colon, part = category.name.partition(":")
    is_part = category.supercategory != "OBJECT"
    return bool(colon) != is_part or not words(whole) or (is_part and not words(part))


def vocabulary(categories: Iterable[Category]) -> Vocabulary:
    """The vocabulary of the `categories` of one or more files; keys are PACO's own names.

    Objects are rows whose supercategory is OBJECT; parts are PART rows named `object:part`. A part whose object is not
    a category gives that object a row too, so that it can be named. Malformed categories are left out.
    """
    objects: dict[str, ObjectName] = {}
    parts: dict[str, PartName] = {}
    for category in sorted(categories, key=lambda c: (c.supercategory != "OBJECT", c.id)):
        if malformed(category):
            continue
        whole, colon, part = category.name.partition(":")
        if whole not in objects:
            objects[whole] = ObjectName(key=whole, source_category=whole, name=words(whole))
        if colon:
            parts[category.name] = PartName(
                key=category.name, object_key=whole, source_category=category.name, name=words(part)
            )
    return Vocabulary(tuple(objects.values()), tuple(parts.values()), curated=True)
