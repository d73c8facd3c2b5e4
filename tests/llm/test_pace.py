"""The pace: what the server says is kept to, and nothing is held up for good."""

from __future__ import annotations

import asyncio
import math
import threading
from dataclasses import dataclass
from email.utils import formatdate

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.llm.pace import (
    LONGEST_RESET_S,
    LONGEST_RETRY_AFTER_S,
    Pace,
    PacedClient,
    Sent,
    retry_after,
    seconds,
)
from tests.llm import model_server as faulty
from tests.llm.model_server import ModelServer, script


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("1h2m3.5s", 3723.5),
        ("2d", 172800.0),
        ("0s", 0.0),
        (" 7.66S ", 7.66),
        ("12", 12.0),
        ("", None),
        ("soon", None),
        ("-3s", None),
        ("3s left", None),
        ("2026-01-01T00:00:00Z", None),
        ("9" * 400, None),
        ("9" * 400 + "s", None),
    ],
)
def test_spans_of_time_as_servers_write_them(text: str, value: float | None) -> None:
    assert seconds(text) == (value if value is None else pytest.approx(value))


@given(hours=st.integers(0, 99), minutes=st.integers(0, 59), rest=st.integers(0, 59), thousandths=st.integers(0, 999))
def test_a_span_is_the_sum_of_its_pieces(hours: int, minutes: int, rest: int, thousandths: int) -> None:
    text = f"{hours}h{minutes}m{rest}s{thousandths}ms"
    assert seconds(text) == pytest.approx(hours * 3600 + minutes * 60 + rest + thousandths / 1000)


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"retry-after": formatdate(5060.0, usegmt=True)}, 60.0),
        ({"retry-after": formatdate(4000.0, usegmt=True)}, 0.0),
        ({"retry-after": "9" * 500}, 1e9),
        ({"retry-after": "never"}, None),
        ({"retry-after": "-4"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_how_long_a_server_asks_to_wait(headers: dict[str, str], value: float | None) -> None:
    assert retry_after(headers, lambda: 5000.0) == value


def test_nothing_is_sent_while_nothing_remains_and_all_after_the_reset() -> None:
    clock = Clock()
    pace = Pace(4, clock)
    pace.end(pace.begin(10), 200, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"})
    assert pace.wait() == 360.0
    clock.now += 359.5
    assert pace.wait() == 0.5
    clock.now += 0.5
    assert pace.wait() == 0.0


def test_what_is_on_the_way_may_not_be_counted_by_the_server_yet() -> None:
    pace = Pace(8, Clock())
    sent = [pace.begin(1) for _ in range(4)]
    pace.end(sent[0], 200, {"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "5s"})
    assert pace.wait() == 5.0
    pace.end(sent[1], 200, {"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "5s"})
    assert pace.wait() == 0.0
    pace.begin(1)
    assert pace.wait() == 5.0


def test_tokens_run_out_by_what_is_sent() -> None:
    pace = Pace(8, Clock())
    pace.end(pace.begin(500), 200, {"x-ratelimit-remaining-tokens": "1000", "x-ratelimit-reset-tokens": "1s"})
    pace.begin(600)
    assert pace.wait() == 0.0
    pace.begin(600)
    assert pace.wait() == 1.0


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x-ratelimit-remaining-requests": "0"}, 1.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "soon"}, 1.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "9h"}, LONGEST_RESET_S),
        ({"x-ratelimit-remaining-requests": "none", "x-ratelimit-reset-requests": "9h"}, 0.0),
        ({"x-ratelimit-remaining-requests": "-2", "x-ratelimit-reset-requests": "2s"}, 2.0),
    ],
)
def test_half_said_and_unreadable_headers(headers: dict[str, str], wait: float) -> None:
    pace = Pace(2, Clock())
    pace.end(pace.begin(1), 200, headers)
    assert pace.wait() == wait


def test_a_429_halves_at_once_and_those_of_the_same_wave_don_t_count_again() -> None:
    pace = Pace(16, Clock())
    wave = [pace.begin(1) for _ in range(16)]
    assert pace.wait() == math.inf
    for sent in wave:
        pace.end(sent, 429, {})
    assert pace.limit == 8
    pace.end(pace.begin(1), 429, {})
    assert pace.limit == 1, "one was on the way: the least that may be"


def test_it_grows_back_slowly() -> None:
    pace = Pace(16, Clock())
    for sent in [pace.begin(1) for _ in range(16)]:
        pace.end(sent, 429, {})
    answers = 0
    while pace.limit < 16:
        pace.end(pace.begin(1), 200, {})
        answers += 1
    assert 80 < answers < 110, "about as many answers for each one more as are on the way"


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_holds_for_all_but_not_where_it_is_longer_than_is_waited(status: int) -> None:
    clock = Clock()
    pace = Pace(4, clock)
    pace.end(pace.begin(1), status, {"retry-after": "7"})
    pace.end(pace.begin(1), status, {"retry-after": "3"})
    assert pace.wait() == 7.0
    clock.now += 7
    pace.end(pace.begin(1), status, {"retry-after": str(LONGEST_RETRY_AFTER_S + 1)})
    assert pace.wait() == 0.0
    pace.end(pace.begin(1), 200, {"retry-after": "50"})
    assert pace.wait() == 0.0


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "x-ratelimit-remaining-requests": st.one_of(st.integers(-2, 9).map(str), st.text(max_size=4)),
        "x-ratelimit-remaining-tokens": st.one_of(st.integers(0, 99).map(str), st.text(max_size=4)),
        "x-ratelimit-reset-requests": st.sampled_from(["1s", "6m0s", "30h", "x"]),
        "x-ratelimit-reset-tokens": st.sampled_from(["20ms", "0s", ""]),
        "retry-after": st.one_of(st.integers(0, 400).map(str), st.text(max_size=4)),
    },
)
STEPS = st.one_of(
    st.tuples(st.just("begin"), st.integers(0, 50)),
    st.tuples(st.just("end"), st.sampled_from([None, 200, 400, 429, 500, 503]), HEADERS),
    st.tuples(st.just("pass"), st.floats(0, 50)),
)


@given(most=st.integers(1, 9), steps=st.lists(STEPS, max_size=60))
def test_never_more_than_the_limit_and_never_stuck(most: int, steps: list[tuple[object, ...]]) -> None:
    clock = Clock()
    pace = Pace(most, clock)
    flying: list[Sent] = []
    for step in steps:
        if step[0] == "begin" and pace.wait() == 0:
            assert isinstance(step[1], int)
            flying.append(pace.begin(step[1]))
        elif step[0] == "end" and flying:
            pace.end(flying.pop(0), step[1], step[2])  # type: ignore[arg-type]
        elif step[0] == "pass":
            assert isinstance(step[1], float)
            clock.now += step[1]
        assert 1 <= pace.limit <= most
        assert pace.under_way == len(flying) <= most
        assert pace.wait() >= 0
    for sent in flying:
        pace.end(sent)
    assert pace.wait() <= LONGEST_RESET_S * (1 + 1e-9)  # a difference of two times of a clock
    clock.now += pace.wait() + 1e-6
    assert pace.wait() == 0


BODY = {"model": "small", "messages": [{"role": "system", "content": ""}, {"role": "user", "content": '{"n": 1}'}]}


def test_the_client_sends_nothing_before_its_turn() -> None:
    gate, pace = threading.Event(), Pace(1)

    async def two(server: ModelServer) -> list[httpx2.Response]:
        async with PacedClient(pace, 20.0, trust_env=False) as client:
            url = f"{server.endpoint}/chat/completions"
            sending = [asyncio.create_task(client.post(url, json=BODY)) for _ in range(2)]
            await asyncio.to_thread(server.wait_for, lambda seen: seen.at_once == 1)
            assert pace.under_way == 1
            assert len(client.on_wire) == 1
            gate.set()
            return await asyncio.gather(*sending)

    with ModelServer(faults=script([faulty.held(gate)])) as server:
        answers = asyncio.run(two(server))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert server.most_at_once == 1
    assert pace.under_way == 0


def test_the_client_says_what_the_deadline_did_and_what_is_torn_frees_its_place() -> None:
    pace = Pace(1)

    async def three(server: ModelServer) -> httpx2.Response:
        async with PacedClient(pace, 0.25, trust_env=False) as client:
            url = f"{server.endpoint}/chat/completions"
            with pytest.raises(httpx2.ReadTimeout, match="deadline"):
                await client.post(url, json=BODY)
            with pytest.raises(httpx2.RequestError):
                await client.post(url, json=BODY)
            return await client.post(url, json=BODY)

    with ModelServer(faults=script([faulty.drip, faulty.reset])) as server:
        assert asyncio.run(three(server)).status_code == 200
    assert pace.under_way == 0
