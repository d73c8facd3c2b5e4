"""Looks at a source once: its photographs, its labels, and the sightings, split by photograph into shards."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path

import msgspec

from partonomy_data.errors import SourceError
from partonomy_data.sources import buckets, files
from partonomy_data.sources.base import Plan, Shard, SourceRequest
from partonomy_data.sources.partonomy import photographs
from partonomy_data.sources.partonomy.assembly import ImageEntry, Settings
from partonomy_data.sources.partonomy.photographs import Gallery, gallery
from partonomy_data.sources.partonomy.sightings import Layout, Spools, Tally
from partonomy_data.sources.records import ObjectName, Rejected


def plan(request: SourceRequest, work: Path, layout: Layout) -> Plan:
    """See `base.Reader.plan`. Raises SourceError if the source holds no mask and names no photograph."""
    tally = Tally()
    concepts, curated = layout.concepts(tally)
    listed = gallery(_listed(layout.images_root, tally)) if layout.images_root else None
    here = listed or _imagined(layout)
    names = here.names if layout.keep_all or listed is None else _referenced(layout, here)
    ids = files.image_ids(request.name, names)
    chosen = buckets.choose(ids.values(), request.limit)
    wanted = {name: image_id for name, image_id in ids.items() if image_id in chosen}
    count = buckets.shard_count(len(wanted))
    shard_of = {name: buckets.shard_of(buckets.image_prefix(image_id), count) for name, image_id in wanted.items()}
    spools = Spools(work, count)
    rows = 0
    try:
        for sighting in layout.sightings(here, concepts, tally):
            rows += not sighting.refused
            if sighting.image in shard_of:
                spools.write(shard_of[sighting.image], sighting)
    finally:
        digests = spools.close()
    if not rows:
        first = tally.rejected[0].reason if tally.rejected else "none is there"
        raise SourceError(f"holds no usable mask ({first})", where=str(request.path), mend=layout.expected)
    vocabulary = concepts.vocabulary(curated=curated)
    for rule, n in (
        ("graph_pair_mismatch", concepts.mismatched),
        ("graph_label_malformed", concepts.malformed),
        ("display_name_collision", sum(kept_apart(name) for name in vocabulary.objects)),
        ("images_absent", len(names) if listed is None else 0),
    ):
        tally.repairs[rule] += n
    settings = Settings(layout.converted, layout.keep_all)
    entries: list[list[ImageEntry]] = [[] for _ in range(count)]
    for name, image_id in sorted(wanted.items(), key=lambda item: (buckets.image_prefix(item[1]), item[1])):
        entries[shard_of[name]].append(_entry(name, image_id, layout.images_root if listed else None))
    shards = [
        _shard(request.name, number, members, spools.paths[number], digests[number], settings, count)
        for number, members in enumerate(entries)
        if members
    ]
    return Plan(
        source=request.name,
        vocabulary=vocabulary,
        files=sorted(tally.files, key=lambda file: file.path),
        shards=shards,
        images_root=layout.images_root if listed else None,
        rejected=tally.rejected,
        repairs={rule: n for rule, n in sorted(tally.repairs.items()) if n},
    )


def kept_apart(name: ObjectName) -> bool:
    """Whether an object's name has its category in parentheses, put there to keep it apart from another's."""
    return name.name.endswith(")") and "(" not in name.source_category


def _listed(root: Path, tally: Tally) -> Iterator[str]:
    """The photographs below `root`; links that lead out are rejected, other files counted."""
    for entry in photographs.walk(root):
        if entry.trouble is not None:
            rule, reason = entry.trouble
            row = {"file_name": entry.name}
            tally.rejected.append(Rejected(table="images", row_id=entry.name, rule=rule, reason=reason, row=row))
        elif photographs.is_photograph(entry.name):
            yield entry.name
        else:
            tally.repairs["stray_file"] += 1


def _imagined(layout: Layout) -> Gallery:
    """The photographs that the rows name, where none are at hand: by the last folder and the file name."""
    names: set[str] = set()
    copies: list[tuple[str, str]] = []
    for image_path, _ in layout.image_paths():
        pieces = photographs.pieces_of(image_path)
        if isinstance(pieces, str):
            continue
        stem = photographs.copied_stem(pieces)
        if stem is None:
            names.add("/".join(pieces[-2:]))
        else:
            copies.append((stem, posixpath.splitext(pieces[-1])[1]))
    known = gallery(names)
    names.update(f"{stem}{extension}" for stem, extension in copies if known.original(stem) is None)
    return gallery(names)


def _referenced(layout: Layout, here: Gallery) -> frozenset[str]:
    """The photographs of the folder that the rows name; a folder of COCO's holds many more."""
    names = set()
    for image_path, label in layout.image_paths():
        try:
            names.add(photographs.locate(here, image_path, label).name)
        except photographs.Unusable:
            # The row is rejected, with this reason, where its masks are read.
            continue
    return frozenset(names)


def _entry(name: str, image_id: str, root: Path | None) -> ImageEntry:
    if root is None:
        return ImageEntry(name, image_id, None)
    try:
        seen = photographs.header(root / name)
    except photographs.Unusable as error:
        return ImageEntry(name, image_id, name, trouble=(error.rule, str(error)))
    repairs = ["extension_lies"] * seen.extension_lies + ["exif_transposed"] * seen.transposed
    return ImageEntry(name, image_id, name, seen.width, seen.height, seen.transposed, tuple(repairs))


def _shard(
    source: str,
    number: int,
    members: list[ImageEntry],
    spool: Path,
    digest: str,
    settings: Settings,
    count: int,
) -> Shard:
    images = msgspec.to_builtins(members)
    common = msgspec.to_builtins(settings)
    return Shard(
        source=source,
        number=number,
        of=count,
        fingerprint=files.digest("partonomy", msgspec.json.encode(members).decode(), repr(common), digest),
        n_images=len(members),
        payload={"spool": str(spool), "images": images, "settings": common},
    )
