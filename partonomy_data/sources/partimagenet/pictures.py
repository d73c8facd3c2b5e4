"""The rows of photographs, each with its id, its class and its files, or the rule that keeps it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

import msgspec

from partonomy_data.sources import coco_json, files
from partonomy_data.sources.partimagenet.coco import ImageRow
from partonomy_data.sources.partimagenet.names import wnid_of
from partonomy_data.sources.records import Rejected

_LARGEST_SIDE = 65_535


class Picture(msgspec.Struct, kw_only=True):
    """A photograph in one part set."""

    id: int
    """The image id in the JSON file; the place in the listing where there are label maps only."""
    file_name: str
    height: int = 0
    width: int = 0
    """Pixels; 0 where only a label map has them."""
    image_id: str = ""
    wnid: str = ""
    path: str | None = None
    """Where the photograph is, relative to the folder of images."""
    label_map: str | None = None
    whole_map: str | None = None
    """Label maps of the parts and of the whole object, relative to the source's folder."""
    content: list[str] = msgspec.field(default_factory=list)
    """SHA-256 of the label maps."""
    rule: str = ""
    reason: str = ""
    """Why the photograph can't be used; empty if it can."""

    @property
    def stem(self) -> str:
        """The file name without folder and extension, by which the photograph is known everywhere."""
        return PurePosixPath(self.file_name).stem


def from_rows(rows: Iterable[msgspec.Raw], file: str) -> tuple[list[Picture], list[Rejected], Counter[str]]:
    """The rows of `images` of a file with this name, the ones that have no usable id, and counts of repairs."""
    decoder = msgspec.json.Decoder(ImageRow)
    seen: dict[int, ImageRow] = {}
    rejected: list[Rejected] = []
    repairs: Counter[str] = Counter()
    for place, raw in enumerate(rows):
        text = bytes(raw).decode(errors="replace")
        try:
            row = decoder.decode(raw)
            if row.id not in coco_json.IDS:
                raise OverflowError(f"the id {row.id} doesn't fit in 64 bits")
        except coco_json.MALFORMED as error:
            row_id = f"{file}#image {place}"
            rejected.append(Rejected(table="images", row_id=row_id, rule="row_malformed", reason=str(error), row=text))
            continue
        if seen.setdefault(row.id, row) is row:
            continue
        if seen[row.id] == row:
            repairs["image_repeated"] += 1
            continue
        reason = f"image {row.id} is {seen[row.id].file_name} already"
        rejected.append(
            Rejected(table="images", row_id=f"{file}#{row.id}", rule="duplicate_image", reason=reason, row=text)
        )
    pictures = [Picture(id=r.id, file_name=r.file_name, height=r.height, width=r.width) for r in seen.values()]
    return pictures, rejected, repairs


def identify(source: str, pictures: Iterable[Picture], named: Collection[str]) -> None:
    """Gives each picture its wnid and image_id, or the rule that keeps it out; the first of a name keeps it.

    `named` are the wnids whose class has a name. The pictures come in the order of precedence.
    """
    seen: set[str] = set()
    for picture in pictures:
        picture.rule, picture.reason = _refusal(picture, named)
        if picture.rule:
            picture.image_id = f"{source}/{picture.file_name}"
            continue
        picture.wnid = wnid_of(picture.file_name) or ""
        picture.image_id = f"{source}/{picture.stem}"
        if picture.stem in seen:
            picture.rule = "same_photograph_twice"
            picture.reason = f"{picture.stem} was read from another split or release"
        seen.add(picture.stem)


def _refusal(picture: Picture, named: Collection[str]) -> tuple[str, str]:
    """The rule that a picture breaks by its name or size, and how; empty if none."""
    name, wnid = picture.file_name, wnid_of(picture.file_name)
    unsafe = files.unsafe_name(name)
    if unsafe:
        return "file_name_unsafe", f"the file name {name!r} can't be used: {unsafe}"
    if wnid is None:
        return "file_name_unparsable", f"{name!r} is not <wnid>_<number>.JPEG"
    if wnid not in named:
        return (
            "wnid_unknown",
            f"no name is known for {wnid}; put words.txt or LOC_synset_mapping.txt in the folder",
        )
    if not picture.label_map and not all(0 < side <= _LARGEST_SIDE for side in (picture.width, picture.height)):
        return "size_invalid", f"the size is {picture.width}x{picture.height}"
    return "", ""
