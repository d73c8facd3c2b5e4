"""The bookkeeper: all that came is written down, nothing is looked at before, and what goes wrong is heard of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from partonomy_data.llm.bookkeeping import Bookkeeper
from partonomy_data.llm.cache import AnswerStore


class Watched(AnswerStore):
    """A store that tells when a transaction begins and ends, and can be held in its end."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.done: list[str] = []
        self.gate: threading.Event | None = None
        self.held = threading.Event()

    @contextmanager
    def together(self, *, at_once: bool = True) -> Iterator[None]:
        with super().together(at_once=at_once):
            yield
            if self.gate is not None and at_once:
                self.held.set()
                self.gate.wait(60)
        self.done.append("on disk" if at_once else "judged")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Watched]:
    with closing(Watched(tmp_path)) as opened:
        yield opened


def keeper(store: Watched) -> Bookkeeper[int, str]:
    def book(one: int) -> str:
        store.done.append(f"book {one}")
        return str(one)

    def judge(one: int, booked: str) -> None:
        assert booked == str(one)
        store.done.append(f"judge {one}")

    return Bookkeeper(store, book, judge)


def test_each_is_on_disk_before_it_is_judged_and_in_the_order_that_it_came(store: Watched) -> None:
    with keeper(store) as books:
        for one in range(40):
            books.put(one)
    for kind in ("book ", "judge "):
        assert [int(each.split()[1]) for each in store.done if each.startswith(kind)] == list(range(40))
    for one in range(40):
        between = store.done[store.done.index(f"book {one}") : store.done.index(f"judge {one}")]
        assert "on disk" in between


def test_what_comes_during_a_write_goes_to_disk_with_the_next(store: Watched) -> None:
    store.gate = threading.Event()
    with keeper(store) as books:
        books.put(0)
        assert store.held.wait(60)
        for one in range(1, 20):
            books.put(one)
        store.gate.set()
    assert store.done.count("on disk") == 2


def test_waiting_ends_when_so_few_are_not_on_disk(store: Watched) -> None:
    store.gate = threading.Event()
    with keeper(store) as books:
        for one in range(5):
            books.put(one)
        books.wait(5)
        assert "on disk" not in store.done
        store.gate.set()
        books.wait(0)
        assert {f"book {one}" for one in range(5)} <= set(store.done)
        assert "on disk" in store.done


def test_what_goes_wrong_is_raised_where_the_replies_come_from(store: Watched) -> None:
    def full(one: int) -> str:
        raise OSError("the disk is full")

    def put(*, wait: bool) -> None:
        with Bookkeeper(store, full, lambda *_: None) as books:
            books.put(0)
            if wait:
                books.wait(0)
                pytest.fail("it waited for nothing")

    for wait in (True, False):
        with pytest.raises(OSError, match="full"):
            put(wait=wait)


def test_where_judging_fails_what_comes_is_booked_all_the_same(store: Watched) -> None:
    booked: list[int] = []

    def book(one: int) -> str:
        booked.append(one)
        return str(one)

    def odd(one: int, _: str) -> None:
        raise ValueError("odd")

    def put() -> None:
        with Bookkeeper(store, book, odd) as books:
            for one in range(100_000):
                books.put(one)

    with pytest.raises(ValueError, match="odd"):
        put()
    assert booked == list(range(len(booked)))
    assert 0 < len(booked) < 100_000


def test_an_error_of_the_block_comes_first_and_all_is_written_all_the_same(store: Watched) -> None:
    def broken_off() -> None:
        with keeper(store) as books:
            books.put(1)
            books.put(2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert {"judge 1", "judge 2"} <= set(store.done)
