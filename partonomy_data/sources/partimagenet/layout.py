"""Where the parts of PartImageNet lie in a folder: both releases, in the layouts that are in use.

    OOD    train.json val.json test.json                            in the folder, or in annotations/
    Seg    annotations/train/train.json, annotations/train/*.png    and the same for val and test;
           annotations/train_whole/*.png (or train.json)            the whole objects

Each split of each release is one `PartSet`. Files derived from these (`train_format.json`,
`partimagenet_train_joint.json`, …) are not looked for; one that is named itself is read.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from partonomy_data.errors import SourceError
from partonomy_data.sources import files

SPLITS = ("train", "val", "test")

_EXPECTED = "train.json, val.json or test.json (OOD release), or annotations/train/… (Seg release)"
_MEND = f"Name the folder of PartImageNet that holds {_EXPECTED}"


@dataclass(frozen=True, slots=True)
class PartSet:
    """One split of one release."""

    release: str
    """`ood` or `seg`; `file` for a JSON file that was named itself."""
    split: str
    json: Path | None = None
    """COCO JSON of the parts."""
    maps: dict[str, Path] | None = None
    """Label maps of the parts by file name without extension; None where there is a JSON file of the parts."""
    whole_json: Path | None = None
    whole_maps: dict[str, Path] | None = None
    """Label maps of the whole objects by file name without extension."""


def find(path: Path) -> list[PartSet]:
    """The splits in a folder, or in one JSON file: OOD before Seg, and train, val, test within each.

    A folder that holds the unpacked releases (`PartImageNet_OOD`, `PartImageNet_Seg`) will do as well. Raises
    SourceError if nothing of PartImageNet is there, with what it looks like instead.
    """
    if path.is_file():
        if path.suffix.lower() != ".json":
            raise SourceError("is not a COCO JSON file", where=str(path), mend=_MEND)
        named = re.search(r"(?<![a-z])(train|val|test)(?![a-z])", path.stem.lower())
        return [PartSet("file", named.group(1) if named else "", json=path)]
    if not path.is_dir():
        raise SourceError("does not exist", where=str(path), mend=_MEND)
    roots = [
        path,
        *(path / name for name in sorted(os.listdir(path)) if name.lower().startswith("partimagenet")),
    ]
    for root in roots:
        if files.shown(root.name) != root.name and (_ood(root) or _seg(root)):
            raise SourceError("its name is not UTF-8", where=files.shown(str(root)), mend="Rename the folder")
    ood = [found for root in roots for found in _ood(root)]
    seg = [found for root in roots for found in _seg(root)]
    if not ood and not seg:
        raise SourceError(f"holds no annotations of PartImageNet: {_looks_like(path)}", where=str(path), mend=_MEND)
    return [found for release in (ood, seg) for found in sorted(release, key=lambda one: SPLITS.index(one.split))]


def home(folder: Path) -> Path:
    """The folder that holds both the annotations in `folder` and, usually, the photographs."""
    base = folder.parent if folder.name.removesuffix("_whole") in SPLITS else folder
    if base.name != "annotations":
        return folder
    return base.parent


def _ood(root: Path) -> list[PartSet]:
    places = [(split, folder / f"{split}.json") for folder in (root, root / "annotations") for split in SPLITS]
    return [PartSet("ood", split, json=file) for split, file in places if file.is_file()]


def _seg(root: Path) -> list[PartSet]:
    found = []
    for split in SPLITS:
        folder, whole = root / "annotations" / split, root / "annotations" / f"{split}_whole"
        json = _file(folder / f"{split}.json")
        maps = None if json else label_maps(folder)
        whole_maps = label_maps(whole)
        whole_json = None if whole_maps else _file(whole / f"{split}.json") or _file(whole / f"{split}_whole.json")
        if json or maps:
            found.append(PartSet("seg", split, json, maps or None, whole_json, whole_maps or None))
    return found


def _file(path: Path) -> Path | None:
    return path if path.is_file() else None


def label_maps(folder: Path) -> dict[str, Path]:
    """The PNG files in a folder by name without extension, sorted; empty if there is no such folder."""
    if not folder.is_dir():
        return {}
    return {name[:-4]: folder / name for name in _names(folder) if name.lower().endswith(".png")}


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise SourceError(f"can't be listed ({error.strerror})", where=str(folder)) from error


def _looks_like(folder: Path) -> str:
    names = _names(folder)
    inner = _names(folder / "annotations") if (folder / "annotations").is_dir() else []
    if not names:
        return "it is empty"
    known = (
        (r"paco_.*\.json", "PACO"),
        (r"instances_.*\.json", "COCO"),
        (r"lvis_.*\.json", "LVIS"),
        (r".*\.mat|Annotations_Part", "Pascal-Part"),
        (r"graph\.yaml|.*descriptor\.json", "PARTONOMY"),
    )
    for pattern, dataset in known:
        if any(re.fullmatch(pattern, name) for name in (*names, *inner)):
            return f"it looks like {dataset}"
    return f"it holds {', '.join(map(files.shown, names[:4]))}{', …' if len(names) > 4 else ''}"


def looks_like(categories: list[tuple[str, str]]) -> str:
    """What dataset a JSON file's categories (name, super-category) are of, when they aren't PartImageNet's."""
    names, owners = [name for name, _ in categories], {owner for _, owner in categories}
    if not categories:
        return "it has no categories"
    if owners & {"OBJECT", "PART"}:
        return "they look like PACO's"
    if "person" in names and owners & {"person", "vehicle", "animal"}:
        return "they look like COCO's"
    if any(":" in name for name in names):
        return "they look like those of Pascal-Part in COCO form"
    return f"they begin with {', '.join(map(repr, names[:3]))}"
