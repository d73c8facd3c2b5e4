"""Lists the photographs of one part set, and finds its annotations, label maps and whole objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from partonomy_data.sources import files
from partonomy_data.sources.partimagenet import coco, label_maps, layout, names, pictures
from partonomy_data.sources.partimagenet.layout import PartSet
from partonomy_data.sources.partimagenet.payload import Context, PartCategory
from partonomy_data.sources.partimagenet.pictures import Picture
from partonomy_data.sources.records import Rejected


@dataclass(slots=True)
class OpenSet:
    """A part set whose photographs are listed."""

    name: str
    context: Context
    pictures: list[Picture]
    annotations: list[msgspec.Raw]
    whole_pictures: list[Picture] = field(default_factory=list)
    whole_annotations: list[msgspec.Raw] = field(default_factory=list)
    read: list[Path] = field(default_factory=list)


@dataclass(slots=True)
class Findings:
    """What was found on the way."""

    rejected: list[Rejected] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)


def open_set(root: Path, number: int, one: PartSet, found: Findings) -> OpenSet:
    """Lists the photographs of a part set, with their label maps."""
    name = f"{number}-{one.release}-{one.split}"
    if one.json is not None:
        header = coco.load_parts(one.json)
        file = one.json.relative_to(root).as_posix()
        listed, rejected, repairs = pictures.from_rows(header.images, file)
        found.rejected += rejected
        found.repairs += repairs
        categories = {c.id: _part_category(c.name, c.supercategory) for c in header.categories}
        opened = OpenSet(name, Context(file, one.split, categories), listed, header.annotations, read=[one.json])
        if one.release == "seg" and layout.label_maps(one.json.parent):
            found.repairs["json_before_label_map"] += 1
    else:
        maps = _decodable(root, one.maps or {}, "images", found)
        listed = [
            Picture(id=place, file_name=f"{stem}.JPEG", label_map=path.relative_to(root).as_posix())
            for place, (stem, path) in enumerate(maps)
        ]
        categories = {label: _part_category(*pair) for label, pair in enumerate(label_maps.LABELS)}
        folder = next(iter((one.maps or {}).values())).parent.relative_to(root).as_posix()
        opened = OpenSet(name, Context(folder, one.split, categories), listed, [])
    _add_whole(root, one, opened, found)
    return opened


def _decodable(root: Path, maps: Mapping[str, Path], table: str, found: Findings) -> list[tuple[str, Path]]:
    """Label maps by name without extension, sorted; those whose names aren't UTF-8 are rejected."""
    if not maps:
        return []
    by_name = {path.name: (stem, path) for stem, path in maps.items()}
    folder = next(iter(maps.values())).parent.relative_to(root).as_posix()
    return sorted(by_name[name] for name in files.decodable(sorted(by_name), folder, table, found.rejected))


def _part_category(name: str, supercategory: str) -> PartCategory:
    return PartCategory(name, supercategory, names.part_words(name, supercategory) or "")


def _add_whole(root: Path, one: PartSet, opened: OpenSet, found: Findings) -> None:
    """Adds the whole objects of the set: their label maps to the pictures, or the rows of their JSON file."""
    stems = {picture.stem for picture in opened.pictures}
    for stem, path in _decodable(root, one.whole_maps or {}, "objects", found):
        if stem not in stems:
            row_id = path.relative_to(root).as_posix()
            found.rejected.append(without_parts(row_id, f"{stem} has no annotation of its parts", None))
    for picture in opened.pictures:
        whole = (one.whole_maps or {}).get(picture.stem)
        picture.whole_map = whole.relative_to(root).as_posix() if whole else None
    if one.whole_json is None:
        return
    opened.read.append(one.whole_json)
    header = coco.load_whole(one.whole_json)
    if header is None:
        found.repairs["whole_json_of_parts"] += 1
        return
    # A bad row here costs the annotations on it only: the photograph itself is in the file of parts.
    opened.whole_pictures, _, _ = pictures.from_rows(header.images, one.whole_json.name)
    opened.whole_annotations = header.annotations


def without_parts(row_id: str, reason: str, row: object) -> Rejected:
    return Rejected(table="objects", row_id=row_id, rule="whole_without_parts", reason=reason, row=row)
