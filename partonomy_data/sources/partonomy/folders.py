"""The layout of PARTONOMY's own release: graph.yaml, images/<label>/*, masks/<label>/**/*.json.

One JSON file is one mask: `{"size": [h, w], "counts": "…", "image_path": "…", "is_root_concept": bool}`, in the folder
of its label. A part's name with a `/` in it made a folder within a folder.

Format: AnselBlume/partonomy, src/data/datasets/build_dataset_descriptors/partonomy.py.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from partonomy_data.sources.base import SourceFile
from partonomy_data.sources.files import fingerprints, shown
from partonomy_data.sources.partonomy import graph, labels, photographs
from partonomy_data.sources.partonomy.labels import Label
from partonomy_data.sources.partonomy.photographs import Entry, Gallery, Unusable
from partonomy_data.sources.partonomy.segmentations import size_of
from partonomy_data.sources.partonomy.sightings import LONGEST_ROW, Integer, Sighting, Tally, row_of
from partonomy_data.sources.records import Rejected, RleJson

EXPECTED = "A PARTONOMY folder holds graph.yaml, images/<category--object>/ and masks/<category--object[--part:name]>/"
_KEYS = frozenset(("size", "counts", "image_path", "is_root_concept"))
_LARGEST_MASK = 64 << 20
_MARK = b"\xef\xbb\xbf"


class MaskFile(msgspec.Struct, frozen=True, gc=False):
    """A mask's JSON file."""

    size: list[Integer]
    counts: str | list[Integer]
    image_path: str
    is_root_concept: bool


class _ImagePathOnly(msgspec.Struct):
    image_path: str


def masks_folder(base: Path) -> Path | None:
    """`masks/`, or `annotations/` as an older loader has it if it holds folders of labels; None if neither is there."""
    if (base / "masks").is_dir():
        return base / "masks"
    older = base / "annotations"
    if older.is_dir() and any(labels.SEP in entry.name and entry.is_dir() for entry in older.iterdir()):
        return older
    return None


@dataclass(slots=True)
class Folders:
    """See `sightings.Layout`."""

    root: Path
    """The source's folder."""
    base: Path
    """The folder that holds graph.yaml and the folder of masks: `root`, or `partonomy/` in it."""
    masks: Path
    images_root: Path | None
    keep_all: bool = True
    converted: bool = False
    expected: str = EXPECTED

    def concepts(self, tally: Tally) -> tuple[graph.Concepts, bool]:
        """The labels of graph.yaml, if it is there, and of the folders of images."""
        concepts = graph.Concepts()
        path = self.base / "graph.yaml"
        if path.is_file():
            declared = graph.load(path)
            tally.files += fingerprints(self.root, [path])
            concepts.add_graph(
                {key: members or [] for key, members in (declared.instance_graph or {}).items()},
                {key: members or [] for key, members in (declared.component_graph or {}).items()},
                declared.concepts or [],
            )
        else:
            tally.repairs["graph_missing"] += 1
        self.converted = concepts.shared_prefix
        if self.converted:
            tally.repairs["object_prefix"] += 1
        if self.masks.name != "masks":
            tally.repairs["annotations_folder"] += 1
        return concepts, path.is_file() and not self.converted

    def image_paths(self) -> Iterator[tuple[str, str]]:
        """See `sightings.Layout.image_paths`."""
        decoder = msgspec.json.Decoder(_ImagePathOnly)
        for entry in photographs.walk(self.masks):
            if not entry.name.endswith(".json"):
                continue
            try:
                yield decoder.decode(_without_mark(self._text(entry, Tally()))).image_path, ""
            except (Unusable, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                # Rejected, with the reason, where the masks are read.
                continue

    def sightings(self, gallery: Gallery, concepts: graph.Concepts, tally: Tally) -> Iterator[Sighting]:
        """See `sightings.Layout.sightings`."""
        in_graph = frozenset(concepts.parts) or None
        self._add_image_folders(concepts)
        folders_of: dict[str, set[str]] = {}
        for entry in photographs.walk(self.masks):
            if entry.trouble is None and not entry.name.endswith(".json"):
                tally.repairs["stray_file"] += 1
                continue
            folder = posixpath.dirname(entry.name)
            label = labels.parse(folder)
            try:
                text = self._text(entry, tally)
                if label is None or not (label.category or label.part or label.object_key in concepts.objects):
                    raise Unusable("label_malformed", f"its folder {folder!r} is no label")
                sighting = _sighting(entry.name, label, text, gallery, in_graph)
            except Unusable as error:
                row = self._row(entry)
                tally.rejected.append(_rejected(entry.name, label, error, row))
                yield from _refused(label, row, gallery)
                continue
            concepts.add(label, folder)
            folders_of.setdefault(sighting.part or sighting.object, set()).add(folder)
            yield sighting
        twice = sum(len(folders) - 1 for folders in folders_of.values())
        if twice:
            tally.repairs["label_spelled_twice"] += twice

    def _add_image_folders(self, concepts: graph.Concepts) -> None:
        """The labels of the folders of images: objects that may have no mask and be in no graph."""
        if self.images_root is None:
            return
        for entry in sorted(self.images_root.iterdir()):
            if shown(entry.name) != entry.name:
                continue  # rejected where the photographs are listed
            label = labels.parse(entry.name) if entry.is_dir() else None
            if label is not None and label.part is None and label.category:
                concepts.add(label, entry.name)

    def _text(self, entry: Entry, tally: Tally) -> bytes:
        """The content of a mask's file, which is noted with its digest. Raises Unusable."""
        if entry.trouble is not None:
            raise Unusable(*entry.trouble)
        path = self.masks / entry.name
        try:
            if path.stat().st_size > _LARGEST_MASK:
                raise Unusable("mask_malformed", f"it is larger than {_LARGEST_MASK >> 20} MiB")
            text = path.read_bytes()
        except OSError as error:
            raise Unusable("mask_malformed", f"it can't be read ({error.strerror})") from error
        name = path.relative_to(self.root).as_posix()
        tally.files.append(SourceFile(name, hashlib.sha256(text).hexdigest(), len(text)))
        return text

    def _row(self, entry: Entry) -> Any:
        """A rejected file as JSON text if it is that and not long, else its name and how it begins."""
        path = self.masks / entry.name
        if entry.trouble is not None or not path.is_file():
            return {"file": entry.name}
        with path.open("rb") as file:
            text = _without_mark(file.read(LONGEST_ROW + 1))
        return row_of(text) or {"file": entry.name, "begins": text[:200].decode(errors="replace")}


def _sighting(name: str, label: Label, text: bytes, gallery: Gallery, in_graph: frozenset[str] | None) -> Sighting:
    """What one mask's file says. Raises Unusable."""
    mask, extra = _decoded(_without_mark(text))
    located = photographs.locate(gallery, mask.image_path, label.object_key)
    folder = posixpath.dirname(name)
    part = None if label.part is None else label.part_key
    repairs = {
        "json_byte_order_mark": text.startswith(_MARK),
        "mask_keys_extra": extra,
        "label_capitals": folder != folder.lower(),
        "label_nested": "/" in folder,
        "root_flag_wrong": mask.is_root_concept != (part is None),
        "part_not_in_graph": part is not None and in_graph is not None and part not in in_graph,
    }
    return Sighting(
        image=located.name,
        object=label.object_key,
        part=part,
        key=name,
        segmentation=RleJson(tuple(mask.size), mask.counts),
        size=size_of(mask.size),
        group=located.group,
        repairs=(*(rule for rule, applies in repairs.items() if applies), *located.repairs),
    )


def _decoded(text: bytes) -> tuple[MaskFile, bool]:
    """A mask's file, and whether it has keys that the format doesn't. Raises Unusable."""
    try:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        missing = sorted(_KEYS - fields.keys())
        if missing:
            raise Unusable("mask_keys_missing", f"it lacks {', '.join(missing)}")
        return msgspec.json.decode(text, type=MaskFile), len(fields) > len(_KEYS)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable("mask_malformed", f"it is no mask: {error}") from error


def _rejected(name: str, label: Label | None, error: Unusable, row: Any) -> Rejected:
    table = "objects" if label is not None and label.part is None else "parts"
    return Rejected(table=table, row_id=name, rule=error.rule, reason=str(error), row=row)


def _refused(label: Label | None, row: Any, gallery: Gallery) -> Iterator[Sighting]:
    """That a photograph has a mask of a part which can't be used, if the mask's file tells as much."""
    if label is None or label.part is None or not isinstance(row, str):
        return
    try:
        image_path = msgspec.json.decode(row, type=_ImagePathOnly).image_path
        image = photographs.locate(gallery, image_path, label.object_key).name
    except (msgspec.DecodeError, Unusable):
        # No photograph of the source has the part in it.
        return
    yield Sighting(image=image, object=label.object_key, part=label.part_key, key="", refused=True)


def _without_mark(text: bytes) -> bytes:
    return text.removeprefix(_MARK)
