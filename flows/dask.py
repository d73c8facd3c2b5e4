"""The runner `dask`: a build whose shards are done by the workers of a Dask cluster, on one machine or on several.

The process that builds plans, puts tables together, checks and publishes; reading a source's shards, and making the
shards of questions, goes to the workers. They need the store's folder and the sources under the same paths, and the
same code. What is published doesn't depend on how many there are, nor on which of them did what.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from distributed import Client, LocalCluster
from distributed.comm import resolve_address
from distributed.utils import silence_logging_cmgr

from flows.spread import Objection, Spread, Terms, objection, other_code, terms
from partonomy_data.config import BuildConfig
from partonomy_data.errors import UsageError
from partonomy_data.pipeline import build
from partonomy_data.pipeline.keeping import Kept
from partonomy_data.pipeline.progress import Progress
from partonomy_data.pipeline.runs import BuildReport
from partonomy_data.sources.base import reader
from partonomy_data.store.layout import Layout

#: Where the scheduler is, as in tcp://10.0.0.1:8786.
ADDRESS: Final = "PARTONOMY_DASK_ADDRESS"
#: Seconds to wait for the scheduler, and for its first worker.
PATIENCE: Final = 10


def run(
    root: Path,
    config: BuildConfig,
    progress: Progress | None = None,
    *,
    keep: Mapping[str, Kept] | None = None,
    address: str | None = None,
) -> BuildReport:
    """The runner `dask` (see `partonomy_data.runners`), on the cluster whose scheduler is at `address`.

    That is $PARTONOMY_DASK_ADDRESS if not given. Without either a cluster is started on this machine, of as many processes
    as `config` has workers. Raises what `build` raises, and UsageError for a cluster that can't do it.
    """
    config = config.absolute()
    address = address or os.environ.get(ADDRESS) or None
    return build(root, config, progress, keep=keep, executors=partial(cluster, root, config, address))


@contextmanager
def cluster(root: Path, config: BuildConfig, address: str | None, workers: int | None) -> Iterator[Executor]:
    """An executor on a cluster whose workers are all fit for a build of `config` in the store at `root`.

    Call it with the store's build lock held. Raises UsageError if there is no such cluster, or a worker isn't fit.
    """
    folder = Layout(root.resolve()).work / "dask"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with silence_logging_cmgr(logging.CRITICAL), _client(address, workers, folder) as client:
            asked = terms(folder, _packages(config), _places(config))
            check(client, asked)
            executor = Spread(client, asked)
            try:
                yield executor
            finally:
                # The workers of a cluster of our own end with it; others may still be at a shard, and the next build, which
                # may begin as soon as the lock is free, must not meet them.
                executor.shutdown(wait=address is not None, cancel_futures=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _client(address: str | None, workers: int | None, folder: Path) -> Iterator[Client]:
    if address is None:
        with _local(workers or os.cpu_count() or 1, folder) as started, Client(started) as client:
            yield client
        return
    where = f"the Dask cluster at {address}"
    try:
        resolve_address(address)  # a client with an address that can't be takes half a minute to say so
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            "no scheduler answers", where=where, mend=f"Check {ADDRESS}, and that this machine reaches it"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise UsageError("it has no workers", where=where, mend="Start some") from error
        yield client


def _local(workers: int, folder: Path) -> LocalCluster:
    """A cluster of processes of this machine, which only this process can talk to."""
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        memory_limit=0,  # a worker that waits, or is killed, at some share of the memory helps nobody
        security=True,
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # else its health page takes a port that others may have
        local_directory=str(folder),
        preload=["flows.spread"],
        silence_logs=logging.CRITICAL,
    )


def check(client: Client, asked: Terms) -> None:
    """Raises UsageError, with one line, if the scheduler or a worker isn't fit."""
    try:
        _refuse({"the scheduler": client.run_on_scheduler(other_code, asked)})
    except (ImportError, AttributeError) as error:
        _refuse({"the scheduler": error})
    found = client.run(objection, asked, on_error="return")
    _refuse({f"the worker {address}": one for address, one in found.items()})


def _refuse(found: Mapping[str, Objection | Exception | None]) -> None:
    refused = {name: one for name, one in sorted(found.items()) if one is not None}
    if not refused:
        return
    name, one = next(iter(refused.items()))
    if isinstance(one, tuple):
        what, mend = one
    else:
        what, mend = f"can't be asked: {one}", "Install partonomy-data there, in the version that is here"
    others = f" ({len(refused)} of {len(found)} workers)" if len(found) > 1 else ""
    raise UsageError(f"{name} {what}{others}", where="Dask", mend=mend)


def _packages(config: BuildConfig) -> set[str]:
    """The packages of the sources' readers."""
    return {type(reader(name)).__module__.partition(".")[0] for name in config.sources}


def _places(config: BuildConfig) -> list[str]:
    """Where the sources are; those that aren't there are told of when they are looked at."""
    places = {Path(place).resolve() for one in config.sources.values() for place in one.folders()}
    return [str(place) for place in sorted(places) if place.exists()]
