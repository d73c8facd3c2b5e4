"""Where shards are done: in a pool of processes that ends with the one that started it, even when that one is killed."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeAlias, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: Opens what runs the shards, with so many workers (as many as there are if None), and ends it. `pool` is one; another
#: may have its workers on other machines.
Executors: TypeAlias = Callable[[int | None], AbstractContextManager[Executor]]


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


#: Objects that a worker makes between two looks of the garbage collector. A shard's records hold no cycles, so the usual
#: 700 would have it go through all of them hundreds of times, in vain.
_OBJECTS_BETWEEN_COLLECTIONS = 200_000


@contextmanager
def few_collections() -> Iterator[None]:
    """Has the garbage collector look less often meanwhile, for a shard in a process that is not one of `pool`'s."""
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _begin(lifeline: Connection) -> None:
    """Readies a worker: what it has imported is left alone by the garbage collector, and it ends with its parent.

    As soon as the other end of `lifeline` is closed, this process ends: a killed build must not leave any behind.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)

    def watch() -> None:
        try:
            lifeline.recv()
        except (EOFError, OSError):
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
    # Only this process holds the writing end, so that the system closes it whatever way this process ends.
    reading, writing = context.Pipe(duplex=False)
    executor = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(reading,))
    # The workers start, and import what they need, while the sources are being looked at.
    for _ in range(count):
        executor.submit(os.getpid)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        writing.close()
        reading.close()
