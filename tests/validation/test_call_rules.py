"""Calls of a language model: what their rows must hold, and what must not be in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from partonomy_data.llm.cache import AnswerStore
from partonomy_data.llm.request import Failure, Message, Reply, Request
from partonomy_data.validation.rules import calls
from schemas.tables import schema
from tests.validation.damage import damaged, found

Rules = dict[str, dict[str, str | None]]
CHECKS = {"llm_calls": calls.CHECKS}
ID = "call_0123456789abcdef"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def asked(text: str) -> Request:
    return Request(
        endpoint="https://api.example.org/v1",
        model="knowing",
        messages=(Message("system", "You compare names."), Message("user", text)),
        schema=msgspec.Raw(b'{"type": "object", "properties": {}}'),
        form="auto",
        max_tokens=640,
        temperature=0.1,
        seed=None,
    )


def row(text: str = "What is a wing?", **values: Any) -> dict[str, Any]:
    """A call as a build writes it down."""
    request = asked(text)
    return {
        "call_id": ID,
        "purpose": "relations",
        "model": "knowing",
        "prompt_sha256": request.key,
        "request": msgspec.json.encode(request).decode(),
        "response": '{"relation": "same"}',
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "cost_usd": 0.0001,
        "latency_s": 0.5,
        "status": "admitted",
        "created_at": NOW,
        **values,
    }


@pytest.fixture
def broken(version: Path, tmp_path: Path) -> Callable[..., Rules]:
    """`broken(row, …)`: the rules that a version with these calls breaks, and the rows that they name."""

    def check(*rows: dict[str, Any]) -> Rules:
        table = pa.Table.from_pylist(list(rows), schema("llm_calls"))
        damaged(version, "llm_calls", lambda _: table)
        return {rule: rows for (_, rule), rows in found(version, tmp_path, CHECKS).items()}

    return check


def test_a_version_without_calls_keeps_all_rules(version: Path, tmp_path: Path) -> None:
    assert found(version, tmp_path, CHECKS) == {}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"response": None, "prompt_tokens": None, "completion_tokens": None, "latency_s": None, "status": "failed"},
        {"cost_usd": None, "status": "partly admitted"},
        {"response": "the desk-mounted, risk-averse task-force sk-learn brisk-ly", "cost_usd": 0.0},
    ],
)
def test_calls_that_are_as_they_should_be(broken: Callable[..., Rules], values: dict[str, Any]) -> None:
    assert broken(row(**values), row("And an aileron?", call_id="call_0000000000000000")) == {}


def test_calls_from_the_answer_store_are_as_they_should_be(broken: Callable[..., Rules], tmp_path: Path) -> None:
    replies: list[Reply | Failure] = [
        Reply(text='{"relation": "same"}', finish="stop", prompt_tokens=7, completion_tokens=2, latency_s=0.25),
        Reply(text=None, finish="content_filter", refusal="no"),
        Failure("no answer came"),
    ]
    with AnswerStore(tmp_path / "answers") as store:
        ids = [
            store.book(asked(f"{n} ≠ <{n}>?"), one, purpose="relations", items=[str(n)], cost_usd=None, created_at=NOW)
            for n, one in enumerate(replies)
        ]
        store.judge(ids[0], "admitted", {})
        rows = store.table(ids).to_pylist()
    assert {one["status"] for one in rows} == {"admitted", "received", "failed"}
    assert broken(*rows) == {}


def test_a_call_that_comes_twice(broken: Callable[..., Rules]) -> None:
    assert broken(row(), row()) == {"key_unique": {ID: "2 rows"}}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"prompt_tokens": -1}, "tokens -1 + 3, cost 0.0001, seconds 0.5"),
        ({"completion_tokens": -1, "prompt_tokens": None}, "tokens ? + -1, cost 0.0001, seconds 0.5"),
        ({"cost_usd": -0.5}, "tokens 12 + 3, cost -0.5, seconds 0.5"),
        ({"latency_s": -2.0}, "tokens 12 + 3, cost 0.0001, seconds -2.0"),
    ],
)
def test_amounts_that_cannot_be(broken: Callable[..., Rules], values: dict[str, Any], reason: str) -> None:
    assert broken(row("?", call_id="call_0000000000000000"), row(**values)) == {"amounts_not_negative": {ID: reason}}


def test_a_status_that_no_call_has(broken: Callable[..., Rules]) -> None:
    assert broken(row(status="maybe")) == {"status_known": {ID: "maybe"}}


def test_a_request_that_is_another_than_was_asked(broken: Callable[..., Rules]) -> None:
    told = broken(row(prompt_sha256="0" * 64))
    assert told == {"request_hashed": {ID: f"its request has the digest {row()['prompt_sha256']}"}}


@pytest.mark.parametrize("request_text", ["", "{}", "[1", json.dumps({"model": 1})])
def test_a_request_that_is_none(broken: Callable[..., Rules], request_text: str) -> None:
    told = broken(row(request=request_text))
    assert list(told) == ["request_hashed"]
    assert str(told["request_hashed"][ID]).startswith("its request can't be read (")


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-canary0123456789abcdefghijkl",
        "Authorization: Bearer abcdefghijklmnopqrstuvwxyz012345",
        "hf_abcdefghijklmnopqrstuvwxyz",
        "AKIAABCDEFGHIJKLMNOP",
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
)
@pytest.mark.parametrize("where", ["request", "response"])
def test_what_looks_like_a_key_is_told_and_not_repeated(broken: Callable[..., Rules], secret: str, where: str) -> None:
    text = f"the key is {secret}, keep it"
    told = broken(row(text) if where == "request" else row(response=text))
    assert told == {"no_secret": {ID: f"its {where} holds what looks like a key"}}
