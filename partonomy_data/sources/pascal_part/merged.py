"""Photographs from VLPart's rows: parts without objects, so that one merged object of each class holds them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

import msgspec

from partonomy_data import masks
from partonomy_data.masks import Encoded
from partonomy_data.sources.pascal_part.vlpart_schema import Annotation, Category, Image, part_name
from partonomy_data.sources.records import ObjectRecord, PartName, PartRecord, Photograph, RefusedPart, Rejected
from partonomy_data.sources.refused import Lost


def photographs(
    images: Sequence[Image],
    annotations: Sequence[Annotation],
    categories: Sequence[Category],
    lost: Mapping[int, Sequence[Lost]],
) -> list[Photograph]:
    """The photographs of a piece of a file, whose annotations are all of its `images`; `lost` can't be read of it."""
    names = {category.id: part_name(category) for category in categories}
    spelled = {category.id: category.name for category in categories}
    image_of = {image.id: image for image in images}
    heights = [image_of[annotation.image_id].height for annotation in annotations]
    widths = [image_of[annotation.image_id].width for annotation in annotations]
    # Drawn here only to tell what the source's boxes are worth; the records keep what the source wrote.
    drawn = masks.encode_many([annotation.segmentation for annotation in annotations], heights, widths)
    rows_of: dict[int, list[int]] = defaultdict(list)
    for position, annotation in enumerate(annotations):
        rows_of[annotation.image_id].append(position)
    made = []
    for image in images:
        rows = sorted(rows_of[image.id], key=lambda position: annotations[position].id)
        photo = _photograph(image, [annotations[row] for row in rows], rows, drawn, names, spelled)
        photo.refused.extend(_refused(lost.get(image.id, ()), names))
        made.append(photo)
    return made


def _refused(lost: Sequence[Lost], names: Mapping[int, PartName | None]) -> Iterator[RefusedPart]:
    for row in lost:
        name = None if row.category_id is None else names.get(row.category_id)
        yield RefusedPart("" if name is None else name.key)


def _photograph(
    image: Image,
    annotations: list[Annotation],
    rows: list[int],
    drawn: Encoded,
    names: dict[int, PartName | None],
    spelled: dict[int, str],
) -> Photograph:
    """One photograph; `rows` are the positions of its annotations among those that were `drawn`."""
    repairs: list[str] = []
    rejected: list[Rejected] = []
    refused: list[RefusedPart] = []
    objects: dict[str, ObjectRecord] = {}
    parts: dict[str, PartRecord] = {}
    seen: set[str] = set()
    for annotation, row in zip(annotations, rows, strict=True):
        key = str(annotation.id)
        name = names.get(annotation.category_id)
        if name is None or key in parts:
            rule, reason = _why_not(annotation, name, spelled)
            row_told = msgspec.to_builtins(annotation)
            rejected.append(Rejected(table="parts", row_id=key, rule=rule, reason=reason, row=row_told))
            refused.append(RefusedPart("" if name is None else name.key))
            continue
        whole = name.object_key
        if whole not in objects:
            objects[whole] = ObjectRecord(key=whole, category=whole, merged=True)
            repairs.append("object_of_parts")
        if name.key in seen:
            repairs.append("side_not_told")
        if name.key == "bicycle/wheel":
            repairs.append("chainwheel_as_wheel")
        seen.add(name.key)
        parts[key] = PartRecord(key=key, category=name.key, segmentation=annotation.segmentation, object_key=whole)
        repairs += _box_repairs(annotation, row, drawn)
    return Photograph(
        image_id=image.image_id,
        file_name=image.file_name,
        width=image.width,
        height=image.height,
        split=image.split,
        path=image.path,
        photograph=f"voc/{PurePosixPath(image.file_name).stem}",
        objects=list(objects.values()),
        parts=list(parts.values()),
        rejected=rejected,
        refused=refused,
        repairs=repairs,
    )


def _why_not(annotation: Annotation, name: PartName | None, spelled: dict[int, str]) -> tuple[str, str]:
    """The rule that an annotation breaks, and how."""
    if name is not None:
        return "duplicate_annotation_id", f"annotation {annotation.id} is in the photograph already"
    if annotation.category_id not in spelled:
        return "category_unknown", f"category {annotation.category_id} is not in the file"
    said = spelled[annotation.category_id]
    return "category_name_malformed", f"the category {said!r} is not one of VOC's classes, a colon, and a part"


def _box_repairs(annotation: Annotation, row: int, drawn: Encoded) -> list[str]:
    """What is wrong with a part's box and area; both are computed anew from the mask, so nothing else is done."""
    if drawn.counts[row] is None or len(annotation.bbox) != 4:
        return []
    x, y, width, height = drawn.boxes[row].tolist()
    repairs = []
    if annotation.bbox == [x, y, width - 1, height - 1]:
        repairs.append("box_without_plus_one")
    elif annotation.bbox != [x, y, width, height]:
        repairs.append("box_mismatch")
    if annotation.area is not None and annotation.area != drawn.areas[row]:
        repairs.append("area_zero" if annotation.area == 0 else "area_of_box")
    return repairs
