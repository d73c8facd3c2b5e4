"""After a kill at a chosen point, with `work/` deleted, or a run's record cut off: the next command does what is right."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import partonomy_data
from partonomy_data import BuildConfig, UsageError
from partonomy_data.pipeline import refreshing, runs
from partonomy_data.store import catalog, relink, verify
from partonomy_data.store.layout import Layout
from tests.pipeline.commands import Commands, Done
from tests.pipeline.test_crash_campaign import change, content


@dataclass(frozen=True)
class Made:
    """A source of two states, what each comes to, and a store."""

    commands: Commands
    source: Path
    store: Path
    contents: tuple[dict[str, str], ...]

    def run(self, *arguments: object, at: str = "") -> Done:
        """Runs a command on the store; see Commands.start."""
        return self.commands.run(*arguments, "--root", self.store, at=at)

    def ok(self, *arguments: object) -> Done:
        """The same for one that must end well."""
        return self.commands.ok(*arguments, "--root", self.store)

    def build(self) -> list[object]:
        """The arguments of a build."""
        return ["build", "--source", f"paco={self.source}", "--workers", 1]

    def refreshed(self, state: int) -> None:
        """Refreshes, and checks that the store then has what the source's state comes to, and knows it."""
        self.ok("refresh")
        assert content(self.store) == self.contents[state]
        assert catalog.shown(self.store) == self.contents[state][""]
        assert not refreshing.status(self.store).changed


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """What is made once: a store of the first state, and the contents of both."""
    folder = tmp_path_factory.mktemp("recovery")
    with Commands(folder / "printed") as commands:
        made = Made(commands, folder / "source", folder / "both", ())
        change(made.source, 0)
        made.ok(*made.build())
        shutil.copytree(made.store, folder / "first")
        change(made.source, 1)
        made.ok("refresh")
        first = content(folder / "first")
        yield Made(commands, made.source, folder / "first", (first, content(made.store)))


@pytest.fixture
def made(template: Made, tmp_path: Path) -> Made:
    """A store of the first state, whose source has changed since."""
    shutil.copytree(template.store, tmp_path / "store")
    relink(tmp_path / "store")
    change(template.source, 1)
    return Made(template.commands, template.source, tmp_path / "store", template.contents)


PUBLISH, REFRESHING = "partonomy_data.store.publish", "partonomy_data.pipeline.refreshing"
#: Where a refresh is killed → the state that the store shows then.
POINTS = {
    f"before {PUBLISH}.set_current": 0,
    f"after {PUBLISH}.set_current": 1,
}
MORE_POINTS = {
    f"before {PUBLISH}.fsync_folder": 0,
    "after partonomy_data.ingest.shard._finish": 0,
    "before partonomy_data.store.catalog.fsync_file": 0,
    f"before {REFRESHING}._write_listing": 1,
}
LATER = pytest.param(f"before {REFRESHING}.remember", marks=pytest.mark.soak)


@pytest.mark.parametrize("point", [*POINTS, *(pytest.param(one, marks=pytest.mark.soak) for one in MORE_POINTS)])
def test_a_refresh_that_was_killed_is_made_up_for(made: Made, point: str) -> None:
    assert made.run("refresh", at=point).status == -9
    assert content(made.store) == made.contents[(POINTS | MORE_POINTS)[point]]
    assert verify(made.store) == []
    made.refreshed(1)
    assert {path.name for path in made.store.iterdir()} == {"CURRENT", "catalog.duckdb", "runs", "versions", "work"}
    assert not list((made.store / "work").rglob("*.tmp"))


@pytest.mark.parametrize("point", [f"before {PUBLISH}.set_current", LATER])
def test_a_source_that_changes_back_after_a_kill_is_noticed(made: Made, point: str) -> None:
    """What the build before remembers of the source is true again then; but it isn't what CURRENT shows, or is to."""
    assert made.run("refresh", at=point).status == -9
    change(made.source, 0)
    made.refreshed(0)


@pytest.mark.parametrize("point", [f"before {PUBLISH}.set_current", LATER])
def test_a_first_build_that_was_killed_can_be_refreshed(made: Made, point: str) -> None:
    shutil.rmtree(made.store)
    assert made.run(*made.build(), at=point).status == -9
    made.refreshed(1)


def test_a_build_of_other_settings_that_was_killed_once_current_is_what_is_refreshed(made: Made) -> None:
    """Else a refresh would go back to the settings of the build before, and leave out a source that was added."""
    assert made.run(*made.build(), "--limit", 3, at=f"before {REFRESHING}.remember").status == -9
    limited = content(made.store)
    assert refreshing.last_config(made.store).limit == 3
    made.ok("refresh")
    assert content(made.store) == limited


def test_a_rollback_that_was_killed_between_current_and_catalog_is_ended_by_the_next_command(made: Made) -> None:
    made.ok("refresh")
    old, new = (one[""] for one in made.contents)
    assert made.run("rollback", old, at="after partonomy_data.store.history.set_current").status == -9
    assert (content(made.store)[""], catalog.shown(made.store)) == (old, new)
    assert made.ok("prune", "--keep", 1).out == "removed 0 versions\n"  # the newest is kept, and so is the current one
    assert catalog.shown(made.store) == old


@pytest.mark.soak
def test_work_may_be_deleted_between_any_two_commands(made: Made) -> None:
    old, new = (one[""] for one in made.contents)
    steps: list[tuple[list[object], int]] = [
        (["refresh"], 1),
        (["rollback", old], 0),
        (["refresh"], 1),
        (["validate"], 1),
        (["relink"], 1),
        (["query", "SELECT count(*) FROM parts"], 1),
        (["prune", "--keep", 1], 1),
        (made.build(), 1),
    ]
    for arguments, state in steps:
        shutil.rmtree(made.store / "work", ignore_errors=True)
        made.ok(*arguments)
        assert content(made.store) == made.contents[state]
        assert catalog.shown(made.store) == made.contents[state][""]
    change(made.source, 0)
    shutil.rmtree(made.store / "work")
    made.refreshed(0)
    assert [info.version for info in partonomy_data.versions(made.store)] == [new, old]


@pytest.mark.parametrize(
    "missing",
    [
        "shards/*",
        "[bpqr]*",
        *(pytest.param(one, marks=pytest.mark.soak) for one in ["last", "last/*.arrow"]),
    ],
)
def test_any_part_of_work_may_be_missing(made: Made, missing: str) -> None:
    paths = list((made.store / "work").glob(missing))
    assert paths
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    made.refreshed(1)


def records(store: Path) -> list[Path]:
    """What the runs have recorded, oldest first."""
    return sorted(Layout(store).runs.glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns)


def test_where_the_last_record_is_cut_off_the_one_before_tells_how_to_build(made: Made) -> None:
    made.ok("refresh")
    _, last = records(made.store)
    last.write_bytes(last.read_bytes()[:-20])
    assert refreshing.status(made.store).reasons == ["what the last build saw is not remembered"]
    made.refreshed(1)
    assert len(records(made.store)) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"config": {}, "report": 3}'])
def test_where_no_record_can_be_read_it_is_said_which_and_what_to_do(made: Made, text: str) -> None:
    (record,) = records(made.store)
    record.write_text(text)
    done = made.run("refresh")
    assert done.status == 2
    assert done.line() == (
        f"partonomy: {record}: this doesn't say how the last build was done. Run `partonomy build` with the sources once."
    )


def test_a_build_makes_up_for_a_record_that_is_gone(made: Made) -> None:
    shutil.rmtree(Layout(made.store).runs)
    made.ok(*made.build())
    made.refreshed(1)


def test_runs_that_began_in_the_same_second_are_told_apart(tmp_path: Path) -> None:
    """Their names end in random digits, which say nothing of their order."""
    for n, name in enumerate(["20261125T120000Z-ffffff", "20261125T120000Z-000000", "20261125T120000Z-888888"]):
        path = Layout(tmp_path).runs / name / "run.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"n": n}))
    assert [content["n"] for content in runs.newest(tmp_path)] == [2, 1, 0]


def test_a_build_that_comes_to_nothing_is_not_what_is_refreshed(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("PARTONOMY_DATA_DOCS", "0")
    monkeypatch.setattr(sys.modules[PUBLISH], "set_current", full)  # the package has a function of the module's name
    settings = refreshing.last_config(made.store)
    other = BuildConfig(sources=settings.sources, limit=3, workers=1)
    with pytest.raises(OSError, match="No space left"):
        partonomy_data.build(made.store, other)
    assert refreshing.last_config(made.store) == settings
    assert content(made.store) == made.contents[0]
    assert [info.version for info in partonomy_data.versions(made.store)] == [made.contents[0][""]]


def test_without_any_record_there_is_nothing_to_refresh(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing was built here yet"):
        refreshing.status(tmp_path)
