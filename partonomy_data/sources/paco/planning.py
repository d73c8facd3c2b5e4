"""Looks at PACO's files once: finds them, checks them, and splits them by photograph."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from partonomy_data.errors import SourceError
from partonomy_data.sources import buckets, coco_json, files
from partonomy_data.sources.base import Plan, Shard, SourceFile, SourceRequest
from partonomy_data.sources.coco_json import Piece
from partonomy_data.sources.paco.schema import Context, Header, Image
from partonomy_data.sources.paco.vocabulary import vocabulary
from partonomy_data.sources.records import Rejected

_FILE = re.compile(r"paco_(?:lvis|ego4d)_v1_(train|val|test)(?:_dev)?\.json")
_EXPECTED = "A PACO folder holds annotations/paco_lvis_v1_{train,val,test}.json or paco_ego4d_v1_*.json"


def annotation_files(path: Path) -> list[Path]:
    """PACO's JSON files in a folder, its `annotations/`, or the one file named. Raises SourceError if there is none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SourceError("there is no such file or folder", where=str(path), mend=_EXPECTED)
    for folder in (path, path / "annotations"):
        found = sorted(p for p in folder.glob("*.json") if _FILE.fullmatch(p.name)) if folder.is_dir() else []
        if found:
            return found
    raise SourceError("no PACO annotation file is here", where=str(path), mend=_EXPECTED)


def images_root(request: SourceRequest) -> Path:
    """The folder that photographs are looked for in: where --images says, else the one that holds `annotations/`."""
    if request.images is not None:
        return request.images
    base = request.path.parent if request.path.is_file() else request.path
    return base.parent if base.name == "annotations" else base


def plan(request: SourceRequest, work: Path) -> Plan:
    """See `base.Reader.plan`."""
    paths = annotation_files(request.path)
    with ThreadPoolExecutor(max_workers=1) as aside:
        # The digests of the files take as long as the rest needs the interpreter.
        found = aside.submit(files.fingerprints, paths[0].parent, paths)
        return _plan(request, work, paths, found)


def _plan(request: SourceRequest, work: Path, paths: list[Path], found: Future[list[SourceFile]]) -> Plan:
    headers = {path: _load(path) for path in paths}
    rejected: list[Rejected] = []
    names: set[str] = set()
    kept = {
        path: coco_json.usable_images(header.images, Image, path.name, names, rejected)
        for path, header in headers.items()
    }
    ids = files.image_ids(request.name, names)
    chosen = buckets.choose(ids.values(), request.limit)
    count = buckets.shard_count(len(chosen))
    pieces: dict[int, list[dict[str, str]]] = {}
    sizes: Counter[int] = Counter()
    for path, header in headers.items():
        made, lost = _split(path, header, *kept[path], ids, chosen, count, work)
        rejected += lost
        context = _write_context(path, header, work)
        for number, piece in made.items():
            print_of = files.digest(piece.fingerprint, context.fingerprint)
            pieces.setdefault(number, []).append(
                {"piece": piece.path, "context": context.path, "fingerprint": print_of}
            )
            sizes[number] += piece.n_images
    root = images_root(request)
    shards = [_shard(request, root, number, count, pieces[number], sizes[number]) for number in sorted(pieces)]
    words = vocabulary(category for header in headers.values() for category in header.categories)
    whole = {part.object_key for part in words.parts}
    repairs = Counter("json_byte_order_mark" for path in paths if coco_json.begins_with_mark(path))
    repairs["category_without_parts"] = sum(name.key not in whole for name in words.objects)
    return Plan(request.name, words, found.result(), shards, root if root.is_dir() else None, rejected, dict(+repairs))


def _load(path: Path) -> Header:
    header = coco_json.load(path, Header)
    kinds = {category.supercategory for category in header.categories}
    if "OBJECT" not in kinds:
        raise SourceError(
            "this JSON is not PACO's: none of its categories has the supercategory OBJECT",
            where=str(path),
            mend=_EXPECTED,
        )
    ids = Counter(category.id for category in header.categories)
    if twice := sorted(number for number, times in ids.items() if times > 1):
        raise SourceError(f"two categories have the id {twice[0]}", where=str(path), mend="Fetch the file again")
    return header


def _split(
    path: Path,
    header: Header,
    usable: list[Image],
    unusable: set[int],
    ids: dict[str, str],
    chosen: set[str],
    count: int,
    work: Path,
) -> tuple[dict[int, Piece], list[Rejected]]:
    shard_of = {}
    for image in usable:
        image.image_id = ids[image.file_name]
        if image.image_id in chosen:
            shard_of[image.id] = buckets.shard_of(buckets.image_prefix(image.image_id), count)
    part_ids = {category.id for category in header.categories if category.supercategory != "OBJECT"}
    pieces, lost = coco_json.split(
        path.stem, usable, header.annotations, shard_of, work, lambda row: table_of(row, part_ids), unusable
    )
    return pieces, [msgspec.structs.replace(row, row_id=f"{path.name}{row.row_id}") for row in lost]


class _CategoryOnly(msgspec.Struct):
    category_id: int


def table_of(row: bytes, part_ids: Collection[int]) -> str:
    """The table that an annotation would have entered, from as much of it as can be read."""
    try:
        category = msgspec.json.decode(row, type=_CategoryOnly).category_id
    except msgspec.MsgspecError:
        return "parts"
    return "parts" if category in part_ids else "objects"


def _write_context(path: Path, header: Header, work: Path) -> Piece:
    context = Context(
        split=_split_name(path),
        categories=header.categories,
        attributes=header.attributes,
        attr_type_to_attr_idxs=header.attr_type_to_attr_idxs,
    )
    text = msgspec.json.encode(context)
    target = work / f"{path.stem}-context.json"
    target.write_bytes(text)
    return Piece(str(target), files.digest(text), 0)


def _split_name(path: Path) -> str:
    named = _FILE.fullmatch(path.name)
    return named.group(1) if named else ""


def _shard(
    request: SourceRequest, root: Path, number: int, count: int, pieces: list[dict[str, str]], n_images: int
) -> Shard:
    return Shard(
        source=request.name,
        number=number,
        of=count,
        fingerprint=files.digest("paco", *(piece["fingerprint"] for piece in pieces)),
        n_images=n_images,
        payload={"pieces": pieces, "images_root": str(root) if root.is_dir() else None},
    )
