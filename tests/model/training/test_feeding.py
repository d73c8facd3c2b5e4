"""Steps are the same whatever the threads, and wherever a run begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.data import rows
from model.data.collate import Collated
from model.data.order import Effective
from model.data.rows import Rows
from model.data.samples import Sample
from model.data.selection import DataConfig
from model.training import feeding
from model.training.feeding import Feed
from partonomy_data import store as stores
from partonomy_data.photographs.places import Photographs


class Names:
    """A collator that only notes whose samples they are."""

    def __call__(self, samples: list[Sample]) -> Collated:
        return Collated(None, {str(one): "" for one in samples})


@pytest.fixture
def samples(demo_store: Path, tmp_path: Path) -> Rows:
    with stores.open(demo_store) as store:
        return rows.prepare(store, DataConfig(), tmp_path)


def told(
    samples: Rows, start: int, end: int, threads: int = 1, **more: object
) -> list[tuple[int, int, list[list[str]]]]:
    config = DataConfig(**more)  # type: ignore[arg-type]
    feed = Feed(samples, Photographs({}), Names(), config, Effective(10, 5), seed=3, threads=threads)  # type: ignore[arg-type]
    return [(one.number, one.epoch, [list(p.left_out) for p in one.passes]) for one in feed.steps(start, end)]


@pytest.fixture(autouse=True)
def rows_stand_for_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "sample_of", lambda row, _: row["sample_id"])


def test_a_run_that_begins_later_takes_the_same_steps(samples: Rows) -> None:
    per_epoch = len(samples) // 10
    whole = told(samples, 0, per_epoch + 4, threads=3)
    assert [number for number, _, _ in whole] == list(range(per_epoch + 4))
    assert told(samples, per_epoch - 2, per_epoch + 4) == whole[per_epoch - 2 :]
    assert [epoch for _, epoch, _ in whole[-5:]] == [0, 1, 1, 1, 1]
    first = {name for _, epoch, passes in whole for one in passes for name in one if epoch == 0}
    assert len(first) == per_epoch * 10


def test_a_limit_takes_the_same_samples_in_each_epoch(samples: Rows) -> None:
    epochs: dict[int, set[str]] = {0: set(), 1: set()}
    for _, epoch, passes in told(samples, 0, 6, limit=30):
        epochs[epoch] |= {name for one in passes for name in one}
    assert len(epochs[0]) == 30
    assert epochs[0] == epochs[1]


def test_other_choices_are_drawn_in_each_epoch_and_the_same_ones_again(
    samples: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "with_choices", lambda one, most, key: f"{one} {most} {key}")
    whole = told(samples, 0, 6, threads=2, limit=30, choices=3)
    assert told(samples, 4, 6, limit=30, choices=3) == whole[4:]
    drawn = [set(), set()]  # type: list[set[str]]
    for _, epoch, passes in whole:
        drawn[epoch] |= {name for one in passes for name in one}
    assert len(drawn[0]) == len(drawn[1]) == 30
    assert not drawn[0] & drawn[1]
    assert {name.split(" ")[0] for name in drawn[0]} == {name.split(" ")[0] for name in drawn[1]}
    assert {name.split(" ")[1] for name in drawn[0]} == {"3"}


def test_what_fails_in_a_thread_ends_the_run(samples: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ValueError("a photograph is gone")

    monkeypatch.setattr(feeding, "sample_of", fails)
    with pytest.raises(ValueError, match="a photograph is gone"):
        told(samples, 0, 3, threads=2)
