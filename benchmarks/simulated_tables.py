"""The rows of one shard of a simulated store, from the photographs that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks import simulated_chance as chance
from benchmarks import simulated_visibility as visibility
from benchmarks.simulated_design import Design
from benchmarks.simulated_visibility import Objects, Pairs, Seen
from partonomy_data.ids import object_id, part_id
from partonomy_data.sources.buckets import image_prefix
from schemas.tables import schema

Ints = NDArray[np.int64]

COLUMNS: Final = {
    "images": ("image_id", "source", "source_split", "width", "height", "sha256", "phash", "photograph"),
    "objects": ("object_id", "image_id", "source", "object_category", "bbox", "area", "merged", "repairs"),
    "parts": ("part_id", "object_id", "part_category", "area"),
    "part_evidence": ("object_id", "part_category", "status", "why"),
}
TRUTH: Final = pa.schema(
    [("object_id", pa.string()), ("part_category", pa.string()), ("visible", pa.bool_()), ("pixels", pa.int64())]
)
_STATUS: Final = (("unknown", "unannotated"), ("absent", "exhaustive_label"), ("present", "annotated"),
                  ("absent", "negative_label"))  # fmt: skip
#: Photographs that another one of nearly the same look comes before.
_NEAR_DUPLICATES: Final = 0.003
#: Objects of one photograph, at most.
MOST_OBJECTS: Final = 20


@dataclass(frozen=True, slots=True)
class Simulation:
    """What the rows of all shards are drawn from."""

    design: Design
    pairs: Pairs
    seed: int
    cumulative: NDArray[np.float64]
    counts: Ints
    """Objects of each photograph."""

    def categories(self, photographs: Ints) -> Ints:
        """The category of the first object in each."""
        if self.design.in_turn:
            return np.asarray(photographs % len(self.pairs.keys))
        return self._drawn("category", photographs)

    def _drawn(self, purpose: str, *items: Ints) -> Ints:
        found = np.searchsorted(self.cumulative, chance.uniform(self.seed, purpose, *items), side="right")
        return np.asarray(found).clip(0, len(self.pairs.keys) - 1)

    def further(self, photographs: Ints, slots: Ints, first: Ints) -> Ints:
        """The category of the object at each of `slots`; slot 0 has the first one."""
        same = chance.uniform(self.seed, "same", photographs, slots) < self.design.same_again
        return np.where((slots == 0) | same, first, self._drawn("further", photographs, slots))

    def image_ids(self, photographs: Ints) -> list[str]:
        """Their ids; a name tells the category in sources that sort their photographs by it."""
        if self.design.collection == "coco":
            return [f"{self.design.source}/{place:012d}" for place in photographs.tolist()]
        own = [self.pairs.keys[place] for place in self.categories(photographs).tolist()]
        sign = "_" if self.design.collection else "-"
        return [
            f"{self.design.source}/{key}{sign}{place}" for key, place in zip(own, photographs.tolist(), strict=True)
        ]


def tables(store: Simulation, photographs: Ints) -> dict[str, pa.Table]:
    """The rows of one shard: four tables, and `truth`."""
    design, seed = store.design, store.seed
    sizes = visibility.image_sizes(seed, photographs.astype(np.uint64))
    image_ids = store.image_ids(photographs)
    image = np.repeat(np.arange(len(photographs)), store.counts[photographs])
    slot = np.arange(len(image)) - np.repeat(
        np.cumsum(store.counts[photographs]) - store.counts[photographs], store.counts[photographs]
    )
    of_image = photographs[image]
    item = (of_image * (MOST_OBJECTS + 1) + slot).astype(np.uint64)
    category = store.further(of_image, slot, store.categories(of_image))
    things = visibility.objects(seed, item, sizes[image], -2.5 if design.further_objects < 1 else -5.0)
    seen = visibility.seen(seed, things, category, store.pairs)
    status = _known(store, things, seen)
    prefixes = [image_prefix(one) for one in image_ids]
    ids = np.array(
        [object_id(image_ids[i], str(s), prefixes[i]) for i, s in zip(image.tolist(), slot.tolist(), strict=True)],
        object,
    )
    kept = np.ones(len(ids), bool)
    if design.union_of_parts:
        kept = np.bincount(seen.owner[status == 2], minlength=len(ids)) > 0
    rank = np.empty(len(ids), np.int64)
    rank[np.argsort(ids)] = np.arange(len(ids))
    order = np.lexsort((store.pairs.code[seen.pair], rank[seen.owner]))
    order = order[kept[seen.owner[order]]]
    rows = Seen(seen.owner[order], seen.pair[order], seen.pixels[order])
    keyed = _Keyed(image_ids, prefixes, image, slot, ids)
    chosen = np.argsort(ids)[kept[np.argsort(ids)]]
    return {
        "images": _images(store, photographs, image_ids, sizes),
        "objects": _objects(store, keyed, chosen, category, things),
        "parts": _parts(store, keyed, things, rows, status[order]),
        "part_evidence": _evidence(store, keyed, rows, status[order]),
        "truth": pa.table(
            {**_owned(store, keyed, rows), "visible": rows.pixels > 0, "pixels": rows.pixels}, schema=TRUTH
        ),
    }


@dataclass(frozen=True, slots=True)
class _Keyed:
    """The ids of a shard's photographs and objects, and which object is in which photograph."""

    image_ids: list[str]
    prefixes: list[str]
    image: Ints
    slot: Ints
    object_ids: NDArray[np.object_]


def _known(store: Simulation, things: Objects, seen: Seen) -> Ints:
    """What is told of each part of each object: a place in _STATUS."""
    design, seed = store.design, store.seed
    small = np.clip(np.log2(np.maximum(things.area, 1)) / 12, 0.2, 1.0)
    labeled = chance.uniform(seed, "labeled", things.item) < design.labeled * (small if design.labeled < 1 else 1.0)
    exhaustive = labeled & (chance.uniform(seed, "exhaustive", things.item) < design.exhaustive)
    item, code = things.item[seen.owner], store.pairs.code[seen.pair]
    careful = design.annotated * np.where((seen.pixels < 64) & (design.annotated < 1), 0.6, 1.0)
    drawn = labeled[seen.owner] & (chance.uniform(seed, "annotated", item, code) < careful)
    present = (seen.pixels > 0) & (drawn | exhaustive[seen.owner])
    negative = (seen.pixels == 0) & (chance.uniform(seed, "negative", item, code) < design.negative)
    return np.select([present, exhaustive[seen.owner], negative], [2, 1, 3], 0)


def _images(store: Simulation, photographs: Ints, image_ids: list[str], sizes: Ints) -> pa.Table:
    design, seed = store.design, store.seed
    shares = np.cumsum([share for _, share in design.splits])
    split = np.searchsorted(shares, chance.uniform(seed, "split", photographs), side="right").clip(0, len(shares) - 1)
    twin = (chance.uniform(seed, "near-duplicate", photographs) < _NEAR_DUPLICATES) & (photographs > 0)
    phash = chance.words(seed, "phash", np.where(twin, photographs - 1, photographs)) ^ twin.astype(np.uint64)
    stems = [one.partition("/")[2] for one in image_ids]
    order = np.argsort(np.array(image_ids, object))
    columns: dict[str, Any] = {
        "image_id": image_ids,
        "source": [design.source] * len(image_ids),
        "source_split": [design.splits[place][0] for place in split.tolist()],
        "width": sizes[:, 0],
        "height": sizes[:, 1],
        "sha256": [chance.key(seed, one).to_bytes(8, "big").hex() * 4 for one in image_ids],
        "phash": phash,
        "photograph": [f"{design.collection}/{stem}" for stem in stems] if design.collection else image_ids,
    }
    return _table("images", columns).take(pa.array(order))


def _objects(store: Simulation, keyed: _Keyed, chosen: Ints, category: Ints, things: Objects) -> pa.Table:
    merged = chance.uniform(store.seed, "merged", things.item[chosen]) < store.design.merged
    boxes = pa.FixedSizeListArray.from_arrays(
        pa.array(things.box[chosen].astype(np.float32).ravel()), type=schema("objects").field("bbox").type
    )
    columns: dict[str, Any] = {
        "object_id": keyed.object_ids[chosen].tolist(),
        "image_id": [keyed.image_ids[place] for place in keyed.image[chosen].tolist()],
        "source": [store.design.source] * len(chosen),
        "object_category": store.pairs.categories[category[chosen]].tolist(),
        "bbox": boxes,
        "area": things.area[chosen],
        "merged": merged,
        "repairs": [[]] * len(chosen),
    }
    return _table("objects", columns)


def _parts(store: Simulation, keyed: _Keyed, things: Objects, rows: Seen, status: Ints) -> pa.Table:
    """The masks of the annotated parts: one or several for each, which share its pixels."""
    present = np.flatnonzero(status == 2)
    owner, pair, pixels = rows.owner[present], rows.pair[present], rows.pixels[present]
    drawn = chance.uniform(store.seed, "masks", things.item[owner], store.pairs.code[pair])
    wanted = 1 + (drawn * store.pairs.most_masks[pair]).astype(np.int64)
    masks = np.clip(np.minimum(wanted, pixels // 4), 1, None)
    place = np.repeat(np.arange(len(owner)), masks)
    nth = np.arange(len(place)) - np.repeat(np.cumsum(masks) - masks, masks)
    area = pixels[place] // masks[place] + (nth < pixels[place] % masks[place])
    code = store.pairs.code[pair[place]]
    ids = [
        part_id(keyed.image_ids[image], f"{slot}:{part}:{n}", keyed.prefixes[image])
        for image, slot, part, n in zip(
            keyed.image[owner[place]].tolist(),
            keyed.slot[owner[place]].tolist(),
            code.tolist(),
            nth.tolist(),
            strict=True,
        )
    ]
    columns: dict[str, Any] = {
        "part_id": ids,
        "object_id": keyed.object_ids[owner[place]].tolist(),
        "part_category": _named(code, store.pairs.parts),
        "area": area,
    }
    return _table("parts", columns).take(pa.array(np.argsort(np.array(ids, object))))


def _evidence(store: Simulation, keyed: _Keyed, rows: Seen, status: Ints) -> pa.Table:
    told = {name: _named(status, tuple(one[place] for one in _STATUS)) for place, name in ((0, "status"), (1, "why"))}
    return _table("part_evidence", {**_owned(store, keyed, rows), **told})


def _owned(store: Simulation, keyed: _Keyed, rows: Seen) -> dict[str, Any]:
    return {
        "object_id": pa.DictionaryArray.from_arrays(
            pa.array(rows.owner.astype(np.int32)), pa.array(keyed.object_ids.tolist(), pa.string())
        ).cast(pa.string()),
        "part_category": _named(store.pairs.code[rows.pair], store.pairs.parts),
    }


def _named(code: Ints, values: tuple[str, ...]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(code.astype(np.int32)), pa.array(values, pa.string())).cast(
        pa.string()
    )


def _table(name: str, columns: Mapping[str, Any]) -> pa.Table:
    whole = schema(name)
    fields = pa.schema([whole.field(column) for column in COLUMNS[name]])
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in fields}, schema=fields)
