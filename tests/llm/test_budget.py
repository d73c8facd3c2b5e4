"""Prices and caps: nothing is sent that a cap has no room for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import UsageError
from partonomy_data.llm.budget import Budget, price, prompt_tokens
from partonomy_data.llm.request import Message, Reply, Request
from partonomy_data.llm.settings import LlmSettings


def request(n: int = 0, characters: int = 300, max_tokens: int = 100) -> Request:
    return Request(
        endpoint="http://127.0.0.1/v1",
        model="small",
        messages=(Message("user", f"{n}".ljust(characters)),),
        schema=msgspec.Raw(b"{}"),
        form="auto",
        max_tokens=max_tokens,
        temperature=0.0,
    )


def reply(sent: int | None, received: int | None) -> Reply:
    return Reply(text="x", finish="stop", prompt_tokens=sent, completion_tokens=received)


_BASE = LlmSettings(
    transport="openai",
    endpoint="http://127.0.0.1/v1",
    model="small",
    usd_per_million_in=1.0,
    usd_per_million_out=2.0,
)


def settings(**more: Any) -> LlmSettings:
    return msgspec.structs.replace(_BASE, **more)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, (1.0, 2.0)),
        ({"usd_per_million_in": None, "usd_per_million_out": None}, (0.0, 0.0)),
        (
            {
                "usd_per_million_in": None,
                "usd_per_million_out": None,
                "endpoint": "https://api.openai.com/v1",
                "model": "gpt-4o-mini-2024-07-18",
            },
            (0.15, 0.60),
        ),
    ],
)
def test_the_price_is_what_the_settings_say_or_the_list(more: dict[str, Any], expected: tuple[float, float]) -> None:
    found = price(settings(**more))
    assert found is not None
    assert (found.sent, found.received) == pytest.approx(expected)


def test_a_cap_in_dollars_needs_a_price() -> None:
    unknown: dict[str, Any] = {
        "usd_per_million_in": None,
        "usd_per_million_out": None,
        "endpoint": "https://llm.example/v1",
    }
    assert price(settings(**unknown)) is None
    with pytest.raises(UsageError, match="is not known"):
        price(settings(**unknown, usd=1.0))
    with pytest.raises(UsageError, match="both prices"):
        price(settings(usd_per_million_in=None))


def test_a_cap_of_calls_is_exact_and_stays_reached() -> None:
    budget = Budget(settings(calls=3))
    sent = [request(n) for n in range(5)]
    assert [budget.set_aside(one) for one in sent] == [True, True, True, False, False]
    budget.settle(sent[0], None)
    assert not budget.set_aside(request(9))
    assert budget.reached


@given(
    cap=st.floats(0.0, 0.01),
    used=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=40),
    width=st.integers(1, 5),
)
def test_what_is_spent_never_passes_the_cap(cap: float, used: list[tuple[int, int]], width: int) -> None:
    budget = Budget(settings(usd=cap))
    spent, flying = 0.0, list[tuple[Request, tuple[int, int]]]()
    for n, one in enumerate(used):
        asked = request(n)
        assert prompt_tokens(asked) >= 100
        if not budget.set_aside(asked):
            break
        flying.append((asked, one))
        if len(flying) == width:
            back, (sent, received) = flying.pop(0)
            budget.settle(back, reply(sent, received))
            spent += budget.cost(back, sent, received) or 0.0
    for back, (sent, received) in flying:
        budget.settle(back, reply(sent, received))
        spent += budget.cost(back, sent, received) or 0.0
    assert spent <= cap + 1e-9


def test_a_reply_without_counts_costs_what_was_set_aside() -> None:
    budget = Budget(settings())
    asked = request()
    assert budget.cost_of(asked, reply(None, None)) == pytest.approx((prompt_tokens(asked) + 2 * 100) / 1e6)
    assert budget.cost_of(asked, reply(10, 5)) == pytest.approx(20 / 1e6)
