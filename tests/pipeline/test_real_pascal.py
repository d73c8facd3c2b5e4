"""The real Pascal-Part samples, from .mat files to the published store: every object, every part, every pixel."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.io

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting


@pytest.fixture(scope="module")
def root(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real") / "store"
    source = SourceSetting(str(shared_data / "pascal_part"))
    done = partonomy_data.build(folder, BuildConfig(sources={"pascal_part": source}, workers=1))
    assert all(one.quarantined == 0 for one in done.counts["pascal_part"].values())
    return folder


def test_what_scipy_counts_in_the_files_is_what_is_published(root: Path, shared_data: Path) -> None:
    counted: Counter[str] = Counter()
    drawn: Counter[tuple[str, str, bytes]] = Counter()
    for path in sorted((shared_data / "pascal_part" / "Annotations_Part").glob("*.mat")):
        anno = scipy.io.loadmat(path)["anno"][0, 0]
        counted["images"] += 1
        for thing in anno["objects"].ravel():
            counted["objects"] += 1
            drawn[path.stem, str(thing["class"][0]), (thing["mask"] != 0).tobytes()] += 1
            for part in thing["parts"].ravel():
                counted["parts"] += 1
                drawn[path.stem, str(part["part_name"][0]), (part["mask"] != 0).tobytes()] += 1
    published: Counter[tuple[str, str, bytes]] = Counter()
    with partonomy_data.open(root) as store:
        assert {name: len(store.table(name)) for name in counted} == dict(counted)
        for name, key in (("objects", "object_id"), ("parts", "part_id")):
            rows = store.table(name, [key, "image_id", "source_category"]).to_pylist()
            masks = store.masks([row[key] for row in rows])
            for row in rows:
                stem = row["image_id"].removeprefix("pascal_part/")
                published[stem, row["source_category"], (masks[row[key]] != 0).tobytes()] += 1
    assert published == drawn
    assert counted["objects"] > 30


def test_every_part_is_linked_to_the_object_that_holds_it_in_the_file(root: Path, shared_data: Path) -> None:
    nested: Counter[tuple[str, str, str]] = Counter()
    for path in sorted((shared_data / "pascal_part" / "Annotations_Part").glob("*.mat")):
        for thing in scipy.io.loadmat(path)["anno"][0, 0]["objects"].ravel():
            for part in thing["parts"].ravel():
                nested[path.stem, str(thing["class"][0]), str(part["part_name"][0])] += 1
    with partonomy_data.open(root) as store:
        rows = store.sql(
            "SELECT split_part(p.image_id, '/', 2), o.source_category, p.source_category, count(*)"
            " FROM parts p JOIN objects o USING (object_id) WHERE p.match_method = 'linked' GROUP BY ALL"
        ).fetchall()
    assert {tuple(row[:3]): row[3] for row in rows} == nested


def test_photographs_are_found_and_hashed(root: Path) -> None:
    with partonomy_data.open(root) as store:
        images = store.table("images").to_pylist()
    assert all(row["sha256"] and row["uri"].startswith("JPEGImages/") for row in images)
    assert all(row["photograph"].startswith("voc/") for row in images)
    assert np.unique([row["phash"] for row in images]).size == len(images)
