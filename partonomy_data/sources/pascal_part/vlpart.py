"""VLPart's layout: train.json and val.json in COCO's shape, parts only, made from the `.mat` files.

    categories    93 rows, `object:part` ("bus:license plate"); ids from 1, others in train_base.json
    images        id 2008000003 for 2008_000003.jpg
    annotations   a part each, as a run-length mask; nothing says which object it belongs to

Which parts share an object can't be known, so all of a class in a photograph hang on one object that is marked merged.
Format: facebookresearch/VLPart, tools/pascal_part_mat2json.py.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from partonomy_data.errors import SourceError
from partonomy_data.sources import buckets, coco_json, files, refused
from partonomy_data.sources.base import Plan, Shard, SourceRequest
from partonomy_data.sources.coco_json import Piece
from partonomy_data.sources.pascal_part import codes, merged, photographs
from partonomy_data.sources.pascal_part.photographs import Photographs
from partonomy_data.sources.pascal_part.vlpart_schema import Annotation, Category, Header, Image, part_name
from partonomy_data.sources.records import ObjectName, PartName, Photograph, Rejected, Vocabulary

LAYOUT = "vlpart"
_FILE = re.compile(r"(train|val|test)(?:_base|_one)?\.json")
_EXPECTED = "VLPart's files have categories such as 'bus:license plate'"
_N_CATEGORIES = 93


def annotation_files(path: Path) -> list[Path]:
    """The JSON files of a folder, one for each split, the full one before its cut-down variants; or the file named."""
    if path.is_file():
        return [path] if path.suffix == ".json" else []
    found: dict[str, Path] = {}
    for folder in (path, path / "annotations"):
        names = sorted((name for name in photographs.listing(folder) if _FILE.fullmatch(name)), key=len)
        for name in names:
            found.setdefault(name.split(".")[0].split("_")[0], folder / name)
        if found:
            break
    return [found[split] for split in ("train", "val", "test") if split in found]


def plan(request: SourceRequest, work: Path) -> Plan:
    """Checks the files, and splits them by photograph into `work`. Raises SourceError if one isn't VLPart's."""
    paths = annotation_files(request.path)
    headers = {path: _load(path) for path in paths}
    rejected: list[Rejected] = []
    seen: set[str] = set()
    kept = {
        path: coco_json.usable_images(header.images, Image, path.name, seen, rejected)
        for path, header in headers.items()
    }
    ids = files.image_ids(request.name, seen)
    chosen = buckets.choose(ids.values(), request.limit)
    root = request.path.parent if request.path.is_file() else request.path
    stems = {PurePosixPath(name).stem for name in seen if ids[name] in chosen}
    found = photographs.find(request, stems, (root, root.parent) if root.name == "annotations" else (root,))
    photographs.require(request, found.root)
    count = buckets.shard_count(len(chosen))
    pieces: dict[int, list[dict[str, str]]] = defaultdict(list)
    sizes: Counter[int] = Counter()
    for path, header in headers.items():
        usable, unusable = kept[path]
        shard_of = _place(path, usable, ids, chosen, count, found)
        made, lost = coco_json.split(path.stem, usable, header.annotations, shard_of, work, unusable=unusable)
        rejected += [msgspec.structs.replace(row, row_id=f"{path.name}{row.row_id}") for row in lost]
        context = _write_categories(path, header, work)
        for number, piece in made.items():
            fingerprint = files.digest(piece.fingerprint, context.fingerprint)
            pieces[number].append({"piece": piece.path, "categories": context.path, "fingerprint": fingerprint})
            sizes[number] += piece.n_images
    return Plan(
        source=request.name,
        vocabulary=_vocabulary(headers.values()),
        files=[*files.fingerprints(root, paths), *found.lists],
        shards=[_shard(request.name, number, count, pieces[number], sizes[number]) for number in sorted(pieces)],
        images_root=found.root,
        rejected=rejected,
        repairs=_repairs(headers) | ({"link_out_of_folder": found.outside} if found.outside else {}),
    )


def _load(path: Path) -> Header:
    header = coco_json.load(path, Header)
    names = [category.name for category in header.categories]
    if bytes(header.part_categories) or any(c.supercategory == "OBJECT" for c in header.categories):
        raise SourceError("is PACO's, not Pascal-Part's", where=str(path), mend=f"Give it as paco=…. {_EXPECTED}")
    if not any(part_name(category) for category in header.categories):
        told = f"its categories are {', '.join(map(repr, names[:3]))} …" if names else "it has no categories"
        raise SourceError(f"is not VLPart's Pascal-Part: {told}", where=str(path), mend=_EXPECTED)
    ids = Counter(category.id for category in header.categories)
    if twice := sorted(number for number, times in ids.items() if times > 1):
        raise SourceError(f"two categories have the id {twice[0]}", where=str(path), mend="Fetch the file again")
    return header


def _place(
    path: Path, images: list[Image], ids: Mapping[str, str], chosen: Collection[str], count: int, found: Photographs
) -> dict[int, int]:
    """Image id → shard for the images that are chosen, each told its id, split and place."""
    named = _FILE.fullmatch(path.name)
    shard_of = {}
    for image in images:
        if ids[image.file_name] not in chosen:
            continue
        place = found.place(ids[image.file_name], PurePosixPath(image.file_name).stem, path.name)
        image.image_id, image.path = place.image_id, place.path
        image.split = named[1] if named else place.split
        shard_of[image.id] = buckets.shard_of(buckets.image_prefix(image.image_id), count)
    return shard_of


def _write_categories(path: Path, header: Header, work: Path) -> Piece:
    """Writes the categories where each shard finds them."""
    text = msgspec.json.encode(header.categories)
    target = work / f"{path.stem}-categories.json"
    target.write_bytes(text)
    return Piece(str(target), files.digest(text), 0)


def _shard(source: str, number: int, count: int, pieces: list[dict[str, str]], n_images: int) -> Shard:
    return Shard(
        source=source,
        number=number,
        of=count,
        fingerprint=files.digest(source, LAYOUT, *(piece["fingerprint"] for piece in pieces)),
        n_images=n_images,
        payload={"layout": LAYOUT, "pieces": pieces},
    )


def _vocabulary(headers: Iterable[Header]) -> Vocabulary:
    parts: dict[str, PartName] = {}
    objects: dict[str, ObjectName] = {}
    for header in headers:
        for category in header.categories:
            if part := part_name(category):
                parts.setdefault(part.key, part)
                spelled = category.name.partition(":")[0].strip()
                objects.setdefault(part.object_key, codes.object_name(part.object_key, spelled))
    order = sorted(objects, key=codes.CLASSES.index)
    return Vocabulary(objects=tuple(objects[key] for key in order), parts=tuple(parts.values()))


def _repairs(headers: Mapping[Path, Header]) -> dict[str, int]:
    """How often the rules about a file as a whole were applied."""
    rows = [category for header in headers.values() for category in header.categories]
    counts = Counter(json_byte_order_mark=sum(coco_json.begins_with_mark(path) for path in headers))
    counts["abbreviation_key"] = sum(category.abbr is not None for category in rows)
    counts["categories_renumbered"] = sum(len(header.categories) != _N_CATEGORIES for header in headers.values())
    return dict(+counts)


def read(shard: Shard) -> Iterator[Photograph | Rejected]:
    """The photographs of one shard, in the order of their ids' keys."""
    found: list[Photograph] = []
    for piece in shard.payload["pieces"]:
        categories = msgspec.json.decode(Path(piece["categories"]).read_bytes(), type=list[Category])
        images, annotations, rejected = coco_json.read_piece(piece["piece"], Image, Annotation)
        lost = refused.by_image(rejected)
        name = Path(piece["piece"]).stem
        yield from (msgspec.structs.replace(row, row_id=f"{name}{row.row_id}") for row in rejected)
        found += merged.photographs(images, annotations, categories, lost)
    yield from sorted(found, key=lambda photograph: (buckets.image_prefix(photograph.image_id), photograph.image_id))
