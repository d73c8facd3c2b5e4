"""A pool of processes that ends with the one that started it, even when that one is killed."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class InProcess(Executor):
    """Runs each call at once, in this process: for one worker."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See Executor.submit."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the caller gets it from the future, as from any executor
            future.set_exception(error)
        return future


def _follow_parent() -> None:
    """Ends this worker as soon as it is an orphan: a killed build must not leave processes behind."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def pool(workers: int | None) -> Iterator[Executor]:
    """An executor with so many processes (all cores if None), started from a clean server process, not by plain fork."""
    count = workers or os.cpu_count() or 1
    if count == 1:
        yield InProcess()
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["partonomy_data.ingest.shard"])
    executor = ProcessPoolExecutor(count, mp_context=context, initializer=_follow_parent)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
