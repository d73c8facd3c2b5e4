"""Replies written down as they come, so that none is paid for twice, and yet not one by one where that takes long.

Forcing a write to disk takes from half a millisecond to ten. So it is done once for all replies that have come in since the
last time; requests are sent, and answered, by another process or thread meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Generic, TypeVar

from partonomy_data.llm.cache import AnswerStore

#: Replies that are judged in one go: judging need not be on disk at once, and each transaction takes time.
_TOGETHER: Final = 8
#: Replies, and seconds, after which they are written even if nobody asks for it.
_MOST: Final = 64
_LONGEST_S: Final = 0.05

T = TypeVar("T")
B = TypeVar("B")


class Bookkeeper(Generic[T, B]):
    """Books what it is given, and then looks at it."""

    def __init__(self, store: AnswerStore, book: Callable[[T], B], judge: Callable[[T, B], None]) -> None:
        """`book` writes one down; `judge` gets it, and what `book` returned, once that is on disk."""
        self._store, self._book, self._judge = store, book, judge
        self._waiting: list[T] = []
        self._written: list[tuple[T, B]] = []
        self._last = time.monotonic()

    def __enter__(self) -> Bookkeeper[T, B]:
        return self

    @property
    def unwritten(self) -> int:
        """How many are not on disk yet."""
        return len(self._waiting)

    def put(self, one: T) -> None:
        """Has it booked soon."""
        self._waiting.append(one)
        if len(self._waiting) >= _MOST or time.monotonic() - self._last >= _LONGEST_S:
            self.write()

    def write(self) -> None:
        """Books what waits; it is on disk then. Judges what was booked, if it is enough to."""
        self._write()
        if len(self._written) >= _TOGETHER:
            self._look_at()
        self._last = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Books what came, whatever ended the block; judges it, too, unless that is what went wrong: a later run will."""
        self._write()
        self._look_at()

    def _write(self) -> None:
        some, self._waiting = self._waiting, []
        if some:
            with self._store.together():
                self._written += [(one, self._book(one)) for one in some]

    def _look_at(self) -> None:
        some, self._written = self._written, []
        if some:
            with self._store.together(at_once=False):
                for one, booked in some:
                    self._judge(one, booked)
