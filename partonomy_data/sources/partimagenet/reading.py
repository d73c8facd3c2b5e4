"""Reads one shard of PartImageNet: one object for each photograph, and the parts that are linked to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from partonomy_data.sources import coco_json, refused
from partonomy_data.sources.base import Shard
from partonomy_data.sources.buckets import image_prefix
from partonomy_data.sources.partimagenet import drawn, instances
from partonomy_data.sources.partimagenet.coco import Annotation, WholeAnnotation
from partonomy_data.sources.partimagenet.drawn import Parts
from partonomy_data.sources.partimagenet.names import is_tier
from partonomy_data.sources.partimagenet.payload import Context, Payload
from partonomy_data.sources.partimagenet.pictures import Picture
from partonomy_data.sources.partimagenet.vocabulary import part_key
from partonomy_data.sources.records import ObjectRecord, PartRecord, Photograph, RefusedPart, Rejected, Segmentation
from partonomy_data.sources.refused import Lost

#: Rules for annotations that are of no part of the photograph's object.
_OF_NO_PART = frozenset({"category_without_part", "foreign_supercategory"})


@dataclass(slots=True)
class _Entry:
    """A picture with what is annotated in it."""

    picture: Picture
    context: Context
    annotations: list[Annotation]
    whole: list[WholeAnnotation]
    lost: list[Lost]
    """Annotations of parts that can't be read."""


def read(shard: Shard) -> Iterator[Photograph | Rejected]:
    """See `base.Reader.read`."""
    payload = msgspec.convert(shard.payload, Payload, str_keys=True)
    entries: list[_Entry] = []
    for place in payload.pieces:
        own, rejected = _entries(place.context, place.piece, place.whole)
        entries += own
        yield from rejected
    entries.sort(key=lambda entry: (image_prefix(entry.picture.image_id), entry.picture.image_id))
    for entry in entries:
        if entry.picture.rule:
            yield from _refused(entry)
        else:
            yield _photograph(entry, Path(payload.root), payload.supercategories.get(entry.picture.wnid))


def _entries(context: Context, piece: str, whole: str | None) -> tuple[list[_Entry], list[Rejected]]:
    """The pictures of a piece with their annotations, and the annotations that can't be read."""
    pictures, annotations, rejected = coco_json.read_piece(piece, Picture, Annotation)
    lost_of = refused.by_image(rejected)
    of_image: dict[int, list[Annotation]] = defaultdict(list)
    for annotation in annotations:
        of_image[annotation.image_id].append(annotation)
    of_stem: dict[str, list[WholeAnnotation]] = defaultdict(list)
    if whole is not None:
        others, objects, lost = coco_json.read_piece(whole, Picture, WholeAnnotation, lambda _: "objects")
        stems = {picture.id: picture.stem for picture in others}
        for thing in objects:
            of_stem[stems[thing.image_id]].append(thing)
        rejected += lost
    name = Path(piece).stem
    rejected = [msgspec.structs.replace(row, row_id=f"{name}{row.row_id}") for row in rejected]
    return [_Entry(p, context, of_image[p.id], of_stem[p.stem], lost_of.get(p.id, [])) for p in pictures], rejected


def _refused(entry: _Entry) -> Iterator[Rejected]:
    """A picture that can't be used, and its annotations."""
    picture, file = entry.picture, entry.context.file
    row = {"id": picture.id, "file_name": picture.file_name, "height": picture.height, "width": picture.width}
    yield Rejected(table="images", row_id=f"{file}#{picture.id}", rule=picture.rule, reason=picture.reason, row=row)
    because = f"{picture.file_name} is in quarantine ({picture.rule})"
    for annotation in entry.annotations:
        yield Rejected(
            table="parts",
            row_id=f"{file}#{annotation.id}",
            rule="image_quarantined",
            reason=because,
            row=annotation,
        )


def _photograph(entry: _Entry, root: Path, supercategory: str | None) -> Photograph | Rejected:
    picture = entry.picture
    if picture.label_map is None:
        parts = _annotated(entry, supercategory)
        height, width = picture.height, picture.width
    else:
        try:
            parts, height, width = drawn.parts(root / picture.label_map, picture.image_id, picture.wnid, supercategory)
        except drawn.UnreadableMap as error:
            row = {"file": picture.label_map}
            reason = f"the label map {error}"
            return Rejected(
                table="images", row_id=picture.image_id, rule="label_map_unreadable", reason=reason, row=row
            )
    objects, records = _objects(entry, parts, root, height, width)
    return Photograph(
        image_id=picture.image_id,
        file_name=picture.file_name,
        width=width,
        height=height,
        split=entry.context.split,
        path=picture.path,
        photograph=f"imagenet/{picture.stem}",
        objects=objects,
        parts=records,
        rejected=parts.rejected,
        refused=parts.refused,
        repairs=[*_of_files(picture), *parts.repairs],
    )


def _of_files(picture: Picture) -> list[str]:
    """The rules that apply to where the photograph lies."""
    if picture.path is None:
        return []
    rules = ["file_name_without_folder"] if "/" in picture.path and "/" not in picture.file_name else []
    if Path(picture.path).suffix != Path(picture.file_name).suffix:
        rules.append("extension_varies")
    return rules


def _annotated(entry: _Entry, supercategory: str | None) -> Parts:
    """The parts of a photograph as the COCO JSON has them, in the order of their ids."""
    found = Parts()
    wnid, categories = entry.picture.wnid, entry.context.categories
    seen: dict[int, Annotation] = {}
    counts: Counter[int] = Counter()
    for annotation in sorted(entry.annotations, key=lambda one: one.id):
        first = seen.setdefault(annotation.id, annotation)
        if first is not annotation and first == annotation:
            found.repairs.append("annotation_repeated")
            continue
        rule, reason = _refusal(annotation, entry.context, supercategory)
        if first is not annotation:
            rule, reason = (
                "duplicate_annotation_id",
                f"annotation {annotation.id} is in the photograph already",
            )
        if rule:
            found.several |= rule == "crowd_region"
            row_id = f"{entry.picture.image_id}#{annotation.id}"
            found.rejected.append(Rejected(table="parts", row_id=row_id, rule=rule, reason=reason, row=annotation))
            if rule not in _OF_NO_PART:
                found.refused.append(_refused_part(annotation.category_id, entry))
            continue
        category = categories[annotation.category_id]
        counts[annotation.category_id] += 1
        found.repairs += _notes(annotation, category.name)
        found.records.append(
            PartRecord(
                key=str(annotation.id),
                category=part_key(wnid, category.name),
                segmentation=annotation.segmentation,
            )
        )
    found.refused += [_refused_part(row.category_id, entry) for row in entry.lost]
    if not entry.annotations:
        found.repairs.append("image_without_annotation")
    found.repairs += ["part_in_pieces" for count in counts.values() if count > 1]
    by_part = {categories[key].part: count for key, count in counts.items()}
    found.several |= instances.may_be_several(by_part, supercategory or "")
    return found


def _refused_part(category_id: int | None, entry: _Entry) -> RefusedPart:
    """The part that an annotation is of; any part where its category isn't known."""
    category = None if category_id is None else entry.context.categories.get(category_id)
    return RefusedPart("" if category is None else part_key(entry.picture.wnid, category.name))


def _refusal(annotation: Annotation, context: Context, supercategory: str | None) -> tuple[str, str]:
    """The rule that keeps an annotation out, and why; empty if none does."""
    category = context.categories.get(annotation.category_id)
    if category is None:
        return "category_unknown", f"category {annotation.category_id} is not in the file"
    if not category.part:
        return "category_without_part", f"{category.name!r} is not a part of {category.supercategory!r}"
    if annotation.iscrowd:
        return "crowd_region", "iscrowd is 1"
    if category.supercategory != supercategory:
        return "foreign_supercategory", f"{category.name!r} in a photograph whose class is a {supercategory}"
    return "", ""


def _notes(annotation: Annotation, category: str) -> list[str]:
    """The rules that apply to an annotation that is kept."""
    applied = {
        "category_zero": annotation.category_id == 0,
        "tier_for_tire": is_tier(category),
        "area_zero": annotation.area == 0,
    }
    return [rule for rule, applies in applied.items() if applies]


def _objects(
    entry: _Entry, parts: Parts, root: Path, height: int, width: int
) -> tuple[list[ObjectRecord], list[PartRecord]]:
    """The object or objects of a photograph, and the parts linked to the only one; notes go to `parts`."""
    wnid = entry.picture.wnid
    whole = _whole_annotations(entry, parts)
    if len(whole) > 1:
        parts.repairs.append("whole_annotations")
        several = [ObjectRecord(key=f"{wnid}:{one.id}", category=wnid, segmentation=one.segmentation) for one in whole]
        return several, parts.records
    mask: Segmentation | None = whole[0].segmentation if whole else None
    if entry.picture.whole_map is not None:
        mask = drawn.whole(root / entry.picture.whole_map, height, width, parts)
    if mask is None:
        if not parts.records:
            return [], []
        parts.repairs.append("object_by_wnid")
    if parts.several:
        parts.repairs.append("several_instances")
    thing = ObjectRecord(key=wnid, category=wnid, segmentation=mask, merged=parts.several)
    return [thing], [msgspec.structs.replace(record, object_key=wnid) for record in parts.records]


def _whole_annotations(entry: _Entry, parts: Parts) -> Sequence[WholeAnnotation]:
    """The whole objects that the JSON has of a photograph, one for each id."""
    kept: dict[int, WholeAnnotation] = {}
    for one in sorted(entry.whole, key=lambda one: one.id):
        if one.iscrowd:
            rule, reason = "crowd_region", "iscrowd is 1"
            parts.several = True
        elif kept.setdefault(one.id, one) is one:
            continue
        elif msgspec.structs.replace(kept[one.id], image_id=one.image_id) == one:
            parts.repairs.append("annotation_repeated")
            continue
        else:
            rule, reason = "duplicate_annotation_id", f"annotation {one.id} is in the photograph already"
        row_id = f"{entry.picture.image_id}#whole:{one.id}"
        parts.rejected.append(Rejected(table="objects", row_id=row_id, rule=rule, reason=reason, row=one))
    return list(kept.values())
