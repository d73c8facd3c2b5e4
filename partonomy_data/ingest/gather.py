"""Photographs checked and laid out as flat columns; what can't be used, as rows of quarantine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from partonomy_data import ids
from partonomy_data.ingest.labels import Labels
from partonomy_data.photographs import inspecting
from partonomy_data.photographs.inspecting import Inspection
from partonomy_data.rules import Rule
from partonomy_data.sources.records import ObjectRecord, PartRecord, Photograph, RefusedPart, Rejected

RULES = (
    Rule(
        "image_quarantined",
        "quarantined",
        "A row is of a photograph that is itself in quarantine.",
        "There is no photograph to put it on.",
    ),
    Rule(
        "excluded",
        "quarantined",
        "The row's id is on the list given with --exclude.",
        "It is known to be bad; all that belongs to it goes with it.",
    ),
    Rule(
        "duplicate_key",
        "quarantined",
        "Two objects, or two parts, of a photograph have the same key in the source.",
        "The first one keeps the id.",
    ),
    Rule(
        "annotation_quarantined",
        "quarantined",
        "An attribute belongs to an object or part that is itself in quarantine.",
        "It refers to nothing.",
    ),
)


@dataclass(slots=True)
class Tally:
    """Counts for the manifest: rows by table, and how often each rule was applied."""

    read: Counter[str] = field(default_factory=Counter)
    derived: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Gathered:
    """The usable rows of a shard as flat lists; `object_photo[i]` is the place of object i's photograph, and so on."""

    photos: list[Photograph] = field(default_factory=list)
    inspections: list[Inspection] = field(default_factory=list)
    objects: list[ObjectRecord] = field(default_factory=list)
    object_photo: list[int] = field(default_factory=list)
    object_ids: list[str] = field(default_factory=list)
    parts: list[PartRecord] = field(default_factory=list)
    part_photo: list[int] = field(default_factory=list)
    part_ids: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    refused: set[tuple[int, RefusedPart]] = field(default_factory=set)
    """(place of the photograph, part) of the parts that were annotated but went to quarantine."""
    excluded: frozenset[str] = frozenset()
    """The ids that were given with --exclude. Excluded objects are among `objects` until their parts are known."""
    tally: Tally = field(default_factory=Tally)

    def reject(self, table: str, row_id: str, rule: str, reason: str, row: object, repairs: Iterable[str] = ()) -> None:
        """Adds a row to quarantine, with the rules that were applied to it before."""
        self.rejected.append(
            Rejected(table=table, row_id=row_id, rule=rule, reason=reason, row=row, repairs=tuple(repairs))
        )

    def refuse(self, place: int, part: PartRecord) -> None:
        """Notes that a part of the photograph at `place` went to quarantine, and so isn't known to be absent."""
        self.refused.add((place, RefusedPart(part.category, part.object_key)))


def gather(
    records: Iterable[Photograph | Rejected],
    images_root: Path | None,
    labels: Labels,
    exclude: Collection[str] = (),
) -> Gathered:
    """Lays out a shard's photographs, each inspected on disk, in the order of their ids' hashes.

    Counts every row that the source has, whether it is used or not.
    """
    gathered = Gathered(excluded=frozenset(exclude))
    photos = []
    for record in records:
        if isinstance(record, Rejected):
            gathered.tally.read[record.table] += 1
            gathered.rejected.append(record)
        else:
            photos.append(record)
    photos.sort(key=lambda photo: (ids.image_prefix(photo.image_id), photo.image_id))
    for photo in photos:
        _count(photo, gathered.tally)
        gathered.rejected += photo.rejected
        inspection = inspecting.inspect(images_root, photo)
        gathered.tally.rules.update(inspection.notes)
        if photo.image_id in gathered.excluded:
            _reject_photograph(photo, inspection, "excluded", "its id is on the list of exclusions", gathered)
        elif inspection.rule is not None:
            _reject_photograph(photo, inspection, inspection.rule, inspection.reason, gathered)
        else:
            _add(photo, inspection, labels, gathered)
    return gathered


def _count(photo: Photograph, tally: Tally) -> None:
    tally.read.update(images=1, objects=len(photo.objects), parts=len(photo.parts), attributes=len(photo.attributes))
    tally.read.update(row.table for row in photo.rejected)
    tally.rules.update(photo.repairs)


def _reject_photograph(photo: Photograph, inspection: Inspection, rule: str, reason: str, gathered: Gathered) -> None:
    row = {"file_name": photo.file_name, "width": photo.width, "height": photo.height, "split": photo.split}
    gathered.reject("images", photo.image_id, rule, reason, row, (*photo.repairs, *inspection.notes))
    because = f"{photo.image_id} is in quarantine ({rule})"
    for table, records in (("objects", photo.objects), ("parts", photo.parts), ("attributes", photo.attributes)):
        for record in records:
            gathered.reject(table, f"{photo.image_id}#{record.key}", "image_quarantined", because, record)


def _add(photo: Photograph, inspection: Inspection, labels: Labels, gathered: Gathered) -> None:
    place = len(gathered.photos)
    gathered.photos.append(photo)
    gathered.inspections.append(inspection)
    gathered.refused.update((place, part) for part in photo.refused)
    prefix = ids.image_prefix(photo.image_id)
    seen: set[str] = set()
    for thing in photo.objects:
        own = ids.object_id(photo.image_id, thing.key, prefix)
        if _refused("objects", photo, thing, own, seen, labels, gathered):
            continue
        gathered.objects.append(thing)
        gathered.object_photo.append(place)
        gathered.object_ids.append(own)
    for part in photo.parts:
        own = ids.part_id(photo.image_id, part.key, prefix)
        if _refused("parts", photo, part, own, seen, labels, gathered):
            gathered.refuse(place, part)
            continue
        gathered.parts.append(part)
        gathered.part_photo.append(place)
        gathered.part_ids.append(own)


def _refused(
    table: str,
    photo: Photograph,
    record: ObjectRecord | PartRecord,
    own: str,
    seen: set[str],
    labels: Labels,
    gathered: Gathered,
) -> bool:
    """Whether a part is excluded, or a row has no usable name, or its key is taken; if so it goes to quarantine."""
    if record.category in labels.refused:
        rule, reason = labels.refused[record.category]
    elif own in seen:
        rule, reason = "duplicate_key", f"{record.key!r} is in the photograph already"
    elif table == "parts" and own in gathered.excluded:
        rule, reason = "excluded", f"{own} is on the list of exclusions"
    else:
        seen.add(own)
        return False
    gathered.reject(table, f"{photo.image_id}#{record.key}", rule, reason, record)
    return True
