"""The preview of a version: a few small photographs that `datasets` opens, with their masks over them."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting, masks
from partonomy_data.pipeline.preview import SIDE, preview
from partonomy_data.store import parquet, verify
from partonomy_data.store.layout import PREVIEW
from tests.helpers import paco

LOAD = """
import sys
import datasets
folder, cache = sys.argv[1:]
rows = datasets.load_dataset(folder, "preview", split="train", cache_dir=cache)
print(type(rows[0]["image"]).__module__, rows[0]["image"].size == rows[0]["parts_drawn"].size, rows.num_rows)
"""
SOURCES = ("paco", "partimagenet", "partonomy", "pascal_part")


def rows(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / PREVIEW).to_pylist()
    return found


def picture(one: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(one["bytes"]))


def test_each_source_shows_photographs_of_eight_categories(demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        shown, told = rows(store.folder), store.manifest["preview"]
        kinds = {row["object_id"]: row["object_category"] for row in store.table("objects").to_pylist()}
    by_source = {name: [row for row in shown if row["source"] == name] for name in SOURCES}
    # Two of the eight may be in one photograph.
    assert all(6 <= len(some) <= 8 for some in by_source.values())
    assert told["photographs"] == len(shown) == len({row["image_id"] for row in shown})
    assert told["bytes"] < 2_000_000
    for some in by_source.values():
        assert len({one["object_category"] for row in some for one in row["objects"]}) >= 8
        for row in some:
            assert all(kinds[one["object_id"]] == one["object_category"] for one in row["objects"])


def test_masks_are_drawn_where_they_lie(demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        shown = [row for row in rows(store.folder) if row["parts"]]
        for row in shown:
            image, drawn = picture(row["image"]), picture(row["parts_drawn"])
            assert max(image.size) == min(SIDE, max(row["width"], row["height"]))
            every = [one["mask"] for one in store.table("parts").to_pylist() if one["image_id"] == row["image_id"]]
            assert len(every) == len(row["parts"])
            union = np.zeros((row["height"], row["width"]), bool)
            for mask in every:
                union |= masks.decode(masks.from_compressed(mask["counts"], mask["size"], *mask["size"])) != 0
            changed = np.abs(np.asarray(image, np.int16) - np.asarray(drawn, np.int16)).sum(2)
            inside = np.asarray(Image.fromarray(union).resize(image.size, Image.Resampling.NEAREST))
            assert changed[inside].mean() > 3 * changed[~inside].mean(), row["image_id"]


def test_questions_are_those_about_the_photograph(demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        asked: dict[str, set[tuple[str, str]]] = {}
        for row in store.table("questions").to_pylist():
            answer = row["choices"][row["correct_index"]]["text"]
            asked.setdefault(row["image_id"], set()).add((row["question"], answer))
        shown = rows(store.folder)
    assert sum(bool(row["questions"]) for row in shown) > 10
    for row in shown:
        told = {(one["question"], one["choices"][one["correct_index"]]) for one in row["questions"]}
        assert told <= asked.get(row["image_id"], set())
        assert bool(told) == (row["image_id"] in asked)


def test_datasets_opens_it_as_pictures(demo_store: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="the extra [export] is not installed")
    with partonomy_data.open(demo_store) as store:
        folder, due = store.folder, store.manifest["preview"]["photographs"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", LOAD, str(folder), str(tmp_path / "cache")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    module, same, n = done.stdout.split()
    assert module.startswith("PIL.")
    assert (same, int(n)) == ("True", due)


def test_the_same_content_gives_the_same_bytes(demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        folders = {name: demo_store / "demo" / name for name in SOURCES}
        roots = {name: next(one for one in places(path, store, name)) for name, path in folders.items()}
        made = preview(store.folder, roots, 8)
        assert made is not None
        assert made.content == (store.folder / PREVIEW).read_bytes()
        assert made.said() == store.manifest["preview"]


def places(folder: Path, store: partonomy_data.Store, source: str) -> list[Path]:
    """Folders that a source's `uri`s are relative to."""
    (uri,) = store.sql(f"SELECT min(uri) FROM images WHERE source = '{source}'").fetchall()[0]
    return [Path(str(path).removesuffix(f"/{uri}")) for path in folder.rglob(Path(uri).name) if str(path).endswith(uri)]


def small(root: Path, folder: Path, **settings: Any) -> partonomy_data.Store:
    config = BuildConfig(sources={"paco": SourceSetting(str(folder))}, workers=1, **settings)
    partonomy_data.build(root, config)
    return partonomy_data.open(root)


def test_none_is_made_where_none_is_wanted_or_there_are_no_photographs(tmp_path: Path) -> None:
    folder = paco.write(tmp_path / "source", paco.content())
    with small(tmp_path / "none", folder, preview=0) as store:
        assert not (store.folder / PREVIEW).exists()
        assert "preview" not in store.manifest
        assert "preview" not in (store.folder / "README.md").read_text()
        wanted = store.version
    with small(tmp_path / "one", folder) as store:
        assert (store.folder / PREVIEW).is_file() == bool(store.manifest.get("preview"))
        assert store.version == wanted


@pytest.mark.parametrize(("licence", "shown"), [(None, 1), ("coco/4", 1), ("coco/3", 0), ("All rights reserved", 0)])
def test_what_may_not_be_changed_is_not_shown(
    demo_store: Path, tmp_path: Path, licence: str | None, shown: int
) -> None:
    with partonomy_data.open(demo_store) as store:
        image_id = rows(store.folder)[0]["image_id"]
        source = image_id.split("/")[0]
        for name in ("images", "objects", "parts"):
            some = store.table(name)
            some = some.filter(pa.compute.equal(some["image_id"], image_id))
            if name == "images":
                place = some.schema.get_field_index("license")
                some = some.set_column(place, some.schema.field(place), pa.array([licence], pa.string()))
            parquet.write(some, tmp_path / name / "one.parquet", name)
        root = next(one for one in places(demo_store / "demo" / source, store, source))
    made = preview(tmp_path, {source: root}, 8)
    assert (made.photographs if made else 0) == shown
    assert preview(tmp_path, {source: None}, 8) is None
    assert preview(tmp_path, {source: tmp_path}, 8) is None


def test_another_content_of_it_is_damage(demo_store: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(demo_store / "versions", root / "versions")
    shutil.copy(demo_store / "CURRENT", root / "CURRENT")
    path = root / "versions" / (root / "CURRENT").read_text().strip() / PREVIEW
    assert verify(root) == []
    path.chmod(path.stat().st_mode | stat.S_IWUSR)
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    assert verify(root) == [f"{PREVIEW} has another content than published"]
    path.unlink()
    assert verify(root) == [f"{PREVIEW} can't be read (No such file or directory)"]
    path.write_bytes(content)
    assert verify(root) == []


def test_what_a_hub_is_told_are_the_pictures_alone(demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        told = json.loads(pq.read_schema(store.folder / PREVIEW).metadata[b"huggingface"])
    assert told == {"info": {"features": {"image": {"_type": "Image"}, "parts_drawn": {"_type": "Image"}}}}
