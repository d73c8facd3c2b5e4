"""The live transport against a real server: whatever it does, every request that was taken has one outcome."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from partonomy_data.errors import UsageError
from partonomy_data.llm.request import Failure, Form, Reply, Request
from partonomy_data.llm.transport import Outcome
from tests.llm import model_server as faulty
from tests.llm.asking_live import AT_ONCE, KEY, SCHEMA, asked, echo, everything, failed, live, only, outcomes, request
from tests.llm.model_server import Exchange, Fault, ModelServer, script, status


@pytest.fixture(autouse=True)
def no_ambient_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


def test_a_reply_carries_all_that_the_server_said() -> None:
    with ModelServer(echo) as server:
        reply = only(server, request(7, seed=5))
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish, reply.refusal) == ('{"n": 7}', "stop", None)
    assert (reply.prompt_tokens, reply.completion_tokens) == (3, 2)
    assert reply.latency_s is not None
    assert reply.latency_s > 0
    assert server.bodies == [
        {
            "model": "small",
            "messages": [{"role": "system", "content": "Judge."}, {"role": "user", "content": '{"n": 7}'}],
            "max_tokens": 70,
            "temperature": 0.0,
            "seed": 5,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answers", "strict": True, "schema": json.loads(bytes(SCHEMA))},
            },
        }
    ]
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("form", "sent"), [("json_object", {"type": "json_object"}), ("text", None)])
def test_a_form_that_was_asked_for_is_sent(form: Form, sent: object) -> None:
    with ModelServer(echo) as server:
        only(server, request(form=form))
    assert server.bodies[0].get("response_format") == sent
    assert "seed" not in server.bodies[0]


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        (faulty.refusal("No."), (None, "stop", "No.")),
        (faulty.says('{"n": [}'), ('{"n": [}', "stop", None)),
        (faulty.says('{"answers": [', "length"), ('{"answers": [', "length", None)),
        (faulty.says(None, "content_filter"), (None, "content_filter", None)),
        (faulty.says("half a pair: \ud83d"), ("half a pair: ?", "stop", None)),
        (faulty.empty_choices(), (None, None, None)),
        (faulty.body(200, {}), (None, None, None)),
        (faulty.body(200, {"choices": None, "usage": 3}), (None, None, None)),
        (faulty.body(200, {"choices": [7]}), (None, None, None)),
        (faulty.body(200, {"choices": [{"message": {"content": 7}, "finish_reason": 1}]}), (None, None, None)),
    ],
)
def test_an_answer_that_is_of_no_use_is_a_reply_all_the_same(fault: Fault, reply: tuple[object, ...]) -> None:
    with ModelServer(echo, faults=script([fault])) as server:
        outcome = only(server)
    assert isinstance(outcome, Reply)
    assert (outcome.text, outcome.finish, outcome.refusal) == reply
    assert len(server.seen) == 1


@pytest.mark.parametrize("code", [400, 200])
def test_half_a_surrogate_pair_in_a_complaint_keeps_nobody_waiting(code: int) -> None:
    fault = faulty.body(code, {"error": {"message": "no \ud83d", "code": "odd"}})
    with ModelServer(echo, faults=script([fault] * 4)) as server:
        outcome = only(server)
    assert isinstance(outcome, Failure)
    assert "no ?" in outcome.reason


@pytest.mark.parametrize(
    "fault",
    [
        status(429, headers=AT_ONCE),
        status(429, headers={"retry-after": "0.01"}),
        status(500, headers=AT_ONCE),
        status(503, headers=AT_ONCE),
        status(408, headers=AT_ONCE),
    ],
)
def test_what_a_server_can_t_do_for_the_moment_is_asked_again(fault: Fault) -> None:
    with ModelServer(echo, faults=script([fault, fault])) as server:
        outcome = only(server)
    assert isinstance(outcome, Reply)
    assert outcome.text == '{"n": 0}'
    assert len(server.seen) == 3
    assert len({one.headers["idempotency-key"] for one in server.seen if "idempotency-key" in one.headers}) <= 1


def test_a_429_that_doesn_t_say_for_how_long_is_asked_again() -> None:
    with ModelServer(echo, faults=script([status(429)])) as server:
        assert isinstance(only(server), Reply)
    assert len(server.seen) == 2


def test_a_torn_connection_is_asked_again() -> None:
    with ModelServer(echo, faults=script([faulty.reset])) as server:
        assert isinstance(only(server), Reply)
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("fault", "tries", "reason"),
    [
        (status(500, "out of\n\n memory", AT_ONCE), 3, "the server answered 500 (out of memory) after 3 tries"),
        (status(429, "slow down", AT_ONCE), 3, "the server answered 429 (slow down) after 3 tries"),
        (faulty.body(502, "<html>bad\ngateway</html>", AT_ONCE), 2, "answered 502 (<html>bad gateway</html>) after 2"),
        (status(400, "the prompt is too long"), 3, "the server answered 400 (the prompt is too long)"),
        (faulty.body(413, ""), 3, "the server answered 413"),
        (
            faulty.body(422, {"detail": [{"loc": ["body", "messages"], "msg": "too many", "input": "s" * 999}]}),
            3,
            "too many",
        ),
        (faulty.body(200, "<html>hello</html>"), 3, "answered 200 without an answer (<html>hello</html>)"),
        (faulty.body(200, "[" * 100_000), 3, "answered 200 without an answer"),
        (faulty.body(200, {"error": {"message": "upstream is gone"}}), 3, "without an answer (upstream is gone)"),
        (status(400, "x" * 5_000), 3, "x" * 240 + "…"),
    ],
)
def test_what_never_comes_right_is_a_failure_with_one_line(fault: Fault, tries: int, reason: str) -> None:
    with ModelServer(echo, faults=lambda _number, _body: fault) as server:
        outcome = only(server, tries=tries)
    assert isinstance(outcome, Failure)
    assert reason in outcome.reason
    assert "\n" not in outcome.reason
    assert len(outcome.reason) < 400
    assert len(server.seen) == (tries if "tries" in outcome.reason else 1)


def test_a_drip_that_never_ends_meets_the_deadline_as_a_whole() -> None:
    with ModelServer(echo, faults=lambda _number, _body: faulty.drip) as server:
        outcome = only(server, tries=2, timeout_s=0.25)
    assert outcome == Failure("no answer within 0.25 s after 2 tries")
    assert len(server.seen) == 2


def test_a_connection_that_is_torn_each_time_is_a_failure() -> None:
    with ModelServer(echo, faults=lambda _number, _body: faulty.reset) as server:
        outcome = only(server, tries=2)
    assert isinstance(outcome, Failure)
    assert outcome.reason.startswith("the connection broke after 2 tries (")


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (status(401, "bad key"), "the key was refused: the server answered 401 (bad key)"),
        (status(403, "not for you"), "the key was refused: the server answered 403 (not for you)"),
        (status(404, "no model 'small'"), "the server answered 404 (no model 'small'). Check llm.model"),
        (status(400, "what?", code="model_not_found"), "Check llm.model"),
        (status(429, "no credit", AT_ONCE, code="insufficient_quota"), "(no credit). Add credit to the account"),
        (faulty.body(307, "", {"location": "https://elsewhere/v1"}), "sends on to https://elsewhere/v1"),
        (status(429, "later", {"retry-after": "3600"}), "asks to wait 3,600 s, longer than the 120 s that are waited"),
        (
            status(503, "later", {"retry-after-ms": "120001"}),
            "longer than the 120 s that are waited. Run it again then",
        ),
    ],
)
def test_what_fails_every_request_is_said_once_in_one_line(fault: Fault, line: str) -> None:
    with ModelServer(echo, faults=lambda _number, _body: fault) as server:
        found, said = failed(server)
    assert line in said
    assert said.startswith(server.endpoint)
    assert [type(outcome) for outcome in found] == [Failure]
    assert len(server.seen) == (3 if "credit" in line else 1)


def test_without_a_key_it_is_said_that_one_is_needed_and_the_one_for_openai_isn_t_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ModelServer(echo, faults=lambda _number, _body: status(401)) as server:
        _, said = failed(server, key=None)
    assert "a key is needed" in said
    assert KEY not in server.seen[0].headers["authorization"]


def test_a_form_that_was_asked_for_and_isn_t_known_says_what_to_set() -> None:
    error = status(400, "response_format is not supported")
    with ModelServer(echo, faults=faulty.without("response_format", error)) as server:
        _, said = failed(server, request(form="json_schema"))
    assert "llm.form: auto" in said


def test_a_server_that_isn_t_there_is_said_after_all_tries() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    with closing(live(f"http://127.0.0.1:{port}/v1", tries=2)) as one:
        found, error = everything(one, map(request, range(99)))
    assert str(error).startswith(f"http://127.0.0.1:{port}/v1: no server could be reached after 2 tries")
    assert 1 <= len(found) <= 5, "four on the way, and one kept ready"
    assert all(isinstance(outcome, Failure) for outcome in found.values())


def test_what_is_refused_after_others_were_answered_is_about_that_one_alone() -> None:
    faults = script([None, status(403, "flagged"), status(404, "gone")])
    with ModelServer(echo, faults=faults) as server, closing(live(server, concurrency=1)) as one:
        found = outcomes(one, [request(n) for n in range(4)])
    assert [type(found[n]) for n in range(4)] == [Reply, Failure, Failure, Reply]


def test_what_has_come_in_and_what_is_on_the_wire_is_yielded_before_it_is_raised() -> None:
    gate = threading.Event()

    def faults(_number: int, body: dict[str, Any]) -> Fault | None:
        if asked(body) == 1:
            return faulty.held(gate)
        return status(401) if asked(body) == 2 else None

    with ModelServer(echo, faults=faults) as server, closing(live(server)) as one:

        def requests() -> Iterator[Request]:
            yield request(0)
            yield request(1)
            server.wait_for(lambda seen: any(asked(body) == 1 for body in seen.bodies))
            yield request(2)
            yield from map(request, range(3, 50))

        found: dict[int, Outcome] = {}
        sending = one.send(requests())
        while 2 not in found:
            number, found[number] = next(sending)
        gate.set()
        with pytest.raises(UsageError, match="401"):
            found.update(sending)
    # Had the key not been refused, there would be 50.
    assert isinstance(found[0], Reply)
    assert isinstance(found[2], Failure)
    assert sorted(found) == list(range(len(found)))
    assert len(found) < 50
    assert isinstance(found[1], Reply), "it was on the wire, and may have been charged"


def test_what_only_waits_is_given_up_when_nothing_can_be_asked() -> None:
    """One request is to wait 100 s for its second try, and nobody waits for it after another's key was refused."""
    gate = threading.Event()

    def faults(_number: int, body: dict[str, Any]) -> Fault:
        return busy if asked(body) == 0 else refused

    def busy(exchange: Exchange) -> None:
        server.wait_for(lambda seen: len(seen.seen) == 2)
        exchange.reply(503, {}, {"retry-after": "100"})

    def refused(exchange: Exchange) -> None:
        gate.wait(faulty.PATIENCE_S)
        exchange.reply(401, {})

    with ModelServer(echo, faults=faults) as server, closing(live(server)) as one:

        def release() -> None:
            server.wait_for(lambda seen: len(seen.seen) == 2 and seen.at_once == 1)
            gate.set()

        opener = threading.Thread(target=release)
        opener.start()
        found, error = everything(one, [request(0), request(1)])
        opener.join()
    assert "401" in str(error)
    assert found[0] == Failure("given up, as every request would fail")
    assert len(server.seen) == 2


def test_what_is_on_the_wire_is_not_tried_again_when_nothing_can_be_asked() -> None:
    gate = threading.Event()

    def faults(_number: int, body: dict[str, Any]) -> Fault:
        return busy if asked(body) == 0 else refused

    def busy(exchange: Exchange) -> None:
        gate.wait(faulty.PATIENCE_S)
        exchange.reply(503, {}, {"retry-after": "100"})

    def refused(exchange: Exchange) -> None:
        server.wait_for(lambda seen: len(seen.seen) == 2)
        exchange.reply(401, {})

    with ModelServer(echo, faults=faults) as server, closing(live(server)) as one:
        sending = one.send([request(0), request(1)])
        assert next(sending)[0] == 1
        gate.set()
        assert next(sending) == (0, Failure("given up, as every request would fail"))
        with pytest.raises(UsageError, match="401"):
            next(sending)
    assert len(server.seen) == 2
