"""A disk that fills up at any moment of a command: one line, the store as it was; with room again, the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting
from partonomy_data.errors import UsageError
from partonomy_data.llm.cache import AnswerStore
from partonomy_data.llm.request import Message, Reply, Request
from partonomy_data.pipeline import refreshing
from partonomy_data.store import catalog, relink, verify
from tests.pipeline.commands import Commands, Done
from tests.pipeline.readers import answers, reading
from tests.pipeline.test_crash_campaign import change, content

KILOBYTE = 1024


@dataclass(frozen=True)
class Disk:
    """A small disk that can be filled."""

    folder: Path

    def leave(self, size: int) -> None:
        """Fills it until so many bytes are left."""
        self.make_room()
        stat = os.statvfs(self.folder)
        with (self.folder / "filler").open("wb") as file:
            file.write(bytes(max(0, stat.f_bavail * stat.f_frsize - size)))

    def make_room(self) -> None:
        """Empties it again."""
        (self.folder / "filler").unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 24 MB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "partonomy-test", str(folder)]
    if shutil.which("mount") is None:
        pytest.skip("there is no command mount, so that no small disk can be made")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk can't be mounted here ({done.stderr.strip()})")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@dataclass(frozen=True)
class Filled:
    """A store on the disk, and one elsewhere on which the same is done without trouble."""

    commands: Commands
    disk: Disk
    source: Path
    unbroken: Path

    @property
    def store(self) -> Path:
        """The store on the small disk."""
        return self.disk.folder / "store"

    def build(self) -> list[object]:
        """The arguments of a build."""
        return ["build", "--source", f"paco={self.source}", "--workers", 1]

    def state(self) -> tuple[str, list[str], str | None]:
        """What must be as it was: the current version, all versions, what the catalog shows."""
        current = (self.store / "CURRENT").read_text().strip()
        return current, [info.version for info in partonomy_data.versions(self.store)], catalog.shown(self.store)

    def fails(self, done: Done, before: object) -> bool:
        """Whether a command failed for want of room; it must then have said so in one line, and have changed nothing."""
        assert verify(self.store) == []
        if done.status == 0:
            return False
        assert done.status == 1, done
        assert "No space left on device" in done.line()
        assert self.state() == before
        return True

    def fill(self, arguments: Sequence[object], sizes: Sequence[int]) -> list[Done]:
        """Gives a command the disk with more and more room, until it ends well; what it came to each time."""
        before, came_to = self.state(), []
        for size in sizes:
            self.disk.leave(size * KILOBYTE)
            came_to.append(self.commands.run(*arguments, "--root", self.store))
            if not self.fails(came_to[-1], before):
                break
        self.disk.make_room()
        return came_to


@dataclass(frozen=True)
class Begun:
    """What is made once: a store in the first state of the source, and one that went on to the second."""

    commands: Commands
    source: Path
    first: Path
    unbroken: Path


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun]:
    """A store of two states of a source."""
    folder = tmp_path_factory.mktemp("disk full")
    with Commands(folder / "printed") as commands:
        begun = Begun(commands, folder / "source", folder / "first", folder / "unbroken")
        change(begun.source, 0)
        commands.ok("build", "--source", f"paco={begun.source}", "--workers", 1, "--root", begun.unbroken)
        shutil.copytree(begun.unbroken, begun.first)
        change(begun.source, 1)
        commands.ok("refresh", "--root", begun.unbroken)
        yield begun


@pytest.fixture
def filled(begun: Begun, disk: Disk) -> Filled:
    """The store in the first state on the small disk, whose source is in the second; see Filled."""
    filled = Filled(begun.commands, disk, begun.source, begun.unbroken)
    shutil.copytree(begun.first, filled.store)
    relink(filled.store)
    return filled


def check_refreshes(filled: Filled, sizes: Sequence[int]) -> None:
    known, old = answers(filled.unbroken), filled.state()[0]
    with reading(filled.store, known) as readers:
        came_to = filled.fill(["refresh"], sizes)
        readers.answer()
        assert [done.status for done in came_to[:3]] == [1, 1, 1], "the disk has not been small enough"
        filled.commands.ok("refresh", "--root", filled.store)
        readers.answer()
    assert content(filled.store) == content(filled.unbroken)
    assert not refreshing.status(filled.store).changed
    assert filled.state() == (content(filled.unbroken)[""], [old, content(filled.unbroken)[""]], filled.state()[0])
    for size, done in zip(sizes, came_to, strict=False):
        print(f"{size} KB left: {done.status}, {' | '.join(done.err.splitlines()[-2:])}")


def test_a_refresh_on_a_full_disk_leaves_the_store_as_it_was_and_ends_the_same_once_there_is_room(
    filled: Filled,
) -> None:
    check_refreshes(filled, [0, 40, 80, 120, 200, 2000])


@pytest.mark.soak
def test_a_refresh_on_a_full_disk_at_many_sizes(filled: Filled) -> None:
    check_refreshes(filled, [0, *range(4, 2000, 20)])


def test_a_first_build_on_a_full_disk_leaves_no_store_half_made(filled: Filled) -> None:
    shutil.rmtree(filled.store)
    for size in (0, 60, 500):
        filled.disk.leave(size * KILOBYTE)
        done = filled.commands.run(*filled.build(), "--root", filled.store)
        assert done.status == 1, done
        assert "No space left on device" in done.line()
        assert not (filled.store / "CURRENT").exists()
        assert not list(filled.store.glob("versions/*"))
    filled.disk.make_room()
    filled.commands.ok(*filled.build(), "--root", filled.store)
    assert content(filled.store) == content(filled.unbroken)


def test_on_a_full_disk_prune_makes_room_and_a_rollback_that_has_none_changes_nothing(filled: Filled) -> None:
    old = filled.state()[0]
    filled.commands.ok("refresh", "--root", filled.store)
    new = filled.state()[0]
    filled.disk.leave(0)
    before = filled.state()
    assert filled.fails(filled.commands.run("rollback", old, "--root", filled.store), before)
    assert filled.commands.ok("validate", "--root", filled.store, "--out", filled.disk.folder.with_name("report"))
    assert filled.commands.ok("prune", "--keep", 1, "--root", filled.store).out == f"removed 1 version: {old}\n"
    assert filled.state() == (new, [new], new)
    stat = os.statvfs(filled.disk.folder)
    assert stat.f_bavail * stat.f_frsize > 0


@pytest.mark.soak
def test_a_limit_on_the_size_of_files_is_met_like_a_full_disk(tmp_path: Path) -> None:
    """As `ulimit -f` and some quotas set it; where no disk can be mounted, this stands for one that is full."""
    source, store, unbroken = (tmp_path / name for name in ("source", "store", "unbroken"))
    with Commands(tmp_path / "printed") as commands:
        change(source, 0)
        build = ["build", "--source", f"paco={source}", "--workers", 1]
        commands.ok(*build, "--root", unbroken)
        shutil.copytree(unbroken, store)
        relink(store)
        change(source, 1)
        commands.ok("refresh", "--root", unbroken)
        with reading(store, answers(unbroken), count=1):
            before = content(store)
            for size in (1, 6, 40):
                done = commands.run("refresh", "--root", store, largest=size * KILOBYTE)
                assert done.status == 1, done
                assert "File too large" in done.line()
                assert content(store) == before
                assert catalog.shown(store) == before[""]
            commands.ok("refresh", "--root", store)
        assert content(store) == content(unbroken)


def test_what_fails_after_the_version_is_current_is_told_and_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    source, store = tmp_path / "source", tmp_path / "store"
    change(source, 0)
    config = BuildConfig(sources={"paco": SourceSetting(str(source))}, workers=1)
    first = partonomy_data.build(store, config)
    change(source, 1)
    with monkeypatch.context() as patch:
        patch.setattr(refreshing, "remember", full)
        second = partonomy_data.build(store, config)
    assert (store / "CURRENT").read_text().strip() == second.version != first.version
    assert any("can't be noted (No space left on device)" in line for line in second.warnings())
    change(source, 0)  # what is remembered is of the first build, whose files these are
    assert refreshing.status(store).reasons == ["what the last build saw is not remembered"]
    assert partonomy_data.build(store, config).version == first.version
    assert not refreshing.status(store).changed


def test_an_answer_that_finds_no_room_is_refused_and_those_before_it_stay(disk: Disk) -> None:
    folder, now = disk.folder / "answers", datetime(2026, 11, 25, tzinfo=UTC)
    booked: list[str] = []

    def book(answers: AnswerStore) -> None:
        n = len(booked)
        request = Request(
            endpoint="http://localhost",
            model="m",
            messages=(Message("user", str(n)),),
            schema=msgspec.Raw(b"{}"),
            form="text",
            max_tokens=10,
            temperature=0.0,
        )
        reply = Reply(text="x" * 2000, finish="stop")
        booked.append(answers.book(request, reply, purpose="names", items=[str(n)], cost_usd=0.1, created_at=now))

    with AnswerStore(folder) as answers:
        book(answers)
        disk.leave(64 * KILOBYTE)
        line = ""
        while not line and len(booked) < 1000:
            try:
                book(answers)
            except UsageError as error:
                line = str(error)
        assert "the answer store can't be written (database or disk is full)" in line
        assert "\n" not in line
        before = list(booked)
        assert len(before) > 1
        assert [answers.call(call_id).call_id for call_id in before] == before
    disk.make_room()
    with AnswerStore(folder) as answers:
        assert [answers.call(call_id).call_id for call_id in before] == before
        book(answers)
        assert len(answers.calls_of([str(n) for n in range(1001)])) == len(before) + 1
