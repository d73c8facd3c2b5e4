"""The batch transport against a real server: whatever a batch brings, every request has one outcome, and is paid once."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from partonomy_data.errors import UsageError
from partonomy_data.llm.request import Failure, Message, Reply, Request
from partonomy_data.llm.transport import Outcome
from tests.llm import batch_server as faulty
from tests.llm.asking_batch import DEAF, batch, everything, outcomes
from tests.llm.asking_live import AT_ONCE, KEY, asked, echo, request
from tests.llm.batch_server import BatchServer, Item, at
from tests.llm.model_server import Fault, reset, status

Bodies = dict[str, Any]


@pytest.fixture(autouse=True)
def no_ambient_key_and_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("partonomy_data.llm.batch_api._FIRST_WAIT_S", 0.001)


def said(found: dict[int, Outcome]) -> dict[int, object]:
    """What was answered to each, as a number; the reason where nothing was."""
    return {n: json.loads(one.text or "")["n"] if isinstance(one, Reply) else one.reason for n, one in found.items()}


def in_place(late: bool, calls: faulty.Calls) -> dict[str, Any]:
    """Faults of a server: in the place of all that a call does, or of its answer alone."""
    return {"late" if late else "api": calls}


def only(items: dict[int, Item]) -> faulty.Items:
    """What a batch has of some requests, whenever they come."""
    return lambda body, _before: items.get(asked(body))


def first(items: dict[int, Item]) -> faulty.Items:
    """What a batch has of some requests when they come first."""
    return lambda body, before: items.get(asked(body)) if before == 0 else None


def test_results_of_several_files_are_joined_in_whatever_order_they_come(tmp_path: Path) -> None:
    with BatchServer(echo) as server:
        found = outcomes(server, tmp_path, (request(n) for n in range(23)), most_requests=6)
    assert said(found) == {n: n for n in range(23)}
    assert list(found) != sorted(found)
    assert [len(one.keys) for one in server.batches] == [6, 6, 6, 5]
    assert [asked(body) for body in server.sent_bodies] == list(range(23))
    assert server.batches[0].keys == [request(n).key for n in range(6)]
    assert {one["authorization"] for one in server.headers_seen} == {f"Bearer {KEY}"}
    reply = found[0]
    assert isinstance(reply, Reply)
    assert (reply.finish, reply.refusal, reply.latency_s) == ("stop", None, None)
    assert (reply.prompt_tokens, reply.completion_tokens) == (3, 2)
    assert not list(tmp_path.glob("*.jsonl"))


def test_all_requests_are_taken_before_any_is_sent_and_none_are_no_batch(tmp_path: Path) -> None:
    with BatchServer(echo) as server:

        def requests() -> Iterator[Request]:
            for n in range(9):
                assert not server.calls
                yield request(n)

        assert len(outcomes(server, tmp_path, requests(), most_requests=2)) == 9
        calls = server.calls.copy()
        assert outcomes(server, tmp_path, []) == {}
    assert server.calls == calls


def test_files_are_no_larger_than_they_may_be_and_a_request_that_is_fails_alone(tmp_path: Path) -> None:
    large = request(4, messages=(*request(4).messages, *request(0).messages * 50))
    wanted = [request(n) if n != 4 else large for n in range(9)]
    with BatchServer(echo) as server:
        found = outcomes(server, tmp_path, wanted, most_bytes=1200)
    assert "1,200 bytes" in str(said(found).pop(4))
    assert {n: one for n, one in said(found).items() if n != 4} == {n: n for n in range(9) if n != 4}
    assert len(server.batches) > 2
    assert all(len(server.files[one.file_id]) <= 1200 for one in server.batches)


def test_equal_requests_are_sent_and_charged_once(tmp_path: Path) -> None:
    with BatchServer(echo) as server:
        found = outcomes(server, tmp_path, [request(n % 2) for n in range(6)])
    assert said(found) == {n: n % 2 for n in range(6)}
    assert [len(one.keys) for one in server.batches] == [2]
    assert sum(one.prompt_tokens or 0 for one in found.values() if isinstance(one, Reply)) == 2 * 3


def test_of_two_results_the_first_counts_and_strange_lines_are_ignored(tmp_path: Path) -> None:
    def again(key: str, completion: Bodies) -> list[tuple[str, Bodies | str]]:
        # The file of errors comes after that of answers.
        return [("error", line) for _, line in faulty.answered(key, {**completion, "choices": []})]

    def strange(_key: str, completion: Bodies) -> list[tuple[str, Bodies | str]]:
        return faulty.answered("f" * 64, completion)

    items = only(
        {
            1: faulty.lines(faulty.answered, again),
            2: faulty.lines(strange, faulty.answered),
            3: faulty.lines(faulty.verbatim('{"custom_id": '), faulty.answered),
            4: faulty.lines(faulty.verbatim(""), faulty.verbatim('{"custom_id": null}'), faulty.answered),
        }
    )
    with BatchServer(echo, items=items) as server, closing(batch(server, tmp_path)) as one:
        found = dict(one.send(map(request, range(6))))
    assert said(found) == {n: n for n in range(6)}
    assert one.ignored == {"given twice": 1, "not asked for": 1, "unreadable": 2}
    assert len(server.batches) == 1


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (faulty.lines(), "the batch has no result for it"),
        (faulty.unanswered("batch_expired", "too late"), "no answer: too late"),
        (faulty.refused(400, "too many tokens\nin all"), "the server answered 400 (too many tokens in all)"),
        (faulty.refused(404), "the server answered 404 (no)"),
        (faulty.refused(200), "the server answered 200 (no)"),
        (faulty.unanswered("request_timeout", "slow"), "no answer: slow after 3 tries"),
        (faulty.refused(503, "busy"), "the server answered 503 (busy) after 3 tries"),
    ],
)
def test_a_request_that_no_answer_came_for_fails_and_says_why(item: Item, reason: str, tmp_path: Path) -> None:
    with BatchServer(echo, items=only({2: item})) as server:
        found = outcomes(server, tmp_path, map(request, range(4)))
    assert said(found) == {0: 0, 1: 1, 2: reason, 3: 3}
    assert server.sent[request(2).key] == (3 if "3 tries" in reason else 1)
    assert server.sent[request(1).key] == 1


@pytest.mark.parametrize(("end", "reason"), [("expired", "expired"), ("cancelled", "was cancelled")])
def test_of_a_batch_that_ends_early_what_was_answered_is_kept(end: str, reason: str, tmp_path: Path) -> None:
    items = only({0: faulty.lines(), 1: faulty.unanswered(f"batch_{end}")})
    with BatchServer(echo, items=items, ends=lambda _number: (end, [])) as server:
        found = outcomes(server, tmp_path, map(request, range(4)))
    assert said(found) == {
        0: f"the batch {reason} before it was answered",
        1: "no answer: no time",
        2: 2,
        3: 3,
    }


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        ("token_limit_exceeded", "--budget"),
        ("insufficient_quota", "Add credit"),
        ("model_not_found", "llm.model"),
        ("invalid_json_line", "llm.model"),
    ],
)
def test_a_batch_that_fails_fails_its_requests_and_then_the_run(code: str, mend: str, tmp_path: Path) -> None:
    """The other batch is waited for all the same."""
    error = {"code": code, "message": f"that is so,\nfor {KEY}", "param": None, "line": None}
    ends: Any = lambda number: ("failed", [error]) if number or code == "token_limit_exceeded" else ("completed", [])  # noqa: E731
    with BatchServer(echo, ends=ends) as server:
        found, raised = everything(server, tmp_path, map(request, range(4)), most_requests=3)
    assert sorted(found) == [0, 1, 2, 3]
    assert isinstance(found[3], Failure)
    assert f"the batch failed ({code}: that is so, for [key])" in found[3].reason
    assert isinstance(found[0], Failure) == (code == "token_limit_exceeded")
    assert raised is not None
    assert mend in str(raised)
    assert "\n" not in str(raised)


def test_a_batch_that_there_is_no_room_for_is_sent_when_the_others_are_through(tmp_path: Path) -> None:
    """Of four batches there is room for one at a time."""
    busy: list[int] = []

    def ends(number: int) -> tuple[str, list[Bodies]]:
        if not busy or number - busy[-1] >= 4 - len(busy) + 1:
            busy.append(number)
        return (
            ("completed", []) if number in busy else ("failed", [{"code": "token_limit_exceeded", "message": "full"}])
        )

    with BatchServer(echo, ends=ends) as server:
        found = outcomes(server, tmp_path, map(request, range(8)), most_requests=2)
    assert said(found) == {n: n for n in range(8)}
    assert len(server.batches) == 4 + 3 + 2 + 1


@pytest.mark.parametrize("name", ["upload", "create", "state", "content"])
@pytest.mark.parametrize("fault", [status(429, headers=AT_ONCE), status(500, headers=AT_ONCE), reset])
@pytest.mark.parametrize("late", [False, True])
def test_what_fails_for_a_moment_is_tried_again_and_no_batch_is_made_twice(
    name: str, fault: Fault, late: bool, tmp_path: Path
) -> None:
    with BatchServer(echo, **in_place(late, at(name, 0, fault, fault))) as server:
        found = outcomes(server, tmp_path, map(request, range(4)), most_requests=2)
    assert said(found) == {n: n for n in range(4)}
    assert [len(one.keys) for one in server.batches] == [2, 2]
    assert server.calls["list"] == (2 if name == "create" else 0)


def test_a_batch_is_looked_for_in_all_of_a_long_list(tmp_path: Path) -> None:
    """Its making was answered by an error, and meanwhile somebody else has made many."""

    def others(exchange: Any) -> None:
        mine = server.batches[0]
        server.batches += [faulty.Made(f"other_{n}", f"file-other-{n}", {}, []) for n in range(7)]
        assert mine.id == "batch_0"
        status(502, headers=AT_ONCE)(exchange)

    with BatchServer(echo, late=at("create", 0, others)) as server:
        assert said(outcomes(server, tmp_path, [request(5)])) == {0: 5}
    assert server.calls["list"] == 4
    assert server.sent == {request(5).key: 1}


def test_a_batch_is_not_looked_for_among_those_of_long_ago(tmp_path: Path) -> None:
    with BatchServer(echo, api=at("create", 0, status(502, headers=AT_ONCE))) as server:
        server.batches += [faulty.Made(f"other_{n}", f"file-other-{n}", {}, [], created_at=n) for n in range(7)]
        assert said(outcomes(server, tmp_path, [request(5)])) == {0: 5}
    assert server.calls["list"] == 1


def test_errors_that_may_pass_are_tried_again_in_a_further_batch(tmp_path: Path) -> None:
    items = first({1: faulty.refused(500), 3: faulty.refused(429), 4: faulty.unanswered("server_error")})
    with BatchServer(echo, items=items) as server:
        found = outcomes(server, tmp_path, map(request, range(6)))
    assert said(found) == {n: n for n in range(6)}
    assert [sorted(map(asked, (line["body"] for line in one.lines))) for one in server.batches] == [
        [0, 1, 2, 3, 4, 5],
        [1, 3, 4],
    ]


@pytest.mark.parametrize(
    ("item", "mend"),
    [
        (faulty.refused(401, "no such key"), "llm.key_env"),
        (faulty.refused(429, "pay first", code="insufficient_quota"), "Add credit"),
        (faulty.refused(404, "no such model", code="model_not_found"), "llm.model"),
    ],
)
def test_what_every_request_would_meet_ends_it_after_what_was_answered(item: Item, mend: str, tmp_path: Path) -> None:
    items = only({1: item, 2: faulty.refused(500)})
    with BatchServer(echo, items=items) as server:
        found, raised = everything(server, tmp_path, map(request, range(4)))
    assert sorted(found) == [0, 1, 2, 3]
    assert [isinstance(found[n], Reply) for n in range(4)] == [True, False, False, True]
    assert raised is not None
    assert mend in str(raised)
    assert len(server.batches) == 1


LESSONS = {
    "max_tokens": faulty.refused(400, "Unsupported parameter: use 'max_completion_tokens'", param="max_tokens"),
    "temperature": faulty.refused(400, "Unsupported value: 'temperature'", param="temperature"),
    "seed": faulty.refused(422, "seed: unknown field"),
    "json_schema": faulty.refused(400, "response_format of type json_schema is not supported"),
}


def lacking(*fields: str) -> faulty.Items:
    """A server that doesn't take some fields, and names the first of a request's that it meets."""

    def items(body: Bodies, _before: int) -> Item | None:
        has = {*body, body.get("response_format", {}).get("type")}
        # Not all complain of the same first.
        order = fields if asked(body) % 2 else fields[::-1]
        return next((LESSONS[one] for one in order if one in has), None)

    return items


@pytest.mark.parametrize("lacks", [("max_tokens",), ("temperature",), ("seed",), ("json_schema",), tuple(LESSONS)])
def test_what_a_server_doesn_t_take_is_learned_and_remembered(lacks: tuple[str, ...], tmp_path: Path) -> None:
    with BatchServer(echo, items=lacking(*lacks)) as server, closing(batch(server, tmp_path)) as one:
        found = dict(one.send(request(n, seed=3) for n in range(6)))
        assert said(found) == {n: n for n in range(6)}
        rounds = len(server.batches)
        assert rounds == (2 if len(lacks) == 1 else 3), "each round may teach several things"
        assert said(dict(one.send(request(n, seed=3) for n in range(6, 9)))) == {0: 6, 1: 7, 2: 8}
        assert len(server.batches) == rounds + 1
    last = server.batches[-1].lines[0]["body"]
    assert not set(lacks) & {*last, last.get("response_format", {}).get("type")}
    assert ("max_completion_tokens" in last) == ("max_tokens" in lacks)
    assert last.get("response_format", {}).get("type") == ("json_object" if "json_schema" in lacks else "json_schema")


def test_a_server_that_refuses_everything_about_the_form_ends(tmp_path: Path) -> None:
    unsupported = faulty.refused(400, "response_format, temperature, seed, max_completion_tokens unsupported")
    with BatchServer(echo, items=lambda *_: unsupported) as server:
        found = outcomes(server, tmp_path, [request(0, seed=1)])
    assert isinstance(found[0], Failure)
    assert len(server.batches) <= 6


def test_openai_itself_gets_the_newer_name_of_the_cap_at_once(tmp_path: Path) -> None:
    with closing(batch("https://api.openai.com/v1", tmp_path)) as one:
        assert one._dialect.tokens == "max_completion_tokens"
    with closing(batch("https://openai.example/v1", tmp_path)) as one:
        assert one._dialect.tokens == "max_tokens"


@pytest.mark.parametrize("name", ["upload", "create", "state", "content"])
@pytest.mark.parametrize(
    ("fault", "mend"),
    [
        (status(401, "bad key"), "llm.key_env"),
        (status(403, "not yours"), "llm.key_env"),
        (status(429, "pay first", code="insufficient_quota"), "Add credit"),
        (status(302, "", {"location": "http://127.0.0.1/"}), "llm.endpoint"),
        (status(429, "later", {"retry-after": "9999"}), "Run it again"),
        (status(500, "broken", AT_ONCE), "Run it again"),
        (lambda exchange: exchange.reply(200, "<html>"), "--llm openai"),
    ],
)
def test_what_stops_everything_is_one_line_after_an_outcome_for_each(
    name: str, fault: Fault, mend: str, tmp_path: Path
) -> None:
    def api(called: str, before: int) -> Fault | None:
        return fault if called == name else None

    with BatchServer(echo, api=api) as server:
        found, raised = everything(server, tmp_path, map(request, range(4)), most_requests=2, pauses=DEAF)
    assert sorted(found) == [0, 1, 2, 3]
    assert all(isinstance(one, Failure) for one in found.values())
    assert raised is not None
    # A page in the place of results may be another one the next time.
    assert ("Run it again" if name == "content" and "openai" in mend else mend) in str(raised)
    assert server.endpoint in str(raised)
    assert "\n" not in str(raised)


def test_a_server_without_the_batch_api_is_said_to_have_none(tmp_path: Path) -> None:
    with BatchServer(echo, api=lambda *_: status(404)) as server:
        found, raised = everything(server, tmp_path, [request()])
    assert isinstance(found[0], Failure)
    assert "Ask it with --llm openai" in str(raised)


def test_a_disk_without_room_is_one_line(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    large = [request(n, messages=(Message("user", "x" * 1000),), seed=n) for n in range(300)]
    with BatchServer(echo) as server, closing(batch(server, tmp_path)) as one:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
        try:
            with pytest.raises(UsageError, match=r"can't be written \(File too large\)"):
                list(one.send(large))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert not server.calls


@pytest.mark.parametrize("endpoint", ["", "ftp://127.0.0.1/v1", "http://me:secret@127.0.0.1/v1"])
def test_what_is_no_address_is_said_at_once(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"llm\.endpoint: this is no address"):
        batch(endpoint, tmp_path)


def test_a_key_that_can_t_be_one_is_said_without_saying_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="characters that no key has") as raised:
        batch("http://127.0.0.1:1/v1", tmp_path, key="two words")
    assert "two words" not in str(raised.value)
