"""Small made-up worlds for the tests of splits: tables of images and labels, relations, parents."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from partonomy_data.splits import Assignment, SplitSettings, assign
from partonomy_data.taxonomy.algebra import PartRelations
from partonomy_data.taxonomy.judges import Judgement

IMAGE = pa.schema(
    [
        *((name, pa.string()) for name in ("image_id", "source", "source_split", "photograph", "sha256")),
        ("phash", pa.uint64()),
    ]
)
LABEL = pa.schema([(name, pa.string()) for name in ("image_id", "object_category", "part_category")])
#: Settings under which nothing is held out.
PLAIN = SplitSettings(unseen_objects=0, unseen_parts=0, unseen_pairs=0)
#: Hashes far apart, with as many ones as zeros, as those of photographs have.
HASHES = [0x5555555555555555, 0x3333CCCC3333CCCC, 0x0F0F0F0FF0F0F0F0, 0x00FF00FF00FF00FF, 0xFFFFFFFF00000000]


def image(image_id: str, source_split: str = "", source: str = "web", **more: Any) -> dict[str, Any]:
    """A row of `images`."""
    return {"image_id": image_id, "source": source, "source_split": source_split, **more}


@dataclass(frozen=True)
class World:
    """What `assign` is given."""

    images: Sequence[Mapping[str, Any]]
    labels: Sequence[tuple[str, str, str | None]] = ()
    relations: Sequence[tuple[str, str, str]] = ()
    parents: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def image_table(self) -> pa.Table:
        return pa.Table.from_pylist([dict.fromkeys(IMAGE.names) | dict(row) for row in self.images], IMAGE)

    def label_table(self) -> pa.Table:
        return pa.Table.from_pylist([dict(zip(LABEL.names, row, strict=True)) for row in self.labels], LABEL)

    def assign(self, settings: SplitSettings = PLAIN) -> Assignment:
        rows = [Judgement(a, b, relation, "curated", 0.5) for a, b, relation in self.relations]
        return assign(self.image_table(), self.label_table(), PartRelations.of_rows(rows), self.parents, settings)

    def rows(self, settings: SplitSettings = PLAIN) -> dict[str, dict[str, Any]]:
        """The rows of `splits` by image_id."""
        return {row["image_id"]: row for row in self.assign(settings).table.to_pylist()}

    def splits(self, settings: SplitSettings = PLAIN) -> dict[str, str]:
        """The split of each image."""
        return {name: row["split"] for name, row in self.rows(settings).items()}

    def shuffled(self, seed: int) -> World:
        chance = random.Random(seed)
        return replace(
            self,
            images=chance.sample(self.images, len(self.images)),
            labels=chance.sample(self.labels, len(self.labels)),
        )

    def without(self, image_id: str) -> World:
        return replace(
            self,
            images=[row for row in self.images if row["image_id"] != image_id],
            labels=[row for row in self.labels if row[0] != image_id],
        )


def many(
    count: int,
    shows: Sequence[tuple[str, str | None]],
    prefix: str = "web/",
    source_split: str = "",
    source: str = "web",
) -> World:
    """`count` photographs that show the same."""
    names = [f"{prefix}{i}" for i in range(count)]
    return World(
        [image(name, source_split, source) for name in names],
        [(name, thing, part) for name in names for thing, part in shows],
    )


def together(*worlds: World) -> World:
    """The worlds as one."""
    return World(
        [row for world in worlds for row in world.images],
        [row for world in worlds for row in world.labels],
        [row for world in worlds for row in world.relations],
        {child: above for world in worlds for child, above in world.parents.items()},
    )


def _near(bits: Sequence[int], base: int) -> int:
    for bit in bits:
        base ^= 1 << bit
    return base


OBJECTS = [f"object {i}" for i in range(7)]
PARTS = [f"part {i}" for i in range(6)]
hashes = st.builds(_near, st.lists(st.integers(0, 63), max_size=4), st.sampled_from(HASHES)) | st.sampled_from(
    [None, 0, 2**64 - 1, 1 << 63]
)


@st.composite
def worlds(draw: st.DrawFn, most: int = 40) -> World:
    """Worlds with shared photographs, copies, look-alikes, all kinds of splits, and labels in common."""
    rows = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "source": st.sampled_from(["paco", "pascal_part", "partonomy", "web"]),
                    "source_split": st.sampled_from(["", "", "train", "train", "val", "test"]),
                    "photograph": st.none() | st.sampled_from([f"coco/{i}" for i in range(60)]),
                    "sha256": st.none() | st.integers(0, 99).map(lambda n: f"{n:064x}"),
                    "phash": st.none() | hashes,
                }
            ),
            max_size=most,
        )
    )
    names = [f"{row['source']}/{i}" for i, row in enumerate(rows)]
    images = [{"image_id": name, **row} for name, row in zip(names, rows, strict=True)]
    label = st.tuples(st.sampled_from(OBJECTS), st.none() | st.sampled_from(PARTS))
    labels = [(name, *one) for name in names for one in sorted(draw(st.sets(label, max_size=3)), key=str)]
    pairs = draw(st.sets(st.tuples(st.sampled_from(PARTS), st.sampled_from(PARTS)), max_size=3))
    relations = [(a, b, "narrower") for a, b in sorted(pairs) if a < b]
    above = draw(st.dictionaries(st.sampled_from(OBJECTS), st.sampled_from([*OBJECTS, "thing"]), max_size=2))
    return World(images, labels, relations, {child: frozenset({parent}) for child, parent in above.items()})


#: Settings that hold out whatever they can in such worlds.
EAGER = SplitSettings(
    unseen_objects=0.3, unseen_parts=0.3, unseen_pairs=0.3, fewest_photographs=1, most_photographs=1.0, few=4, val=0.2
)
