"""The card of a version: `datasets.load_dataset` opens the folder, each table that has rows by its name, offline."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import partonomy_data

LOAD = """
import sys
import datasets
folder, cache = sys.argv[1:]
for name in datasets.get_dataset_config_names(folder):
    loaded = datasets.load_dataset(folder, name, cache_dir=cache)
    print(name, sum(loaded.num_rows.values()), *loaded)
"""


def test_every_table_with_rows_is_a_configuration_that_loads(demo_store: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="the extra [export] is not installed")
    with partonomy_data.open(demo_store) as store:
        folder, expected = store.folder, {name: rows for name, rows in store.manifest["tables"].items() if rows}
        expected["preview"] = store.manifest["preview"]["photographs"]
        splits = [
            split
            for (split,) in store.sql(
                "SELECT DISTINCT split FROM questions ORDER BY split <> 'train', split"
            ).fetchall()
        ]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", LOAD, str(folder), str(tmp_path / "cache")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {name: (int(rows), splits) for name, rows, *splits in map(str.split, done.stdout.splitlines())}
    assert {name: rows for name, (rows, _) in found.items()} == expected
    assert found["objects"][1] == ["train"]
    assert found["questions"][1] == splits


def test_the_card_tells_the_counts_of_every_source(demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        text = (store.folder / "README.md").read_text()
        counts = store.manifest["counts"]
    head = yaml.safe_load(text.split("---")[1])
    assert "objects" in [one["config_name"] for one in head["configs"]]
    for source, tables in counts.items():
        one = tables["parts"]
        row = f"| {source} | parts | {one['read']:,} | {one['derived']:,} | {one['out']:,} | {one['quarantined']:,} |"
        assert row in text
