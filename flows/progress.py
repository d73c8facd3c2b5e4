"""A build's progress as a Prefect artifact, which the server's page shows as a bar."""

from __future__ import annotations

import time
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from partonomy_data.pipeline.progress import Progress

#: Seconds between two updates: each is a request to the server.
_EVERY = 2.0


class ArtifactProgress:
    """Tells the Prefect server, and whoever else was listening."""

    def __init__(self, also: Progress) -> None:
        self._also = also
        self._logger = get_run_logger()
        self._artifact: UUID | None = None
        self._done, self._steps, self._told = 0, 0, 0.0

    def stage(self, name: str, steps: int) -> None:
        """See pipeline.progress.Progress."""
        self._also.stage(name, steps)
        self._logger.info("%s (%d)", name, steps)
        self._done, self._steps, self._told = 0, steps, time.monotonic()
        self._artifact = cast("UUID", create_progress_artifact(progress=0.0, description=name))

    def advance(self, steps: int = 1) -> None:
        """See pipeline.progress.Progress."""
        self._also.advance(steps)
        self._done += steps
        now = time.monotonic()
        if self._artifact is not None and (self._done >= self._steps or now - self._told > _EVERY):
            self._told = now
            update_progress_artifact(self._artifact, progress=100.0 * self._done / max(self._steps, 1))

    def note(self, line: str) -> None:
        """See pipeline.progress.Progress."""
        self._also.note(line)
        self._logger.info("%s", line)
