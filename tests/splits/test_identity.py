"""Images are one photograph by identity, bytes or looks, and looks can't join all and sundry."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from partonomy_data.photographs.inspecting import perceptual_hash
from partonomy_data.splits.identity import photographs
from partonomy_data.splits.settings import SplitSettings

from .worlds import HASHES, PLAIN, World, image, worlds


def joined(world: World, with_settings: SplitSettings = PLAIN) -> set[frozenset[str]]:
    """The images of each photograph."""
    found = photographs(world.image_table(), with_settings)
    groups = defaultdict(set)
    for row, cluster in zip(world.images, found.of.tolist(), strict=True):
        groups[cluster].add(row["image_id"])
    assert sorted(groups) == list(range(len(found)))
    return {frozenset(group) for group in groups.values()}


def closure(rows: list[Any], same: Callable[[Any, Any], bool]) -> list[list[Any]]:
    """The rows in groups, by comparing each with each again and again."""
    groups: list[list[Any]] = []
    for row in rows:
        near = [group for group in groups if any(same(row, other) for other in group)]
        groups = [group for group in groups if group not in near] + [[row, *(one for group in near for one in group)]]
    return groups


def plain(world: World, with_settings: SplitSettings) -> set[frozenset[str]]:
    """The images of each photograph, by the rules word for word."""

    def identity(row: Any) -> str:
        return str(row.get("photograph") or row["image_id"])

    def says_something(row: Any) -> bool:
        return row.get("phash") is not None and 20 <= row["phash"].bit_count() <= 44

    def near(bits: int) -> Callable[[Any, Any], bool]:
        return lambda a, b: int(a["phash"] ^ b["phash"]).bit_count() <= bits

    bits = with_settings.near_duplicate_bits
    alike: list[list[Any]] = []
    seen = [dict(row) for row in world.images if says_something(row)]
    for group in closure(seen, near(bits)) if bits is not None else []:
        pieces = [group]
        if len({identity(row) for row in group}) > with_settings.most_alike:
            pieces = closure(group, near(0))
        alike += [one for one in pieces if len({identity(row) for row in one}) <= with_settings.most_alike]
    together = [{row["image_id"] for row in group} for group in alike]

    def same(a: Any, b: Any) -> bool:
        if identity(a) == identity(b) or (a.get("sha256") is not None and a.get("sha256") == b.get("sha256")):
            return True
        return any({a["image_id"], b["image_id"]} <= group for group in together)

    return {frozenset(row["image_id"] for row in group) for group in closure([*map(dict, world.images)], same)}


@given(worlds(most=25), st.sampled_from([None, 0, 2, 4, 8]), st.sampled_from([1, 3, 30]))
def test_images_are_joined_as_comparing_each_with_each_says(world: World, bits: int | None, most: int) -> None:
    chosen = msgspec.structs.replace(PLAIN, near_duplicate_bits=bits, most_alike=most)
    assert joined(world, chosen) == plain(world, chosen)


def test_identity_bytes_and_looks_join_across_sources() -> None:
    world = World(
        [
            image("paco/1", photograph="coco/1"),
            image("web/box-1", photograph="coco/1", sha256="a"),
            image("web/copy", sha256="a", phash=HASHES[0]),
            image("web/small copy", phash=HASHES[0] ^ 0b1001),
            image("web/other", phash=HASHES[1], sha256="b"),
        ]
    )
    assert joined(world) == {frozenset({"paco/1", "web/box-1", "web/copy", "web/small copy"}), frozenset({"web/other"})}
    assert len(joined(world, msgspec.structs.replace(PLAIN, near_duplicate_bits=1))) == 3


def test_unknown_bytes_and_looks_join_nothing() -> None:
    assert len(joined(World([image(f"web/{i}") for i in range(5)]))) == 5


def test_blank_pictures_join_neither_each_other_nor_what_is_near_to_them() -> None:
    crowd = [image(f"web/blank {i}", phash=HASHES[2]) for i in range(31)]
    near = [image("web/near", phash=HASHES[2] ^ 0b11)]
    assert len(joined(World([*crowd, *near]))) == 32
    assert len(joined(World([*crowd[:29], *near]))) == 1


def test_in_a_crowd_of_look_alikes_only_equal_hashes_stay_joined() -> None:
    rows = [image(f"web/{i}", phash=HASHES[2] ^ (0b11 << (i // 2))) for i in range(40)]
    found = joined(World(rows))
    assert len(found) == 20
    assert all(len(group) == 2 for group in found)


def test_copies_of_one_photograph_are_no_crowd() -> None:
    rows = [image(f"web/{i}", photograph="coco/1", phash=HASHES[0]) for i in range(100)]
    assert len(joined(World([*rows, image("web/copy", phash=HASHES[0])]))) == 1


@settings(max_examples=30)
@given(worlds(), st.integers(0, 9))
def test_names_depend_on_the_smallest_identity_alone(world: World, seed: int) -> None:
    smallest: dict[str, set[str]] = defaultdict(set)
    for some in (world, world.shuffled(seed)):
        found = photographs(some.image_table(), PLAIN)
        own: dict[int, set[str]] = defaultdict(set)
        for row, cluster in zip(some.images, found.of.tolist(), strict=True):
            own[cluster].add(row["photograph"] or row["image_id"])
        for cluster, identities in own.items():
            smallest[found.names[cluster].as_py()].add(min(identities))
    assert all(len(identities) == 1 for identities in smallest.values())
    assert all(len(name) == 20 and name.startswith("pho_") for name in smallest)


def test_columns_that_are_encoded_as_dictionaries_are_read_alike() -> None:
    world = World(
        [image("a", photograph="coco/1", sha256="x"), image("b", photograph="coco/1"), image("c", sha256="x")]
    )
    table = world.image_table()
    encoded = pa.table(
        {name: table[name] if name == "phash" else table[name].dictionary_encode() for name in table.column_names}
    )
    pieces = pa.concat_tables([encoded.slice(0, 1), encoded.slice(1)])
    for one in (encoded, pieces):
        assert photographs(one, PLAIN).of.tolist() == photographs(table, PLAIN).of.tolist() == [0, 0, 0]


def test_copies_of_real_photographs_are_found_and_different_ones_kept_apart(shared_data: Path) -> None:
    rows = []
    paths = sorted((shared_data / "coco" / "photos").glob("*.jpg"))
    for path in paths:
        with Image.open(path) as photo:
            copy = photo.convert("RGB").resize((photo.width // 2, photo.height // 2))
            anew = io.BytesIO()
            copy.save(anew, "JPEG", quality=70)
            rows += [
                image(f"coco/{path.stem}", phash=perceptual_hash(Image.open(path))),
                image(f"copy/{path.stem}", phash=perceptual_hash(Image.open(anew))),
            ]
    assert len(paths) > 5
    assert joined(World(rows)) == {frozenset({f"coco/{path.stem}", f"copy/{path.stem}"}) for path in paths}
