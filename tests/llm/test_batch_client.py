"""A client, a build and the command line over the batch transport: as over the live one, at half the price."""

from __future__ import annotations

import json
import logging
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting
from partonomy_data.llm import packing
from partonomy_data.llm.budget import price
from partonomy_data.llm.cache import AnswerStore
from partonomy_data.llm.packing import Addressee
from partonomy_data.llm.settings import LlmSettings
from tests.helpers.command import partonomy
from tests.llm import batch_server as faulty
from tests.llm import knowing
from tests.llm.asking_batch import DEAF, ITEMS, SHORT, ask, batch, brief, everything, judged, settings_for, small
from tests.llm.asking_live import AT_ONCE, KEY, echo, live, request
from tests.llm.batch_server import BatchServer
from tests.llm.model_server import Fault, body, echoed_key, reset, status

SOURCES = ("partonomy", "pascal_part")
PRICES: dict[str, Any] = {"usd_per_million_in": 3.0, "usd_per_million_out": 7.0}


@pytest.fixture(autouse=True)
def no_ambient_key_and_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("partonomy_data.llm.batch_api._FIRST_WAIT_S", 0.001)


def test_answers_are_those_of_the_live_transport_and_cost_half(tmp_path: Path) -> None:
    with BatchServer(judged) as server:
        by_batch = settings_for(server.endpoint, **PRICES)
        by_live = msgspec.structs.replace(by_batch, transport="openai")
        with closing(small(server.endpoint, tmp_path / "batch")) as one:
            _, batched = ask(tmp_path / "batch", one, by_batch)
        assert not server.seen
        with closing(live(server, concurrency=1)) as other:
            _, lived = ask(tmp_path / "live", other, by_live)
        to = Addressee(server.endpoint, "small", "auto", 0)
    keys = packing.item_keys(brief(), ITEMS, to)
    with AnswerStore(tmp_path / "batch") as first, AnswerStore(tmp_path / "live") as second:
        assert first.lookup(keys) == second.lookup(keys)
        calls = [one.table(one.calls_of(keys)).to_pylist() for one in (first, second)]
    facts = ("cost_usd", "latency_s", "created_at")
    assert [{k: v for k, v in row.items() if k not in facts} for row in calls[0]] == [
        {k: v for k, v in row.items() if k not in facts} for row in calls[1]
    ]
    assert len(calls[0]) == 15
    for half, whole in zip(*calls, strict=True):
        assert half["cost_usd"] == pytest.approx(whole["cost_usd"] / 2)
        assert whole["cost_usd"] == pytest.approx((3 * half["prompt_tokens"] + 7 * half["completion_tokens"]) / 1e6)
        assert half["latency_s"] is None
    assert batched.ledger.total().cost_usd == pytest.approx(lived.ledger.total().cost_usd / 2)


@pytest.mark.parametrize("first", ["batch", "live"])
def test_answers_of_one_transport_are_used_by_the_other(first: str, tmp_path: Path) -> None:
    with BatchServer(judged) as server, closing(small(server.endpoint, tmp_path)) as one, closing(live(server)) as two:
        asked = settings_for(server.endpoint)
        expected, _ = ask(tmp_path, one if first == "batch" else two, asked)
        calls, seen = server.calls.copy(), len(server.seen)
        found, client = ask(tmp_path, two if first == "batch" else one, asked)
    assert found == expected
    assert (server.calls, len(server.seen)) == (calls, seen)
    assert client.ledger.total().stored == len(ITEMS)


def test_a_cap_holds_at_half_the_price(tmp_path: Path) -> None:
    with BatchServer(judged) as server:
        counts = []
        for transport in ("openai", "openai-batch"):
            asked = settings_for(server.endpoint, **PRICES, transport=transport, usd=0.006)
            with closing(batch(server, tmp_path / transport)) as one:
                _, client = ask(tmp_path / transport, one, asked)
            assert client.budget.reached
            counts.append(client.ledger.total().calls)
            assert client.ledger.total().cost_usd <= 0.006
    assert counts[1] >= 2 * counts[0] > 0


def test_the_list_price_is_halved_too() -> None:
    listed = LlmSettings(transport="openai", model="gpt-4o-mini-2024-07-18")
    whole, half = price(listed), price(msgspec.structs.replace(listed, transport="openai-batch"))
    assert whole is not None
    assert half is not None
    assert (half.sent, half.received) == (whole.sent / 2, whole.received / 2)


def nowhere(*texts: str) -> None:
    for text in texts:
        assert KEY[:16] not in text


@pytest.mark.parametrize("name", ["upload", "create", "list", "state", "content"])
@pytest.mark.parametrize(
    "fault",
    [
        echoed_key(400),
        echoed_key(401),
        echoed_key(404),
        body(500, f"<p>{KEY}</p>", AT_ONCE),
        body(200, f"{KEY} is no JSON"),
        body(200, {"id": KEY, "status": "completed", "data": [{"id": KEY, "input_file_id": "file-0"}]}),
        body(302, "", {"location": f"http://127.0.0.1/?key={KEY}"}),
        reset,
    ],
)
def test_the_key_is_nowhere(
    name: str, fault: Fault, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def api(called: str, before: int) -> Fault | None:
        if called == "create" and name == "list" and not before:
            return status(500, KEY, AT_ONCE)
        return fault if called == name else None

    with caplog.at_level(logging.DEBUG), BatchServer(echo, api=api) as server:
        found, error = everything(server, tmp_path, [request(), request(1)], pauses=DEAF)
        nowhere(repr(batch(server, tmp_path)), repr(found))
    if error is not None:
        nowhere("".join(traceback.format_exception(error)), repr(error), repr(vars(error)))
        assert error.__cause__ is None
        assert error.__context__ is None
    assert server.headers_seen[0]["authorization"] == f"Bearer {KEY}", "it was sent"
    nowhere(caplog.text, *capfd.readouterr())
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_key_that_results_repeat_is_taken_out(tmp_path: Path) -> None:
    items = {
        0: faulty.refused(400, f"bad key {KEY}"),
        1: faulty.unanswered(KEY, f"with {KEY}"),
        2: faulty.refused(429, KEY, code="insufficient_quota"),
    }
    with BatchServer(lambda _body: f"your key is {KEY}", items=lambda asked, _n: items.get(_number(asked))) as server:
        found, error = everything(server, tmp_path, map(request, range(4)))
    assert error is not None
    nowhere(repr(found), str(error))
    assert "[key]" in repr(found[3])


def _number(asked: dict[str, Any]) -> int:
    return int(json.loads(asked["messages"][1]["content"])["n"])


def content(root: Path) -> dict[str, bytes]:
    """The files of the current version, but for the table with facts of the calls, and the manifest."""
    folder = root / "versions" / (root / "CURRENT").read_text().strip()
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.parquet")}
    return {name: some for name, some in files.items() if not name.startswith("llm_calls/")}


@pytest.mark.timeout(600)
def test_a_build_by_batches_is_the_build_by_single_requests(
    demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("partonomy_data.llm.batch.PAUSES", SHORT)
    monkeypatch.setenv("A_KEY", KEY)
    demo = demo_store / "demo"
    sources = [part for name in SOURCES for part in ("--source", f"{name}={demo / name}")]
    config = tmp_path / "config.yaml"
    config.write_text(f"llm: {{key_env: A_KEY, model: knowing, {', '.join(f'{k}: {v}' for k, v in PRICES.items())}}}\n")
    with BatchServer(knowing.answer) as server:
        options = ["--config", config, *sources, "--workers", 1, "--llm-endpoint", server.endpoint]
        root = tmp_path / "batch"
        planned = [partonomy("build", "--root", root, *options, "--llm", one, "--dry-run") for one in WAYS]
        assert [one.status for one in planned] == [0, 0]
        whole, half = (float(_total(one.out)[-1].replace(",", "")) for one in planned)
        assert half == pytest.approx(whole / 2, abs=1e-4)
        assert not server.calls
        done = partonomy("build", "--root", root, *options, "--llm", "openai-batch")
        assert done.status == 0, done.err
        assert not server.seen
        assert _total(planned[1].out)[4] == f"{sum(server.sent.values()):,}"
        assert set(server.sent.values()) == {1}
        llm = LlmSettings(transport="openai", model="knowing", endpoint=server.endpoint)
        wanted = BuildConfig(sources={name: SourceSetting(str(demo / name)) for name in SOURCES}, llm=llm, workers=1)
        partonomy_data.build(tmp_path / "live", wanted)
        assert len(server.seen) == sum(server.sent.values())
    assert content(root) == content(tmp_path / "live")
    with partonomy_data.open(root) as store:
        rows = store.table("llm_calls").to_pylist()
    assert len(rows) == sum(server.sent.values())
    for row in rows:
        assert row["cost_usd"] == pytest.approx((1.5 * row["prompt_tokens"] + 3.5 * row["completion_tokens"]) / 1e6)
    nowhere(done.out, done.err)
    assert all(KEY.encode() not in path.read_bytes() for path in root.rglob("*") if path.is_file())


WAYS = ("openai", "openai-batch")


def _total(out: str) -> list[str]:
    return next(line for line in out.splitlines() if line.startswith("total")).split()
