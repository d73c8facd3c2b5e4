"""Names that embeddings bring together: each among the nearest of the other, whatever the model and the order."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import UsageError
from partonomy_data.llm.cache import AnswerStore
from partonomy_data.llm.client import Client
from partonomy_data.llm.purposes.embeddings import NEAREST, nearest, similar
from partonomy_data.llm.session import client
from partonomy_data.llm.settings import LlmSettings
from partonomy_data.taxonomy.blocking import LEAST
from tests.llm.asking_batch import batch
from tests.llm.batch_server import BatchServer
from tests.llm.model_server import ModelServer, body, script, spelled, status

NAMES = ["bolt", "bolts", "door handle", "door handles", "flap", "flaps", "wing", "wing tip", "wingtip"]


def settings(server: ModelServer, **more: Any) -> LlmSettings:
    given = {"transport": "openai", "endpoint": server.endpoint, "model": "m", "key_env": "NO_SUCH_KEY", "tries": 1}
    return msgspec.convert({**given, **more}, LlmSettings)


def pairs(asks: Client, names: Sequence[str] = NAMES) -> dict[tuple[str, str], float]:
    return {(a, b): strength for a, b, strength in similar(asks, "embedder")(names)}


def test_names_that_the_model_finds_alike_are_pairs_and_are_paid_for_once(tmp_path: Path) -> None:
    with ModelServer() as server, client(tmp_path, settings(server)) as asks:
        found = pairs(asks)
        assert {("bolt", "bolts"), ("flap", "flaps"), ("door handle", "door handles")} <= found.keys()
        assert max(found, key=lambda pair: found[pair]) in {("bolt", "bolts"), ("door handle", "door handles")}
        assert pairs(asks) == found
        assert [one.path for one in server.seen] == ["/v1/embeddings"]
        assert server.bodies == [{"model": "embedder", "input": NAMES, "encoding_format": "float"}]
        later = pairs(asks, [*NAMES, "wings"])
        assert server.bodies[1]["input"] == ["wings"]
        assert ("wing", "wings") in later
        (entry,) = asks.ledger.table().values()
        assert (entry.items, entry.admitted, entry.calls) == (2 * len(NAMES) + len(NAMES) + 1, 28, 2)
        calls = [one for batch in asks.calls() for one in batch.to_pylist()]
    assert {one["purpose"] for one in calls} == {"embeddings"}
    assert {one["model"] for one in calls} == {"embedder"}


def test_batches_bring_the_same(tmp_path: Path) -> None:
    with ModelServer() as server, client(tmp_path / "live", settings(server)) as asks:
        expected = pairs(asks)
    asked = LlmSettings(model="m", tries=1)
    with BatchServer() as server, closing(batch(server, tmp_path / "batch")) as transport:
        with AnswerStore(tmp_path / "batch") as store:
            assert pairs(Client(asked, store, transport)) == expected
        (made,) = server.batches
        assert {one["url"] for one in made.lines} == {"/v1/embeddings"}


def test_an_embedding_that_is_none_is_asked_for_once_more_and_then_has_no_pair(tmp_path: Path) -> None:
    good = [{"index": n, "embedding": spelled(name)} for n, name in enumerate(NAMES)]
    odd = body(200, {"data": [*good[:-1], {"index": len(NAMES) - 1, "embedding": [0.0] * 256}]})
    with ModelServer(faults=script([odd, odd])) as server, client(tmp_path, settings(server)) as asks:
        found = pairs(asks)
        assert len(server.seen) == 2
        assert ("bolt", "bolts") in found
        assert not any("wingtip" in pair for pair in found)


def test_a_reply_that_was_booked_just_before_a_crash_has_its_second_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Stands where the process would end."""

    def dying(*_: object) -> bool:
        raise Killed

    good = [{"index": n, "embedding": spelled(name)} for n, name in enumerate(NAMES)]
    with ModelServer(faults=script([body(200, {"data": good[:-1]})])) as server:
        with monkeypatch.context() as patch, client(tmp_path, settings(server)) as asks:
            patch.setattr(AnswerStore, "judge", dying)
            with pytest.raises(Killed):
                pairs(asks)
        with client(tmp_path, settings(server)) as asks:
            assert ("wing tip", "wingtip") in pairs(asks)
        assert len(server.seen) == 2


def test_vectors_of_two_lengths_bring_nothing_together(tmp_path: Path) -> None:
    data = [{"index": n, "embedding": [1.0] * (3 + n % 2)} for n in range(len(NAMES))]
    with (
        ModelServer(faults=script([body(200, {"data": data})])) as server,
        client(tmp_path, settings(server)) as asks,
    ):
        assert pairs(asks) == {}


def test_a_server_without_embeddings_is_told_in_a_line_that_names_the_setting(tmp_path: Path) -> None:
    with (
        ModelServer(faults=script([status(404, "there is no /v1/embeddings")])) as server,
        client(tmp_path, settings(server)) as asks,
        pytest.raises(UsageError, match=r"Check llm\.embeddings"),
    ):
        pairs(asks)


def test_nothing_is_sent_by_a_dry_run_which_says_what_it_would_cost(tmp_path: Path) -> None:
    with (
        ModelServer() as server,
        client(tmp_path, settings(server, embeddings="embedder", usd_per_million_embedded=3.0), dry=True) as asks,
    ):
        assert pairs(asks) == {}
        assert not server.seen
        (entry,) = asks.ledger.table().values()
    assert (entry.calls, entry.not_sent) == (1, len(NAMES))
    assert entry.cost_usd == pytest.approx(entry.prompt_tokens * 3.0 / 1e6)


def test_a_cap_in_dollars_needs_the_price(tmp_path: Path) -> None:
    given = {"transport": "openai", "model": "gpt-5-mini", "usd": 1.0, "key_env": "NO_SUCH_KEY"}
    with (
        pytest.raises(UsageError, match=r"llm\.usd: the price of 'odd' is not known"),
        client(tmp_path, msgspec.convert({**given, "embeddings": "odd"}, LlmSettings), key="sk-1234567890123456"),
    ):
        pass
    known = msgspec.convert({**given, "embeddings": "text-embedding-3-small"}, LlmSettings)
    with client(tmp_path, known, key="sk-1234567890123456") as asks:
        assert asks.budget.price is not None


vectors = st.integers(2, 9).flatmap(
    lambda n: st.lists(st.tuples(*[st.integers(-3, 3)] * 3).filter(any), min_size=n, max_size=n)
)


@given(vectors, st.randoms())
def test_pairs_are_those_of_a_plain_comparison_in_whatever_order(given: list[tuple[int, ...]], random: Any) -> None:
    names = [f"name {n}" for n in range(len(given))]
    found = {(a, b): strength for a, b, strength in nearest(names, np.array(given, dtype=np.float64))}
    ranks: dict[tuple[str, str], int] = {}
    unit = {name: np.array(one) / np.linalg.norm(one) for name, one in zip(names, given, strict=True)}
    for a in names:
        others = sorted((-round(float(unit[a] @ unit[b]), 5), b) for b in names if b != a)[:NEAREST]
        ranks.update({(a, b): rank for rank, (_, b) in enumerate(others)})
    expected = {
        (a, b): 0.5 * (1 - (ranks[a, b] + ranks[b, a]) / 10)
        for a, b in itertools.combinations(names, 2)
        if (a, b) in ranks and (b, a) in ranks
    }
    assert found == pytest.approx(expected)
    assert all(strength >= LEAST for strength in found.values())
    shuffled = list(range(len(names)))
    random.shuffle(shuffled)
    again = nearest([names[n] for n in shuffled], np.array([given[n] for n in shuffled], dtype=np.float64))
    assert {(a, b): strength for a, b, strength in again} == found


def test_one_name_alone_has_no_pair() -> None:
    assert list(nearest(["lid"], np.ones((1, 3)))) == []
    assert json.dumps(list(nearest(["lid", "cap"], np.ones((2, 3))))) == '[["cap", "lid", 0.5]]'
