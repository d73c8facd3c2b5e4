"""Several at once on one store: builds take turns, and readers, rollbacks and prunes don't wait for them nor harm them."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting, StoreError
from partonomy_data.pipeline import refreshing
from partonomy_data.pipeline.progress import Silent
from partonomy_data.sources import buckets
from partonomy_data.store import catalog, manifest, prune, relink, rollback, verify
from partonomy_data.store.layout import Layout
from partonomy_data.store.lock import Lock
from tests.pipeline.commands import Commands
from tests.pipeline.test_crash_campaign import change, content


class At(Silent):
    """Does something in the midst of a build: when one of its stages begins."""

    def __init__(self, stage: str, act: Callable[[], object]) -> None:
        self.at, self.act, self.times = stage, act, 0

    def stage(self, name: str, steps: int) -> None:
        if name == self.at:
            self.times += 1
            self.act()


@dataclass(frozen=True)
class Made:
    """Two versions, of the two states of a source, and a store."""

    source: Path
    store: Path
    names: tuple[str, str]
    contents: tuple[dict[str, str], dict[str, str]]

    def config(self) -> BuildConfig:
        """The settings of all builds."""
        return BuildConfig(sources={"paco": SourceSetting(str(self.source))}, workers=1)

    def build(self, stage: str = "", act: Callable[[], object] = lambda: None) -> str:
        """Builds in this process, does something when a stage begins, and returns the version."""
        progress = At(stage, act)
        version = partonomy_data.build(self.store, self.config(), progress).version
        assert progress.times == bool(stage)
        return version

    def current(self) -> str:
        """What CURRENT says."""
        return Layout(self.store).current.read_text().strip()


@pytest.fixture(scope="module", autouse=True)
def as_in_commands() -> Iterator[None]:
    """Shards as small as those of the commands that are run, and no pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "PHOTOGRAPHS_PER_SHARD", 8)
        patch.setenv("PARTONOMY_DATA_DOCS", "0")
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The store with both versions; beside it, in `first`, as it was with the first one alone."""
    folder = tmp_path_factory.mktemp("at once")
    made = Made(folder / "source", folder / "store", ("", ""), ({}, {}))
    change(made.source, 0)
    first = made.build()
    shutil.copytree(made.store, folder / "first")
    change(made.source, 1)
    second = made.build()
    contents = content(made.store, first), content(made.store, second)
    return Made(made.source, made.store, (first, second), contents)


def copied(made: Made, template: Path, target: Path) -> Made:
    """A copy of a store to do things with."""
    shutil.copytree(template, target)
    relink(target)
    return Made(made.source, target, made.names, made.contents)


@pytest.fixture
def begun(made: Made, tmp_path: Path) -> Made:
    """A store with the first version, whose source has changed since."""
    change(made.source, 1)
    return copied(made, made.store.with_name("first"), tmp_path / "store")


@pytest.fixture
def both(made: Made, tmp_path: Path) -> Made:
    """A store with both versions, the first one current again, and the source as it was then."""
    change(made.source, 0)
    both = copied(made, made.store, tmp_path / "store")
    rollback(both.store, both.names[0])
    return both


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with Commands(tmp_path_factory.mktemp("printed")) as running:
        yield running


@pytest.mark.parametrize("stage", ["looking at the sources", pytest.param("publishing", marks=pytest.mark.soak)])
def test_a_second_build_and_a_refresh_are_refused_in_one_line_that_names_the_holder(
    begun: Made, commands: Commands, stage: str
) -> None:
    lines = []

    def others() -> None:
        for arguments in (["build", "--source", f"paco={begun.source}"], ["refresh"], ["refresh", "--workers", 2]):
            done = commands.run(*arguments, "--root", begun.store)
            assert done.status == 2
            lines.append(done.line())

    assert begun.build(stage, others) == begun.names[1]
    assert len(lines) == 3
    for line in lines:
        assert f"another build is running (process {os.getpid()} on " in line
        assert line.endswith("Wait until it has ended.")
    assert content(begun.store) == begun.contents[1]


def test_of_two_refreshes_at_once_one_is_done_and_a_prune_meanwhile_takes_nothing_that_is_needed(
    begun: Made, commands: Commands
) -> None:
    running = [commands.start("refresh", "--root", begun.store) for _ in range(2)]
    pruned = commands.start("prune", "--keep", 1, "--root", begun.store)
    done = [one.wait() for one in running]
    # The second either finds the lock taken, or comes after the first and has nothing to do.
    assert sorted(one.status for one in done) in ([0, 0], [0, 2]), done
    assert all("is running (process " in one.line() for one in done if one.status)
    assert pruned.wait().status == 0
    assert content(begun.store) == begun.contents[1]
    assert catalog.shown(begun.store) == begun.names[1]
    assert not refreshing.status(begun.store).changed


@pytest.mark.parametrize("stage", ["looking at the sources", pytest.param("publishing", marks=pytest.mark.soak)])
def test_a_build_becomes_current_whatever_rollback_and_prune_came_meanwhile_and_names_what_was_current_as_its_parent(
    both: Made, stage: str
) -> None:
    removed: list[str] = []

    def meanwhile() -> None:
        rollback(both.store, both.names[1])
        removed.extend(prune(both.store, 1))

    # What it comes to is removed under its feet, and published anew.
    assert both.build(stage, meanwhile) == both.names[0] == both.current() == catalog.shown(both.store)
    assert removed == [both.names[0]]
    assert manifest.read(both.store, both.names[0]).content["parent"] == both.names[1]
    assert content(both.store) == both.contents[0]
    assert verify(both.store) == []


def test_the_version_that_a_build_compares_its_own_with_is_not_pruned_meanwhile(both: Made) -> None:
    change(both.source, 1)
    removed: list[list[str]] = []

    class WhileRulesAreChecked(Silent):
        checking = False

        def stage(self, name: str, steps: int) -> None:
            self.checking = name == "validating"

        def advance(self, steps: int = 1) -> None:
            if self.checking and not removed:
                rollback(both.store, both.names[1])
                removed.append(prune(both.store, 1))

    partonomy_data.build(both.store, both.config(), WhileRulesAreChecked())
    assert removed == [[]]
    assert content(both.store) == both.contents[1]
    assert prune(both.store, 1) == [both.names[0]]


@pytest.mark.parametrize("stage", ["publishing", pytest.param("reading paco", marks=pytest.mark.soak)])
def test_relink_during_a_build_shows_the_version_that_is_current(begun: Made, commands: Commands, stage: str) -> None:
    shown = []

    def relinked() -> None:
        assert commands.run("relink", "--root", begun.store).status == 0
        shown.append(catalog.shown(begun.store))

    assert begun.build(stage, relinked) == begun.names[1]
    assert shown == [begun.names[0]]
    assert catalog.shown(begun.store) == begun.names[1]


def test_a_long_query_ends_with_the_rows_of_its_version_whatever_happens_meanwhile(begun: Made) -> None:
    sums = "SELECT count(*), sum(area), bit_xor(hash(part_id, mask.counts)) FROM parts"
    # Hundreds of rows for each part, which come as they are asked for: the files are read again and again.
    query = "SELECT (SELECT sum(area + i) FROM parts) AS area, part_id, i FROM range(600) AS n(i) CROSS JOIN parts"
    with partonomy_data.open(begun.store) as store:
        expected, n_parts = store.sql(sums).fetchall(), len(store.table("parts"))
        not_begun, half_read = store.sql(sums), store.sql(query).to_arrow_reader(500)
        n_rows = half_read.read_next_batch().num_rows
        assert begun.build() == begun.names[1]
        assert prune(begun.store, 1) == []
        assert store.version == begun.names[0]
        assert n_rows < n_rows + sum(batch.num_rows for batch in half_read) == 600 * n_parts
        assert not_begun.fetchall() == expected
        assert len(store.table("parts")) == n_parts
    with partonomy_data.open(begun.store) as store:
        assert store.sql(sums).fetchall() != expected
    assert prune(begun.store, 1) == [begun.names[0]]


def test_a_client_of_the_catalog_keeps_its_version_until_a_prune(begun: Made) -> None:
    query = "SELECT (SELECT version FROM current_version), count(*), sum(area) FROM parts"
    with duckdb.connect(str(Layout(begun.store).catalog), read_only=True) as connection:
        before = connection.sql(query).fetchall()
        assert begun.build() == begun.names[1]
        assert connection.sql(query).fetchall() == before
        assert prune(begun.store, 2) == []
        assert connection.sql(query).fetchall() == before
        assert prune(begun.store, 1) == [begun.names[0]]
        with pytest.raises(duckdb.IOException, match=begun.names[0]):  # an error, not half of the rows
            connection.sql(query).fetchall()


def test_who_waits_for_a_lock_whose_file_is_removed_gets_the_one_that_others_see(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    first, waiting, third = (Lock(path) for _ in range(3))
    assert first.acquire()
    thread = threading.Thread(target=waiting.acquire, kwargs={"shared": True, "wait": True})
    thread.start()
    while not waits(path):
        pass
    path.unlink()  # as `prune` does when the version is gone
    first.release()
    thread.join()
    assert not third.acquire()
    waiting.release()
    assert third.acquire()
    third.release()


def test_what_a_killed_process_left_beside_current_and_the_catalog_goes_with_the_next_that_moves_them(
    both: Made,
) -> None:
    for name in (".CURRENT.1.tmp", ".catalog.duckdb.1.tmp", ".catalog.duckdb.1.tmp.wal"):
        (both.store / name).write_bytes(b"half")
    rollback(both.store, both.names[1])
    assert [path.name for path in both.store.glob(".*")] == []


def waits(path: Path) -> bool:
    """Whether anyone waits for the lock on a file."""
    inode = f":{path.stat().st_ino} "
    return any("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


def test_a_version_that_is_removed_and_published_again_while_it_is_opened_is_no_error(
    begun: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, read = Layout(begun.store).version(begun.names[0]), manifest.read
    calls = []

    def gone_for_a_moment(root: Path, version: str) -> manifest.Manifest:
        calls.append(version)
        if len(calls) > 1:
            return read(root, version)
        folder.rename(folder.with_name("aside"))
        try:
            return read(root, version)
        finally:
            folder.with_name("aside").rename(folder)

    monkeypatch.setattr("partonomy_data.store.reader.manifest.read", gone_for_a_moment)
    with partonomy_data.open(begun.store) as store:
        assert store.version == begun.names[0]
    assert len(calls) == 2
    calls.clear()
    with pytest.raises(StoreError, match="there is no version"):
        partonomy_data.open(begun.store, begun.names[0])
