"""kill -9 at random moments of any command, while others read: a version is always whole, and all ends in the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from partonomy_data.pipeline import refreshing
from partonomy_data.store import relink, verify
from tests.helpers import paco
from tests.pipeline.commands import Commands, moments
from tests.pipeline.readers import answers, reading
from tests.pipeline.test_build import many


def content(root: Path, version: str | None = None) -> dict[str, str]:
    """Digest of every file of a version, the current one if none is named.

    What its manifest says of its parent is left out: whichever was current when it was published.
    """
    version = version or (root / "CURRENT").read_text().strip()
    folder, found = root / "versions" / version, {"": version}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            text = path.read_bytes()
            if path.name == "manifest.json":
                text = json.dumps({**json.loads(text), "parent": None}).encode()
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(text).hexdigest()
    return found


def change(source: Path, state: int) -> None:
    """Puts a source into one of two states: by renaming, as who copies with care does."""
    aside = paco.write(source.with_name("aside"), many((16, 24)[state]))
    target = source / "annotations" / "paco_lvis_v1_train.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(aside / "annotations" / target.name, target)


@dataclass
class Campaign:
    """A store whose source changes to and fro between two states, and rounds of commands that follow on that."""

    commands: Commands
    source: Path
    store: Path
    workers: int
    random: Random
    names: list[str] = field(default_factory=list)
    """The versions of the two states."""
    seconds: float = 0.0
    """How long a refresh takes that nobody kills."""
    kills: list[bool] = field(default_factory=list)
    """Whether each command that was started to be killed was still running then."""

    def begin(self, unbroken: Path) -> None:
        """The store in the first state, and another that has gone on to the second without a kill."""
        change(self.source, 0)
        self.commands.ok(*self.build(), "--root", unbroken)
        shutil.copytree(unbroken, self.store)
        relink(self.store)
        self.names.append((unbroken / "CURRENT").read_text().strip())
        change(self.source, 1)
        start = time.monotonic()
        self.commands.ok("refresh", "--root", unbroken)
        self.seconds = time.monotonic() - start
        self.names.append((unbroken / "CURRENT").read_text().strip())

    def build(self) -> list[object]:
        """The arguments of a build."""
        return ["build", "--source", f"paco={self.source}", "--workers", self.workers]

    def round(self) -> Iterator[tuple[int, float, int, list[object]]]:
        """State of the source, share of the usual seconds, place of the version that is current then, arguments."""
        yield 1, 0.9, 1, ["refresh"]
        yield 1, 0.06, 1, ["prune", "--keep", 1]
        yield 0, 0.9, 0, ["refresh"]
        yield 0, 0.1, 1, ["rollback", self.names[1]]
        yield 0, 0.4, 1, ["validate"]
        yield 0, 0.6, 0, self.build()
        yield 0, 0.06, 0, ["prune", "--keep", 1]

    def go(self, expected: list[dict[str, str]]) -> None:
        """One round: each command is killed at some moment, then run to its end."""
        for state, share, place, arguments in self.round():
            change(self.source, state)
            before = (self.store / "CURRENT").read_text().strip()
            command = self.commands.start(*arguments, "--root", self.store)
            self.kills.append(command.running(self.random.random() * share * self.seconds))
            assert command.kill() == [], "a killed command left processes behind"
            assert (self.store / "CURRENT").read_text().strip() in (before, self.names[place])
            assert verify(self.store) == [], "CURRENT doesn't name a whole version"
            self.commands.ok(*arguments, "--root", self.store)
            assert content(self.store) == expected[place]


def check_campaign(tmp_path: Path, rounds: int, workers: int, seed: int) -> None:
    with Commands(tmp_path / "printed") as commands:
        store, unbroken = tmp_path / "store", tmp_path / "unbroken"
        campaign = Campaign(commands, tmp_path / "source", store, workers, moments(seed))
        campaign.begin(unbroken)
        known = answers(unbroken)
        assert len({json.dumps(answer) for answer in known.values()}) == 2
        expected = [content(unbroken, name) for name in campaign.names]
        with reading(store, known) as readers:
            for _ in range(rounds):
                campaign.go(expected)
                counts = readers.answer()
    print(f"{sum(campaign.kills)} of {len(campaign.kills)} commands were killed; answers: {dict(counts)}")
    assert any(campaign.kills), "none was killed: the moments are too late to show anything"
    assert counts["pruned"] <= 2 * 4 * rounds, "who reads past the library meets each prune once, and opens anew"
    assert not refreshing.status(store).changed
    assert sorted(path.name for path in store.iterdir()) == ["CURRENT", "catalog.duckdb", "runs", "versions", "work"]


def test_killed_commands_harm_nothing_while_others_read(tmp_path: Path) -> None:
    check_campaign(tmp_path, rounds=1, workers=1, seed=int.from_bytes(os.urandom(4)))


@pytest.mark.soak
def test_over_fifty_killed_commands_harm_nothing_while_others_read(tmp_path: Path) -> None:
    check_campaign(tmp_path, rounds=8, workers=2, seed=1)
