"""Files that change while a build reads them: what was missed is noticed by the next refresh, and no cache keeps a mixture."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import partonomy_data
from partonomy_data import BuildConfig, SourceError, SourceSetting
from partonomy_data.ingest import shard
from partonomy_data.pipeline import refreshing
from partonomy_data.pipeline.progress import Silent
from partonomy_data.sources import buckets
from tests.helpers import paco
from tests.pipeline.test_build import many
from tests.pipeline.test_crash_campaign import content

N_IMAGES = 6


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "PHOTOGRAPHS_PER_SHARD", 8)
    monkeypatch.setenv("PARTONOMY_DATA_DOCS", "0")


def photograph(path: Path, seed: int) -> None:
    """Draws a photograph, in place of what is there; all have the same size in bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (paco.HEIGHT, paco.WIDTH, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="BMP")


Content = dict[str, str]


@dataclass(frozen=True)
class World:
    """A source with photographs, and a store."""

    folder: Path
    from_scratch: dict[str, Content]
    """State of the source → what a build from scratch makes of it."""

    @property
    def photograph(self) -> Path:
        """One of the photographs."""
        return self.folder / "source" / "train2017" / "000000000100.jpg"

    @property
    def annotations(self) -> Path:
        """The annotation file."""
        return self.folder / "source" / "annotations" / "paco_lvis_v1_train.json"

    def config(self) -> BuildConfig:
        """The settings of all builds."""
        return BuildConfig(sources={"paco": SourceSetting(str(self.folder / "source"))}, workers=1)

    def build(self, progress: Silent | None = None) -> partonomy_data.BuildReport:
        """Builds the store."""
        return partonomy_data.build(self.folder / "store", self.config(), progress)

    def changed(self) -> bool:
        """Whether a refresh would do anything."""
        return refreshing.status(self.folder / "store").changed

    def is_right(self) -> bool:
        """Whether the store has what the source has now."""
        paths = sorted((self.folder / "source").rglob("*.*"))
        state = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
        if state not in self.from_scratch:
            partonomy_data.build(self.folder / state, self.config())
            self.from_scratch[state] = content(self.folder / state)
        return content(self.folder / "store") == self.from_scratch[state]


@pytest.fixture(scope="module")
def from_scratch() -> dict[str, Content]:
    """See World."""
    return {}


@pytest.fixture
def world(tmp_path: Path, from_scratch: dict[str, Content]) -> World:
    """Nothing is built yet; all files are old enough to be known by their times."""
    world = World(tmp_path, from_scratch)
    data = many(N_IMAGES)
    paco.write(tmp_path / "source", data)
    for seed, row in enumerate(data["images"]):
        photograph(tmp_path / "source" / row["file_name"], seed)
    for place, path in enumerate(sorted((tmp_path / "source").rglob("*.*"))):
        os.utime(path, (1000 + place, 1000 + place))
    return world


def other_photograph(world: World) -> None:
    """Writes into the photograph: the same inode, and the same size."""
    before = world.photograph.stat()
    photograph(world.photograph, 99)
    after = world.photograph.stat()
    assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size)


def other_annotation(world: World) -> None:
    """Replaces the annotation file: one object has another mask."""
    data = json.loads(world.annotations.read_text())
    data["annotations"][0]["segmentation"] = paco.ring(12, 12, 30, 20)
    aside = world.annotations.with_suffix(".new")
    aside.write_text(json.dumps(data))
    aside.replace(world.annotations)


class Once(Silent):
    """Changes a file when a stage of the build begins."""

    def __init__(self, stage: str, act: Callable[[], None]) -> None:
        self.at, self.act = stage, act

    def stage(self, name: str, steps: int) -> None:
        if name == self.at:
            self.act()


def at_stage(name: str) -> Callable[[World, Callable[[], None]], None]:
    """Builds, and changes a file when a stage begins."""

    def build(world: World, act: Callable[[], None]) -> None:
        world.build(Once(name, act))

    return build


def between_digest_and_look(world: World, act: Callable[[], None]) -> None:
    """Builds, and changes a file when photographs have their digests, before they are opened."""
    with pytest.MonkeyPatch.context() as patch:
        real, acts = shard.gather, iter([act])

        def gather(*arguments: Any) -> Any:
            next(acts, lambda: None)()
            return real(*arguments)

        patch.setattr(shard, "gather", gather)
        world.build()


def while_annotations_are_read(world: World, act: Callable[[], None]) -> None:
    """Builds, and changes a file when the reader of the source has given the first photograph of a shard."""
    with pytest.MonkeyPatch.context() as patch:
        real, acts = shard.reader, iter([act])

        class Reader:
            def read(self, job: Any) -> Iterator[Any]:
                for record in real("paco").read(job):
                    yield record
                    next(acts, lambda: None)()

        patch.setattr(shard, "reader", lambda name: Reader())
        world.build()


MOMENTS = {
    "before it is listed": at_stage("looking at the sources"),
    "when it is listed": at_stage("reading paco"),
    "while it is read": while_annotations_are_read,
    "while it is looked at": between_digest_and_look,
    "when it is read": at_stage("making questions"),
}


@pytest.mark.parametrize("change", [other_photograph, other_annotation])
@pytest.mark.parametrize("moment", sorted(MOMENTS))
@pytest.mark.soak
def test_a_file_that_changes_during_a_build_is_read_by_it_or_by_the_next_refresh(
    world: World, moment: str, change: Callable[[World], None]
) -> None:
    MOMENTS[moment](world, lambda: change(world))
    changed, right = world.changed(), world.is_right()
    assert changed or right, "the build has missed it, and the refresh would too"
    if moment == "when it is read":
        assert changed
    if changed:
        world.build()
        assert not world.changed()
        assert world.is_right()


def test_a_photograph_that_changes_and_changes_back_is_not_kept_as_it_was_in_between(world: World) -> None:
    """What is finished is kept under the digests of its photographs: it must hold what these had."""
    original = world.photograph.read_bytes()
    real = shard.gather

    def meanwhile(*arguments: Any) -> Any:
        other_photograph(world)
        try:
            return real(*arguments)
        finally:
            world.photograph.write_bytes(original)
            shard.gather = real

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard, "gather", meanwhile)
        world.build()
    assert world.is_right()
    assert not world.changed()


def test_photographs_that_never_rest_are_told_in_one_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shard.gather
    seeds = iter(range(100, 200))

    def restless(*arguments: Any) -> Any:
        for path in world.photograph.parent.iterdir():
            photograph(path, next(seeds))
        return real(*arguments)

    monkeypatch.setattr(shard, "gather", restless)
    with pytest.raises(SourceError, match="its photographs change while they are read") as error:
        world.build()
    assert "\n" not in str(error.value)
    assert not list((world.folder / "store" / "work" / "shards").iterdir())
    monkeypatch.undo()
    world.build()
    assert world.is_right()


@pytest.mark.parametrize("look", ["build", "refresh"])
def test_a_change_within_one_tick_of_the_clock_is_noticed(world: World, look: str) -> None:
    """A file that had only just changed when it was looked at may change once more, and have the same time and size."""
    if look == "refresh":
        world.build()
        os.utime(world.photograph)
        assert not world.changed()
    else:
        other_photograph(world)
    now = world.photograph.stat().st_mtime_ns
    if look == "build":
        world.build()
    photograph(world.photograph, 77)
    os.utime(world.photograph, ns=(now, now))
    assert world.changed()
    world.build()
    assert world.is_right()
    assert not world.changed()


def test_what_is_read_from_a_source_that_is_old_is_not_hashed_by_a_refresh(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.build()
    monkeypatch.setattr("partonomy_data.sources.files.sha256", lambda path: pytest.fail(f"{path} was hashed"))
    assert not world.changed()
