"""Replies booked as they come, by a thread that sees to nothing else.

Forcing a write to disk takes from half a millisecond to ten, and nobody else has to wait for it: what came is in the journal,
which a killed process leaves to the next, and requests are made and sent meanwhile. What comes in during one write goes to
disk with the next. Judging what was written takes as long again and need not be on disk at once, so it is done when nothing
waits to be written.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Generic, TypeVar

from partonomy_data.llm.cache import AnswerStore

#: Replies that are judged in one go: each transaction takes time, and what is to be written waits for it.
_TOGETHER: Final = 8
#: Replies that may wait to be judged, however many more come: each holds its request.
_MOST: Final = 256

T = TypeVar("T")
B = TypeVar("B")


class Bookkeeper(Generic[T, B]):
    """Books what it is given, and then looks at it. Within the block, the store is its thread's alone."""

    def __init__(self, store: AnswerStore, book: Callable[[T], B], judge: Callable[[T, B], None]) -> None:
        """`book` writes one down; `judge` gets it, and what `book` returned, once that is on disk. Both are called by
        the thread."""
        self._store, self._book, self._judge = store, book, judge
        self._changed = threading.Condition()
        self._waiting: list[T] = []
        self._writing = 0
        self._written: deque[tuple[T, B]] = deque()
        self._over = False
        self._broken: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="bookkeeper")

    def __enter__(self) -> Bookkeeper[T, B]:
        self._thread.start()
        return self

    def put(self, one: T) -> None:
        """Has it booked soon. Raises what went wrong with an earlier one; this one is booked all the same, if it can be."""
        with self._changed:
            self._waiting.append(one)
            self._changed.notify_all()
            self._whole()

    def wait(self, most: int) -> None:
        """Until no more than so many are not on disk yet. Raises what went wrong instead."""
        with self._changed:
            self._changed.wait_for(lambda: self._broken or len(self._waiting) + self._writing <= most)
            self._whole()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Books and judges what came, whatever ended the block. Raises what went wrong with that, unless the block did."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join()
        if error is None:
            self._whole()

    def _whole(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _work(self) -> None:
        try:
            while some := self._next():
                self._write(some)
                while len(self._written) >= _MOST or (self._written and not self._waiting):
                    self._look_at()
        except BaseException as error:  # noqa: BLE001 - it is raised where the replies come from
            self._broke(error)

    def _next(self) -> list[T]:
        """What is to be written; nothing when all is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._over)
            some, self._waiting = self._waiting, []
            self._writing = len(some)
            return some

    def _broke(self, error: BaseException) -> None:
        with self._changed:
            self._broken = self._broken or error
            self._changed.notify_all()

    def _write(self, some: list[T]) -> None:
        with self._store.together():
            booked = [(one, self._book(one)) for one in some]
        self._written.extend(booked)
        with self._changed:
            self._writing = 0
            self._changed.notify_all()

    def _look_at(self) -> None:
        some = [self._written.popleft() for _ in range(min(_TOGETHER, len(self._written)))]
        if self._broken is not None:
            return  # a later run judges them
        try:
            with self._store.together(at_once=False):
                for one, booked in some:
                    self._judge(one, booked)
        except BaseException as error:  # noqa: BLE001 - what was paid for, and still comes, is booked all the same
            self._broke(error)
