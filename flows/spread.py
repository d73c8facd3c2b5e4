"""Calls spread over the workers of a Dask cluster, behind the interface of `concurrent.futures.Executor`.

A worker makes a call only if it is fit for the build (`objection`): it has the same code, and sees the store and the
sources. That is asked again with every call, as workers may come and go meanwhile.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import CancelledError, Executor, Future
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec
from distributed import Client, KilledWorker, Worker
from distributed import Future as DaskFuture

from partonomy_data.errors import PartonomyError, UsageError
from partonomy_data.pipeline.code import code_digest
from partonomy_data.pipeline.workers import few_collections

#: Seconds between two questions whether a worker is still at a call that is of no more use.
_BETWEEN_LOOKS: Final = 0.2

Objection = tuple[str, str]
"""What a worker is not fit for, as a clause, and how to mend it."""


class Terms(msgspec.Struct, frozen=True):
    """What a worker must have in common with the process that builds."""

    build: str
    """A name that no other build has."""
    code: dict[str, str]
    """Package → digest of its code."""
    probe: str
    """A file in the store's folder that holds the build's name. It is gone when the build has ended."""
    folders: tuple[str, ...]
    """The sources."""


def terms(folder: Path, packages: set[str], sources: list[str]) -> Terms:
    """The terms of a build, with its probe written into `folder`. `packages` hold the readers of its sources."""
    build = uuid4().hex
    probe = folder / f"{build}.probe"
    probe.write_text(build)
    code = {name: code_digest(name) for name in sorted({"flows", *packages})}
    return Terms(build, code, str(probe), tuple(sources))


def objection(asked: Terms) -> Objection | None:
    """What this process is not fit for; None if it may do the build's shards."""
    other = other_code(asked)
    if other is not None:
        return other
    probe = Path(asked.probe)
    mend = "Put it on storage that all workers see under the same path"
    try:
        seen = probe.read_text()
    except OSError:
        seen = ""
    if seen != asked.build:
        return f"does not see the store's folder {probe.parent}", mend
    for folder in asked.folders:
        if not Path(folder).exists():
            return f"does not see the source {folder}", mend
    return None


def other_code(asked: Terms) -> Objection | None:
    """Whether this process has other code than the one that builds: it would make other bytes of the same."""
    mend = (
        "Install the same version of it, and of what it needs, for the scheduler and all workers, and start them again"
    )
    for name, digest in asked.code.items():
        if find_spec(name) is None:
            return f"has no package {name}", mend
        if code_digest(name) != digest:
            return f"has other code of {name} than this process, or other versions of its libraries", mend
    return None


def carry(asked: Terms, call: Callable[[], Any]) -> Any:
    """Makes a call on a worker that is fit for it. Raises UsageError on one that isn't, and what the call raises."""
    refused = objection(asked)
    if refused is not None:
        raise UsageError(f"a worker of the Dask cluster {refused[0]}", mend=refused[1])
    with few_collections():
        return call()


def dask_setup(worker: Worker) -> None:
    """Readies a worker of a cluster of our own, as it starts: Ctrl-C is for the process that builds, which ends it then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def at_work(build: str, dask_worker: Worker) -> bool:
    """Whether a worker is still at one of the build's calls."""
    return any(build in str(key) for key in tuple(dask_worker.active_keys))


class Spread(Executor):
    """Runs calls on the workers of a cluster. One whose worker dies is made again on another."""

    def __init__(self, client: Client, asked: Terms) -> None:
        self._client, self._terms = client, asked
        self._numbers = count()
        self._calls: list[Future[Any]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See Executor.submit. What is called, with what, and what it returns must be fit for pickling."""
        key = f"{fn.__name__}-{self._terms.build}-{next(self._numbers)}"
        theirs = self._client.submit(carry, self._terms, partial(fn, *args, **kwargs), key=key, pure=False)
        ours: Future[Any] = Future()
        ours.add_done_callback(partial(_withdraw, theirs))
        theirs.add_done_callback(partial(_hand_over, ours))
        self._calls.append(ours)
        return ours

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See Executor.shutdown. With `wait`, calls that were cancelled while a worker was at them are waited for too."""
        if cancel_futures:
            for one in self._calls:
                one.cancel()
        if not wait:
            return
        futures.wait(self._calls)
        try:
            while any(self._client.run(at_work, self._terms.build, on_error="ignore").values()):
                time.sleep(_BETWEEN_LOOKS)
        except OSError:
            return  # the scheduler has gone, and nobody can be asked


def _withdraw(theirs: DaskFuture, ours: Future[Any]) -> None:
    if ours.cancelled():
        theirs.cancel()


def _hand_over(ours: Future[Any], theirs: DaskFuture) -> None:
    """Passes a call's outcome on to whoever waits for it, if he still does."""
    if not ours.set_running_or_notify_cancel():
        return
    try:
        ours.set_result(theirs.result())
    except KilledWorker as error:
        n = error.allowed_failures + 1
        ours.set_exception(_because(f"{n} workers ended one after the other at the same shard: out of memory?", error))
    except CancelledError as error:
        ours.set_exception(_because("the scheduler of the Dask cluster has gone", error))
    except Exception as error:  # noqa: BLE001 - the caller gets it from the future, as from any executor
        ours.set_exception(error)


def _because(what: str, cause: Exception) -> PartonomyError:
    error = PartonomyError(f"{what}; what was finished is kept for the next build")
    error.__cause__ = cause
    return error
