"""Shards: nothing is lost or counted twice, and what comes out doesn't depend on order, place or time."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from partonomy_world import Read, World, read_source, rectangle, rle

from partonomy_data.sources import buckets
from partonomy_data.sources.partonomy import PartonomyReader
from partonomy_data.sources.partonomy.assembly import _is_full
from partonomy_data.sources.records import RleJson

PLANE = "airplanes--private"


def many(world: World, n_images: int) -> None:
    """`n_images` photographs with two masks each."""
    for number in range(n_images):
        name = f"{PLANE}/{number}.jpg"
        world.photograph(name)
        world.mask(f"{PLANE}/{number}.json", name, (0, 0, 11, 19))
        world.mask(f"{PLANE}--part:wings/{number}.json", name)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "PHOTOGRAPHS_PER_SHARD", 4)


@pytest.mark.usefixtures("small_shards")
def test_shards_hold_all_photographs_once_in_the_order_of_their_prefix(world: World, read: Read) -> None:
    many(world, 40)
    reading = read(world.root)
    assert len(reading.plan.shards) > 8
    assert sum(shard.n_images for shard in reading.plan.shards) == 40
    ids = [photograph.image_id for photograph in reading.photographs.values()]
    assert ids == sorted(ids, key=lambda image_id: (buckets.image_prefix(image_id), image_id))
    assert all(len(p.parts) == len(p.objects) == 1 for p in reading.photographs.values())


@pytest.mark.usefixtures("small_shards")
def test_a_changed_mask_changes_the_fingerprint_of_its_shard_only(world: World, read: Read) -> None:
    many(world, 40)
    before = {shard.number: shard.fingerprint for shard in read(world.root).plan.shards}
    world.mask(f"{PLANE}--part:wings/7.json", f"{PLANE}/7.jpg", (2, 2, 5, 5))
    after = {shard.number: shard.fingerprint for shard in read(world.root).plan.shards}
    assert before.keys() == after.keys()
    assert sum(before[number] != after[number] for number in before) == 1


def test_a_photograph_that_turns_changes_the_fingerprint(world: World, read: Read) -> None:
    many(world, 1)
    before = read(world.root).plan.shards[0].fingerprint
    world.photograph(f"{PLANE}/0.jpg", (12, 20), orientation=6)
    assert read(world.root).plan.shards[0].fingerprint != before


def test_the_source_may_move_without_a_change(world: World, read: Read, tmp_path: Path) -> None:
    many(world, 5)
    before = read(world.root)
    shutil.move(world.root, tmp_path / "moved")
    after = read_source(tmp_path / "moved", tmp_path / "other work")
    assert [s.fingerprint for s in after.plan.shards] == [s.fingerprint for s in before.plan.shards]
    assert after.photographs == before.photographs
    assert after.plan.files == before.plan.files


def test_rows_of_a_descriptor_in_another_order_give_the_same(world: World, read: Read) -> None:
    rows: list[Any] = []
    for number in range(12):
        mask = rle(rectangle(12, 20, 1, 1, 3 + number % 4, 9))
        row = {
            "image_path": f"/x/{number % 5}.jpg",
            "image_label": f"boats--b{number % 3}",
            "segmentations": {},
        }
        row["segmentations"] = {f"{row['image_label']}--part:hull": [mask]}
        rows.append(row)
    path = world.write_json("descriptor.json", {"instances": rows})
    before = read(path)
    random.Random(5).shuffle(rows)
    path.write_text(json.dumps({"instances": rows}))
    after = read(path)
    assert [s.fingerprint for s in after.plan.shards] == [s.fingerprint for s in before.plan.shards]
    assert after.photographs == before.photographs


def test_a_limit_keeps_the_photographs_that_their_key_says_whole(world: World, read: Read) -> None:
    many(world, 20)
    every, few = read(world.root), read(world.root, limit=6)
    assert len(few.photographs) == 6
    kept = buckets.choose((p.image_id for p in every.photographs.values()), 6)
    assert {p.image_id for p in few.photographs.values()} == kept
    assert all(few.photographs[name] == every.photographs[name] for name in few.photographs)


LABELS = ("boats--canoe", "boats--kayak", "boats--canoe--part:hull", "boats--kayak--part:hull", "misc", "")
ROW = st.tuples(st.sampled_from(LABELS), st.sampled_from("abcd"), st.integers(1, 4), st.booleans())


def oracle(rows: list[tuple[str, str, int, bool]]) -> tuple[Counter[str], Counter[str], int]:
    """Objects and parts by label, and the number of rejected rows, worked out row by row."""
    objects: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    rejected = 0
    seen = set()
    roots = set()
    shown = set()
    for label, image, width, broken in rows:
        if "--" not in label or image == "d" or broken or (label, image, width) in seen:
            rejected += 1
            continue
        seen.add((label, image, width))
        whole = label.split("--part:")[0]
        shown.add((whole, image))
        if "--part:" in label:
            parts[label] += 1
        else:
            objects[label] += 1
            roots.add((whole, image))
    objects.update(whole for whole, _ in shown - roots)
    return objects, parts, rejected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, max_size=12))
def test_rows_in_are_rows_out_and_rejected(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("rows")
    world = World(folder / "source")
    for image in "abc":
        world.photograph(f"boats--canoe/{image}.jpg", (6, 6))
    world.photograph("boats--canoe/z.jpg", (6, 6))
    world.mask("boats--canoe/always.json", "boats--canoe/z.jpg", (0, 0, 1, 1), (6, 6))
    for number, (label, image, width, broken) in enumerate(rows):
        drop = "counts" if broken else None
        name = f"{label}/{number:02d}.json"
        world.mask(name, f"boats--canoe/{image}.jpg", (0, 0, 2, width), (6, 6), drop=drop)
    reading = read_source(world.root, folder / "work")
    objects, parts, rejected = oracle(rows)
    objects["boats--canoe"] += 1
    found = reading.photographs.values()
    assert Counter(o.category for p in found for o in p.objects) == objects
    assert Counter(part.category for p in found for part in p.parts) == parts
    assert len(reading.rejected) == rejected
    for photograph in found:
        keys = [record.key for record in (*photograph.objects, *photograph.parts)]
        assert len(keys) == len(set(keys))
        assert {part.object_key for part in photograph.parts} <= {None, *(o.key for o in photograph.objects)}


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_a_mask_of_the_full_image_is_told_from_all_others(height: int, width: int, data: st.DataObject) -> None:
    bitmap = rectangle(height, width, 0, 0, height, width)
    if data.draw(st.booleans()):
        bitmap[data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] = 0
    written = rle(bitmap)
    assert _is_full(RleJson(written["size"], written["counts"])) == bool(bitmap.all())


def test_every_rule_has_a_test_that_names_it() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_*.py")))
    rules = PartonomyReader.rules
    assert len({rule.name for rule in rules}) == len(rules)
    assert [rule.name for rule in rules if f'"{rule.name}"' not in tests and f"`{rule.name}`" not in tests] == []
