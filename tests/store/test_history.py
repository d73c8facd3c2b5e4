"""Listing versions, going back to one, removing old ones, verifying."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import StoreError
from partonomy_data.store import open, prune, rollback, verify, versions
from partonomy_data.store.history import VersionInfo, by_age
from partonomy_data.store.layout import Layout

from .conftest import publish_tables


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A store with four versions, published an hour apart."""
    root = tmp_path_factory.mktemp("several")
    names = []
    for i in range(4):
        names.append(publish_tables(root, seed=i))
        os.utime(Layout(root).manifest(names[-1]), (3600 * i, 3600 * i))
    return root, names


@pytest.fixture
def several(root: Path, template: tuple[Path, list[str]]) -> tuple[Path, list[str]]:
    """The folder of a copy of that store, and the names of its versions, oldest first."""
    shutil.copytree(template[0], root)
    return root, template[1]


def info(version: str, parent: str | None, created: datetime) -> VersionInfo:
    """A version of which nothing else is known."""
    return VersionInfo(version, False, parent, {}, 0, created)


def test_versions_are_listed_oldest_first_with_their_rows(several: tuple[Path, list[str]]) -> None:
    root, names = several
    infos = versions(root)
    assert [info.version for info in infos] == names
    assert [info.current for info in infos] == [False, False, False, True]
    assert [info.parent for info in infos] == [None, *names[:3]]
    assert [info.created.timestamp() for info in infos] == [0, 3600, 7200, 10800]
    assert all(info.rows["parts"] == 27 and info.rows["attributes"] == 0 for info in infos)
    assert all(info.bytes > 1000 and info.damage == "" for info in infos)


def test_versions_of_the_same_time_come_after_what_they_were_made_from(several: tuple[Path, list[str]]) -> None:
    root, names = several
    assert names != sorted(names), "else their names would do"
    for name in names:
        os.utime(Layout(root).manifest(name), (3600, 3600))
    assert [info.version for info in versions(root)] == names
    assert prune(root, 1) == names[:3]


@given(st.permutations(range(8)), st.lists(st.integers(0, 2), min_size=1, max_size=8))
def test_the_order_of_age_holds_for_any_names_and_times(names: list[int], steps: list[int]) -> None:
    """A chain of versions whose clock may stand still."""
    times = [datetime.fromtimestamp(seconds, UTC) for seconds in accumulate(steps)]
    parents = [None, *map(str, names)]
    chain = [info(str(name), parent, time) for name, parent, time in zip(names, parents, times, strict=False)]
    assert by_age(sorted(chain, key=lambda one: one.version)) == chain


def test_a_circle_of_parents_is_ordered_all_the_same() -> None:
    """A version that was removed, and published again from its own grandchild, is nothing to hang on."""
    time = datetime.fromtimestamp(0, UTC)
    circle = [info("a", "c", time), info("b", "a", time), info("c", "b", time), info("d", "d", time)]
    assert [one.version for one in by_age(circle[::-1])] == ["d", "a", "b", "c"]


def test_what_is_no_version_is_not_listed_and_what_is_damaged_says_so(
    several: tuple[Path, list[str]],
) -> None:
    root, names = several
    (Layout(root).versions / "notes").mkdir()
    (Layout(root).versions / "0123456789abcdef" / "parts").mkdir(parents=True)
    Layout(root).manifest(names[0]).unlink()
    found = {info.version: info.damage for info in versions(root)}
    assert set(found) == {*names, "0123456789abcdef"}
    assert "manifest.json can't be read" in found[names[0]]
    assert "manifest.json can't be read" in found["0123456789abcdef"]
    assert found[names[1]] == ""


def test_rollback_moves_the_pointer_and_the_catalog_and_nothing_else(several: tuple[Path, list[str]]) -> None:
    root, names = several
    rollback(root, names[1])
    with open(root) as store:
        assert store.version == names[1]
    with duckdb.connect(str(Layout(root).catalog), read_only=True) as connection:
        assert connection.sql("SELECT version FROM current_version").fetchall() == [(names[1],)]
    assert [info.version for info in versions(root)] == names


def test_rollback_mends_a_pointer_that_is_damaged(several: tuple[Path, list[str]]) -> None:
    root, names = several
    Layout(root).current.write_text("???")
    rollback(root, names[0])
    with open(root) as store:
        assert store.version == names[0]


def test_rollback_to_what_is_not_whole_is_refused(several: tuple[Path, list[str]]) -> None:
    root, names = several
    (Layout(root).version(names[0]) / "parts" / "0.parquet").unlink()
    for version, message in [(names[0], "is missing"), ("0" * 16, "no version"), ("x", "not the name")]:
        with pytest.raises(StoreError, match=message):
            rollback(root, version)
    with open(root) as store:
        assert store.version == names[3]


def test_prune_keeps_the_newest_and_the_current(several: tuple[Path, list[str]]) -> None:
    root, names = several
    rollback(root, names[0])
    assert prune(root, keep=2) == [names[1]]
    assert [info.version for info in versions(root)] == [names[0], names[2], names[3]]
    assert prune(root, keep=2) == []
    assert verify(root, names[0]) == []
    assert not list(Layout(root).work.glob("removed*"))


READ = """
import sys, partonomy_data.store as s
store = s.open(sys.argv[1], sys.argv[2])
print("open", flush=True)
sys.stdin.read()
"""


def test_prune_spares_what_another_process_reads_until_it_is_killed(several: tuple[Path, list[str]]) -> None:
    root, names = several
    command = [sys.executable, "-c", READ, str(root), names[1]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        assert prune(root, keep=1) == [names[0], names[2]]
        process.kill()
    assert prune(root, keep=1) == [names[1]]


def test_prune_ends_what_a_killed_one_left(several: tuple[Path, list[str]]) -> None:
    root, names = several
    layout = Layout(root)
    layout.version(names[0]).rename(layout.work / f"removed-{names[0]}")
    assert prune(root, keep=1) == [names[1], names[2]]
    assert not list(layout.work.glob("removed*"))


def test_prune_leaves_answers_models_and_evaluations(several: tuple[Path, list[str]]) -> None:
    root, names = several
    layout = Layout(root)
    kept = [layout.answers / "a", layout.models / "m" / "w", layout.evaluation("m", names[0]) / "x.parquet"]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("worth money")
    prune(root, keep=1)
    assert all(path.read_text() == "worth money" for path in kept)


def test_prune_keeps_at_least_one(several: tuple[Path, list[str]]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        prune(several[0], keep=0)


def test_without_a_store_each_says_so_and_makes_nothing(tmp_path: Path) -> None:
    none = tmp_path / "none"
    calls = [
        lambda: versions(none),
        lambda: rollback(none, "0" * 16),
        lambda: prune(none, 1),
        lambda: verify(none),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="there is no store here"):
            call()
    assert not none.exists()


def test_verify_names_each_file_that_was_changed(several: tuple[Path, list[str]]) -> None:
    root, names = several
    folder = Layout(root).version(names[0])
    for table in ("parts", "objects"):
        path = folder / table / "0.parquet"
        content = bytearray(path.read_bytes())
        content[50] ^= 255
        path.chmod(0o644)
        path.write_bytes(content)
    assert verify(root, names[0]) == [
        "objects/0.parquet has another content than published",
        "parts/0.parquet has another content than published",
    ]
    assert verify(root) == []
    with pytest.raises(StoreError, match="there is no version"):
        verify(root, "0" * 16)
