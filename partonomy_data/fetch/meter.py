"""Tells a progress bar of bytes."""

from __future__ import annotations

from partonomy_data.pipeline.progress import Progress


def _megabytes(size: int) -> int:
    """Rounded up, so that the last byte fills the bar."""
    return -(-size // 10**6)


class Meter:
    """Tells a progress bar of bytes, in megabytes."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._bytes, self._told = progress, 0, 0
        self._stage: tuple[str, int | None] | None = None

    def begin(self, what: str, total: int | None) -> None:
        """A stage of `total` bytes begins."""
        self._stage, self._bytes, self._told = (what, total), 0, 0
        self._progress.stage(f"{what} (MB)", _megabytes(total or 0))

    def go_on(self, what: str, total: int | None, done: int) -> None:
        """A stage of which so many bytes are done: the one that was begun if that is where it was, else a new one."""
        if (self._stage, self._bytes) != ((what, total), done):
            self.begin(what, total)
            self.add(done)

    def add(self, size: int) -> None:
        """So many more bytes are done."""
        self._bytes += size
        done = _megabytes(self._bytes)
        if done > self._told:
            self._progress.advance(done - self._told)
            self._told = done
