"""The folder for `datasets`: it opens offline, photographs decode upright on their masks' grid, rows are the store's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import partonomy_data
from partonomy_data.errors import UsageError
from partonomy_data.export import hugging_face, write
from tests.export.conftest import Export
from tests.export.stores import HEIGHT, HOSTILE, WIDTH, Small

pytest.importorskip("datasets", reason="the extra [export] is not installed")

LOAD = """
import json, sys
import datasets
import numpy as np
from pycocotools import mask
folder, cache = sys.argv[1:]
told = {}
for split, rows in datasets.load_dataset(folder, cache_dir=cache).items():
    assert isinstance(rows.features["image"], datasets.Image)
    for row in rows:
        inside = [row["image"].size == (row["width"], row["height"])]
        inside += [[row["height"], row["width"]] == part["mask"]["size"] for part in row["parts"]]
        lists = (("objects", "object_id"), ("parts", "part_id"), ("questions", "question_id"))
        ids = [[one[key] for one in row[name]] for name, key in lists]
        told[row["image_id"]] = [split, row["image"].getexif().get(0x0112, 1), all(inside), *ids]
print(json.dumps(told))
"""


def loaded(folder: Path, tmp_path: Path) -> dict[str, Any]:
    """What a process of its own that may use no network says of the rows."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-W", "ignore", "-c", LOAD, str(folder), str(tmp_path / "cache")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_every_photograph_opens_offline_with_its_own_rows(exported: Export, demo_store: Path, tmp_path: Path) -> None:
    found = loaded(exported("hf").out, tmp_path)
    with partonomy_data.open(demo_store) as store:
        due: dict[str, Any] = {row["image_id"]: [row["split"], 1, True] for row in store.table("splits").to_pylist()}
        for table, key in (("objects", "object_id"), ("parts", "part_id"), ("questions", "question_id")):
            own: dict[str, list[str]] = {image_id: [] for image_id in due}
            for row in store.table(table, ["image_id", key]).to_pylist():
                own[row["image_id"]].append(row[key])
            for image_id, ids in own.items():
                due[image_id].append(sorted(ids))
    assert found == due


def test_the_embedded_bytes_are_the_files(exported: Export, demo_store: Path) -> None:
    rows = pq.read_table(exported("hf").out / "data" / "val-00000-of-00001.parquet", columns=["image"])
    for row in rows["image"].to_pylist()[:10]:
        source, _, uri = row["path"].partition("/")
        files = [path for path in (demo_store / "demo" / source).rglob(Path(uri).name) if str(path).endswith(f"/{uri}")]
        assert row["bytes"] in [path.read_bytes() for path in files]


def test_a_photograph_that_would_be_turned_is_stored_upright_and_names_may_be_hostile(
    small: Small, tmp_path: Path
) -> None:
    done = write(small.root, "hf", tmp_path / "out", images=small.images)
    found = loaded(done.out, tmp_path)
    assert {one[1:3] == [1, True] for one in found.values()} == {True}
    rows = pq.read_table(next((done.out / "data").iterdir())).to_pylist()
    assert {row["license"] for row in rows} == {HOSTILE}
    assert {part["part_category"] for row in rows for part in row["parts"]} == {HOSTILE}
    assert {row["image"]["path"] for row in rows} == {f"paco/{uri}" for uri in small.uris}
    assert {(row["width"], row["height"]) for row in rows} == {(WIDTH, HEIGHT)}


def test_files_are_closed_when_they_are_full(demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hugging_face, "SHARD_BYTES", 200_000)
    monkeypatch.setattr(hugging_face, "GROUP_BYTES", 100_000)
    monkeypatch.setattr(hugging_face, "_AT_ONCE", 7)
    done = write(demo_store, "hf", tmp_path / "out", split="train")
    names = sorted(path.name for path in (done.out / "data").iterdir())
    assert names == [f"train-{n:05d}-of-{len(names):05d}.parquet" for n in range(len(names))]
    assert len(names) > 3
    assert max(path.stat().st_size for path in (done.out / "data").iterdir()) < 200_000 + 150_000
    with partonomy_data.open(demo_store) as store:
        due = store.table("splits", ["image_id"], [("split", "=", "train")])["image_id"].to_pylist()
        n_questions = len(store.questions(split="train"))
    found = pa.concat_tables([pq.read_table(done.out / "data" / name) for name in names])
    assert sorted(found["image_id"].to_pylist()) == sorted(due)
    assert sum(map(len, found["questions"].to_pylist())) == n_questions


def test_without_the_library_the_line_names_the_extra(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match=r"`datasets` is not installed\. pip install 'partonomy-data\[export\]'"):
        write(small.root, "hf", tmp_path / "out", images=small.images)
    assert list(tmp_path.iterdir()) == []
