"""kill -9 at chosen and at random moments of publishing into a bucket, while others read: all ends as if nobody had killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import partonomy_data
from partonomy_data.pipeline import refreshing
from partonomy_data.store import verify, versions
from partonomy_data.store.pointer import read_current
from tests.helpers import paco
from tests.pipeline.commands import Commands, moments
from tests.pipeline.readers import SUMS
from tests.pipeline.test_build import many
from tests.pipeline.test_crash_campaign import content
from tests.store.remote.conftest import Remote
from tests.store.remote.test_builds import FIRST, content_there

#: Reads the store all the time; tells what each version answered, and ends at two answers of one version.
READ = """
import json, os, select, sys
import partonomy_data
os.nice(19)
address, sums = sys.argv[1:]
known = {}
while True:
    asked = select.select([0], [], [], 0.2)[0]  # it leaves the machine to what is tested for most of the time
    if asked and not sys.stdin.readline():
        break
    with partonomy_data.open(address) as store:
        answer = list(store.sql(sums).fetchall()[0])
        rows = [store.manifest["tables"][name] for name in ("images", "questions")]
        counts = store.sql("SELECT (SELECT count(*) FROM images), (SELECT count(*) FROM questions)").fetchall()[0]
    if rows != list(counts) or known.setdefault(store.version, answer) != answer:
        raise SystemExit(f"version {store.version} of {rows} rows answers {counts}, {answer} and {known}")
    if asked:
        print(json.dumps(known), flush=True)
"""
UPLOAD, POINTER = "partonomy_data.store.remote.upload", "partonomy_data.store.remote.pointer"
#: Where a refresh is killed → whether CURRENT in the bucket has moved by then.
POINTS = {
    f"after {UPLOAD}._put": False,
    f"before {UPLOAD}.unless_there": False,
    f"before {POINTER}._write": False,
    f"after {POINTER}._write": True,
}


class Reader:
    """A process that reads a store."""

    def __init__(self, address: str) -> None:
        command = [sys.executable, "-c", READ, address, SUMS]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)

    def answers(self) -> dict[str, Any]:
        """Has it read the store once more, and returns what each version has answered."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line.startswith("{"), f"the reader has ended: {line}{self.process.stdout.read()}"
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def reading(address: str) -> Iterator[Reader]:
    """A reader meanwhile."""
    reader = Reader(address)
    try:
        reader.answers()
        yield reader
    finally:
        reader.process.kill()
        reader.process.communicate()


@dataclass
class Campaign:
    """A store on S3 whose source changes again and again."""

    commands: Commands
    source: Path
    remote: Remote
    states: int = 0
    seconds: float = 0.0
    """How long a build takes that nobody kills."""
    kills: list[bool] = field(default_factory=list)
    """Whether each command that was started to be killed still ran then."""

    def root(self) -> list[object]:
        """The options that name the store."""
        return ["--root", self.remote.address, "--state", self.remote.state]

    def build(self) -> list[object]:
        """The arguments of a build."""
        return ["build", "--source", f"paco={self.source}", "--workers", 1]

    def change(self) -> None:
        """Puts the source into a state that it was never in."""
        self.states += 1
        paco.write(self.source, many(4 + self.states))

    def check(self, before: str) -> bool:
        """After a kill: what is current is whole. Whether it is another version than before."""
        assert verify(self.remote.address) == [], "CURRENT doesn't name a whole version"
        assert all(not info.damage for info in versions(self.remote.address))
        return self.remote.current() != before

    def made_up_for(self) -> None:
        """The same command, run to its end, has the state folder and the bucket agree."""
        self.commands.ok("refresh", *self.root())
        assert read_current(self.remote.state) == self.remote.current()
        assert content_there(self.remote) == content(self.remote.state)
        assert not refreshing.status(self.remote.state).changed

    def killed_at(self, point: str, moved: bool) -> None:
        """A refresh, killed at some function."""
        self.change()
        before = self.remote.current()
        assert self.commands.run("refresh", *self.root(), at=point).status == -9
        assert self.check(before) is moved
        self.made_up_for()

    def killed_within(self, share: float) -> None:
        """A refresh, killed after some share of the time that a build takes."""
        self.change()
        before = self.remote.current()
        command = self.commands.start("refresh", *self.root())
        self.kills.append(command.running(share * self.seconds))
        assert command.kill() == []
        self.check(before)
        self.made_up_for()


@contextmanager
def campaign(remote: Remote, folder: Path) -> Iterator[Campaign]:
    """A store with a version, which is read meanwhile; in the end all is as a build in a folder has it."""
    with Commands(folder / "printed", FIRST) as commands:
        made = Campaign(commands, folder / "source", remote)
        made.change()
        start = time.monotonic()
        commands.ok(*made.build(), *made.root())
        made.seconds = time.monotonic() - start
        with reading(remote.address) as reader:
            yield made
            seen = reader.answers()
        commands.ok(*made.build(), "--root", folder / "unbroken")
    assert content_there(remote) == content(folder / "unbroken")
    assert len(seen) > 1, "the reader has seen one version only"
    for version, answer in seen.items():
        with partonomy_data.open(remote.state, version) as store:
            assert list(store.sql(SUMS).fetchall()[0]) == answer


def check_killed(remote: Remote, folder: Path, points: Iterable[str], rounds: int, seed: int) -> None:
    random = moments(seed)
    with campaign(remote, folder) as made:
        for point in points:
            made.killed_at(point, POINTS[point])
        for _ in range(rounds):
            made.killed_within(0.3 + 0.7 * random.random())
    print(f"{sum(made.kills)} of {len(made.kills)} commands were killed at random")
    assert any(made.kills) or rounds < 5


@pytest.mark.soak
def test_publishers_that_are_killed_harm_nothing_while_others_read(remote: Remote, tmp_path: Path) -> None:
    points = [f"after {UPLOAD}._put", f"before {UPLOAD}.unless_there", f"after {POINTER}._write"]
    check_killed(remote, tmp_path, points[:2], rounds=1, seed=int.from_bytes(os.urandom(4)))


@pytest.mark.soak
def test_over_forty_publishers_that_are_killed_harm_nothing_while_others_read(remote: Remote, tmp_path: Path) -> None:
    check_killed(remote, tmp_path, [*POINTS, *POINTS], rounds=40, seed=1)


def test_a_first_build_that_was_killed_leaves_nothing_to_be_read(remote: Remote, tmp_path: Path) -> None:
    with Commands(tmp_path / "printed", FIRST) as commands:
        made = Campaign(commands, tmp_path / "source", remote)
        made.change()
        assert commands.run(*made.build(), *made.root(), at=f"before {POINTER}._write").status == -9
        assert "nothing is published here yet" in commands.run("query", "SELECT 1", *made.root()[:2]).line()
        assert [info.damage for info in versions(remote.address)] == [""]
        commands.ok("refresh", *made.root())
        assert verify(remote.address) == []


def test_a_fetch_that_was_killed_is_made_up_for(remote: Remote, tmp_path: Path) -> None:
    version = remote.publish()
    source = paco.write(tmp_path / "source")
    fresh = ["--root", remote.address, "--state", tmp_path / "fresh"]
    build = ["build", "--source", f"paco={source}", "--workers", 1, *fresh]
    with Commands(tmp_path / "printed", FIRST) as commands:
        assert commands.run(*build, at="after partonomy_data.store.remote.fetch._copy").status == -9
        assert not (tmp_path / "fresh" / "versions" / version).exists()
        commands.ok(*build)
    assert verify(tmp_path / "fresh", version) == []
    assert list((tmp_path / "fresh" / "versions").glob("*.tmp")) == []
