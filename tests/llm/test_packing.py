"""Items to requests and replies to answers: what is answered well is taken, whatever stands around it."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.llm import packing
from partonomy_data.llm.brief import Brief, Item
from partonomy_data.llm.packing import Addressee, Problem
from partonomy_data.llm.request import Reply


class Verdict(msgspec.Struct, frozen=True):
    verdict: Literal["yes", "no"]
    why: str


def brief(**more: Any) -> Brief[Verdict]:
    def check(item: Item, answer: Verdict) -> str | None:
        return "it says nothing" if not answer.why else None

    settings: dict[str, Any] = {"purpose": "judge", "instructions": "Judge.", "answer": Verdict, "check": check}
    return Brief(**{**settings, **more})


TO = Addressee("http://127.0.0.1/v1", "small", "auto", 0)
ITEMS = {n: Item(f"item {n}", {"name": f"wheel {n}"}) for n in (1, 2, 3)}


def reply(text: str | None, finish: str = "stop", refusal: str | None = None) -> Reply:
    return Reply(text=text, finish=finish, refusal=refusal)


def entries(*rows: dict[str, Any]) -> str:
    return json.dumps({"answers": list(rows)})


def good(n: int) -> dict[str, Any]:
    return {"n": n, "verdict": "yes", "why": f"because {n}"}


def test_a_request_shows_all_items_by_number_and_no_id() -> None:
    asked = packing.request(brief(), list(ITEMS.values()), TO)
    lines = [json.loads(line) for line in asked.messages[1].content.splitlines()]
    assert lines == [{"n": n, "name": f"wheel {n}"} for n in ITEMS]
    assert "item 1" not in asked.messages[1].content
    assert asked.messages[0].content.startswith("Judge.")


def test_the_schema_is_strict() -> None:
    schema = json.loads(bytes(packing.schema(brief())))
    entry = schema["properties"]["answers"]["items"]
    assert entry["additionalProperties"] is False
    assert entry["required"] == ["n", "verdict", "why"]
    assert entry["properties"]["verdict"] == {"enum": ["no", "yes"]}
    assert schema["required"] == ["answers"]
    assert schema["additionalProperties"] is False


@given(
    order=st.permutations([1, 2, 3]),
    before=st.sampled_from(["", "Here you are:\n```json\n", " \n"]),
    after=st.text(max_size=9),
)
def test_answers_are_found_in_any_order_and_in_any_wrapping(order: list[int], before: str, after: str) -> None:
    read = packing.read(brief(), ITEMS, reply(before + entries(*map(good, order)) + after))
    assert read == {n: Verdict("yes", f"because {n}") for n in ITEMS}


@given(cut=st.integers(0, 200))
def test_a_reply_that_was_cut_off_keeps_its_whole_answers(cut: int) -> None:
    text = entries(*map(good, ITEMS))
    read = packing.read(brief(), ITEMS, reply(text[:cut], finish="length"))
    whole = [n for n in ITEMS if cut >= text.index(json.dumps(good(n))) + len(json.dumps(good(n)))]
    assert [n for n, value in read.items() if isinstance(value, Verdict)] == whole
    assert all("cut off" in one.reason or "empty" in one.reason for one in read.values() if isinstance(one, Problem))


@pytest.mark.parametrize(
    ("text", "finish", "refusal", "reason"),
    [
        (None, "stop", "I can't help with that", "a refusal"),
        ("anything", "content_filter", None, "a refusal"),
        (None, "stop", None, "empty"),
        ("  \n", "stop", None, "empty"),
        ("I'm sorry, but no.", "stop", None, "not the JSON object"),
        ("[" * 5_000, "stop", None, "not the JSON object"),
        ('{"answers": [' + '{"n":' * 5_000, "stop", None, "not the JSON object"),
    ],
)
def test_a_reply_that_is_no_answer_says_so_for_every_item(
    text: str | None, finish: str, refusal: str | None, reason: str
) -> None:
    read = packing.read(brief(), ITEMS, reply(text, finish, refusal))
    assert set(read) == set(ITEMS)
    assert all(isinstance(one, Problem) and reason in one.reason for one in read.values())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"n": 2, "verdict": "perhaps", "why": "x"}, "another form"),
        ({"n": 2, "why": "x"}, "another form"),
        ({"n": 2, "verdict": "yes", "why": 7}, "another form"),
        ({"n": 2, "verdict": "yes", "why": ""}, "it says nothing"),
        ({"n": 9, "verdict": "yes", "why": "x"}, "no answer"),
        ({"n": "2", "verdict": "yes", "why": "x"}, "no answer"),
        ({"n": 3, "verdict": "no", "why": "x"}, "no answer"),
    ],
)
def test_a_bad_answer_costs_the_others_nothing(row: dict[str, Any], reason: str) -> None:
    read = packing.read(brief(), ITEMS, reply(entries(good(1), row, good(3))))
    assert read[1] == Verdict("yes", "because 1")
    assert isinstance(read[2], Problem)
    assert reason in read[2].reason
    if row["n"] == 3:
        assert read[3] == Problem("it was answered more than once")
    else:
        assert read[3] == Verdict("yes", "because 3")


def test_half_a_surrogate_pair_in_an_answer_can_be_written() -> None:
    """JSON's escapes can say what no UTF-8 can: unmended, the answer could neither be kept nor ever be judged."""
    said = r'{"answers": [{"n": 1, "verdict": "yes", "why": "odd \ud83d"}, {"n": 2, "verdict": "\ud83d", "\ude00": ["\ud83d"]}]}'
    read = packing.read(brief(), ITEMS, reply(said))
    assert read[1] == Verdict("yes", "odd ?")
    assert isinstance(read[2], Problem)
    assert msgspec.json.decode(msgspec.json.encode(read[2].reason)) == read[2].reason


def test_the_second_try_shows_what_was_said_and_what_was_wrong() -> None:
    first = packing.request(brief(), list(ITEMS.values()), TO)
    again = packing.second(first, reply("nonsense"), {2: "it has no answer"}, 40)
    assert again.messages[:2] == first.messages
    assert again.messages[2].content == "nonsense"
    assert "- 2: it has no answer" in again.messages[3].content
    assert again.key != first.key


def test_a_key_depends_on_all_that_an_answer_depends_on_and_on_nothing_else() -> None:
    class Other(msgspec.Struct, frozen=True):
        verdict: bool

    def item_key(of: Brief[Any], item: Item, to: Addressee) -> str:
        (found,) = packing.item_keys(of, [item], to)
        return found

    item, base = ITEMS[1], brief()
    key = item_key(base, item, TO)
    same = [
        item_key(brief(pack=3), item, TO),
        item_key(base, Item("another id", item.shown), TO),
        item_key(base, item, Addressee(TO.endpoint, TO.model, "text", 0)),
    ]
    assert set(same) == {key}
    other = [
        item_key(brief(instructions="Judge well."), item, TO),
        item_key(brief(answer=Other), item, TO),
        item_key(brief(temperature=0.5), item, TO),
        item_key(base, Item("item 1", {"name": "tire"}), TO),
        item_key(base, item, Addressee("https://api.openai.com/v1", TO.model, "auto", 0)),
        item_key(base, item, Addressee(TO.endpoint, "large", "auto", 0)),
        item_key(base, item, Addressee(TO.endpoint, TO.model, "auto", 1)),
    ]
    assert len({key, *other}) == 1 + len(other)
