"""Masks made, parts given to objects, and objects made of their parts where the source has no mask of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from partonomy_data import ids, masks
from partonomy_data.ingest import excluding, unclear
from partonomy_data.ingest.gather import Gathered
from partonomy_data.ingest.labels import Labels
from partonomy_data.masks import Encoded, Rle
from partonomy_data.matching import Candidate, match
from partonomy_data.sources.records import ObjectRecord

#: Above this a number is infinite in 32 bits.
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(slots=True)
class Placed:
    """The rows that stay: masks, areas (pixels) and boxes (xywh) of objects and parts, and which part is whose.

    Lists are by place in `gathered.objects` and `gathered.parts`; `part_object[j]` is -1 where part j does not stay.
    """

    gathered: Gathered
    object_masks: list[Rle | None]
    object_origin: list[str]
    object_stays: list[bool]
    merged: list[bool]
    part_masks: list[Rle | None]
    part_object: list[int]
    part_method: list[str]
    part_overlap: list[float | None]
    object_area: NDArray[np.int64]
    object_box: NDArray[np.float32]
    part_area: NDArray[np.int64]
    part_box: NDArray[np.float32]
    unclear: set[tuple[int, str]] = field(default_factory=set)
    """(object, part category key) of parts that were annotated but went to quarantine: not known to be absent.

    A key that isn't among the labels stands for any part of the object.
    """
    object_repairs: dict[int, list[str]] = field(default_factory=dict)
    part_repairs: dict[int, list[str]] = field(default_factory=dict)
    """Rules that were applied, one entry for each time, by place; only where there are any."""


def place(gathered: Gathered, labels: Labels) -> Placed:
    """Makes all masks of a shard, places the parts, and completes the objects; what fails goes to quarantine."""
    placed = _with_masks(gathered)
    _follow_links(placed, labels)
    _match_others(placed, labels)
    excluding.take_out(placed)
    _complete_objects(placed)
    unclear.note(placed, labels)
    return placed


def _with_masks(gathered: Gathered) -> Placed:
    drawn = [i for i, thing in enumerate(gathered.objects) if thing.segmentation is not None]
    heights, widths = _sizes(gathered, [gathered.object_photo[i] for i in drawn] + gathered.part_photo)
    segmentations = [gathered.objects[i].segmentation for i in drawn] + [part.segmentation for part in gathered.parts]
    encoded = masks.encode_many([s for s in segmentations if s is not None], heights, widths)
    made = [
        None if counts is None else Rle(int(h), int(w), counts)
        for counts, h, w in zip(encoded.counts, heights.tolist(), widths.tolist(), strict=True)
    ]
    object_masks: list[Rle | None] = [None] * len(gathered.objects)
    for i, rle in zip(drawn, made, strict=False):
        object_masks[i] = rle
    placed = Placed(
        gathered=gathered,
        object_masks=object_masks,
        object_origin=["none" if rle is None else "annotated" for rle in object_masks],
        object_stays=[True] * len(gathered.objects),
        merged=[thing.merged for thing in gathered.objects],
        part_masks=made[len(drawn) :],
        part_object=[-1] * len(gathered.parts),
        part_method=["linked"] * len(gathered.parts),
        part_overlap=[None] * len(gathered.parts),
        object_area=np.zeros(len(gathered.objects), dtype=np.int64),
        object_box=np.zeros((len(gathered.objects), 4), dtype=np.float32),
        part_area=encoded.areas[len(drawn) :],
        part_box=encoded.boxes[len(drawn) :],
    )
    placed.object_area[drawn], placed.object_box[drawn] = encoded.areas[: len(drawn)], encoded.boxes[: len(drawn)]
    _note_repairs(placed, encoded, drawn)
    _reject_unusable(placed, encoded, drawn)
    return placed


def _note_repairs(placed: Placed, encoded: Encoded, drawn: list[int]) -> None:
    for at, rule in encoded.repairs:
        repairs, i = (placed.object_repairs, drawn[at]) if at < len(drawn) else (placed.part_repairs, at - len(drawn))
        repairs.setdefault(i, []).append(rule)
        placed.gathered.tally.rules[rule] += 1


def _reject_unusable(placed: Placed, encoded: Encoded, drawn: list[int]) -> None:
    gathered = placed.gathered
    for at, error in sorted(encoded.errors.items()):
        table, place_of, records = (
            ("objects", gathered.object_photo, gathered.objects)
            if at < len(drawn)
            else ("parts", gathered.part_photo, gathered.parts)
        )
        i = drawn[at] if at < len(drawn) else at - len(drawn)
        record = records[i]
        photo = gathered.photos[place_of[i]]
        # An excluded object goes for that, and once.
        if table == "parts" or gathered.object_ids[i] not in gathered.excluded:
            gathered.reject(table, f"{photo.image_id}#{record.key}", error.rule, error.reason, record)
        if at < len(drawn):
            placed.object_origin[i] = "unusable"
        else:
            gathered.refuse(gathered.part_photo[i], gathered.parts[i])


def _sizes(gathered: Gathered, photos: list[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    heights = np.array([photo.height for photo in gathered.photos], dtype=np.int64)
    widths = np.array([photo.width for photo in gathered.photos], dtype=np.int64)
    index = np.array(photos, dtype=np.int64)
    return heights[index], widths[index]


def _follow_links(placed: Placed, labels: Labels) -> None:
    """Gives each part to the object that its source names, if that is an object of the part's own category."""
    gathered = placed.gathered
    of_key = {
        (place_of, thing.key): i
        for i, (place_of, thing) in enumerate(zip(gathered.object_photo, gathered.objects, strict=True))
    }
    for j, part in enumerate(gathered.parts):
        if part.object_key is None:
            continue
        i = of_key.get((gathered.part_photo[j], part.object_key), -1)
        if i < 0 or gathered.objects[i].category != labels.part(part.category).object_key:
            continue
        if placed.part_masks[j] is not None:
            placed.part_object[j] = i
            if placed.object_origin[i] == "none" and gathered.objects[i].box is None:
                # Nothing of the object is annotated but its parts: the reader made it to hold them.
                placed.part_method[j] = "union"


def _match_others(placed: Placed, labels: Labels) -> None:
    """Looks for the objects of the parts that no link placed, photograph by photograph and category by category."""
    gathered = placed.gathered
    waiting: dict[tuple[int, str], list[int]] = defaultdict(list)
    for j, part in enumerate(gathered.parts):
        if placed.part_object[j] < 0 and placed.part_masks[j] is not None:
            waiting[gathered.part_photo[j], labels.part(part.category).object_key].append(j)
    if not waiting:
        return
    candidates: dict[tuple[int, str], list[int]] = defaultdict(list)
    for i, thing in enumerate(gathered.objects):
        candidates[gathered.object_photo[i], thing.category].append(i)
    for group_key, parts in sorted(waiting.items()):
        _match_group(placed, group_key, parts, candidates.get(group_key, []))


def _match_group(placed: Placed, group_key: tuple[int, str], parts: list[int], objects: list[int]) -> None:
    gathered = placed.gathered
    photo = gathered.photos[group_key[0]]
    if not objects:
        i = _derive_object(placed, group_key)
        for j in parts:
            placed.part_object[j], placed.part_method[j] = i, "union"
        return
    outlines = [_outline(placed, i, photo.height, photo.width) for i in objects]
    usable = [
        Candidate(i, outline, placed.object_masks[i] is not None)
        for i, outline in zip(objects, outlines, strict=True)
        if outline is not None
    ]
    if not usable:
        # Objects without mask and box: only a single one can be told to be the whole.
        for j in parts:
            if len(objects) == 1:
                placed.part_object[j], placed.part_method[j] = objects[0], "only_object"
            else:
                _unplaced(placed, j, "none of its candidates has a mask or a box")
        return
    rles = [rle for j in parts if (rle := placed.part_masks[j]) is not None]
    for j, found in zip(parts, match(rles, usable), strict=True):
        if found.index < 0:
            share = 0.0 if found.overlap is None else found.overlap
            _unplaced(placed, j, f"at most {share:.0%} of it lies in one of {len(usable)} objects of its category")
        else:
            placed.part_object[j], placed.part_method[j] = found.index, found.method
            placed.part_overlap[j] = found.overlap


def usable_box(thing: ObjectRecord) -> tuple[float, float, float, float] | None:
    """The source's own box of an object (xywh, pixels) if a table can hold it: finite in 32 bits, with sides above 0."""
    if thing.box is None or not all(abs(value) <= _LARGEST for value in thing.box):
        return None
    return thing.box if np.float32(thing.box[2]) > 0 and np.float32(thing.box[3]) > 0 else None


def _outline(placed: Placed, i: int, height: int, width: int) -> Rle | None:
    """An object's mask, else its box as a mask, else None."""
    box = usable_box(placed.gathered.objects[i])
    if placed.object_masks[i] is not None or box is None:
        return placed.object_masks[i]
    x, y, w, h = box
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(width, round(x + w)), min(height, round(y + h))
    if right <= left or bottom <= top:
        return None
    column = [bottom - top, height - (bottom - top)]
    runs = [left * height + top, *(column * (right - left))]
    runs[-1] = height * width - sum(runs[:-1])
    return masks.from_counts(runs, height, width)


def _derive_object(placed: Placed, group_key: tuple[int, str]) -> int:
    gathered, (place_of, category) = placed.gathered, group_key
    photo = gathered.photos[place_of]
    thing = ObjectRecord(key=f"parts of {category}", category=category, merged=True)
    gathered.objects.append(thing)
    gathered.object_photo.append(place_of)
    gathered.object_ids.append(ids.object_id(photo.image_id, thing.key))
    placed.object_masks.append(None)
    placed.object_origin.append("none")
    placed.object_stays.append(True)
    placed.merged.append(True)
    placed.object_area = np.append(placed.object_area, 0)
    placed.object_box = np.append(placed.object_box, np.zeros((1, 4), dtype=np.float32), axis=0)
    gathered.tally.derived["objects"] += 1
    gathered.tally.rules["object_from_parts"] += 1
    placed.object_repairs[len(gathered.objects) - 1] = ["object_from_parts"]
    return len(gathered.objects) - 1


def _unplaced(placed: Placed, j: int, reason: str) -> None:
    gathered = placed.gathered
    part, photo = gathered.parts[j], gathered.photos[gathered.part_photo[j]]
    repairs = placed.part_repairs.get(j, ())
    gathered.reject("parts", f"{photo.image_id}#{part.key}", "part_unplaced", reason, part, repairs)
    gathered.refuse(gathered.part_photo[j], part)


def _complete_objects(placed: Placed) -> None:
    """Gives objects without a mask the union of their parts; one with an unusable mask stays only with parts."""
    gathered = placed.gathered
    members: dict[int, list[Rle]] = defaultdict(list)
    for i, mask in zip(placed.part_object, placed.part_masks, strict=True):
        if i >= 0 and placed.object_masks[i] is None and mask is not None:
            members[i].append(mask)
    unions = {i: masks.union(rles) for i, rles in members.items()}
    made = list(unions.values())
    measured = masks.measure([rle.counts for rle in made], [rle.height for rle in made], [rle.width for rle in made])
    at = list(unions)
    placed.object_area[at], placed.object_box[at] = measured.areas, measured.boxes
    for i, rle in unions.items():
        placed.object_masks[i] = rle
        if placed.object_origin[i] == "unusable":
            # Its own row is in quarantine; the row made of its parts takes its place, so that they keep their whole.
            gathered.tally.derived["objects"] += 1
        placed.object_origin[i] = "union_of_parts"
    for i, origin in enumerate(placed.object_origin):
        if origin == "unusable":
            placed.object_stays[i] = False
