"""Asking: stored answers first, then one try, then a second; nothing is paid twice, whatever happens in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from partonomy_data.errors import UsageError
from partonomy_data.llm import packing
from partonomy_data.llm.brief import Answered, Brief, Item, Unanswered
from partonomy_data.llm.cache import AnswerStore
from partonomy_data.llm.client import Client
from partonomy_data.llm.packing import Addressee
from partonomy_data.llm.request import Failure, Reply, Request
from partonomy_data.llm.settings import LlmSettings
from partonomy_data.llm.transport import Outcome, Replay, Transport


class Verdict(msgspec.Struct, frozen=True):
    verdict: Literal["yes", "no"]


def check(item: Item, answer: Verdict) -> str | None:
    return "wheels are never answered with no" if answer.verdict == "no" and "wheel" in item.shown["name"] else None


def brief(**more: Any) -> Brief[Verdict]:
    return Brief(**{"purpose": "judge", "instructions": "Judge.", "answer": Verdict, "check": check, "pack": 4, **more})


ITEMS = [Item(f"{n}", {"name": f"part {n}"}) for n in range(10)]
SETTINGS = LlmSettings(transport="openai", endpoint="http://127.0.0.1:1/v1/", model="small")

#: What the model says to the items that it is shown, the second time if it is told what was wrong.
Says = Callable[[list[dict[str, Any]], bool], "str | Failure"]


def honest(items: list[dict[str, Any]], again: bool) -> str:
    return json.dumps({"answers": [{"n": item["n"], "verdict": "yes"} for item in items]})


class Through:
    """A transport that hands requests to a function, and keeps them."""

    def __init__(self, says: Says = honest) -> None:
        self.says, self.sent = says, list[Request]()

    def send(self, requests: Iterable[Request]) -> Iterator[tuple[int, Outcome]]:
        for number, request in enumerate(requests):
            self.sent.append(request)
            shown = [json.loads(line) for line in request.messages[1].content.splitlines()]
            again = len(request.messages) > 2
            if again:
                wrong = {
                    int(line[2:].partition(":")[0])
                    for line in request.messages[3].content.splitlines()
                    if line[:2] == "- "
                }
                shown = [item for item in shown if item["n"] in wrong]
            said = self.says(shown, again)
            yield (
                number,
                said
                if isinstance(said, Failure)
                else Reply(text=said, finish="stop", prompt_tokens=10, completion_tokens=5),
            )

    def close(self) -> None:
        """Nothing to let go of."""


def ask(
    folder: Path, transport: Transport | None, items: list[Item] = ITEMS, settings: LlmSettings = SETTINGS, **more: Any
) -> tuple[dict[str, Answered[Verdict] | Unanswered], Client]:
    with AnswerStore(folder) as store:
        client = Client(settings, store, transport)
        return client.ask(brief(**more), items), client


def test_every_item_has_an_outcome_and_a_second_ask_sends_nothing(tmp_path: Path) -> None:
    first, second = Through(), Through()
    outcomes, client = ask(tmp_path, first)
    assert list(outcomes) == [item.id for item in ITEMS]
    assert all(isinstance(one, Answered) and one.value == Verdict("yes") for one in outcomes.values())
    assert len(first.sent) == 3
    assert client.ledger.of("judge").calls == 3
    again, client = ask(tmp_path, second)
    assert again == outcomes
    assert not second.sent
    assert client.ledger.of("judge").stored == len(ITEMS)


@pytest.mark.parametrize("changed", [{"pack": 1}, {"pack": 7}, {"purpose": "another"}])
def test_other_packs_reuse_every_answer(tmp_path: Path, changed: dict[str, Any]) -> None:
    outcomes, _ = ask(tmp_path, Through())
    other = Through()
    assert ask(tmp_path, other, **changed)[0] == outcomes
    assert not other.sent


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({"model": "large"}, {}),
        ({"endpoint": "http://127.0.0.1:2/v1"}, {}),
        ({}, {"instructions": "Judge better."}),
        ({}, {"temperature": 0.5}),
    ],
)
def test_another_prompt_model_or_endpoint_reuses_none(
    tmp_path: Path, settings: dict[str, Any], more: dict[str, Any]
) -> None:
    ask(tmp_path, Through())
    other = Through()
    ask(tmp_path, other, settings=msgspec.structs.replace(SETTINGS, **settings), **more)
    assert len(other.sent) == 3


def test_equal_items_are_asked_once(tmp_path: Path) -> None:
    through = Through()
    outcomes, _ = ask(tmp_path, through, [Item(f"{n}", {"name": "lid"}) for n in range(9)])
    assert len(outcomes) == 9
    assert len(through.sent) == 1
    assert through.sent[0].messages[1].content.count("lid") == 1


def test_a_bad_answer_is_tried_once_more_with_what_was_wrong(tmp_path: Path) -> None:
    def says(items: list[dict[str, Any]], again: bool) -> str:
        return json.dumps(
            {
                "answers": [
                    {"n": one["n"], "verdict": "yes" if again else "no"} for one in items if again or one["n"] != 2
                ]
            }
        )

    items = [Item("wheel", {"name": "wheel"}), Item("lid", {"name": "lid"}), Item("hub", {"name": "hub"})]
    through = Through(says)
    outcomes, client = ask(tmp_path, through, items)
    verdicts = [one.value.verdict for one in outcomes.values() if isinstance(one, Answered)]
    assert verdicts == ["yes", "yes", "no"]
    first, again = through.sent
    assert again.messages[:2] == first.messages
    assert "- 1: wheels are never answered with no" in again.messages[3].content
    assert "- 2: it has no answer" in again.messages[3].content
    assert client.ledger.of("judge").asked_again == 2


def test_what_is_refused_twice_stays_with_the_rule_until_it_is_asked_for(tmp_path: Path) -> None:
    outcomes, client = ask(tmp_path, Through(lambda items, again: "I would rather not."))
    assert {one.why for one in outcomes.values() if isinstance(one, Unanswered)} == {"refused"}
    assert client.ledger.of("judge").refused == len(ITEMS)
    assert client.ledger.of("judge").calls == 6
    later = Through()
    assert ask(tmp_path, later)[0] == outcomes
    assert not later.sent
    with AnswerStore(tmp_path) as store:
        assert store.forget_refused(["judge"]) == len(ITEMS)
    outcomes, _ = ask(tmp_path, later)
    assert all(isinstance(one, Answered) for one in outcomes.values())


def test_where_no_answer_came_it_is_asked_again_the_next_time(tmp_path: Path) -> None:
    outcomes, _ = ask(tmp_path, Through(lambda items, again: Failure(reason="the server is down")))
    assert all(one == Unanswered("failed", "the server is down") for one in outcomes.values())
    outcomes, _ = ask(tmp_path, Through())
    assert all(isinstance(one, Answered) for one in outcomes.values())


def test_a_cap_stops_cleanly_and_a_later_run_goes_on(tmp_path: Path) -> None:
    capped = msgspec.structs.replace(SETTINGS, calls=2)
    through = Through()
    outcomes, client = ask(tmp_path, through, settings=capped)
    assert [isinstance(one, Answered) for one in outcomes.values()] == [True] * 8 + [False] * 2
    assert outcomes["9"] == Unanswered("budget", "")
    assert client.budget.reached
    assert len(through.sent) == 2
    rest = Through()
    outcomes, _ = ask(tmp_path, rest, settings=capped)
    assert all(isinstance(one, Answered) for one in outcomes.values())
    assert len(rest.sent) == 1


def test_nothing_is_sent_without_a_transport_and_the_ledger_says_what_would_be(tmp_path: Path) -> None:
    ask(tmp_path, Through(), ITEMS[:4])
    outcomes, client = ask(tmp_path, None)
    assert sum(isinstance(one, Answered) for one in outcomes.values()) == 4
    book = client.ledger.of("judge")
    assert (book.items, book.stored, book.not_sent, book.calls) == (10, 4, 6, 2)
    assert book.prompt_tokens > 0


def test_replay_serves_what_is_stored_and_refuses_to_go_on_without(tmp_path: Path) -> None:
    outcomes, _ = ask(tmp_path, Through(), ITEMS[:4])
    assert ask(tmp_path, Replay(), ITEMS[:4])[0] == outcomes
    with pytest.raises(UsageError, match=r"6 of 10 answers on judge are not in the answer store"):
        ask(tmp_path, Replay())


class _Killed(BaseException):
    """Stands where the process would end."""


@pytest.mark.parametrize("where", ["book", "judge"])
@pytest.mark.parametrize("call", range(6))
def test_a_run_that_ends_anywhere_pays_for_nothing_twice(
    tmp_path: Path, where: str, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def says(items: list[dict[str, Any]], again: bool) -> str:
        kept = [one for one in items if again or one["n"] % 2]
        return json.dumps({"answers": [{"n": one["n"], "verdict": "yes"} for one in kept]})

    one_by_one = msgspec.structs.replace(SETTINGS, concurrency=1)
    unbroken = Through(says)
    expected, _ = ask(tmp_path / "unbroken", unbroken, settings=one_by_one)
    assert len(unbroken.sent) == 6
    broken, done, real = Through(says), [0], getattr(AnswerStore, where)

    def dying(*given: Any, **more: Any) -> Any:
        if done[0] == call:
            raise _Killed
        done[0] += 1
        return real(*given, **more)

    monkeypatch.setattr(AnswerStore, where, dying)
    with pytest.raises(_Killed):
        ask(tmp_path / "broken", broken, settings=one_by_one)
    monkeypatch.setattr(AnswerStore, where, real)
    outcomes, _ = ask(tmp_path / "broken", broken, settings=one_by_one)
    assert outcomes == expected
    # What came in is in the journal before it is booked.
    assert len(broken.sent) == 6


def test_a_reply_that_was_not_judged_keeps_the_answers_that_are_not_asked_for_yet(tmp_path: Path) -> None:
    with AnswerStore(tmp_path) as store:
        to = Addressee(SETTINGS.endpoint.rstrip("/"), SETTINGS.model, SETTINGS.form, SETTINGS.seed)
        said = Reply(text=honest([{"n": n} for n in range(1, 5)], False), finish="stop")
        store.book(
            packing.request(brief(), ITEMS[:4], to),
            said,
            purpose="judge",
            items=packing.item_keys(brief(), ITEMS[:4], to),
            cost_usd=0.1,
            created_at=datetime.now(UTC),
        )
    for some in (ITEMS[:2], ITEMS[1:3], ITEMS[:4], ITEMS[:4]):
        through = Through()
        outcomes, _ = ask(tmp_path, through, some)
        assert all(isinstance(one, Answered) for one in outcomes.values())
        assert not through.sent
    with AnswerStore(tmp_path) as store:
        assert store.unjudged(packing.item_keys(brief(), ITEMS[:4], to)) == []
