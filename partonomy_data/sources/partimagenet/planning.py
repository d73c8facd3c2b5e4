"""Looks at PartImageNet once: opens each split, names its photographs and classes, and cuts it into shards."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from partonomy_data.errors import SourceError
from partonomy_data.sources import buckets, coco_json, files
from partonomy_data.sources.base import Plan, Shard, SourceFile, SourceRequest
from partonomy_data.sources.partimagenet import layout, names, photographs, pictures, votes
from partonomy_data.sources.partimagenet.opening import Findings, OpenSet, open_set, without_parts
from partonomy_data.sources.partimagenet.payload import Payload, SetPiece
from partonomy_data.sources.partimagenet.pictures import Picture
from partonomy_data.sources.partimagenet.vocabulary import vocabulary
from partonomy_data.sources.records import Rejected


def plan(request: SourceRequest, work: Path) -> Plan:
    """See `base.Reader.plan`."""
    root = request.path.parent if request.path.is_file() else request.path
    found = Findings()
    opened = [open_set(root, number, one, found) for number, one in enumerate(layout.find(request.path))]
    everything = [picture for one in opened for picture in one.pictures]
    if not everything:
        raise SourceError("has no photographs", where=str(request.path), mend="Fetch the annotations again")
    mapping = names.mapping_file(root)
    wnids = {wnid for picture in everything if (wnid := names.wnid_of(picture.file_name))}
    named = names.class_names(wnids, names.read_mapping(mapping) if mapping else None)
    pictures.identify(request.name, everything, named)
    usable = [picture for picture in everything if not picture.rule]
    chosen = buckets.choose((picture.image_id for picture in usable), request.limit)
    images_root = _place_photographs(request.images or layout.home(root), opened, chosen, found)
    supercategories, looked_at = _supercategories(root, opened)
    hashed = _hash_maps(root, everything, chosen, looked_at)
    shards = _shards(request, root, opened, chosen, supercategories, work, found)
    own = [*(path for one in opened for path in one.read), *([mapping] if mapping else [])]
    found.repairs["json_byte_order_mark"] = sum(
        coco_json.begins_with_mark(path) for path in own if path.suffix == ".json"
    )
    words = vocabulary(
        {wnid: named[wnid] for wnid in {picture.wnid for picture in usable}},
        supercategories,
        ((c.name, c.supercategory, c.part) for one in opened for c in one.context.categories.values()),
    )
    return Plan(
        source=request.name,
        vocabulary=words,
        files=[*files.fingerprints(root, own), *hashed],
        shards=shards,
        images_root=images_root,
        rejected=found.rejected,
        repairs=dict(+found.repairs),
    )


def _place_photographs(
    images: Path, opened: Iterable[OpenSet], chosen: Collection[str], found: Findings
) -> Path | None:
    """Gives each chosen picture the path of its photograph; the folder that paths are relative to, if there are any."""
    if not images.is_dir():
        return None
    wanted = [(one.context.split, p) for one in opened for p in one.pictures if not p.rule and p.image_id in chosen]
    listed = photographs.index(images, [picture.stem for _, picture in wanted])
    for split, picture in wanted:
        picture.path = listed.find(picture.stem, split)
    found.repairs["link_out_of_folder"] += listed.outside
    return images if listed.paths else None


def _supercategories(root: Path, opened: Iterable[OpenSet]) -> tuple[dict[str, str], set[Path]]:
    """Wnid → super-category, and the label maps that were looked at for it."""
    total: Counter[tuple[str, str]] = Counter()
    maps: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    for one in opened:
        usable = [picture for picture in one.pictures if not picture.rule]
        owners = {key: c.supercategory for key, c in one.context.categories.items() if c.part}
        total += votes.of_annotations(one.annotations, {p.id: p.wnid for p in usable}, owners)
        for picture in usable:
            if picture.label_map is not None:
                maps[picture.wnid].append((picture.image_id, root / picture.label_map))
    of_maps, looked_at = votes.of_maps(maps)
    return votes.decide(total + of_maps), looked_at


def _hash_maps(
    root: Path, everything: Iterable[Picture], chosen: Collection[str], looked_at: Collection[Path]
) -> list[SourceFile]:
    """Fingerprints of the label maps that are read; each picture gets those of its own."""
    of_picture = [
        (picture, [name for name in (picture.label_map, picture.whole_map) if name is not None])
        for picture in everything
        if not picture.rule and picture.image_id in chosen
    ]
    paths = sorted({root / name for _, own in of_picture for name in own} | set(looked_at))
    hashed = files.fingerprints(root, paths)
    digests = {file.path: file.sha256 for file in hashed}
    for picture, own in of_picture:
        picture.content = [digests[name] for name in own]
    return hashed


def _shards(
    request: SourceRequest,
    root: Path,
    opened: Iterable[OpenSet],
    chosen: Collection[str],
    supercategories: Mapping[str, str],
    work: Path,
    found: Findings,
) -> list[Shard]:
    count = buckets.shard_count(len(chosen))
    pieces: dict[int, list[SetPiece]] = defaultdict(list)
    digests: dict[int, list[str]] = defaultdict(list)
    sizes: Counter[int] = Counter()
    classes: dict[int, set[str]] = defaultdict(set)
    for one in opened:
        shard_of = {
            p.id: buckets.shard_of(buckets.image_prefix(p.image_id), count)
            for p in one.pictures
            if p.image_id in chosen or p.rule not in ("", "same_photograph_twice")
        }
        for picture in one.pictures:
            if picture.id in shard_of and not picture.rule:
                sizes[shard_of[picture.id]] += 1
                classes[shard_of[picture.id]].add(picture.wnid)
        for number, (piece, fingerprint) in _split(one, shard_of, work, found).items():
            pieces[number].append(piece)
            digests[number].append(fingerprint)
    shards = []
    for number in sorted(pieces):
        owners = {wnid: supercategories[wnid] for wnid in sorted(classes[number]) if wnid in supercategories}
        fingerprint = files.digest(request.name, *digests[number], *owners.items())
        payload = msgspec.to_builtins(Payload(str(root), pieces[number], owners), str_keys=True)
        shards.append(Shard(request.name, number, count, fingerprint, sizes[number], payload))
    return shards


def _split(one: OpenSet, shard_of: Mapping[int, int], work: Path, found: Findings) -> dict[int, tuple[SetPiece, str]]:
    """The pieces of a part set by shard, each with a digest of all that it says."""
    made, rejected = coco_json.split(one.name, one.pictures, one.annotations, shard_of, work)
    found.rejected += [_located(row, one.context.file) for row in rejected]
    whole = _split_whole(one, shard_of, work, found)
    context = msgspec.json.encode(msgspec.to_builtins(one.context, str_keys=True), order="sorted")
    pieces = {}
    for number, piece in made.items():
        beside = whole.get(number)
        fingerprint = files.digest(context.decode(), piece.fingerprint, beside.fingerprint if beside else "")
        pieces[number] = SetPiece(one.context, piece.path, beside.path if beside else None), fingerprint
    return pieces


def _located(row: Rejected, file: str) -> Rejected:
    return msgspec.structs.replace(row, row_id=f"{file}{row.row_id}")


def _split_whole(one: OpenSet, shard_of: Mapping[int, int], work: Path, found: Findings) -> dict[int, coco_json.Piece]:
    """Splits the file of whole objects as the parts are; those of photographs without parts are rejected."""
    if not one.whole_annotations:
        return {}
    of_stem = {picture.stem: picture for picture in one.pictures if not picture.rule}
    alone = {picture.id for picture in one.whole_pictures if picture.stem not in of_stem}
    shards = {
        picture.id: shard_of[of_stem[picture.stem].id]
        for picture in one.whole_pictures
        if picture.id not in alone and of_stem[picture.stem].id in shard_of
    }
    pieces, rejected = coco_json.split(
        f"{one.name}-whole",
        one.whole_pictures,
        one.whole_annotations,
        shards,
        work,
        lambda _: "objects",
        alone,
    )
    file = f"{one.context.file} (whole)"
    for row in rejected:
        if row.rule == "image_quarantined":
            found.rejected.append(without_parts(f"{file}{row.row_id}", row.reason, row.row))
        else:
            found.rejected.append(_located(row, file))
    return pieces
