"""From a `.mat` file's annotation to records: what can be used, what is repaired, what goes to quarantine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from partonomy_data import masks
from partonomy_data.errors import MaskError
from partonomy_data.masks.rle import check_image
from partonomy_data.sources.pascal_part import codes, photographs
from partonomy_data.sources.pascal_part.annotation import AnnotatedObject, AnnotatedPart, Annotation, Bitmap, MaskCell
from partonomy_data.sources.pascal_part.matlab import MatFileError
from partonomy_data.sources.pascal_part.photographs import Place
from partonomy_data.sources.records import ObjectRecord, PartName, PartRecord, Photograph, RefusedPart, Rejected


def photograph(said: Annotation, place: Place, images_root: Path | None) -> Photograph:
    """The photograph of one file.

    Raises MatFileError: `size_unknown` where neither a mask nor the photograph tells its size, `mask_too_large` where a
    mask has sides that no mask can have.
    """
    _refuse_too_large(said)
    size = _size(said, place, images_root)
    stem = Path(place.annotation).stem
    notes = _Notes(size, repairs=list(said.quirks))
    if said.image_name.removesuffix(".jpg") != stem:
        notes.repairs.append("image_name_mismatch")
    if not said.objects:
        notes.repairs.append("photograph_without_objects")
    objects: list[ObjectRecord] = []
    parts: list[PartRecord] = []
    for index, row in enumerate(said.objects):
        category = codes.category_of(row.category)
        if category is None:
            _reject_object(f"object_{index}", row, notes)
            continue
        record, own = _object(f"object_{index}", category, row, notes)
        objects.append(record)
        parts.extend(own)
    return Photograph(
        image_id=place.image_id,
        file_name=place.file_name,
        width=size[1],
        height=size[0],
        split=place.split,
        path=place.path,
        photograph=f"voc/{stem}",
        objects=objects,
        parts=parts,
        rejected=notes.rejected,
        refused=notes.refused,
        repairs=notes.repairs,
    )


def rejected_rows(said: Annotation, place: Place, rule: str) -> Iterator[Rejected]:
    """The objects and parts of a file that is itself rejected for a rule."""
    reason = f"{place.annotation} is in quarantine ({rule})"
    for index, row in enumerate(said.objects):
        key = f"{place.annotation}#object_{index}"
        yield Rejected(table="objects", row_id=key, rule="image_quarantined", reason=reason, row=_told(row))
        for number, part in enumerate(row.parts):
            yield Rejected(
                table="parts",
                row_id=f"{key}/{part.code or number}",
                rule="image_quarantined",
                reason=reason,
                row=_told(row, part),
            )


def _cells(said: Annotation) -> list[MaskCell]:
    """The masks of all objects and parts."""
    return [cell for row in said.objects for cell in (row.mask, *(part.mask for part in row.parts))]


def _refuse_too_large(said: Annotation) -> None:
    for cell in _cells(said):
        if cell.bitmap is not None and cell.bitmap.size:
            try:
                check_image(*cell.bitmap.shape)
            except MaskError as error:
                raise MatFileError(error.rule, f"a mask is {cell.described}: {error.reason}") from error


def _size(said: Annotation, place: Place, images_root: Path | None) -> tuple[int, int]:
    """Height and width of the photograph: its masks', or its own where they don't agree or there are none."""
    shapes = Counter((cell.bitmap.shape[0], cell.bitmap.shape[1]) for cell in _cells(said) if cell.bitmap is not None)
    if len(shapes) == 1:
        return next(iter(shapes))
    own = None
    if images_root is not None and place.path is not None:
        own = photographs.size(images_root / place.path)
    if own is not None and (own in shapes or not shapes):
        return own
    if not shapes:
        raise MatFileError("size_unknown", "it has no mask, and the photograph isn't there to be measured")
    return shapes.most_common(1)[0][0]


@dataclass(slots=True)
class _Notes:
    """What is noted of a photograph's rows on the way."""

    size: tuple[int, int]
    """Height, width."""
    rejected: list[Rejected] = field(default_factory=list)
    refused: list[RefusedPart] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)

    def reject(self, table: str, key: str, rule: str, reason: str, row: dict[str, Any]) -> None:
        self.rejected.append(Rejected(table=table, row_id=key, rule=rule, reason=reason, row=row))


def _reject_object(key: str, row: AnnotatedObject, notes: _Notes) -> None:
    reason = f"the class {row.category!r} is none of VOC's 20"
    notes.reject("objects", key, "class_unknown", reason, _told(row))
    for number, part in enumerate(row.parts):
        notes.reject("parts", f"{key}/{part.code or number}", "class_unknown", reason, _told(row, part))


def _object(key: str, category: str, row: AnnotatedObject, notes: _Notes) -> tuple[ObjectRecord, list[PartRecord]]:
    """An object of a known class, and those of its parts that can be used."""
    if row.category == "table":
        notes.repairs.append("table_for_dining_table")
    if row.class_index is not None and row.class_index != codes.CLASSES.index(category) + 1:
        notes.repairs.append("class_index_mismatch")
    if not row.parts and codes.codes(category):
        notes.repairs.append("object_without_parts")
    parts, all_visible = _parts(key, category, row, notes)
    segmentation = _object_mask(row.mask, bool(parts), notes)
    # A part that was annotated, and can't be used, is not absent: then the labels don't tell of the missing ones.
    exhaustive = bool(parts) and all_visible
    record = ObjectRecord(key=key, category=category, segmentation=segmentation, exhaustive=exhaustive)
    return record, parts


def _parts(key: str, category: str, row: AnnotatedObject, notes: _Notes) -> tuple[list[PartRecord], bool]:
    """The usable parts of an object, and whether these are all of them, each with a pixel at least."""
    records: list[PartRecord] = []
    seen: Counter[str] = Counter()
    all_visible = True
    for number, part in enumerate(row.parts):
        named = part.code or str(number)
        seen[named] += 1
        part_key = f"{key}/{named}" if seen[named] == 1 else f"{key}/{named}#{seen[named]}"
        name = _name(category, part.code, notes)
        if name is None or part.mask.bitmap is None:
            rule = "code_unknown" if name is None else "mask_malformed"
            reason = f"{part.code!r} names no part of the class {category}" if name is None else part.mask.fault
            notes.reject("parts", part_key, rule, reason, _told(row, part))
            notes.refused.append(RefusedPart("" if name is None else name.key, key))
            all_visible = False
            continue
        if seen[named] > 1:
            notes.repairs.append("duplicate_part_name")
        n_pixels = int(np.count_nonzero(part.mask.bitmap))
        all_visible = all_visible and n_pixels > 0 and part.mask.bitmap.shape == notes.size
        if n_pixels == 1:
            notes.repairs.append("part_of_one_pixel")
        rle = _encoded(part.mask.bitmap, part.mask.other_values, notes)
        records.append(PartRecord(key=part_key, category=name.key, segmentation=rle, object_key=key))
    return records, all_visible


def _name(category: str, code: str, notes: _Notes) -> PartName | None:
    """The part that a code names, noting what had to be read into it."""
    name = codes.part_name(category, code)
    if name is None:
        name = codes.nearest(category, code)
        if name is not None:
            notes.repairs.append("code_variant")
    elif code == "rear":
        notes.repairs.append("rear_for_right_ear")
    return name


def _object_mask(cell: MaskCell, has_parts: bool, notes: _Notes) -> masks.Rle | None:
    """An object's mask; None where it has none of use and its parts can stand for it.

    A mask without pixels, or of another size, goes on to the checks that all masks pass, if there is no part.
    """
    usable = cell.bitmap is not None and cell.bitmap.shape == notes.size and bool(cell.bitmap.any())
    if cell.bitmap is None or (has_parts and not usable):
        notes.repairs.append("object_mask_unusable")
        return None
    return _encoded(cell.bitmap, cell.other_values, notes)


def _encoded(bitmap: Bitmap, other_values: bool, notes: _Notes) -> masks.Rle:
    if other_values:
        notes.repairs.append("mask_values")
    return masks.from_bitmap(bitmap)


def _told(row: AnnotatedObject, part: AnnotatedPart | None = None) -> dict[str, Any]:
    """A row as the source has it, the mask described only."""
    told: dict[str, Any] = {"class": row.category, "class_ind": row.class_index}
    if part is None:
        return told | {"mask": row.mask.described, "n_parts": len(row.parts)}
    return told | {"part_name": part.code, "mask": part.mask.described}
