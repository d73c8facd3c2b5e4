"""Reads one shard of PACO: annotations grouped by photograph, parts linked to objects, labels turned into evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from partonomy_data.sources import coco_json, files, refused
from partonomy_data.sources.base import Shard
from partonomy_data.sources.paco.planning import table_of
from partonomy_data.sources.paco.schema import Annotation, Category, Context, Image
from partonomy_data.sources.paco.vocabulary import malformed
from partonomy_data.sources.records import (
    AttributeRecord,
    EvidenceRecord,
    ObjectRecord,
    PartRecord,
    Photograph,
    RefusedPart,
    Rejected,
)
from partonomy_data.sources.refused import Lost


class Lookup:
    """The tables of one file's context, by id."""

    def __init__(self, context: Context) -> None:
        self.split = context.split
        self.categories: dict[int, Category] = {category.id: category for category in context.categories}
        self.part_ids = {key for key, category in self.categories.items() if category.supercategory != "OBJECT"}
        self.malformed = {category.id for category in context.categories if malformed(category)}
        self.parts_of: dict[str, list[Category]] = defaultdict(list)
        for category in context.categories:
            if category.id in self.part_ids - self.malformed:
                self.parts_of[category.name.partition(":")[0]].append(category)
        self.attributes = {attribute.id: attribute.name for attribute in context.attributes}
        self.attribute_types = {
            index: kind for kind, indices in context.attr_type_to_attr_idxs.items() for index in indices
        }


def read(shard: Shard) -> Iterator[Photograph | Rejected]:
    """See `base.Reader.read`."""
    root = Path(shard.payload["images_root"]) if shard.payload["images_root"] else None
    for piece in shard.payload["pieces"]:
        context = msgspec.json.decode(Path(piece["context"]).read_bytes(), type=Context)
        lookup = Lookup(context)
        images, annotations, rejected = coco_json.read_piece(
            piece["piece"], Image, Annotation, partial(table_of, part_ids=lookup.part_ids)
        )
        lost = refused.by_image(rejected)
        name = Path(piece["piece"]).stem
        yield from (msgspec.structs.replace(row, row_id=f"{name}{row.row_id}") for row in rejected)
        of_image: dict[int, list[Annotation]] = defaultdict(list)
        for annotation in annotations:
            of_image[annotation.image_id].append(annotation)
        for image in sorted(images, key=lambda image: image.image_id):
            yield photograph(image, of_image.get(image.id, []), lookup, root, lost.get(image.id, ()))


def photograph(
    image: Image, annotations: list[Annotation], lookup: Lookup, root: Path | None, lost: Sequence[Lost] = ()
) -> Photograph:
    """One photograph with its objects, parts, attributes and evidence; `lost` are its rows that can't be read."""
    known, unusable, rejected = _known(annotations, lookup)
    repairs: list[str] = []
    objects = {a.id: _object(a, lookup, repairs) for a in known if a.category_id not in lookup.part_ids}
    whole_of = {key: record.category for key, record in objects.items()}
    parts = [_part(a, lookup, whole_of, repairs) for a in known if a.category_id in lookup.part_ids]
    not_used = _refused([*lost, *unusable], lookup, whole_of)
    attributes: list[AttributeRecord] = []
    for annotation in known:
        if _described(annotation):
            attributes += _attributes(annotation, lookup, rejected)
    return Photograph(
        image_id=image.image_id,
        file_name=image.file_name,
        width=image.width,
        height=image.height,
        split=lookup.split,
        path=_path(root, image.file_name),
        url=_url(image.coco_url, repairs),
        license=None if image.license is None else f"coco/{image.license}",
        photograph=_identity(image.file_name),
        objects=list(objects.values()),
        parts=parts,
        attributes=attributes,
        evidence=_evidence(image, list(objects.values()), parts, not_used, lookup, repairs),
        rejected=rejected,
        refused=not_used,
        repairs=repairs,
    )


def _path(root: Path | None, file_name: str) -> str | None:
    """Where the photograph is below `root`: under its own name (PACO-LVIS), or in `images/` (PACO-EGO4D)."""
    if root is None:
        return None
    places = (file_name, f"images/{file_name}")
    return next((place for place in places if files.inside(root, place) is not None), None)


def _url(told: str | None, repairs: list[str]) -> str | None:
    """A photograph's address on the web; None where what is told is none."""
    if told is None or told.startswith(("http://", "https://")):
        return told
    repairs.append("url_not_of_the_web")
    return None


def _identity(file_name: str) -> str:
    """`coco/<id>` for a photograph of COCO (its folder says so), `ego4d/<stem>` for a frame of Ego4D."""
    path = PurePosixPath(file_name)
    return f"coco/{path.stem}" if path.parent.name in ("train2017", "val2017") else f"ego4d/{path.stem}"


def _known(annotations: list[Annotation], lookup: Lookup) -> tuple[list[Annotation], list[Annotation], list[Rejected]]:
    """The annotations that have a category and an id of their own, in the order of their ids; the others, twice."""
    seen: set[int] = set()
    known, unusable, rejected = [], [], []
    for annotation in annotations:
        if annotation.category_id not in lookup.categories:
            rule, reason = "category_unknown", f"category {annotation.category_id} is not in the file"
        elif annotation.category_id in lookup.malformed:
            name = lookup.categories[annotation.category_id].name
            rule, reason = "category_name_malformed", f"the category {name!r} is called like none of its kind"
        elif annotation.id in seen:
            rule, reason = "duplicate_annotation_id", f"annotation {annotation.id} is in the photograph already"
        else:
            seen.add(annotation.id)
            known.append(annotation)
            continue
        table = "parts" if annotation.category_id in lookup.part_ids else "objects"
        row = msgspec.to_builtins(annotation)
        unusable.append(annotation)
        rejected.append(Rejected(table=table, row_id=str(annotation.id), rule=rule, reason=reason, row=row))
    return sorted(known, key=lambda a: a.id), unusable, rejected


def _refused(rows: Iterable[Annotation | Lost], lookup: Lookup, whole_of: dict[int, str]) -> list[RefusedPart]:
    """The parts among the rows that can't be used; a row of no known category that isn't its own object may be any."""
    found = []
    for row in rows:
        category = None if row.category_id is None else lookup.categories.get(row.category_id)
        whole = whole_of.get(-1 if row.obj_ann_id is None else row.obj_ann_id)
        if category is None:
            if row.obj_ann_id is None or row.obj_ann_id != row.id:
                found.append(RefusedPart("", None if whole is None else str(row.obj_ann_id)))
        elif category.id in lookup.part_ids:
            linked = whole == category.name.partition(":")[0]
            found.append(RefusedPart(category.name, str(row.obj_ann_id) if linked else None))
    return found


def _object(annotation: Annotation, lookup: Lookup, repairs: list[str]) -> ObjectRecord:
    if annotation.obj_ann_id is not None and annotation.obj_ann_id != annotation.id:
        repairs.append("object_link_not_own")
    missing = annotation.segmentation == [] or _is_filled_box(annotation)
    if missing:
        repairs.append("object_mask_missing")
    box: Any = annotation.bbox if len(annotation.bbox) == 4 and any(annotation.bbox) else None
    return ObjectRecord(
        key=str(annotation.id),
        category=lookup.categories[annotation.category_id].name,
        segmentation=None if missing else annotation.segmentation,
        box=box,
    )


def _is_filled_box(annotation: Annotation) -> bool:
    """Whether it stands for an object without a mask, as `partonomy export coco` writes one: a crowd that fills its box."""
    if annotation.iscrowd != 1 or len(annotation.bbox) != 4:
        return False
    x, y, width, height = annotation.bbox
    outline = [x, y, x + width, y, x + width, y + height, x, y + height]
    return annotation.segmentation == [outline]


def _part(annotation: Annotation, lookup: Lookup, whole_of: dict[int, str], repairs: list[str]) -> PartRecord:
    name = lookup.categories[annotation.category_id].name
    whole = whole_of.get(-1 if annotation.obj_ann_id is None else annotation.obj_ann_id)
    linked = whole == name.partition(":")[0]
    if not linked:
        repairs.append("link_dangling" if whole is None else "link_category_mismatch")
    return PartRecord(
        key=str(annotation.id),
        category=name,
        segmentation=annotation.segmentation,
        object_key=str(annotation.obj_ann_id) if linked else None,
    )


_TYPES = ("color", "pattern_marking", "material", "transparency")


def _described(a: Annotation) -> bool:
    """Whether there is anything to say of an annotation; most have nothing."""
    unknown = a.unknown_color or a.unknown_pattern_marking or a.unknown_material or a.unknown_transparency
    return bool(a.attribute_ids or a.dom_color_ids or unknown or a.instance_id is not None or a.blur_level is not None)


def _attributes(annotation: Annotation, lookup: Lookup, rejected: list[Rejected]) -> list[AttributeRecord]:
    key = str(annotation.id)
    found = {
        (lookup.attribute_types.get(index, "attribute"), lookup.attributes.get(index, ""), index)
        for index in annotation.attribute_ids
    } | {("dominant_color", lookup.attributes.get(index, ""), index) for index in annotation.dom_color_ids}
    if annotation.unknown_color or annotation.unknown_pattern_marking:
        found |= {(kind, "unknown", 0) for kind in _TYPES[:2] if getattr(annotation, f"unknown_{kind}")}
    if annotation.unknown_material or annotation.unknown_transparency:
        found |= {(kind, "unknown", 0) for kind in _TYPES[2:] if getattr(annotation, f"unknown_{kind}")}
    if annotation.instance_id is not None:
        found.add(("instance_id", str(annotation.instance_id), 0))
    if annotation.blur_level is not None:
        found.add(("blur_level", str(annotation.blur_level), 0))
    records = []
    for kind, name, index in sorted(found):
        if name:
            records.append(AttributeRecord(key, kind, name))
        else:
            reason = f"attribute {index} is not in the file"
            row = {"annotation_id": annotation.id, "attribute_id": index}
            rejected.append(
                Rejected(table="attributes", row_id=f"{key}/{index}", rule="attribute_unknown", reason=reason, row=row)
            )
    return records


def _evidence(
    image: Image,
    objects: list[ObjectRecord],
    parts: list[PartRecord],
    not_used: list[RefusedPart],
    lookup: Lookup,
    repairs: list[str],
) -> list[EvidenceRecord]:
    """What LVIS's federated labels say of parts that have no mask in an object.

    A category listed as negative is nowhere in the photograph. One that is annotated in it, and not listed as "not
    exhaustive", is annotated wherever it is visible in it: so an object without it lacks it. Of a part that was
    annotated, and can't be used, a negative label isn't believed.
    """
    negative = set(image.neg_category_ids)
    in_photograph = {part.category for part in parts}
    annotated_yet = {part.part for part in not_used}
    open_ended = set(image.not_exhaustive_category_ids)
    has: dict[str, set[str]] = defaultdict(set)
    unplaced = {part.category for part in parts if part.object_key is None}
    for part in parts:
        if part.object_key is not None:
            has[part.object_key].add(part.category)
    if negative:
        annotated = in_photograph | annotated_yet | {record.category for record in objects}
        repairs += ["negative_yet_annotated" for key in negative if _name(lookup, key) in annotated]
    evidence = []
    for record in objects:
        for category in lookup.parts_of.get(record.category, ()):
            name = category.name
            if name in has[record.key] or name in unplaced:
                continue
            if name in in_photograph:
                if category.id not in open_ended:
                    evidence.append(EvidenceRecord(record.key, name, "absent", "exhaustive_label"))
            elif category.id in negative and name not in annotated_yet:
                evidence.append(EvidenceRecord(record.key, name, "absent", "negative_label"))
    return evidence


def _name(lookup: Lookup, key: int) -> str:
    category = lookup.categories.get(key)
    return category.name if category else ""
