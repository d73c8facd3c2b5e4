"""The manifest: a version's name is a digest of its content, and a manifest that lies is found out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import StoreError
from partonomy_data.store import manifest, open
from partonomy_data.store.layout import Layout
from partonomy_data.store.manifest import FileEntry

entries = st.lists(
    st.builds(
        FileEntry,
        path=st.sampled_from([f"parts/{i}.parquet" for i in range(9)]),
        rows=st.integers(0, 9),
        bytes=st.integers(0, 9),
        sha256=st.text("0123456789abcdef", min_size=4, max_size=4),
    ),
    unique_by=lambda entry: entry.path,
)


@given(entries, st.randoms())
def test_the_name_depends_on_paths_and_contents_alone(listed: list[FileEntry], random: Any) -> None:
    name = manifest.version_name(listed)
    shuffled = random.sample(listed, len(listed))
    assert manifest.version_name(shuffled) == name
    assert manifest.version_name(listed, schema_version=99) != name
    if listed:
        changed = FileEntry(listed[0].path, 0, 0, listed[0].sha256[::-1] + "0")
        assert manifest.version_name([changed, *listed[1:]]) != name
        assert manifest.version_name(listed[1:]) != name


@pytest.mark.parametrize(
    "path",
    [
        *("../parts/0.parquet", "parts/../../0.parquet", "/parts/0.parquet", "parts//0.parquet", ""),
        *("parts/0.csv", "parts", "nothing/0.parquet", "0.parquet", "parts\\0.parquet", "parts/./0.parquet"),
        "parts/\0.parquet",
    ],
)
def test_a_file_outside_the_tables_is_no_tables_file(path: str) -> None:
    assert not manifest.is_table_file(path)
    assert manifest.is_table_file("parts/source=paco/0.parquet")


def change(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_bytes())
    edit(content)
    path.chmod(0o644)
    path.write_text(json.dumps(content))


def climb(content: dict[str, Any]) -> None:
    content["files"][0]["path"] = "parts/../../../../etc/passwd.parquet"


def swap(content: dict[str, Any]) -> None:
    content["files"][0]["sha256"] = "0" * 64


def forget(content: dict[str, Any]) -> None:
    content["files"] = [f for f in content["files"] if not f["path"].startswith("parts/")]


def mistype(content: dict[str, Any]) -> None:
    content["files"] = [1, 2]


def no_schema(content: dict[str, Any]) -> None:
    del content["schema_version"]


def shrink(content: dict[str, Any]) -> None:
    content["files"][-1]["bytes"] += 1


def newer(content: dict[str, Any]) -> None:
    content["schema_version"] = 1000


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (climb, "is no table's file"),
        (swap, "is that of another version"),
        (forget, "lists no file of parts"),
        (mistype, "doesn't list its files"),
        (no_schema, "has no schema version"),
        (shrink, "bytes, not"),
        (newer, "made by a newer partonomy-data .schema version 1000; .* Install a newer partonomy-data"),
    ],
)
def test_a_manifest_that_lies_is_refused_in_one_line(
    edit: Callable[[dict[str, Any]], None], message: str, published: Path
) -> None:
    version = Layout(published).current.read_text().strip()
    change(Layout(published).manifest(version), edit)
    with pytest.raises(StoreError, match=message) as error:
        open(published)
    assert "\n" not in str(error.value)
    assert manifest.damages(published, version) != []


def test_a_half_written_version_is_refused(published: Path) -> None:
    version = Layout(published).current.read_text().strip()
    path = Layout(published).manifest(version)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(StoreError, match=r"is damaged: manifest\.json is not JSON"):
        open(published)
    path.unlink()
    with pytest.raises(StoreError, match=r"manifest\.json can't be read"):
        open(published)
