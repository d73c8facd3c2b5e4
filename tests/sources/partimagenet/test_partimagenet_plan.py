"""Plans: shards, limits, fingerprints, and the real list of photographs."""

from __future__ import annotations

import csv
import json
import pickle
import random
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec
import pytest

from partonomy_data.sources import base, buckets
from partonomy_data.sources.base import SourceRequest
from partonomy_data.sources.partimagenet import PartImageNetReader, rules

DOG, BIRD = "n02085620", "n01531178"
Write = Callable[..., Path]
Square = Callable[..., dict[str, Any]]
Reads = Callable[..., Any]


def _image(id: int, name: str) -> dict[str, Any]:
    return {"id": id, "file_name": name, "height": 40, "width": 60}


def test_the_reader_is_found_by_its_entry_point() -> None:
    assert "partimagenet" in {point.name for point in entry_points(group="partonomy.sources")}
    assert isinstance(base.reader("partimagenet"), PartImageNetReader)


def test_rules_have_names_of_their_own_and_one_outcome() -> None:
    names = [rule.name for rule in rules.RULES]
    assert len(names) == len(set(names))
    assert {rule.outcome for rule in rules.RULES} <= {"repaired", "quarantined", "kept", "refused"}


def test_photographs_come_in_the_order_of_their_ids_hashes_whatever_the_order_of_rows(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    images = [_image(i, f"{DOG}_{i}.JPEG") for i in range(60)]
    rows = [square(2 * i, i, i % 4) for i in range(60)] + [square(2 * i + 1, i, 0) for i in range(60)]
    path = write_json(tmp_path / "train.json", images, rows)
    first = read(tmp_path)
    keys = [(buckets.image_prefix(p.image_id), p.image_id) for p in first.photographs]
    assert keys == sorted(keys)
    draw = random.Random(0)
    draw.shuffle(images)
    draw.shuffle(rows)
    write_json(path, images, rows)
    again = read(tmp_path)
    assert again.photographs == first.photographs
    assert again.plan.vocabulary == first.plan.vocabulary


def test_a_limit_keeps_the_same_photographs_as_they_are_in_the_whole(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    rows = [square(i, i, 0) for i in range(40)]
    write_json(tmp_path / "train.json", [f"{DOG}_{i}.JPEG" for i in range(30)], rows[:30])
    write_json(tmp_path / "val.json", [f"{BIRD}_{i}.JPEG" for i in range(10)], [square(i, i, 13) for i in range(10)])
    whole, part = read(tmp_path), read(tmp_path, limit=7)
    chosen = buckets.choose((p.image_id for p in whole.photographs), 7)
    assert {p.image_id for p in part.photographs} == chosen
    assert part.photographs == [p for p in whole.photographs if p.image_id in chosen]
    assert part.plan.vocabulary == whole.plan.vocabulary
    assert part.rejected == []


def _prints(path: Path, work: Path) -> dict[int, str]:
    plan = PartImageNetReader().plan(SourceRequest("partimagenet", path), work)
    return {shard.number: shard.fingerprint for shard in plan.shards}


def test_a_changed_photograph_changes_the_fingerprint_of_its_own_shard_only(
    tmp_path: Path, write_json: Write, square: Square, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "PHOTOGRAPHS_PER_SHARD", 40)
    source = tmp_path / "source"
    images = [f"{DOG}_{i}.JPEG" for i in range(60)]
    rows = [square(i, i, 0) for i in range(60)]
    write_json(source / "train.json", images, rows)
    before = _prints(source, tmp_path / "one")
    assert len(before) == 2
    assert _prints(source, tmp_path / "two") == before, "the work folder doesn't count"
    rows[17] = square(17, 17, 1)
    write_json(source / "train.json", images, rows)
    after = _prints(source, tmp_path / "one")
    own = buckets.shard_of(buckets.image_prefix(f"partimagenet/{DOG}_17"), 2)
    assert after[own] != before[own]
    assert after[1 - own] == before[1 - own]


def test_a_changed_label_map_or_supercategory_changes_the_fingerprint(
    tmp_path: Path, write_map: Write, write_json: Write, square: Square
) -> None:
    source, work = tmp_path / "source", tmp_path / "work"
    write_json(source / "annotations/val/val.json", [f"{DOG}_1.JPEG"], [square(1, 0, 0)])
    whole = source / "annotations/val_whole" / f"{DOG}_1.png"
    write_map(whole, {(0, 0, 9, 9): 1}, background=158)
    seen = [_prints(source, work)]
    write_map(whole, {(0, 0, 9, 8): 1}, background=158)
    seen.append(_prints(source, work))
    rows = [square(1, 0, 13), square(2, 0, 14)]
    write_json(source / "annotations/train/train.json", [f"{DOG}_2.JPEG"], rows)
    seen.append(_prints(source, work))
    assert seen[0][0] != seen[1][0] != seen[2][0] != seen[0][0]


def test_a_shard_survives_pickling_and_json(
    tmp_path: Path, write_json: Write, write_map: Write, square: Square
) -> None:
    write_json(tmp_path / "annotations/train/train.json", [f"{DOG}_1.JPEG"], [square(1, 0, 0)])
    write_map(tmp_path / "annotations/val" / f"{DOG}_2.png", {(0, 0, 9, 9): 1})
    reader = PartImageNetReader()
    plan = reader.plan(SourceRequest("partimagenet", tmp_path), tmp_path / "work")
    for shard in plan.shards:
        direct = list(reader.read(shard))
        assert len(direct) == shard.n_images == 2
        assert list(reader.read(pickle.loads(pickle.dumps(shard)))) == direct  # noqa: S301
        text = msgspec.json.encode(shard)
        assert list(reader.read(msgspec.json.decode(text, type=base.Shard))) == direct
    assert [file.path for file in plan.files] == [
        "annotations/train/train.json",
        f"annotations/val/{DOG}_2.png",
    ]


def test_the_mapping_file_in_the_folder_names_the_classes_and_counts_as_a_file_that_was_read(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    (tmp_path / "words.txt").write_text("n99999999\twug, wugs\n")
    write_json(tmp_path / "train.json", ["n99999999_1.JPEG"], [square(1, 0, 0)])
    found = read(tmp_path)
    assert [(o.key, o.name) for o in found.plan.vocabulary.objects] == [("n99999999", "wug")]
    assert [file.path for file in found.plan.files] == ["train.json", "words.txt"]


def test_the_real_list_of_photographs_is_read_whole(
    shared_data: Path, tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    with (shared_data / "partimagenet" / "train_test_split_pimagenet_ood.txt").open() as file:
        rows = list(csv.reader(file, delimiter="\t"))
    owner = {wnid: i % 4 for i, wnid in enumerate(sorted({row[3] for row in rows}))}
    first_part = [0, 4, 13, 24]  # heads of quadruped, biped, bird; body of car
    images = [_image(int(row[0]), row[4]) for row in rows]
    notes = [square(int(row[0]), int(row[0]), first_part[owner[row[3]]]) for row in rows]
    write_json(tmp_path / "train.json", images, notes)
    found = read(tmp_path)
    assert found.rejected == []
    assert {p.image_id for p in found.photographs} == {f"partimagenet/{row[4][:-5]}" for row in rows}
    assert len(found.photographs) == len({p.image_id for p in found.photographs}) == 16_540
    assert {p.file_name: p.objects[0].category for p in found.photographs} == {row[4]: row[3] for row in rows}
    classes = found.plan.vocabulary.objects
    assert len(classes) == len({thing.name for thing in classes}) == 109
    assert {p.object_key for p in found.plan.vocabulary.parts} == {thing.key for thing in classes}
    counts = [shard.n_images for shard in found.plan.shards]
    assert sum(counts) == 16_540
    assert len(counts) == buckets.shard_count(16_540)
    assert json.dumps([shard.payload for shard in found.plan.shards])
