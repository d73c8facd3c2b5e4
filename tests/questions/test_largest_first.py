"""Shards of questions are begun by size, and put together by name."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from benchmarks import questions as benchmark
from partonomy_data.pipeline.workers import InProcess
from partonomy_data.questions import QuestionSettings, generate


class Watched(InProcess):
    """Keeps what it was given."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.sizes.append(sum(piece.rows for piece in args[0].pieces))
        return super().submit(fn, *args, **kwargs)


def test_the_largest_shards_are_begun_first_and_results_are_in_order(tmp_path: Path) -> None:
    benchmark.make(tmp_path / "store", 16, 50, 1_500)
    executor, settings = Watched(), QuestionSettings(curated_sources=("made_up",))
    made = generate(
        tmp_path / "store" / "tables", tmp_path / "made", settings, work=tmp_path / "work", executor=executor
    )
    assert len(set(executor.sizes)) > 3
    assert executor.sizes == sorted(executor.sizes, reverse=True)
    keys = [(one.source, one.split, one.family) for one in made.shards]
    assert keys == sorted(keys)
