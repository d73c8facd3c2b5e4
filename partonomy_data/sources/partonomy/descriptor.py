"""The authors' descriptors: one JSON file that lists instances, a photograph and a label each, with their masks.

    {"dataset_name", "part_graph", "instance_graph",
     "instances": [{"image_path", "image_label", "segmentations": {label: [mask, …]}, "segmentation_labels"}]}

Raw ones have full labels, cleaned ones bare part names; sets converted from COCO call their objects `object--…`. The
authors' files of questions are lists of rows with the same three fields, and are read in the same way.

Format: AnselBlume/partonomy, src/data/part_dataset_descriptor.py and src/data/datasets/init_datasets.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from partonomy_data.errors import SourceError
from partonomy_data.sources import coco_json
from partonomy_data.sources.files import fingerprints
from partonomy_data.sources.partonomy import graph, labels, photographs
from partonomy_data.sources.partonomy.labels import CONVERTED, SEP, Label
from partonomy_data.sources.partonomy.photographs import Gallery, Located, Unusable
from partonomy_data.sources.partonomy.segmentations import segmentation
from partonomy_data.sources.partonomy.sightings import Sighting, Tally, content_key, row_of
from partonomy_data.sources.records import Rejected

EXPECTED = "A descriptor is a JSON file with `instances`, each with image_path, image_label and segmentations"
#: What the names of sets converted from COCO begin with.
_CONVERTED_SETS = ("paco", "pascal", "partimagenet", "part_imagenet")
_CLASH = re.compile(r"_[0-9a-f]{8}\.\w+")


class Document(msgspec.Struct):
    """A JSON file that may be a descriptor; all but the keys that tell what it is stays raw text."""

    dataset_name: str = ""
    part_graph: Raw | UnsetType = UNSET
    instance_graph: Raw | UnsetType = UNSET
    instances: list[Raw] | UnsetType = UNSET
    image_path: Raw | UnsetType = UNSET
    checked: Raw | UnsetType = UNSET
    unchecked: Raw | UnsetType = UNSET
    annotations: Raw | UnsetType = UNSET


class Instance(msgspec.Struct, frozen=True):
    """A row of a descriptor, or of a file of questions."""

    image_path: str
    image_label: str
    segmentations: dict[str, Raw]
    segmentation_labels: list[str] | None = None


class _Head(msgspec.Struct, frozen=True, gc=False):
    image_path: str
    image_label: str


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one file."""

    path: Path
    name: str
    """The data set's name as the file says it, or the file's."""
    rows: list[Raw]
    questions: bool
    part_graph: dict[str, list[str]]
    instance_graph: dict[str, list[str]]


def is_list(path: Path) -> bool:
    """Whether a JSON file holds a list (as files of questions do). Raises SourceError if it can't be read."""
    try:
        with path.open("rb") as file:
            begins = file.read(4096)
    except OSError as error:
        raise SourceError(f"can't be read ({error.strerror})", where=str(path)) from error
    return begins.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")


def load(path: Path) -> Rows:
    """Reads a descriptor, one instance of it, or a file of questions; the rows stay raw text.

    Raises SourceError if the file can't be read, or is something else: COCO JSON, or the annotation tool's state.
    """
    if is_list(path):
        return Rows(path, path.stem, coco_json.load(path, list[Raw]), True, {}, {})
    document = coco_json.load(path, Document)
    name = document.dataset_name or path.stem
    if document.instances is not UNSET:
        graphs = (_graph(path, key, getattr(document, key)) for key in ("part_graph", "instance_graph"))
        return Rows(path, name, document.instances, False, *graphs)
    if document.image_path is not UNSET:
        return Rows(path, name, [coco_json.load(path, Raw)], False, {}, {})
    if document.checked is not UNSET or document.unchecked is not UNSET:
        what, mend = (
            "is the state of the annotation tool, not a descriptor",
            "Give the descriptor that it exports",
        )
    elif document.annotations is not UNSET:
        what, mend = "is COCO JSON, not PARTONOMY's", "Check the source's name, or give PARTONOMY's folder"
    else:
        what, mend = "has no `instances`", EXPECTED
    raise SourceError(what, where=str(path), mend=mend)


def _graph(path: Path, key: str, raw: Raw | UnsetType) -> dict[str, list[str]]:
    if raw is UNSET:
        return {}
    try:
        found = msgspec.json.decode(raw, type=dict[str, list[str] | None] | None)
    except msgspec.ValidationError as error:
        raise SourceError(f"its {key} is not what was expected: {error}", where=str(path), mend=EXPECTED) from error
    return {label: members or [] for label, members in (found or {}).items()}


def rank(path: Path) -> int:
    """What a file is worth beside others: 0 a raw descriptor, 1 a cleaned one, 2 a file of questions."""
    return 2 if is_list(path) else int("_cleaned" in path.stem)


def best(paths: Sequence[Path]) -> list[Path]:
    """Of several files, those of the kind that says most; sorted by name."""
    ranks = {path: rank(path) for path in sorted(paths)}
    return [path for path, n in ranks.items() if n == min(ranks.values())]


@dataclass(slots=True)
class Descriptors:
    """See `sightings.Layout`."""

    base: Path
    """The folder of the files."""
    contents: list[Rows]
    images_root: Path | None
    keep_all: bool = False
    left_out: int = 0
    """Files that say the same in fewer words, and aren't read."""
    converted: bool = False
    expected: str = EXPECTED
    _heads: msgspec.json.Decoder[_Head] = field(default_factory=lambda: msgspec.json.Decoder(_Head))
    _instances: msgspec.json.Decoder[Instance] = field(default_factory=lambda: msgspec.json.Decoder(Instance))

    def concepts(self, tally: Tally) -> tuple[graph.Concepts, bool]:
        """The labels of the files' graphs."""
        concepts = graph.Concepts()
        for content in self.contents:
            tally.repairs["json_byte_order_mark"] += coco_json.begins_with_mark(content.path)
            concepts.add_graph(content.instance_graph, content.part_graph)
        tally.files += fingerprints(self.base, [content.path for content in self.contents])
        tally.repairs["descriptor_beside"] += self.left_out
        prefixed = any(label.lower().startswith(CONVERTED + SEP) for _, label in self.image_paths())
        named = any(content.name.lower().startswith(_CONVERTED_SETS) for content in self.contents)
        self.converted = concepts.shared_prefix or prefixed or named
        return concepts, any(content.part_graph for content in self.contents) and not self.converted

    def image_paths(self) -> Iterator[tuple[str, str]]:
        """See `sightings.Layout.image_paths`."""
        for content in self.contents:
            for raw in content.rows:
                try:
                    head = self._heads.decode(raw)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    # Rejected, with the reason, where the masks are read.
                    continue
                yield head.image_path, head.image_label

    def sightings(self, gallery: Gallery, concepts: graph.Concepts, tally: Tally) -> Iterator[Sighting]:
        """See `sightings.Layout.sightings`."""
        for content in self.contents:
            seen: set[bytes] | None = set() if content.questions else None
            cleaned = False
            for index, raw in enumerate(content.rows):
                row_id = f"{content.path.name}#{index}"
                try:
                    instance = self._instances.decode(raw)
                    whole, spelled = _whole(instance)
                    located = photographs.locate(gallery, instance.image_path, whole.object_key)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    unfit = Unusable("instance_malformed", f"it is no instance: {error}")
                    tally.rejected.append(_rejected("objects", row_id, unfit, raw))
                except Unusable as error:
                    tally.rejected.append(_rejected("objects", row_id, error, raw))
                else:
                    cleaned |= SEP not in instance.image_label
                    yield self._statement(instance, whole, spelled, located)
                    concepts.add(whole, instance.image_label)
                    yield from _masks(instance, whole, located, row_id, seen, concepts, tally)
            tally.repairs["descriptor_cleaned"] += cleaned

    def _statement(self, instance: Instance, whole: Label, spelled: str | None, located: Located) -> Sighting:
        """That the photograph shows the instance's object, whether or not there is a mask of it."""
        declared = instance.segmentation_labels
        differ = declared is not None and set(declared) != instance.segmentations.keys()
        repairs = {
            "object_prefix": instance.image_label.lower().startswith(CONVERTED + SEP),
            "segmentation_labels_differ": differ,
            "portable_clash_suffix": self.keep_all and _CLASH.search(instance.image_path) is not None,
        }
        applied = (rule for rule, applies in repairs.items() if applies)
        shared = (spelled,) if spelled else ()
        return Sighting(
            image=located.name,
            object=whole.object_key,
            part=None,
            key="",
            group=located.group,
            repairs=(*applied, *shared, *located.repairs),
        )


def _whole(instance: Instance) -> tuple[Label, str | None]:
    """The label of the instance's object, and the rule by which a name that two labels share was read. May be Unusable."""
    label = labels.parse(instance.image_label)
    if label is None or label.part is not None:
        raise Unusable("instance_malformed", f"image_label {instance.image_label[:200]!r} is no label of an object")
    if label.category or label.name not in labels.SHARED_DISPLAY_NAMES:
        return label, None
    meant = labels.shared_display_name(label.name, instance.image_path.split("/")[-2:])
    known = labels.parse(meant) if meant else None
    return (known, "display_name_shared") if known else (label, "display_name_merged")


def _masks(
    instance: Instance,
    whole: Label,
    located: Located,
    row_id: str,
    seen: set[bytes] | None,
    concepts: graph.Concepts,
    tally: Tally,
) -> Iterator[Sighting]:
    """The masks of one instance. Those met before, of which `seen` holds the digests, are passed over."""
    moved = tuple(rule for rule in located.repairs if rule == "image_moved")
    for key, raw in instance.segmentations.items():
        # In a cleaned descriptor, an object's own mask has the object's display name.
        own = labels.canonical(key) == labels.canonical(instance.image_label)
        label = whole if own else labels.resolve(whole.object_key, key)
        for number, item in enumerate(_items(raw)):
            if seen is not None:
                same = blake2b(digest_size=16)
                same.update(repr((located.name, located.group, whole.object_key, key)).encode())
                same.update(bytes(item))
                if same.digest() in seen:
                    tally.repairs["question_repeat"] += 1
                    continue
                seen.add(same.digest())
            try:
                if label is None:
                    raise Unusable("segmentation_malformed", f"{key[:200]!r} is no label")
                drawn = segmentation(item)
            except Unusable as error:
                table = "objects" if label is not None and label.part is None else "parts"
                tally.rejected.append(_rejected(table, f"{row_id}/{key}/{number}", error, item))
                if table == "parts":
                    part = "" if label is None else label.part_key
                    yield Sighting(located.name, whole.object_key, part, key="", group=located.group, refused=True)
                continue
            name = label.object_key if label.part is None else label.part_key
            if name not in (concepts.objects if label.part is None else concepts.parts):
                concepts.add(label, key if labels.PART_SEP in key else label.part or key)
            yield Sighting(
                image=located.name,
                object=label.object_key,
                part=None if label.part is None else name,
                key=content_key(name, drawn.shape) + (f"@{located.group}" if located.group else ""),
                segmentation=drawn.shape,
                size=drawn.size,
                group=located.group,
                repairs=(*drawn.repairs, *moved),
            )


def _items(raw: Raw) -> list[Raw]:
    """The masks under one label: a list of them, or one on its own."""
    try:
        return msgspec.json.decode(raw, type=list[Raw])
    except msgspec.DecodeError:
        return [raw]


def _rejected(table: str, row_id: str, error: Unusable, raw: Raw) -> Rejected:
    text = bytes(raw)
    row: Any = row_of(text) or {"begins": text[:200].decode(errors="replace")}
    return Rejected(table=table, row_id=row_id, rule=error.rule, reason=str(error), row=row)
