"""Simulated stores look like staged tables, hold what their design says, and depend on seed and photograph alone."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import simulated_chance as chance
from benchmarks import simulated_store, simulated_vocabulary
from benchmarks.made_up_vocabulary import made_up
from benchmarks.simulated_design import Design
from benchmarks.simulated_tables import COLUMNS
from partonomy_data.ids import object_id
from partonomy_data.sources.buckets import image_prefix, shard_count, shard_of
from partonomy_data.store import parquet
from partonomy_data.taxonomy import names
from schemas.tables import schema, table

PROJECT = Path(__file__).resolve().parents[2]
TAXONOMY = ("object_categories", "part_categories", "part_graph", "category_graph", "part_relations", "plausibility")


def design() -> Design:
    """Some of everything: several objects in a photograph, incomplete labels, splits."""
    from dataclasses import replace

    return replace(
        made_up(24, 60, 3_000),
        labeled=0.7,
        annotated=0.8,
        exhaustive=0.2,
        negative=0.3,
        merged=0.1,
        splits=(("train", 0.8), ("test", 0.2)),
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    simulated_store.write(design(), folder, photographs=2_500)
    return folder


def rows(folder: Path, name: str) -> pa.Table:
    """All rows of a table of the four that come in shards."""
    paths = sorted((folder / "tables" / name).rglob("*.parquet"))
    return pa.concat_tables([pq.read_table(path, partitioning=None) for path in paths])


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*.parquet"))
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_shards_have_the_contract_s_columns_and_are_sorted_by_id(store: Path) -> None:
    for name, columns in COLUMNS.items():
        wanted = schema(name)
        paths = sorted((store / "tables" / name).rglob("*.parquet"))
        assert paths
        for path in paths:
            found = pq.read_table(path, partitioning=None)
            assert found.schema.names == list(columns)
            assert [field.type for field in found.schema] == [wanted.field(column).type for column in columns]
            keys = list(zip(*(found[key].to_pylist() for key in table(name).key), strict=True))
            assert keys == sorted(set(keys))


def test_taxonomy_tables_are_whole(store: Path) -> None:
    for name in TAXONOMY:
        path = store / "tables" / name / f"{name}.parquet"
        assert parquet.conformed(pq.read_table(path, partitioning=None), name).num_rows > 0


def test_photographs_are_in_the_shards_that_a_build_puts_them_in(store: Path) -> None:
    count = shard_count(2_500)
    assert count > 1
    for path in sorted((store / "tables" / "images").rglob("*.parquet")):
        number = int(path.name.split("-")[0])
        assert path.name == f"{number:03d}-of-{count:03d}.parquet"
        photographs = pq.read_table(path, partitioning=None)["image_id"].to_pylist()
        assert {shard_of(image_prefix(image_id), count) for image_id in photographs} == {number}
        for name in ("objects", "parts", "part_evidence"):
            beside = store / "tables" / name / path.parent.name / path.name
            prefixes = {one[4:10] for one in pq.read_table(beside, partitioning=None)["object_id"].to_pylist()}
            assert prefixes <= {image_prefix(image_id) for image_id in photographs}


def test_ids_are_made_as_everywhere_else(store: Path) -> None:
    for row in rows(store, "objects").slice(0, 200).to_pylist():
        assert row["object_id"] in {object_id(row["image_id"], str(slot)) for slot in range(20)}


def test_every_object_has_evidence_for_each_part_of_its_category(store: Path) -> None:
    of_category: dict[str, set[str]] = {}
    for row in pq.read_table(store / "tables/plausibility", partitioning=None).to_pylist():
        of_category.setdefault(row["object_category"], set()).add(row["part_category"])
    told: dict[str, list[str]] = {}
    for row in rows(store, "part_evidence").to_pylist():
        told.setdefault(row["object_id"], []).append(row["part_category"])
    for row in rows(store, "objects").to_pylist():
        assert told[row["object_id"]] == sorted(of_category[row["object_category"]])


def test_what_is_told_agrees_with_what_is_to_be_seen(store: Path) -> None:
    truth = pq.read_table(store / "truth.parquet")
    seen = {(row["object_id"], row["part_category"]): row["pixels"] for row in truth.to_pylist()}
    assert truth["visible"].to_pylist() == [pixels > 0 for pixels in truth["pixels"].to_pylist()]
    drawn: Counter[tuple[str, str]] = Counter()
    for row in rows(store, "parts").to_pylist():
        assert row["area"] > 0
        drawn[row["object_id"], row["part_category"]] += row["area"]
    statuses: dict[str, Counter[bool]] = {}
    for row in rows(store, "part_evidence").to_pylist():
        key = row["object_id"], row["part_category"]
        statuses.setdefault(f"{row['status']}/{row['why']}", Counter())[seen[key] > 0] += 1
        assert drawn[key] == (seen[key] if row["status"] == "present" else 0)
    assert set(statuses) == {
        "present/annotated",
        "absent/exhaustive_label",
        "absent/negative_label",
        "unknown/unannotated",
    }
    assert not statuses["absent/exhaustive_label"][True] + statuses["absent/negative_label"][True]
    assert statuses["unknown/unannotated"][True] > 100, "nothing that is to be seen was left out by the annotators"


def test_geometry_fits_the_photograph_and_parts_fit_the_object(store: Path) -> None:
    sizes = {row["image_id"]: (row["width"], row["height"]) for row in rows(store, "images").to_pylist()}
    area = {}
    for row in rows(store, "objects").to_pylist():
        x, y, width, height = row["bbox"]
        assert x >= 0
        assert y >= 0
        assert x + width <= sizes[row["image_id"]][0] + 0.1
        assert y + height <= sizes[row["image_id"]][1] + 0.1
        area[row["object_id"]] = row["area"]
    truth = pq.read_table(store / "truth.parquet")
    assert all(row["pixels"] <= area[row["object_id"]] for row in truth.to_pylist())


def test_size_border_and_typicality_tell_something_about_the_parts(store: Path) -> None:
    """Otherwise no attacker could be caught, or be seen to fail."""
    objects, images = rows(store, "objects"), rows(store, "images")
    shown = pq.read_table(store / "truth.parquet").group_by("object_id").aggregate([("visible", "mean")])
    share_of = dict(zip(shown["object_id"].to_pylist(), shown["visible_mean"].to_pylist(), strict=True))
    pixels_of = {row["image_id"]: row["width"] * row["height"] for row in images.to_pylist()}
    share = np.array([share_of[one] for one in objects["object_id"].to_pylist()])
    pixels = np.array([pixels_of[one] for one in objects["image_id"].to_pylist()])
    size = np.log2(objects["area"].to_numpy() / pixels)
    box = np.array(objects["bbox"].to_pylist())
    cut = (box[:, 0] < 1) | (box[:, 1] < 1)
    assert np.corrcoef(share, size)[0, 1] > 0.1
    assert share[cut].mean() < share[~cut].mean() - 0.03
    often = pq.read_table(store / "tables/part_graph", partitioning=None)["frequency"].to_numpy()
    assert np.quantile(often, 0.9) > 2 * np.quantile(often, 0.1)
    sets = rows(store, "parts").group_by("object_id").aggregate([("part_category", "distinct")])
    several = Counter(tuple(sorted(one)) for one in sets["part_category_distinct"].to_pylist())
    assert len(several) > 200


def test_a_store_is_the_same_whenever_and_wherever_it_is_made(store: Path, tmp_path: Path) -> None:
    simulated_store.write(design(), tmp_path, photographs=2_500)
    assert digests(tmp_path) == digests(store)
    for hash_seed in ("0", "1"):
        command = [sys.executable, "benchmarks/simulated_store.py", "made-up", str(tmp_path / hash_seed)]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        options = ["--instances", "300", "--categories", "20", "--parts", "40"]
        done = subprocess.run(
            [*command, *options], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout)["objects"] == 300
    assert digests(tmp_path / "0") == digests(tmp_path / "1")


def test_a_photograph_is_the_same_in_a_larger_store(store: Path, tmp_path: Path) -> None:
    simulated_store.write(design(), tmp_path, photographs=600)
    for name in COLUMNS:
        small, large = rows(tmp_path, name), rows(store, name)
        key = table(name).key[0]
        kept = large.filter(pc.is_in(large[key], value_set=small[key].combine_chunks()))
        order = [(one, "ascending") for one in table(name).key]
        assert kept.sort_by(order).equals(small.sort_by(order))


def test_another_seed_makes_another_store(store: Path, tmp_path: Path) -> None:
    simulated_store.write(design(), tmp_path, photographs=2_500, seed=1)
    assert rows(tmp_path, "parts").num_rows != rows(store, "parts").num_rows


def test_a_store_has_exactly_as_many_objects_as_were_asked_for(tmp_path: Path) -> None:
    made = simulated_store.write(made_up(10, 30, 1_234), tmp_path, objects=1_234)
    assert made.objects == rows(tmp_path, "objects").num_rows == 1_234
    assert made.images == rows(tmp_path, "images").num_rows
    assert made.parts == rows(tmp_path, "parts").num_rows


def test_a_finished_store_is_not_written_over_and_half_a_one_is(tmp_path: Path) -> None:
    (tmp_path / "tables.unfinished" / "images").mkdir(parents=True)
    (tmp_path / "tables.unfinished" / "images" / "left.parquet").write_bytes(b"half")
    simulated_store.write(made_up(10, 30, 100), tmp_path, objects=100)
    assert rows(tmp_path, "objects").num_rows == 100
    with pytest.raises(ValueError, match="store already"):
        simulated_store.write(made_up(10, 30, 100), tmp_path, objects=100)


@pytest.mark.parametrize(("categories", "parts"), [(75, 200), (534, 862), (3, 4)])
def test_made_up_vocabularies_have_as_many_names_as_asked_for(categories: int, parts: int) -> None:
    made = made_up(categories, parts, 1_000)
    found = names.build({made.source: made.vocabulary}).sources[made.source]
    assert not found.rejected
    assert len(set(found.objects.values())) == categories
    assert len({part.part_category for part in found.parts.values()}) == parts


def test_real_vocabularies_are_whole(shared_data: Path) -> None:
    expected = {"partonomy": (539, 2_123), "partonomy-20": (539, 2_123), "paco": (75, 456)}
    for name, (objects, parts) in expected.items():
        made = simulated_vocabulary.REAL[name](shared_data).vocabulary
        assert (len(made.objects), len(made.parts)) == (objects, parts)
        found = names.build({name: made}).sources[name]
        assert len(set(found.objects.values())) == objects
    assert simulated_vocabulary.missing(shared_data) == []
    assert simulated_vocabulary.missing(shared_data / "paco") != []


def test_partimagenet_has_its_numbers_of_classes_by_super_category(shared_data: Path) -> None:
    for classes in (109, 158):
        made = simulated_vocabulary.partimagenet(shared_data, classes).vocabulary
        assert len(made.objects) == classes
        assert all(one.parents for one in made.objects)
    counts = Counter(one.parents[0] for one in made.objects)
    assert counts == Counter(
        quadruped=46, biped=17, fish=10, bird=14, snake=15, reptile=20, car=19, bicycle=6, boat=4, aeroplane=2, bottle=5
    )
    assert {part.name for part in made.parts if part.object_key == "n02823428"} == {"mouth", "body"}
    with pytest.raises(ValueError, match="109"):
        simulated_vocabulary.partimagenet(shared_data, 100)


@pytest.mark.parametrize("name", sorted(simulated_vocabulary.REAL))
def test_real_designs_make_stores(name: str, shared_data: Path, tmp_path: Path) -> None:
    made = simulated_store.write(simulated_vocabulary.REAL[name](shared_data), tmp_path, photographs=400)
    assert made.images == 400
    assert made.objects >= (1_000 if name == "paco" else 350)
    assert made.parts > 400
    assert {row["source"] for row in rows(tmp_path, "images").to_pylist()} == {name.partition("-")[0]}


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=30), st.integers(0, 5))
def test_a_random_number_depends_on_its_item_alone(items: list[int], seed: int) -> None:
    together = chance.uniform(seed, "purpose", np.array(items))
    alone = [float(chance.uniform(seed, "purpose", np.array([item]))[0]) for item in items]
    assert together.tolist() == alone
    assert ((together >= 0) & (together < 1)).all()


def test_random_numbers_are_even_and_purposes_apart() -> None:
    first, second = (chance.uniform(0, purpose, np.arange(20_000)) for purpose in ("one", "two"))
    counts = np.histogram(first, bins=20, range=(0, 1))[0]
    assert (np.abs(counts - 1_000) < 150).all()
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.03
    normal = chance.normal(0, "one", np.arange(20_000))
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() - 1) < 0.03
