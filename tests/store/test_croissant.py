"""croissant.json: made of the manifest and the schemas, the same for the same version, and readable by its tools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import partonomy_data
from partonomy_data.store import croissant, migrate, publish
from partonomy_data.store.layout import CROISSANT, Layout
from schemas.tables import TABLES

from .conftest import stage, tables
from .older import publish_older

#: Reads all records of each set, in a process of its own: the library changes settings of pandas and of logging.
READ = """
import sys
import mlcroissant
dataset = mlcroissant.Dataset(sys.argv[1])
assert not dataset.metadata.ctx.issues.errors, dataset.metadata.ctx.issues.report()
for one in dataset.metadata.record_sets:
    print(one.id, sum(1 for _ in dataset.records(one.id)))
"""


def said(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / CROISSANT).read_bytes())
    return content


def test_every_table_with_rows_and_every_column_is_described(demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        folder, manifest = store.folder, store.manifest
    content = said(folder)
    filled = [name for name, rows in manifest["tables"].items() if rows]
    assert sorted(one["@id"] for one in content["recordSet"]) == sorted(filled)
    for records in content["recordSet"]:
        table = TABLES[records["@id"]]
        assert [field["@id"] for field in records["field"]] == [f"{table.name}/{c.name}" for c in table.columns]
        assert f"{manifest['tables'][table.name]:,}" in records["description"]
        for field, column in zip(records["field"], table.columns, strict=True):
            assert field["source"]["extract"]["column"] == column.name
            is_list = pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type)
            assert field.get("repeated", False) == is_list
    assert content["identifier"] == manifest["version"]


def test_the_sets_of_files_are_those_of_the_manifest(demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        content, files = said(store.folder), store.manifest["files"]
        folder = store.folder
    for one in content["distribution"]:
        table = one["@id"].removesuffix("-files")
        due = {file["path"] for file in files if file["path"].split("/")[0] == table}
        # As globs, where `*` is of one folder, and as patterns, where it is of any, give the same.
        assert {path.relative_to(folder).as_posix() for path in folder.glob(one["includes"])} == due
        assert {file["path"] for file in files if fnmatch(file["path"], one["includes"])} == due


def test_it_depends_neither_on_the_version_before_nor_on_the_moment(tmp_path: Path) -> None:
    texts = []
    for name, seeds in (("one", (0,)), ("two", (1, 0))):
        for seed in seeds:
            version = publish(tmp_path / name, stage(tmp_path / name, tables(seed=seed)), {}, readme="").version
        texts.append((Layout(tmp_path / name).version(version) / CROISSANT).read_bytes())
    assert texts[0] == texts[1]


def test_it_can_be_made_again_of_the_manifest_alone(demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        assert croissant.text(store.manifest) == (store.folder / CROISSANT).read_text(encoding="utf-8")


def test_one_that_an_interrupted_attempt_left_is_made_anew(root: Path) -> None:
    staged = stage(root, tables())
    (staged / CROISSANT).write_text("{half")
    version = publish(root, staged, {}, readme="").version
    assert said(Layout(root).version(version))["identifier"] == version


def test_migrating_makes_it_anew_for_the_current_schema(root: Path) -> None:
    publish(root, stage(root, tables()), {}, readme="card")
    old = publish_older(root, 2)
    done = migrate(root)
    assert done.old == old
    content = said(Layout(root).version(done.version))
    assert (content["identifier"], content["version"]) == (done.version, "3.0.0")
    assert any(field["@id"] == "images/repairs" for one in content["recordSet"] for field in one["field"])


def test_mlcroissant_reads_the_rows_of_every_table(demo_store: Path) -> None:
    library = os.environ.get("PARTONOMY_MLCROISSANT", "")
    if not library and find_spec("mlcroissant") is None:
        pytest.skip("mlcroissant isn't installed ($PARTONOMY_MLCROISSANT may name a folder that has it)")
    with partonomy_data.open(demo_store) as store:
        folder, due = store.folder, {name: rows for name, rows in store.manifest["tables"].items() if rows}
    command = [sys.executable, "-c", READ, str(folder / CROISSANT)]
    environment = {**os.environ, "PYTHONPATH": library}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {name: int(rows) for name, rows in map(str.split, done.stdout.splitlines())} == due
