"""How the live transport goes about it: how many at once, at whose pace, in which form; and how it ends."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest

from partonomy_data.errors import UsageError
from partonomy_data.llm.request import Failure, Reply, Request
from tests.llm import model_server as faulty
from tests.llm.asking_live import AT_ONCE, KEY, Here, asked, echo, everything, live, only, outcomes, request
from tests.llm.model_server import Exchange, Fault, ModelServer, script, status


@pytest.fixture(autouse=True)
def no_ambient_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("concurrency", [1, 3, 8])
def test_so_many_are_on_the_way_at_once_and_no_more(concurrency: int) -> None:
    gate = threading.Event()
    with (
        ModelServer(echo, faults=lambda *_: faulty.held(gate)) as server,
        closing(live(server, concurrency=concurrency)) as one,
    ):
        taken = 0

        def requests() -> Iterator[Request]:
            nonlocal taken
            for n in range(30):
                taken += 1
                yield request(n)

        def release() -> None:
            server.wait_for(lambda seen: seen.at_once == concurrency)
            assert concurrency <= taken <= concurrency + concurrency // 4, "a few are kept ready"
            gate.set()

        opener = threading.Thread(target=release)
        opener.start()
        found = outcomes(one, requests())
        opener.join()
    assert gate.is_set()
    assert server.most_at_once == concurrency
    assert {n: json.loads(outcome.text or "")["n"] for n, outcome in found.items() if isinstance(outcome, Reply)} == {
        n: n for n in range(30)
    }
    assert Counter(map(asked, server.bodies)) == dict.fromkeys(range(30), 1), "none is sent twice without a reason"


def test_the_next_request_is_taken_only_when_a_place_is_free() -> None:
    taken: list[int] = []

    def requests() -> Iterator[Request]:
        for n in range(20):
            taken.append(n)
            yield request(n)

    with ModelServer(echo) as server, closing(live(server, concurrency=2)) as one:
        for yielded, _ in enumerate(one.send(requests()), 1):
            assert len(taken) <= yielded + 1
    assert taken == list(range(20))


def test_requests_may_end_at_any_time_and_be_none() -> None:
    with ModelServer(echo) as server, closing(live(server)) as one:
        assert outcomes(one, []) == {}
        assert sorted(outcomes(one, [request(1)])) == [0]
        assert sorted(outcomes(one, map(request, range(9)))) == list(range(9))
    assert len(server.seen) == 10


def test_every_fault_at_once_loses_none_and_answers_the_rest() -> None:
    """Each of many requests meets its own faults on its first tries; all have the outcome that these lead to."""
    plan: list[list[Fault | None]] = [
        [None],
        [status(429, headers=AT_ONCE), None],
        [status(500, headers=AT_ONCE), status(502, headers=AT_ONCE), None],
        [faulty.reset, None],
        [faulty.empty_choices()],
        [faulty.refusal()],
        [faulty.says("{", "length")],
        [status(400, "too long")],
        [status(500, headers=AT_ONCE)] * 3,
        [faulty.body(200, "nonsense")],
    ]
    tries: Counter[int] = Counter()
    lock = threading.Lock()

    def faults(_number: int, body: dict[str, Any]) -> Fault | None:
        n = asked(body)
        with lock:
            tries[n] += 1
            return plan[n % len(plan)][tries[n] - 1]

    with ModelServer(echo, faults=faults) as server, closing(live(server, concurrency=8)) as one:
        found = outcomes(one, map(request, range(60)))
    assert sorted(found) == list(range(60))
    for n, outcome in found.items():
        kind = n % len(plan)
        assert isinstance(outcome, Failure) == (kind in (7, 8, 9)), outcome
        if kind <= 3:
            assert isinstance(outcome, Reply)
            assert outcome.text == f'{{"n": {n}}}'
        assert tries[n] == len(plan[kind])


def test_a_storm_of_500s_passes() -> None:
    storm = script([status(500, headers=AT_ONCE)] * 40)
    with ModelServer(echo, faults=storm) as server, closing(live(server, concurrency=8, tries=50)) as one:
        found = outcomes(one, map(request, range(20)))
    assert all(isinstance(outcome, Reply) for outcome in found.values())
    assert len(found) == 20
    assert len(server.seen) == 60


def test_after_429s_fewer_are_on_the_way() -> None:
    """All eight are turned away together, and come again by fours."""
    gate = threading.Event()
    lock, at_once, most = threading.Lock(), 0, 0

    def turned_away(exchange: Exchange) -> None:
        server.wait_for(lambda seen: len(seen.seen) >= 8)
        exchange.reply(429, {"error": {"message": "slow down"}}, AT_ONCE)

    def counted(exchange: Exchange) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        gate.wait(faulty.PATIENCE_S)
        with lock:
            at_once -= 1
        exchange.complete()

    faults = script([turned_away] * 8 + [counted] * 8)
    with ModelServer(echo, faults=faults) as server, closing(live(server, concurrency=8)) as one:

        def release() -> None:
            server.wait_for(lambda seen: len(seen.seen) == 12)
            gate.set()

        opener = threading.Thread(target=release)
        opener.start()
        found = outcomes(one, map(request, range(8)))
        opener.join()
        limit = one.live.pace.limit
    assert len(found) == 8
    assert all(isinstance(outcome, Reply) for outcome in found.values())
    assert most == 4
    assert 4 <= limit < 8, "it grows back, slowly"


def test_where_nothing_remains_the_next_request_isn_t_even_taken_before_the_reset() -> None:
    first = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "300ms"}
    waits: list[float] = []

    def requests(one: Here) -> Iterator[Request]:
        for n in range(3):
            waits.append(one.live.pace.wait())
            yield request(n)

    with (
        ModelServer(echo, headers=lambda number: first if number == 0 else {}) as server,
        closing(live(server, concurrency=1)) as one,
    ):
        found = outcomes(one, requests(one))
    assert len(found) == 3
    assert waits == [0.0, 0.0, 0.0]


def test_nothing_is_taken_while_the_server_wants_nothing() -> None:
    """A reset in an hour: the second request is never taken, and giving up doesn't wait for it."""
    spent = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1h"}
    taken: list[int] = []

    def requests() -> Iterator[Request]:
        for n in range(3):
            taken.append(n)
            yield request(n)

    with ModelServer(echo, headers=lambda _number: spent) as server, closing(live(server, concurrency=1)) as one:
        sending = one.send(requests())
        assert next(sending)[0] == 0
        assert one.live.pace.hold() > 500
    assert taken == [0]
    assert len(server.seen) == 1


def test_a_server_that_knows_no_schemas_gets_the_next_looser_form_and_is_remembered() -> None:
    errors = {
        "json_schema": status(400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported"),
        "json_object": faulty.body(422, {"detail": [{"loc": ["body", "response_format", "type"], "msg": "bad value"}]}),
    }

    def faults(_number: int, body: dict[str, Any]) -> Fault | None:
        return errors.get(body.get("response_format", {}).get("type"))

    with ModelServer(echo, faults=faults) as server, closing(live(server)) as one:
        assert all(isinstance(outcome, Reply) for outcome in outcomes(one, [request()]).values())
        forms = [body.get("response_format", {}).get("type") for body in server.bodies]
        assert forms == ["json_schema", "json_object", None]
        assert len(outcomes(one, map(request, range(20)))) == 20
    assert len(server.seen) == 23


@pytest.mark.parametrize(
    ("field", "error", "sent"),
    [
        (
            "max_tokens",
            status(
                400, "Unsupported parameter: 'max_tokens' … Use 'max_completion_tokens' instead.", param="max_tokens"
            ),
            {"max_completion_tokens": 70, "temperature": 0.0, "seed": 3},
        ),
        (
            "temperature",
            status(
                400, "Unsupported value: 'temperature' … Only the default (1) value is supported", param="temperature"
            ),
            {"max_tokens": 70, "seed": 3},
        ),
        (
            "seed",
            faulty.body(422, {"detail": "seed: Extra inputs are not permitted"}),
            {"max_tokens": 70, "temperature": 0.0},
        ),
    ],
)
def test_a_field_that_a_server_doesn_t_take_is_left_out_and_remembered(
    field: str, error: Fault, sent: dict[str, Any]
) -> None:
    with ModelServer(echo, faults=faulty.without(field, error)) as server, closing(live(server)) as one:
        found = outcomes(one, [request(n, seed=3) for n in range(1)])
        assert isinstance(found[0], Reply)
        assert len(server.seen) == 2
        outcomes(one, [request(n, seed=3) for n in range(9)])
    assert len(server.seen) == 11
    for body in server.bodies[1:]:
        assert {name: body[name] for name in body if name not in ("model", "messages", "response_format")} == sent


def test_a_server_that_takes_next_to_nothing_is_understood_by_many_at_once() -> None:
    missing = [
        faulty.without("max_tokens", status(400, "use max_completion_tokens")),
        faulty.without("temperature", status(400, "temperature is not supported")),
        faulty.without("seed", status(400, "unknown field seed")),
        faulty.without("response_format", status(404, "no response_format here")),
    ]

    def faults(number: int, body: dict[str, Any]) -> Fault | None:
        return next((found for one in missing if (found := one(number, body)) is not None), None)

    with ModelServer(echo, faults=faults) as server, closing(live(server, concurrency=8)) as one:
        found = outcomes(one, [request(n, seed=3) for n in range(40)])
    assert len(found) == 40
    assert all(isinstance(outcome, Reply) for outcome in found.values())
    assert max(Counter(map(asked, server.bodies)).values()) <= 6


def test_a_server_that_refuses_everything_about_the_form_ends() -> None:
    with ModelServer(echo, faults=lambda *_: status(400, "response_format, temperature unsupported")) as server:
        outcome = only(server)
    assert isinstance(outcome, Failure)
    assert len(server.seen) <= 5


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "api.openai.com/v1",
        "ftp://127.0.0.1/v1",
        "http:///v1",
        "http://me:secret@127.0.0.1/v1",
        "http://127.0.0.1:x/v1",
    ],
)
def test_what_is_no_address_is_said_at_once(endpoint: str) -> None:
    with pytest.raises(UsageError, match=r"llm\.endpoint: this is no address") as raised:
        live(endpoint)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("key", ["schlüssel-0123456789", "two words", "line\nend"])
def test_a_key_that_can_t_be_one_is_said_without_saying_it(key: str) -> None:
    with pytest.raises(UsageError, match="characters that no key has") as raised:
        live("http://127.0.0.1:1/v1", key=key)
    assert key not in str(raised.value)


@pytest.mark.parametrize(
    "fault",
    [
        faulty.echoed_key(400),
        faulty.echoed_key(401),
        faulty.echoed_key(403),
        faulty.echoed_key(404),
        faulty.body(500, f"<p>{KEY}</p>", AT_ONCE),
        faulty.body(200, f"{KEY} is no JSON"),
        faulty.body(200, {"error": KEY}),
        faulty.body(400, f"{'x' * 230} {KEY}"),
        faulty.body(302, "", {"location": f"http://127.0.0.1/?key={KEY}"}),
        status(429, KEY, {"retry-after": "999"}),
        faulty.says(f"your key is {KEY}"),
        faulty.refusal(f"not with {KEY}"),
        faulty.reset,
    ],
)
def test_the_key_is_nowhere(fault: Fault, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        ModelServer(echo, faults=lambda *_: fault) as server,
        closing(live(server, tries=2)) as one,
    ):
        found, error = everything(one, [request(), request(1)])
        written = [repr(one), str(one), repr(found)]
    assert found
    if error is not None:
        written += ["".join(traceback.format_exception(error)), repr(error), repr(vars(error))]
        assert error.__cause__ is None
        assert error.__context__ is None
    assert KEY in server.seen[0].headers["authorization"], "it was sent"
    for text in (*written, caplog.text, *capfd.readouterr()):
        assert KEY[:16] not in text


def test_the_server_as_a_process_counts_what_it_is_asked(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.llm.model_server", "--answer", "tests.llm.test_live:echo"]
    files = ["--port-file", str(tmp_path / "port"), "--log", str(tmp_path / "log")]
    process = subprocess.Popen([*command, *files], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    endpoint = process.stdout.readline().strip()
    assert (tmp_path / "port").read_text() == endpoint
    with closing(live(endpoint)) as one:
        found = outcomes(one, map(request, range(12)))
    process.communicate()
    assert process.returncode == 0
    assert all(isinstance(outcome, Reply) for outcome in found.values())
    logged = [asked(json.loads(line)) for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(logged) == list(range(12))


def test_a_word_that_stands_for_no_key_stays_in_what_a_model_says() -> None:
    with ModelServer(lambda _body: "none of these") as server:
        reply = only(server, key="none")
    assert isinstance(reply, Reply)
    assert reply.text == "none of these"


def test_the_package_waits_for_as_long_as_is_said_here() -> None:
    from openai._constants import MAX_RETRY_AFTER_DELAY

    from partonomy_data.llm.pace import LONGEST_RETRY_AFTER_S

    assert LONGEST_RETRY_AFTER_S == MAX_RETRY_AFTER_DELAY, openai.__version__
