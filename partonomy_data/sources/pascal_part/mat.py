"""The original layout: Annotations_Part/<photograph>.mat, objects with their parts nested in them.

Annotations_Part/2008_000003.mat        anno.objects(i).parts(j).mask
JPEGImages/2008_000003.jpg              VOC2010's photographs, not in Pascal-Part's archive
ImageSets/Main/{train,val}.txt          VOC2010's splits, likewise
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from partonomy_data.errors import SourceError
from partonomy_data.sources import buckets, files
from partonomy_data.sources.base import Plan, Shard, SourceRequest
from partonomy_data.sources.pascal_part import annotation, codes, instances, photographs
from partonomy_data.sources.pascal_part.matlab import MatFileError
from partonomy_data.sources.pascal_part.photographs import MACOS_PREFIX, Place
from partonomy_data.sources.records import Photograph, Rejected

LAYOUT = "mat"
FOLDER = "Annotations_Part"
_FOLDERS = (FOLDER, f"trainval/{FOLDER}", f"VOCdevkit/VOC2010/{FOLDER}", f"VOC2010/{FOLDER}")


def folder_of(path: Path) -> Path | None:
    """The folder with the `.mat` files in a source's folder (or that folder itself, or one file's), or None."""
    if path.is_file():
        return path.parent if path.suffix == ".mat" else None
    candidates = [path / name for name in _FOLDERS] + [path]
    return next((folder for folder in candidates if _annotations(folder)[0]), None)


def _annotations(folder: Path) -> tuple[list[str], int]:
    """The names of the `.mat` files of a folder, sorted, and how many of macOS's copies were passed over."""
    names = [name for name in photographs.listing(folder) if name.endswith(".mat")]
    kept = [name for name in names if not name.startswith(MACOS_PREFIX)]
    return kept, len(names) - len(kept)


def plan(request: SourceRequest) -> Plan:
    """Lists the files, fingerprints them, and finds the photographs. Raises SourceError if none is Pascal-Part's."""
    folder = folder_of(request.path)
    if folder is None:
        raise SourceError("there is no .mat file", where=str(request.path))
    listed, n_macos = ([request.path.name], 0) if request.path.is_file() else _annotations(folder)
    root = folder if request.path.is_file() else request.path
    rejected: list[Rejected] = []
    names = photographs.admitted(root, folder.relative_to(root).as_posix(), listed, "images", rejected)
    if not names:
        what = f"no .mat file can be used; of {rejected[0].row_id}: {rejected[0].reason}"
        raise SourceError(what, where=str(folder), mend="Give the files' own folder, and names that are UTF-8")
    ids = files.image_ids(request.name, names)
    chosen = buckets.choose(ids.values(), request.limit)
    names = [name for name in names if ids[name] in chosen]
    _refuse_unless_one_is_readable(folder, names)
    hashed = files.fingerprints(root, [folder / name for name in names])
    beside = dict.fromkeys([request.path, folder.parent, folder] if request.path.is_dir() else [folder.parent, folder])
    found = photographs.find(request, {Path(name).stem for name in names}, tuple(beside))
    photographs.require(request, found.root)
    places = [found.place(ids[name], Path(name).stem, name) for name in names]
    return Plan(
        source=request.name,
        vocabulary=codes.vocabulary(),
        files=[*hashed, *found.lists],
        shards=photographs.shards(
            request.name,
            {"layout": LAYOUT, "folder": str(folder)},
            found.root,
            [(place, file.sha256) for place, file in zip(places, hashed, strict=True)],
        ),
        images_root=found.root,
        rejected=rejected,
        repairs=dict(+Counter(macos_file=n_macos, link_out_of_folder=found.outside)),
    )


def _refuse_unless_one_is_readable(folder: Path, names: list[str]) -> None:
    """One bad file among good ones is a row for quarantine; if there is no good one, this is another dataset."""
    first: MatFileError | None = None
    for name in names:
        try:
            annotation.read(folder / name)
        except MatFileError as error:
            first = first or error
        else:
            return
    if first is not None:
        what = f"none of the {len(names):,} .mat files is an annotation of Pascal-Part; of {names[0]}: {first.reason}"
        raise SourceError(what, where=str(folder), mend="Give the folder that holds Annotations_Part/2008_000003.mat")


def read(shard: Shard) -> Iterator[Photograph | Rejected]:
    """The photographs of one shard, in the order of their ids' keys."""
    folder, root = Path(shard.payload["folder"]), shard.payload["images_root"]
    for fields in shard.payload["places"]:
        place = Place(*fields)
        said = None
        try:
            said = annotation.read(folder / place.annotation)
            yield instances.photograph(said, place, None if root is None else Path(root))
        except MatFileError as error:
            reason = f"{place.annotation}: {error.reason}"
            yield Rejected(table="images", row_id=place.annotation, rule=error.rule, reason=reason)
            if said is not None:
                yield from instances.rejected_rows(said, place, error.rule)
