"""The passes of each optimiser step of one process, made in threads ahead of the model.

What a step holds is decided by `model.data.order` alone; threads only decide when it is ready.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from model.data import order
from model.data.collate import Collated, Collator
from model.data.order import Effective, Int64s
from model.data.rows import Rows
from model.data.samples import sample_of, with_choices
from model.data.selection import DataConfig
from partonomy_data.photographs.places import Photographs


@dataclass(frozen=True)
class Step:
    """What one process works off in an optimiser step."""

    number: int
    """Counted over the whole run, from 0."""
    epoch: int
    passes: list[Collated]


class Feed:
    """Steps of a run for one process."""

    def __init__(
        self,
        rows: Rows,
        photographs: Photographs,
        collator: Collator,
        config: DataConfig,
        effective: Effective,
        *,
        seed: int,
        threads: int = 1,
        process: int = 0,
    ) -> None:
        self._rows, self._photographs, self._collator = rows, photographs, collator
        self._config, self._effective, self._seed, self._process = config, effective, seed, process
        self._threads = threads
        self._used = self._kept(rows, config, seed)
        self._lengths, self._views, self._work = rows.lengths(), rows.views(), rows.work()
        self.left_out = rows.left_out
        self.per_epoch = order.steps_of(len(self._used), effective)

    @staticmethod
    def _kept(rows: Rows, config: DataConfig, seed: int) -> Int64s:
        """The rows that are used: all, or `limit` of them, drawn by key."""
        if config.limit is None or config.limit >= len(rows):
            return np.arange(len(rows))
        drawn = np.random.Generator(np.random.Philox(key=[seed, 1 << 40])).permutation(len(rows))[: config.limit]
        return np.sort(drawn)

    def steps(self, start: int, end: int) -> Iterator[Step]:
        """The steps from `start` up to `end`, some made ahead."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="batches") as pool:
            ahead: deque[tuple[int, int, list[Future[Collated]]]] = deque()
            try:
                for number in range(start, end):
                    epoch, within = divmod(number, self.per_epoch)
                    samples = order.passes(
                        self._order(epoch),
                        self._lengths,
                        self._views,
                        within,
                        self._effective,
                        self._process,
                        self._work,
                    )
                    ahead.append((number, epoch, [pool.submit(self._collated, one, epoch) for one in samples]))
                    if len(ahead) > 2:
                        yield self._taken(*ahead.popleft())
                while ahead:
                    yield self._taken(*ahead.popleft())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    def _taken(number: int, epoch: int, passes: list[Future[Collated]]) -> Step:
        return Step(number, epoch, [one.result() for one in passes])

    def _order(self, epoch: int) -> Int64s:
        if getattr(self, "_epoch", None) != epoch:
            config = self._config
            types = (
                self._rows.column("question_type").combine_chunks().take(self._used).to_pylist() if config.types else ()
            )
            views = self._views[self._used]
            found = order.epoch_order(views, self._seed, epoch, config.together, types, config.types)
            self._epoch, self._of_epoch = epoch, self._used[found]
        return self._of_epoch

    def _collated(self, numbers: Int64s, epoch: int) -> Collated:
        samples = [sample_of(self._rows[int(number)], self._photographs) for number in numbers]
        if (most := self._config.choices) is not None:
            keys = ((self._seed, (epoch << 40) + int(number)) for number in numbers)
            samples = [with_choices(one, most, key) for one, key in zip(samples, keys, strict=True)]
        return self._collator(samples)
