"""PARTONOMY: photographs of objects with masks of their parts, in three layouts of the same data.

    folders       graph.yaml, images/<category--object>/*, masks/<category--object[--part:name]>/**/*.json
    descriptors   descriptor.json, raw or cleaned; sets converted from COCO too
    portable      images/<file> and <stem>_portable.json

The source links no part to an object; a photograph without a mask of the whole stands for one object of its label.
Format: AnselBlume/partonomy, src/data/.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from partonomy_data.errors import SourceError
from partonomy_data.sources.base import Plan, Shard, SourceRequest
from partonomy_data.sources.partonomy import assembly, descriptor, folders, planning, portable
from partonomy_data.sources.partonomy.descriptor import Descriptors
from partonomy_data.sources.partonomy.rules import RULES
from partonomy_data.sources.partonomy.sightings import Layout
from partonomy_data.sources.records import Photograph, Rejected

_EXPECTED = (
    "A PARTONOMY source is a folder with graph.yaml, images/ and masks/, a descriptor.json, "
    "or images/ with *_portable.json"
)


class PartonomyReader:
    """The reader called `partonomy`; see `sources.base.Reader`."""

    name = "partonomy"
    rules = RULES

    def plan(self, request: SourceRequest, work: Path) -> Plan:
        """Detects the layout, looks at all files, and splits the masks by photograph."""
        return planning.plan(request, work, layout(request))

    def read(self, shard: Shard) -> Iterator[Photograph | Rejected]:
        """The photographs of one shard, in the order of their prefix and image_id."""
        return assembly.read(shard)


def layout(request: SourceRequest) -> Layout:
    """The layout that lies at `request.path`. Raises SourceError, saying what is expected, if it is none."""
    path, images = request.path, request.images
    if images is not None and not images.is_dir():
        raise SourceError("the folder of photographs is missing", where=str(images), mend="Check --images")
    if path.is_file():
        return _of_file(path, images)
    if not path.is_dir():
        raise SourceError("there is no such file or folder", where=str(path), mend=_EXPECTED)
    for base in (path, path / "partonomy"):
        masks = folders.masks_folder(base)
        if masks is not None:
            return folders.Folders(path, base, masks, images or _images_beside(base))
    flat = portable.files_of(path)
    if flat:
        return portable.layout(flat, images)
    written = _json_files(path, "*descriptor*.json") or _json_files(path, "*qa_pairs*.json")
    if written:
        return _of_descriptors(written, images)
    return _refused(path)


def _images_beside(base: Path) -> Path | None:
    return base / "images" if (base / "images").is_dir() else None


def _json_files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if path.is_file() and not path.name.startswith("."))


def _of_file(path: Path, images: Path | None) -> Layout:
    if path.suffix.lower() != ".json":
        raise SourceError("is not a JSON file", where=str(path), mend=_EXPECTED)
    if path.name.endswith(portable.SUFFIX):
        return portable.layout([path], images)
    return Descriptors(path.parent, [descriptor.load(path)], images or _images_beside(path.parent))


def _of_descriptors(paths: list[Path], images: Path | None) -> Layout:
    chosen = descriptor.best(paths)
    contents = [descriptor.load(path) for path in chosen]
    if len(chosen) > 1 and not contents[0].questions:
        names = ", ".join(path.name for path in chosen)
        raise SourceError(f"holds several descriptors ({names})", where=str(paths[0].parent), mend="Give one of them")
    base = paths[0].parent
    return Descriptors(base, contents, images or _images_beside(base), left_out=len(paths) - len(chosen))


def _refused(path: Path) -> Layout:
    """Says what a folder is that is none of the layouts; one of its JSON files may be told by its content."""
    for candidate in (*_json_files(path, "*.json"), *_json_files(path, "annotations/*.json")):
        # A descriptor of another name is one all the same; anything else is refused by its own name.
        return _of_file(candidate, None)
    what = "holds neither masks nor a descriptor" if any(path.iterdir()) else "is an empty folder"
    raise SourceError(what, where=str(path), mend=_EXPECTED)
