"""How a build tells where it is: events to whoever listens (a progress bar, a log, Prefect)."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of each stage as it begins, and of each step done in it."""

    def stage(self, name: str, steps: int) -> None:
        """A stage begins that has so many steps (photographs, for reading a source)."""
        ...

    def advance(self, steps: int = 1) -> None:
        """So many steps of it are done."""
        ...

    def note(self, line: str) -> None:
        """Something that the user should know."""
        ...


class Silent:
    """Tells nobody."""

    def stage(self, name: str, steps: int) -> None:
        """Tells nobody."""

    def advance(self, steps: int = 1) -> None:
        """Tells nobody."""

    def note(self, line: str) -> None:
        """Tells nobody."""
