"""A build is a pure function of its inputs, done once for each content, and publishes whole versions or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import partonomy_data
from partonomy_data import BuildConfig, PartonomyError, SourceError, SourceSetting, StoreError, UsageError, pipeline
from partonomy_data.ingest import shard
from partonomy_data.pipeline import steps
from partonomy_data.sources import buckets
from partonomy_data.store.lock import build_lock
from tests.helpers import paco


def many(n_images: int = 24) -> dict[str, Any]:
    """`paco.content()` with its second photograph repeated under other ids."""
    data = paco.content()
    template = [row for row in data["annotations"] if row["image_id"] == 2]
    for n in range(n_images):
        image = 100 + n
        data["images"].append({**data["images"][1], "id": image, "file_name": f"train2017/{image:012d}.jpg"})
        for row in template:
            owner = 1000 * image + row["obj_ann_id"]
            data["annotations"].append({**row, "id": 1000 * image + row["id"], "obj_ann_id": owner, "image_id": image})
    return data


def config(folder: Path, **settings: Any) -> BuildConfig:
    return BuildConfig(sources={"paco": SourceSetting(str(folder))}, **{"workers": 1, **settings})


def content(root: Path) -> dict[str, str]:
    """Digest of every file of the current version, the manifest's parent aside."""
    version = (root / "CURRENT").read_text().strip()
    folder = root / "versions" / version
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "PHOTOGRAPHS_PER_SHARD", 4)


def test_the_same_content_is_the_same_version_whatever_the_order(tmp_path: Path, small_shards: None) -> None:
    data = many()
    one = partonomy_data.build(tmp_path / "one", config(paco.write(tmp_path / "a", data)))
    data["images"].reverse()
    data["annotations"].reverse()
    data["categories"].reverse()
    two = partonomy_data.build(tmp_path / "two", config(paco.write(tmp_path / "b", data)))
    assert one.version == two.version
    skip = {"manifest.json"}  # it holds the digest of the source file, whose bytes differ
    first, second = content(tmp_path / "one"), content(tmp_path / "two")
    assert {k: v for k, v in first.items() if k not in skip} == {k: v for k, v in second.items() if k not in skip}


@pytest.mark.parametrize("seed", ["0", pytest.param("1234", marks=pytest.mark.soak)])
def test_neither_the_number_of_workers_nor_the_hash_seed_matters(tmp_path: Path, seed: str) -> None:
    source = paco.write(tmp_path / "paco", many())
    partonomy_data.build(tmp_path / "here", config(source))
    command = [sys.executable, "-m", "partonomy_data", "build", "--root", str(tmp_path / "there")]
    command += ["--source", f"paco={source}", "--workers", "2"]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "here") == content(tmp_path / "there")


def test_the_same_again_publishes_nothing_and_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = paco.write(tmp_path / "paco", many())
    first = partonomy_data.build(tmp_path / "store", config(source))
    monkeypatch.setattr(shard, "_write", lambda *args: pytest.fail("a finished shard was done again"))
    again = partonomy_data.build(tmp_path / "store", config(source))
    assert (first.new, again.new) == (True, False)
    assert again.version == first.version
    assert len(partonomy_data.versions(tmp_path / "store")) == 1


def test_a_changed_annotation_redoes_its_shard_and_equals_a_build_from_scratch(
    tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = many()
    partonomy_data.build(tmp_path / "store", config(paco.write(tmp_path / "paco", data)))
    before = content(tmp_path / "store")
    data["annotations"][5]["segmentation"] = paco.rle(43, 9, 6, 6)
    source = paco.write(tmp_path / "paco", data)
    written: list[int] = []
    original = shard._write
    monkeypatch.setattr(shard, "_write", lambda *args: written.append(1) or original(*args))
    changed = partonomy_data.build(tmp_path / "store", config(source))
    assert (changed.new, len(written)) == (True, 1)
    partonomy_data.build(tmp_path / "scratch", config(source))
    after, scratch = content(tmp_path / "store"), content(tmp_path / "scratch")
    del after["manifest.json"], scratch["manifest.json"]  # it names the parent version
    assert after == scratch
    differing = {name for name in before if before[name] != after.get(name)}
    assert {name.split("/")[0] for name in differing} <= {"parts", "manifest.json", "croissant.json"}


def test_a_removed_photograph_disappears(tmp_path: Path) -> None:
    data = many(3)
    partonomy_data.build(tmp_path / "store", config(paco.write(tmp_path / "paco", data)))
    data["images"] = [row for row in data["images"] if row["id"] != 101]
    data["annotations"] = [row for row in data["annotations"] if row["image_id"] != 101]
    partonomy_data.build(tmp_path / "store", config(paco.write(tmp_path / "paco", data)))
    with partonomy_data.open(tmp_path / "store") as store:
        assert "paco/000000000101" not in store.table("images")["image_id"].to_pylist()
        assert store.manifest["parent"] is not None


def test_the_manifest_accounts_for_every_row_and_file(tmp_path: Path) -> None:
    data = many(2)
    data["annotations"][1]["category_id"] = 0
    partonomy_data.build(tmp_path / "store", config(paco.write(tmp_path / "paco", data)))
    version = (tmp_path / "store" / "CURRENT").read_text().strip()
    folder = tmp_path / "store" / "versions" / version
    manifest = json.loads((folder / "manifest.json").read_text())
    for one in manifest["counts"]["paco"].values():
        assert one["in"] + one["derived"] == one["out"] + one["quarantined"]
    assert manifest["rules"]["paco"]["category_unknown"] == 1
    listed = {file["path"]: file["sha256"] for file in manifest["files"]}
    on_disk = {k: v for k, v in content(tmp_path / "store").items() if k.endswith(".parquet")}
    assert listed == on_disk
    assert str(tmp_path) not in (folder / "manifest.json").read_text()


def test_a_wrong_source_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    partonomy_data.build(tmp_path / "store", config(paco.write(tmp_path / "paco", paco.content())))
    before = content(tmp_path / "store")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError):
        partonomy_data.build(tmp_path / "store", config(tmp_path / "empty"))
    with pytest.raises(SourceError, match="no reader"):
        partonomy_data.build(tmp_path / "store", BuildConfig(sources={"pacco": SourceSetting("x")}))
    with pytest.raises(UsageError, match="no source"):
        partonomy_data.build(tmp_path / "store", BuildConfig())
    assert content(tmp_path / "store") == before


def test_two_builds_at_once_on_one_store_are_refused(tmp_path: Path) -> None:
    source = paco.write(tmp_path / "paco", paco.content())
    with build_lock(tmp_path / "store"), pytest.raises(StoreError, match="another build is running"):
        partonomy_data.build(tmp_path / "store", config(source))


def test_limit_publishes_so_many_photographs_of_each_source(tmp_path: Path) -> None:
    done = partonomy_data.build(tmp_path / "store", config(paco.write(tmp_path / "paco", many()), limit=5))
    assert done.total("images").out == 5


def end_at_once(job: shard.ShardJob) -> None:
    """What happens to a worker when the system runs out of memory."""
    os._exit(9)


def test_a_worker_that_is_gone_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = paco.write(tmp_path / "paco", many())
    monkeypatch.setattr(steps, "ingest", end_at_once)
    with pytest.raises(PartonomyError, match="a worker process ended while reading paco"):
        partonomy_data.build(tmp_path / "store", config(source, workers=2))
    assert not (tmp_path / "store" / "CURRENT").exists()
    monkeypatch.undo()
    assert partonomy_data.build(tmp_path / "store", config(source, workers=2)).new


def test_publishing_may_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a flow's retry does it: the same finished sources, after a first try that failed half way."""
    finished: list[tuple[object, ...]] = []
    monkeypatch.setattr(pipeline, "finish", lambda *given: finished.append(given))
    partonomy_data.build(tmp_path / "store", config(paco.write(tmp_path / "paco", many())))
    monkeypatch.undo()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pipeline, "publish", full)
    with pytest.raises(OSError, match="No space left"):
        pipeline.finish(*finished[0])
    monkeypatch.undo()
    assert pipeline.finish(*finished[0]).new
