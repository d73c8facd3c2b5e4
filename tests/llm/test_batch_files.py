"""Requests as files of the Batch API, and what lines of results say."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.llm.batch_api import Trouble
from partonomy_data.llm.batch_files import TooLarge, parts
from partonomy_data.llm.batch_results import Passing, Result, fault_of, results, verdict
from partonomy_data.llm.batch_run import Made, Run
from partonomy_data.llm.protocol import Dialect
from partonomy_data.llm.request import Failure, Message, Reply
from tests.llm.asking_live import KEY, request

TEXTS = st.lists(st.text(max_size=120), max_size=25)


@given(texts=TEXTS, most_requests=st.integers(1, 6), most_bytes=st.integers(200, 1500))
def test_each_request_is_in_one_file_in_order_and_no_file_is_too_large(
    texts: list[str], most_requests: int, most_bytes: int
) -> None:
    requests = {f"{n:064x}": request(messages=(Message("user", text),), seed=n) for n, text in enumerate(texts)}
    found: list[dict[str, Any]] = []
    too_large: list[str] = []
    sizes: list[tuple[int, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        limits = {"most_requests": most_requests, "most_bytes": most_bytes}
        for part in parts(requests, Dialect(), Path(folder), **limits):
            if isinstance(part, TooLarge):
                too_large.append(part.key)
                continue
            content = part.file.read()
            *lines, rest = content.split(b"\n")
            assert rest == b""
            found += map(json.loads, lines)
            assert hashlib.sha256(content).hexdigest() == part.sha256
            assert [json.loads(line)["custom_id"] for line in lines] == part.keys
            assert part.size == len(content) <= most_bytes
            assert 0 < len(lines) <= most_requests
            sizes.append((len(lines), len(content)))
        assert not list(Path(folder).iterdir()), "a file has no name that could stay"
    small = [key for key in requests if key not in too_large]
    assert [one["custom_id"] for one in found] == small
    assert [one["body"] for one in found] == [Dialect().body(requests[key]) for key in small]
    for key in too_large:
        line = {
            "custom_id": key,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": Dialect().body(requests[key]),
        }
        assert len(msgspec.json.encode(line)) + 1 > most_bytes
    longest = max((len(msgspec.json.encode(one)) + 1 for one in found), default=0)
    assert all(count == most_requests or size + longest > most_bytes for count, size in sizes[:-1]), (
        "none is half empty"
    )


def read(*lines: str | bytes) -> list[Result | None]:
    with tempfile.TemporaryFile() as file:
        file.write(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
        return list(results(file))


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "{",
        "[]",
        "null",
        '{"custom_id": 1}',
        '{"response": null}',
        '{"custom_id": "k", "response": {"status_code": "200"}}',
        '{"custom_id": "k", "response": []}',
        b'{"custom_id": "\xff"}',
        "[" * 100_000,
        '{"custom_id": "k", "response": {"status_code": 200, "body": ' + "9" * 5000 + "}}",
    ],
)
def test_a_line_that_can_t_be_read_costs_the_others_nothing(line: str | bytes) -> None:
    good = '{"custom_id": "k", "response": {"status_code": 200, "body": {}}, "more": 1}'
    before, found, after = read(good, line, "  ", good)
    assert found is None
    assert before == after
    assert before is not None
    assert before.custom_id == "k"


def test_what_a_model_says_may_hold_any_character() -> None:
    """Line separators of Unicode end no line, and half a surrogate pair is no reason to lose an answer."""
    body = {"choices": [{"message": {"content": "a\u2028b\x85c"}, "finish_reason": "stop"}]}
    raw = json.dumps({"custom_id": "k", "response": {"status_code": 200, "body": body}}, ensure_ascii=False)
    half = '{"custom_id": "k", "response": {"status_code": 200, "body": {"choices": [{"message": {"content": "\\ud83d"}}]}}}'
    said = [verdict(request(), Dialect(), one, None) for one in read(raw, half) if one is not None]
    assert [one.text for one in said if isinstance(one, Reply)] == ["a\u2028b\x85c", "?"]


@pytest.mark.parametrize("error", [None, {"code": "x", "message": f"with {KEY}"}, "odd", [1], {"code": 3}])
@pytest.mark.parametrize("status", [None, 200, 204, 302, 400, 401, 404, 429, 500])
@pytest.mark.parametrize("body", [None, KEY, {"error": KEY}, {"error": {"message": KEY, "code": [], "param": 1}}, []])
def test_whatever_a_result_holds_it_is_one_line_without_the_key(error: Any, status: int | None, body: Any) -> None:
    response = None if status is None else {"status_code": status, "body": body}
    (result,) = read(json.dumps({"custom_id": "k", "response": response, "error": error}))
    assert result is not None
    found = verdict(request(), Dialect(), result, KEY)
    assert isinstance(found, Failure | Passing | Trouble)
    assert found.reason
    assert "\n" not in found.reason
    assert KEY[:12] not in found.reason


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ({"object": "list", "data": [{"code": "a", "message": "b", "line": 1}, {"code": "c"}]}, ("a", "a: b")),
        ({"data": [{"message": "b"}]}, ("", "b")),
        ([{"code": "a", "message": "b"}], ("a", "a: b")),
        ({"data": []}, ("", "the server doesn't say why")),
        ({"data": None}, ("", "the server doesn't say why")),
        (None, ("", "the server doesn't say why")),
        ("full", ("", "full")),
    ],
)
def test_why_a_batch_failed_is_read_whatever_its_shape(errors: Any, expected: tuple[str, str]) -> None:
    assert fault_of(errors) == expected


def test_an_older_batch_doesn_t_bring_back_what_has_been_left_out_since() -> None:
    run = Run({"k": request()}, Dialect(form="text", tokens="max_completion_tokens"), 3, None)
    body = {"error": {"message": "response_format json_schema isn't supported"}}
    old = Made(1, "b", Dialect(), ("k",))
    (result,) = read(json.dumps({"custom_id": "k", "response": {"status_code": 400, "body": body}}))
    assert result is not None
    assert run.outcome(old, result) is None
    assert run.to_send == ["k"]
    assert run.dialect == Dialect(form="text", tokens="max_completion_tokens")
