"""The categories of PartImageNet: classes by wnid under super-categories, and the parts that each class can have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from partonomy_data.sources.records import ObjectName, PartName, Vocabulary


def part_key(wnid: str, category: str) -> str:
    """`PartName.key` of a class's part: parts are declared for super-categories, and belong to each of their classes."""
    return f"{wnid}/{category}"


def vocabulary(
    names: Mapping[str, str], supercategories: Mapping[str, str], categories: Iterable[tuple[str, str, str]]
) -> Vocabulary:
    """Classes (wnid → name), their super-categories, and part categories (name, super-category, part in plain words).

    A class has all parts of its super-category, whether or not it has any in life (a gorilla's tail): the pairs were
    not chosen class by class, so the vocabulary is not curated. Categories without part words are left out.
    """
    of_owner: dict[str, dict[str, str]] = {}
    for category, owner, part in categories:
        if part:
            of_owner.setdefault(owner, {}).setdefault(category, part)
    objects = [
        ObjectName(
            key=wnid,
            source_category=wnid,
            name=names[wnid],
            parents=(supercategories[wnid].lower(),) if wnid in supercategories else (),
        )
        for wnid in sorted(names)
    ]
    parts = [
        PartName(key=part_key(wnid, category), object_key=wnid, source_category=category, name=part)
        for wnid in sorted(names)
        for category, part in sorted(of_owner.get(supercategories.get(wnid, ""), {}).items())
    ]
    return Vocabulary(tuple(objects), tuple(parts))
