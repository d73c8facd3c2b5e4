"""The parts and the object of a photograph as label maps draw them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from partonomy_data.masks import Rle, from_bitmap
from partonomy_data.sources.partimagenet import instances, label_maps
from partonomy_data.sources.partimagenet.label_maps import UnreadableMap as UnreadableMap
from partonomy_data.sources.partimagenet.names import is_tier, part_words
from partonomy_data.sources.partimagenet.vocabulary import part_key
from partonomy_data.sources.records import PartRecord, RefusedPart, Rejected


@dataclass(slots=True)
class Parts:
    """The parts of one photograph, and what was found in reading them."""

    records: list[PartRecord] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    refused: list[RefusedPart] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
    several: bool = False
    """Whether there is a hint that the object is several instances."""


def parts(path: Path, image_id: str, wnid: str, supercategory: str | None) -> tuple[Parts, int, int]:
    """The parts of a label map, one for each label, and the map's height and width. Raises UnreadableMap."""
    labels = label_maps.read(path)
    found = Parts()
    present = label_maps.counts(labels)
    if present.pop(label_maps.BACKGROUND, 0):
        found.repairs.append("label_map_background")
    for label, pixels in present.items():
        if label > label_maps.BACKGROUND:
            rule, reason = "label_unknown", f"{pixels} pixels have the value {label}"
        elif label_maps.LABELS[label][1] != supercategory:
            rule = "foreign_supercategory"
            reason = f"{label_maps.LABELS[label][0]!r} in a photograph whose class is a {supercategory}"
        else:
            _add(found, labels == label, label, wnid)
            continue
        row = {"file": path.name, "label": label, "pixels": pixels}
        found.rejected.append(
            Rejected(table="parts", row_id=f"{image_id}#label:{label}", rule=rule, reason=reason, row=row)
        )
    if not present:
        found.repairs.append("image_without_annotation")
    return found, labels.shape[0], labels.shape[1]


def _add(found: Parts, bitmap: np.ndarray[tuple[int, int], np.dtype[np.bool_]], label: int, wnid: str) -> None:
    """Adds the part that a label draws."""
    category, supercategory = label_maps.LABELS[label]
    applied = {
        "category_zero": label == 0,
        "tier_for_tire": is_tier(category),
        "label_map_order": label in label_maps.UNRESOLVED,
    }
    found.repairs += [rule for rule, applies in applied.items() if applies]
    part = part_words(category, supercategory) or ""
    regions = instances.large_regions(bitmap)
    if regions > 1:
        found.repairs.append("label_map_regions")
    found.several |= instances.may_be_several({part: regions}, supercategory)
    found.records.append(
        PartRecord(key=f"label:{label}", category=part_key(wnid, category), segmentation=from_bitmap(bitmap))
    )


def whole(path: Path, height: int, width: int, found: Parts) -> Rle | None:
    """The object's mask from a label map of the photograph's size; None, and a note in `found`, if there is none.

    Classes other than the photograph's are not told apart (their numbers have no published names), but two of them in
    one map are a hint of several instances.
    """
    try:
        size = label_maps.header(path)
        if size != (height, width):
            found.repairs.append("whole_map_size")
            return None
        labels = label_maps.read(path)
    except UnreadableMap:
        found.repairs.append("whole_map_unreadable")
        return None
    classes = [label for label in label_maps.counts(labels) if label < label_maps.WHOLE_BACKGROUND]
    if int(labels.max()) > label_maps.WHOLE_BACKGROUND:
        found.repairs.append("whole_label_unknown")
    if not classes:
        found.repairs.append("whole_map_empty")
        return None
    found.several |= len(classes) > 1
    return from_bitmap(labels < label_maps.WHOLE_BACKGROUND)
