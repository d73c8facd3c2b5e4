"""Replies written down while further requests are on the way.

Forcing a write to disk takes milliseconds, during which no other reply would be taken in. So a thread of its own does it,
and does it once for all replies that have come in meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

from partonomy_data.llm.cache import AnswerStore

T = TypeVar("T")
B = TypeVar("B")


class Bookkeeper(Generic[T, B]):
    """A thread that books what it is given, and then looks at it. While it works, nobody else may use the store."""

    def __init__(self, store: AnswerStore, book: Callable[[T], B], judge: Callable[[T, B], None]) -> None:
        """`book` writes one down; `judge` gets it, and what `book` returned, once that is on disk."""
        self._store, self._book, self._judge = store, book, judge
        self._changed = threading.Condition()
        self._waiting: list[T] = []
        self._unwritten, self._closed = 0, False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="answer store", daemon=True)

    def __enter__(self) -> Bookkeeper[T, B]:
        self._thread.start()
        return self

    def put(self, one: T) -> None:
        """Has it booked soon. Raises what went wrong with an earlier one; if that was its judging, this is booked still."""
        with self._changed:
            self._waiting.append(one)
            self._unwritten += 1
            self._changed.notify_all()
            self._raise()

    def until(self, most: int) -> None:
        """Waits until at most so many are not on disk yet. Raises what kept one from being so."""
        with self._changed:
            self._changed.wait_for(lambda: self._unwritten <= most or self._error is not None)
            self._raise()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits until all is written, whatever ended the block. Raises what kept it from being so."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        if error is not self._error:
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            while some := self._next():
                self._write(some)
        except BaseException as error:  # noqa: BLE001 - raised where `put`, `until` or the block's end is
            self._failed(error)

    def _next(self) -> list[T]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            some, self._waiting = self._waiting, []
            return some

    def _write(self, some: list[T]) -> None:
        with self._store.together():
            booked = [self._book(one) for one in some]
        with self._changed:
            self._unwritten -= len(some)
            self._changed.notify_all()
        if self._error is not None:
            return
        try:
            with self._store.together(at_once=False):
                for one, written in zip(some, booked, strict=True):
                    self._judge(one, written)
        except BaseException as error:  # noqa: BLE001 - what still comes was paid for as well, and is booked
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()
