"""The worked example of docs/adding-a-source.md is a reader that works, installed as an entry point."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import partonomy_data
from tests.docs.pages import DOCS, examples

LABELS = [(1, "rose", "petals"), (2, "rose", "leaf"), (7, "oak", "leaf"), (9, "oak", "acorns")]
NAMES = {"petals": "petal", "leaf": "leaf", "acorns": "acorn"}


def page() -> str:
    return (DOCS / "adding-a-source.md").read_text(encoding="utf-8")


def example() -> str:
    return str(re.findall(r"```python\n(.*?)```", page(), re.DOTALL)[0])


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A folder with the example as an installed distribution, as pip leaves it: module, METADATA, entry points."""
    project = tomllib.loads(re.findall(r"```toml\n(\[build-system.*?)```", page(), re.DOTALL)[0])
    (module,) = project["tool"]["setuptools"]["py-modules"]
    points = project["project"]["entry-points"]["partonomy.sources"]
    folder = tmp_path / "site"
    info = folder / f"{project['project']['name'].replace('-', '_')}-{project['project']['version']}.dist-info"
    info.mkdir(parents=True)
    (folder / f"{module}.py").write_text(example(), encoding="utf-8")
    named = {
        "Metadata-Version": "2.1",
        "Name": project["project"]["name"],
        "Version": project["project"]["version"],
    }
    (info / "METADATA").write_text("".join(f"{key}: {value}\n" for key, value in named.items()))
    lines = ["[partonomy.sources]", *(f"{name} = {target}" for name, target in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


def scan(seed: int) -> NDArray[np.uint8]:
    """A label map of 24 x 32 pixels with some of the labels."""
    generator = np.random.default_rng(seed)
    pixels = np.zeros((24, 32), np.uint8)
    for value, *_ in LABELS[seed % 2 :]:
        top, left = generator.integers(0, 18), generator.integers(0, 26)
        pixels[top : top + 5, left : left + 4] = value
    return pixels


@pytest.fixture
def herbarium(tmp_path: Path) -> Path:
    """Five scans: three sound ones (the third without its photograph), one in color, one cut off."""
    folder = tmp_path / "herbarium"
    (folder / "maps").mkdir(parents=True)
    (folder / "photos").mkdir()
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("value", "object", "part"), *LABELS])
    for n in range(3):
        Image.fromarray(scan(n)).save(folder / "maps" / f"{n}.png")
        if n < 2:
            Image.fromarray(np.full((24, 32, 3), 40 * n, np.uint8)).save(folder / "photos" / f"{n}.png")
    Image.fromarray(np.zeros((24, 32, 3), np.uint8)).save(folder / "maps" / "color.png")
    (folder / "maps" / "damaged.png").write_bytes((folder / "maps" / "0.png").read_bytes()[:40])
    return folder


def build(plugin: Path, herbarium: Path, root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "partonomy_data", "build", "--root", str(root)]
    options = ("--source", f"herbarium={herbarium}", *options)
    done: subprocess.CompletedProcess[str] = examples.run([*command, *options], plugin.parent, PYTHONPATH=str(plugin))
    return done


def test_the_example_is_short() -> None:
    assert len(example().splitlines()) < 60


def test_the_example_reads_every_pixel_and_loses_no_row(plugin: Path, herbarium: Path, tmp_path: Path) -> None:
    done = build(plugin, herbarium, tmp_path / "store", "--workers", "1")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    with partonomy_data.open(tmp_path / "store") as store:
        photos = store.table("images").to_pylist()
        assert sorted((row["image_id"], row["uri"], row["width"], row["height"]) for row in photos) == [
            ("herbarium/0", "0.png", 32, 24),
            ("herbarium/1", "1.png", 32, 24),
            ("herbarium/2", None, 32, 24),
        ]
        found = {(row["image_id"], row["source_key"]): row for row in store.table("parts").to_pylist()}
        expected = {(f"herbarium/{n}", str(v)) for n in range(3) for v in np.unique(scan(n)).tolist() if v}
        assert set(found) == expected
        for (image_id, value), row in found.items():
            pixels = scan(int(image_id[-1])) == int(value)
            np.testing.assert_array_equal(store.mask(row["part_id"]), pixels)
            label = next(one for one in LABELS if str(one[0]) == value)
            assert (row["part_category"], row["source_category"]) == (NAMES[label[2]], label[2])
        kind = {str(value): thing for value, thing, _ in LABELS}
        objects = {(row["image_id"], row["object_category"]): row for row in store.table("objects").to_pylist()}
        assert set(objects) == {(image_id, kind[value]) for image_id, value in expected}
        assert {(row["merged"], row["mask_origin"]) for row in objects.values()} == {(True, "union_of_parts")}
        for (image_id, thing), row in objects.items():
            whole = np.isin(scan(int(image_id[-1])), [value for value, name, _ in LABELS if name == thing])
            np.testing.assert_array_equal(store.mask(row["object_id"]), whole)
        lost = store.table("quarantine").to_pylist()
        assert sorted((row["row_id"], row["table_name"], row["rule"]) for row in lost) == [
            ("color.png", "images", "map_unreadable"),
            ("damaged.png", "images", "map_unreadable"),
        ]
        counts = store.manifest["counts"]["herbarium"]["images"]
        assert (counts["read"], counts["out"], counts["quarantined"]) == (5, 3, 2)
        assert store.manifest["rules"]["herbarium"]["map_unreadable"] == 2


@pytest.mark.soak
def test_the_example_gives_the_same_version_with_several_workers_and_takes_a_limit(
    plugin: Path, herbarium: Path, tmp_path: Path
) -> None:
    for name, *options in (("one", "--workers", "1"), ("two", "--workers", "2"), ("few", "--limit", "2")):
        done = build(plugin, herbarium, tmp_path / name, *options)
        assert done.returncode == 0, done.stderr
    versions = {name: (tmp_path / name / "CURRENT").read_text() for name in ("one", "two", "few")}
    assert versions["one"] == versions["two"] != versions["few"]
    with partonomy_data.open(tmp_path / "few") as store:
        assert store.manifest["counts"]["herbarium"]["images"]["read"] == 2


@pytest.mark.parametrize("fault", ["empty", "words", "two_columns"])
def test_the_example_refuses_another_folder_in_one_line(plugin: Path, herbarium: Path, fault: str) -> None:
    table = herbarium / "labels.csv"
    if fault == "empty":
        shutil.rmtree(herbarium)
        herbarium.mkdir()
    else:
        table.write_text("value,object,part\n" + {"words": "one,rose,petal\n", "two_columns": "1,rose\n"}[fault])
    done = build(plugin, herbarium, herbarium.parent / "store", "--workers", "1")
    assert done.returncode == 2
    line = done.stderr.strip().splitlines()[-1]
    assert str(table) in line
    assert "Name a herbarium" in line
    assert "Traceback" not in done.stderr
