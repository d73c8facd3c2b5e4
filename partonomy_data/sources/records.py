"""What every reader yields: one `Photograph` with its objects and parts, still in the source's own words.

Readers parse, and leave three things to the rooms after them, so that all sources are treated alike:

* masks stay as the source wrote them (`Segmentation`); `partonomy_data.masks` checks and rasterises them in bulk;
* a part that the source doesn't link to an object has `object_key=None`; `partonomy_data.matching` finds its object;
* names stay in words; `partonomy_data.taxonomy.names` makes them canonical.
"""

from __future__ import annotations

from typing import Any

import msgspec

from partonomy_data.masks import Rle as Rle
from partonomy_data.masks import RleJson as RleJson
from partonomy_data.masks import Segmentation as Segmentation


class ObjectRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An object instance as annotated."""

    key: str
    """Names the object within its photograph; stable under any change elsewhere (the source's annotation id, say)."""
    category: str
    """The `ObjectName.key` of its category in the source's vocabulary."""
    segmentation: Segmentation | None = None
    """None where the source has no mask of the object: it gets the union of its parts, if it has any."""
    box: tuple[float, float, float, float] | None = None
    """The source's xywh box in pixels; used only where there is no mask."""
    merged: bool = False
    """True where the source can't tell instances apart, so that this may stand for several of them."""
    exhaustive: bool = False
    """True where the source labels every visible part of this object, so that a part without a mask is absent."""


class PartRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A part instance as annotated."""

    key: str
    """Names the part within its photograph, as `ObjectRecord.key` does the object."""
    category: str
    """The `PartName.key` of its category in the source's vocabulary."""
    segmentation: Segmentation
    object_key: str | None = None
    """The `ObjectRecord.key` of its object where the source links them; None asks for matching by overlap."""


class AttributeRecord(msgspec.Struct, frozen=True, gc=False):
    """An attribute (PACO: a color, pattern, material, transparency) of an object or a part."""

    key: str
    """The key of the object or part in the same photograph."""
    attribute_type: str
    attribute: str


class EvidenceRecord(msgspec.Struct, frozen=True, gc=False):
    """What the source says of a part in an object beyond the masks: for parts that have no mask there.

    Parts with a mask are `present`/`annotated` without being told; parts of the object's category that are told
    nothing of are `absent`/`exhaustive_label` if `ObjectRecord.exhaustive`, else `unknown`/`unannotated`.
    """

    object_key: str
    part: str
    """`PartName.key`"""
    status: str
    why: str


class RefusedPart(msgspec.Struct, frozen=True, gc=False):
    """A part that was annotated, and whose row a reader rejected: it isn't known to be absent.

    Told beside the row in quarantine. Rows that readers yield, and later rooms reject, are noted there.
    """

    part: str
    """`PartName.key`; empty where the row doesn't tell, so that any part of the object may be meant."""
    object_key: str | None = None
    """As in `PartRecord`: None where it may be a part of each object of its category in the photograph."""


class Rejected(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A row that can't be used, for the table `quarantine`."""

    table: str
    """The table that the row would have entered: `images`, `objects`, `parts`, `attributes`."""
    row_id: str
    """What the source calls the row (an annotation id, a file)."""
    rule: str
    reason: str
    row: Any = None
    """The row as the source has it; anything that JSON can hold. A `str` is taken as JSON text already."""
    repairs: tuple[str, ...] = ()
    """Names of the rules that were applied to it before it was rejected, one entry for each time."""


class Photograph(msgspec.Struct, frozen=True, kw_only=True):
    """One photograph with all that the source says of it."""

    image_id: str
    """`<source>/<file name without folder and extension>`, as `sources.files.image_ids` gives it."""
    file_name: str
    """The file name as the source wrote it."""
    width: int
    height: int
    """Pixels of the grid that the masks live in."""
    split: str = ""
    """The source's own split (`train`, `val`, `test`), or empty."""
    path: str | None = None
    """Where the photograph is, relative to the source's folder of images, `/` between folders; None if it isn't on disk."""
    url: str | None = None
    license: str | None = None
    photograph: str = ""
    """Identity of the photograph across sources: `coco/<id>`, `voc/<name>`, `imagenet/<name>`; empty if not known."""
    transposed: bool = False
    """True where the masks live in the coordinates of the EXIF-transposed photograph."""
    objects: list[ObjectRecord] = msgspec.field(default_factory=list)
    parts: list[PartRecord] = msgspec.field(default_factory=list)
    attributes: list[AttributeRecord] = msgspec.field(default_factory=list)
    evidence: list[EvidenceRecord] = msgspec.field(default_factory=list)
    rejected: list[Rejected] = msgspec.field(default_factory=list)
    refused: list[RefusedPart] = msgspec.field(default_factory=list)
    """The parts among the rejected rows, also those of rows that are rejected elsewhere than here."""
    repairs: list[str] = msgspec.field(default_factory=list)
    """Names of the rules that were applied, one entry for each time."""


class ObjectName(msgspec.Struct, frozen=True, kw_only=True):
    """An object category of a source."""

    key: str
    """What `ObjectRecord.category` refers to; unique in the source."""
    source_category: str
    """The category as the source spells it."""
    name: str
    """The same in plain words, the source's syntax removed; not yet canonical ("trash can", "car (automobile)")."""
    parents: tuple[str, ...] = ()
    """Its ancestors in plain words, nearest first."""


class PartName(msgspec.Struct, frozen=True, kw_only=True):
    """A part category of a source, always that of one object category."""

    key: str
    """What `PartRecord.category` refers to; unique in the source."""
    object_key: str
    """`ObjectName.key` of the object category that has the part."""
    source_category: str
    """The category as the source spells it ("lfleg", "car_(automobile):antenna")."""
    name: str
    """The part in plain words, side, position and number removed where the source's code has them ("leg")."""
    full_name: str = ""
    """With side and position ("left front leg"), where it differs from `name`."""
    side: str | None = None
    """`left` or `right`, as the source sees it."""
    position: str | None = None
    """`front` or `back`."""
    ordinal: int | None = None
    """The number in the source's code ("wheel_2" → 2)."""


class Vocabulary(msgspec.Struct, frozen=True):
    """The categories that a source declares, whether or not an instance of them is annotated."""

    objects: tuple[ObjectName, ...]
    parts: tuple[PartName, ...]
    edges: tuple[tuple[str, str], ...] = ()
    """Further is-a pairs (child, parent) between object categories in plain words."""
    curated: bool = False
    """True where the declared pairs of object and part were chosen by the source's authors (evidence `curated`)."""
