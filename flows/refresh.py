"""The flow `refresh-partonomy`: the last build of a store again, if anything has changed since. Made to run on a schedule."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows import tasks
from flows.build import LISTENER, build, executors
from flows.parameters import Cluster, Count
from flows.refusing import failed, result
from partonomy_data import config as settings
from partonomy_data.errors import PartonomyError
from partonomy_data.pipeline import refreshing
from partonomy_data.store.remote.state import local


@flow(name="refresh-partonomy", persist_result=False)
def refresh_partonomy(
    root: str = "partonomy", verify: bool = False, workers: Count | None = None, dask: Cluster | None = None
) -> Any:
    """Looks whether a source, a setting or the code has changed since the store's last build, and builds if so.

    With `verify` all files are hashed again, those too that look as they did. A source that can't be read leaves the
    refresh of the others intact: its rows stay as they were, and the flow fails at its end, saying so. A version that was
    published without the server being told is announced, whether or not anything has changed. `dask` is as in a build.
    """
    log = get_run_logger()
    try:
        here = local(root)
        status = refreshing.status(here, verify=verify)
        if not status.changed and status.version is not None:
            result(tasks.announce(here, status.version, return_state=True))
            return Completed(message=f"nothing has changed: version {status.version} is up to date")
        for reason in status.reasons:
            log.info("changed: %s", reason)
        wanted = settings.merged(status.config, sources={}, images={}, workers=workers, verify=verify)
        kept = refreshing.keep(here, wanted)
        done = build(here, wanted, LISTENER.get(), kept, executors(dask, here, wanted))
    except PartonomyError as error:
        return failed(error)
    if done.kept_sources:
        names = ", ".join(sorted(done.kept_sources))
        return failed(PartonomyError(f"version {done.version} was published with the old rows of {names}"))
    return Completed(message=f"{'published' if done.new else 'unchanged'}: version {done.version}", data=done)
