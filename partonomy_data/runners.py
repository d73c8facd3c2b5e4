"""How a build is run: in this process, or by what another package offers under the entry point `partonomy.runners`.

A runner is called with the store's root, the config, whom to tell of progress, and what is to be kept of sources that
fail (`keep`); it returns a `BuildReport`. The Prefect flow is one (`prefect`), so that nothing here has to know of Prefect.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from partonomy_data.config import BuildConfig
from partonomy_data.errors import UsageError
from partonomy_data.pipeline.keeping import Kept
from partonomy_data.pipeline.progress import Progress
from partonomy_data.pipeline.runs import BuildReport


class Runner(Protocol):
    """What a build is run by."""

    def __call__(
        self,
        root: Path,
        config: BuildConfig,
        progress: Progress | None = None,
        *,
        keep: Mapping[str, Kept] | None = None,
    ) -> BuildReport:
        """As `partonomy_data.pipeline.build`."""
        ...


#: Which extra brings a runner's libraries.
_EXTRAS = {"prefect": "flows", "dask": "dask"}


def find(name: str) -> Runner:
    """The runner called `name`. Raises UsageError if there is none, or if its extra is not installed."""
    found = {point.name: point for point in entry_points(group="partonomy.runners")}
    if name not in found:
        raise UsageError(f"no runner is called {name!r}", mend=f"Known runners are {', '.join(sorted(found))}")
    try:
        runner: Runner = found[name].load()
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(name, name)
        raise UsageError(
            f"the runner {name!r} needs {error.name}, which is not installed",
            mend=f"Run: pip install 'partonomy-data[{extra}]'",
        ) from error
    return runner
