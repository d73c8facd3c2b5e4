"""From the sightings of a photograph to its `Photograph`: which masks are objects, which parts belong to which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
from pycocotools import mask as coco_mask

from partonomy_data.sources.base import Shard
from partonomy_data.sources.partonomy.photographs import identity, most_common_size
from partonomy_data.sources.partonomy.sightings import Sighting, read_spool
from partonomy_data.sources.records import ObjectRecord, PartRecord, Photograph, RefusedPart, Rejected, RleJson


class ImageEntry(msgspec.Struct, array_like=True, frozen=True):
    """A photograph of a shard, and what its header said."""

    name: str
    image_id: str
    path: str | None
    """Relative to the folder of images; None if it isn't on disk."""
    width: int = 0
    height: int = 0
    """Pixels as seen; 0 where no header was read."""
    transposed: bool = False
    repairs: tuple[str, ...] = ()
    trouble: tuple[str, str] | None = None
    """The rule that the photograph broke, and how; such a one is rejected with all its masks."""


class Settings(msgspec.Struct, array_like=True, frozen=True):
    """What a shard's photographs have in common."""

    converted: bool
    """True in sets converted from COCO: an object without mask may stand for several, and names are COCO's."""
    complete: bool
    """True where every photograph of the folder is read, so that one without masks is worth a word."""


def read(shard: Shard) -> Iterator[Photograph | Rejected]:
    """See `base.Reader.read`."""
    settings = msgspec.convert(shard.payload["settings"], Settings)
    images = msgspec.convert(shard.payload["images"], list[ImageEntry])
    of_image: dict[str, list[Sighting]] = {}
    for sighting in read_spool(shard.payload["spool"]):
        of_image.setdefault(sighting.image, []).append(sighting)
    for image in images:
        sightings = sorted(of_image.get(image.name, ()), key=_order)
        trouble = image.trouble
        height, width = (image.height, image.width) if image.width else (_grid(sightings) or (0, 0))
        if trouble is None and not width:
            trouble = ("image_size_unknown", "neither a photograph nor a mask says how large it is")
        if trouble is None:
            entry = msgspec.structs.replace(image, width=width, height=height)
            yield photograph(entry, sightings, settings)
        else:
            yield from _all_rejected(image, sightings, *trouble)


def _order(sighting: Sighting) -> tuple[str, ...]:
    return (sighting.object, sighting.group, sighting.part or "", sighting.key, *sighting.repairs)


def _grid(sightings: list[Sighting]) -> tuple[int, int] | None:
    return most_common_size(Counter(sighting.size for sighting in sightings if sighting.size is not None))


def _all_rejected(image: ImageEntry, sightings: list[Sighting], rule: str, reason: str) -> Iterator[Rejected]:
    yield Rejected(table="images", row_id=image.name, rule=rule, reason=reason, row={"file_name": image.name})
    for sighting in sightings:
        if sighting.key:
            yield _rejected(sighting, rule, f"its photograph {image.name} can't be used: {reason}")


def _rejected(sighting: Sighting, rule: str, reason: str) -> Rejected:
    row: Any = {"image": sighting.image, "label": sighting.part or sighting.object}
    table = "objects" if sighting.part is None else "parts"
    return Rejected(
        table=table,
        row_id=sighting.key or f"{sighting.image}:{sighting.object}",
        rule=rule,
        reason=reason,
        row=row,
    )


def photograph(image: ImageEntry, sightings: list[Sighting], settings: Settings) -> Photograph:
    """One photograph with its objects and parts. `sightings` are in their fixed order (`_order`)."""
    refused = {sighting.part for sighting in sightings if sighting.refused and sighting.part is not None}
    sightings = [sighting for sighting in sightings if not sighting.refused]
    repairs = list(image.repairs)
    rejected: list[Rejected] = []
    instances = _instances(image, sightings, rejected, repairs)
    objects: list[ObjectRecord] = []
    parts: list[PartRecord] = []
    for (category, group), members in instances.items():
        _add_instance(category, group, members, settings, objects, parts, repairs)
    if len({category for category, _ in instances}) > 1:
        repairs.append("several_objects_in_image")
    if settings.complete and not instances:
        repairs.append("image_without_masks")
    return Photograph(
        image_id=image.image_id,
        file_name=image.name,
        width=image.width,
        height=image.height,
        path=image.path,
        photograph=identity(image.name) if settings.converted else "",
        transposed=image.transposed,
        objects=objects,
        parts=parts,
        rejected=rejected,
        refused=[RefusedPart(part) for part in sorted(refused)],
        repairs=repairs,
    )


def _instances(
    image: ImageEntry, sightings: list[Sighting], rejected: list[Rejected], repairs: list[str]
) -> dict[tuple[str, str], list[Sighting]]:
    """The masks by (object, group), which may have none; the rules applied to them are added to `repairs`.

    Added to `rejected` are the second of two equal masks of one thing, and masks whose photograph was found by its file
    name alone and isn't of their size.
    """
    instances: dict[tuple[str, str], list[Sighting]] = {}
    first: dict[tuple[str, str, str | None, bytes], str] = {}
    elsewhere = []
    for sighting in sightings:
        if "image_moved" in sighting.repairs and not _fits(sighting, image):
            elsewhere.append(sighting)
            continue
        content = msgspec.json.encode(sighting.segmentation)
        place = (sighting.object, sighting.group, sighting.part, content)
        if sighting.key and place in first:
            rejected.append(_rejected(sighting, "duplicate_mask", f"it is the same mask as {first[place]}"))
            continue
        members = instances.setdefault((sighting.object, sighting.group), [])
        repairs += sighting.repairs
        if sighting.key:
            first[place] = sighting.key
            members.append(sighting)
    for sighting in elsewhere:
        if sighting.key or (sighting.object, sighting.group) not in instances:
            reason = f"only {image.name} has its photograph's file name, and no mask of that size shows it is the one"
            rejected.append(_rejected(sighting, "image_missing", reason))
    return instances


def _fits(sighting: Sighting, image: ImageEntry) -> bool:
    """Whether a mask is of its photograph's size. One that doesn't say its size isn't known to be."""
    return sighting.size == (image.height, image.width)


def _add_instance(
    category: str,
    group: str,
    members: list[Sighting],
    settings: Settings,
    objects: list[ObjectRecord],
    parts: list[PartRecord],
    repairs: list[str],
) -> None:
    """Adds the objects of one label (in one copy of the photograph), and their parts.

    The source links no part to an object. Where masks of the object are there, the parts are left to matching, except
    in a copy with a red box, which shows one. Where there is none, the photograph stands for its label's object: one
    object, without mask, has all the parts.
    """
    wholes = [member for member in members if member.part is None]
    of_parts = [member for member in members if member.part is not None]
    if settings.converted:
        full = [whole for whole in wholes if _is_full(whole.segmentation)]
        repairs += ["full_image_mask"] * len(full)
        wholes = [whole for whole in wholes if whole not in full]
    implied = f"{category}@{group}" if group else category
    if wholes:
        objects += [ObjectRecord(key=w.key, category=category, segmentation=w.segmentation) for w in wholes]
        owner = wholes[0].key if group and len(wholes) == 1 else None
    else:
        objects.append(ObjectRecord(key=implied, category=category, merged=settings.converted and not group))
        owner = implied
        repairs.append("full_image_object" if settings.converted else "object_mask_missing")
    for member in of_parts:
        assert member.part is not None
        assert member.segmentation is not None
        parts.append(
            PartRecord(key=member.key, category=member.part, segmentation=member.segmentation, object_key=owner)
        )
    if len(wholes) > 1:
        repairs.append("several_object_masks")
    if not of_parts:
        repairs.append("object_without_parts")
    masks_of = Counter(member.part for member in of_parts)
    repairs += ["several_masks_of_part"] * sum(n > 1 for n in masks_of.values())


def _is_full(segmentation: object) -> bool:
    """Whether a run-length mask covers all of its image: no background, then all pixels. Told from its few bytes."""
    if not isinstance(segmentation, RleJson) or len(segmentation.size) != 2:
        return False
    height, width = segmentation.size
    if height <= 0 or width <= 0 or height * width > 0xFFFF_FFFF:
        return False
    if isinstance(segmentation.counts, list):
        return segmentation.counts == [0, height * width]
    if len(segmentation.counts) > 8:
        return False
    whole = coco_mask.frPyObjects({"size": [height, width], "counts": [0, height * width]}, height, width)
    return bool(whole["counts"].decode() == segmentation.counts)
