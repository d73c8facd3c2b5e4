"""Models behind a server, over real HTTP: what they are shown, what becomes of their answers, and that none is paid for twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.evaluation import job
from model.evaluation.adapters import briefs, outlines
from model.evaluation.adapters.api import ApiConfig
from model.evaluation.job import Evaluated, EvaluationConfig
from model.evaluation.predicting import PredictionConfig
from model.plum.errors import ModelError
from partonomy_data.store.reader import open as open_store
from tests.helpers.command import partonomy
from tests.llm.model_server import ModelServer, says, script
from tests.model.evaluation.adapters import seeing


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(seeing.answer) as one:
        yield one


def config(server: ModelServer, limit: int | None = None, **api: Any) -> EvaluationConfig:
    about = ApiConfig(endpoint=server.endpoint, concurrency=4, tries=1, **api)
    return EvaluationConfig(PredictionConfig(split="test", limit=limit), api=about)


def rows(root: Path, done: Evaluated) -> dict[tuple[str, str], dict[str, Any]]:
    with open_store(root) as store:
        found = store.table("predictions").to_pylist()
    return {(row["question_id"], row["conditioning"]): row for row in found if row["model_id"] == done.model_id}


def questions(root: Path) -> dict[str, dict[str, Any]]:
    with open_store(root) as store:
        return {row["question_id"]: row for row in store.table("questions").to_pylist() if row["split"] == "test"}


def test_the_choice_is_that_of_the_letter_and_the_picture_goes_with_it(own_store: Path, server: ModelServer) -> None:
    done = job.evaluate(own_store, "api:org/tiny v1", config(server))
    assert done.model_id == "api-org-tiny-v1"
    found, asked = rows(own_store, done), questions(own_store)
    assert len(found) == 2 * len(asked)
    for (name, _), row in found.items():
        texts = [one["text"] for one in asked[name]["choices"]]
        assert texts[row["choice"]] == min(texts), "whatever the order that it was shown in"
        assert row["correct"] == (row["choice"] == asked[name]["correct_index"])
        assert row["masks"] is None
    two = [name for name, row in asked.items() if row["object_choices"]]
    assert two
    assert all(found[name, "oracle"]["object_choice"] is not None for name in two)
    first = server.bodies[0]
    assert first["model"] == "org/tiny v1"
    picture, item = seeing.shown(first)
    assert picture.width > 16
    assert set(item) <= {"n", "question", "choices", "earlier"}
    assert list(item["choices"]) == list("ABCDE")[: len(item["choices"])]
    assert any("earlier" in seeing.shown(body)[1] for body in server.bodies)
    assert first["response_format"]["json_schema"]["strict"] is True


def test_equal_questions_are_asked_once_and_never_again(own_store: Path, server: ModelServer) -> None:
    first = job.evaluate(own_store, "api:again", config(server))
    calls = len(server.seen)
    again = job.evaluate(own_store, "api:again", config(server))
    assert len(server.seen) == calls
    assert again.measured.rows == first.measured.rows
    texts = Counter(json.dumps(body["messages"]) for body in server.bodies)
    assert max(texts.values()) == 1


@pytest.mark.parametrize("kind", ["boxes", "polygons"])
def test_outlines_become_masks_in_the_whole_photograph(own_store: Path, server: ModelServer, kind: str) -> None:
    done = job.evaluate(own_store, f"api:{kind}", config(server, limit=8, masks=kind))
    found, asked = rows(own_store, done), questions(own_store)
    for (name, conditioning), row in found.items():
        right = asked[name]["choices"][asked[name]["correct_index"]]
        if conditioning == "oracle":
            assert [one["part"] for one in row["masks"]] == [
                one["part"] for one in sorted(right["spans"], key=lambda span: span["start"])
            ]
            assert all(one["counts"] for one in row["masks"])
        elif row["text"] is not None:
            assert row["text"] == "It has a wheel and a tail."
            assert [(one["start"], one["end"]) for one in row["spans"]] == [(9, 14), (21, 25)]
            assert len({one["counts"] for one in row["masks"]}) == 2
    metrics = {row["metric"] for row in done.measured.rows}
    assert {"giou_micro_oracle", "strict_giou_predicted", "part_f1"} <= metrics


def test_an_answer_that_cannot_be_used_is_tried_once_more_and_then_is_no_choice(own_store: Path) -> None:
    wrong = json.dumps({"answers": [{"n": 1, "choice": "Z"}]})
    with ModelServer(seeing.answer, faults=script([says(wrong), says(wrong)])) as server:
        done = job.evaluate(own_store, "api:wrong", config(server, limit=1))
        assert len(server.seen) >= 2
        assert server.bodies[1]["messages"][1] == server.bodies[0]["messages"][1], "the picture is shown again"
        assert "choice must be one of" in server.bodies[1]["messages"][3]["content"]
    assert all(row["choice"] is None and not row["correct"] for row in rows(own_store, done).values())


def test_a_cap_stops_it_and_with_a_higher_one_it_goes_on(own_store: Path, server: ModelServer) -> None:
    with pytest.raises(ModelError, match="the cap is reached"):
        job.evaluate(own_store, "api:capped", config(server, limit=20, calls=3))
    assert len(server.seen) == 3
    with pytest.raises(ModelError, match="the cap is reached"):
        job.evaluate(own_store, "api:capped", config(server, limit=20, calls=2))
    assert len(server.seen) == 5
    done = job.evaluate(own_store, "api:capped", config(server, limit=20))
    assert all(row["choice"] is not None for row in rows(own_store, done).values())
    assert len({json.dumps(body) for body in server.bodies}) == len(server.bodies)


def test_a_dry_run_tells_the_calls_and_the_price_and_sends_nothing(
    own_store: Path, tmp_path: Path, server: ModelServer
) -> None:
    settings = tmp_path / "api.yaml"
    prices = "usd_per_million_in: 1.0, usd_per_million_out: 10.0"
    settings.write_text(f"predictions: {{split: test}}\napi: {{endpoint: '{server.endpoint}', {prices}}}\n")
    dry = partonomy("evaluate", "--root", own_store, "--model", "api:dry", "--config", settings, "--dry-run")
    assert dry.status == 0, dry.err
    assert not server.seen
    line = next(one.split() for one in dry.out.splitlines() if one.startswith("evaluation choice"))
    calls, dollars = int(line[5].replace(",", "")), float(line[-1])
    assert dollars > 0
    done = partonomy("evaluate", "--root", own_store, "--model", "api:dry", "--config", settings)
    assert done.status == 0, done.err
    asked = questions(own_store)
    two = sum(bool(row["object_choices"]) for row in asked.values())
    assert len(asked) + two <= len(server.seen) <= len(asked) + 2 * two
    assert calls >= len(asked) + two
    again = partonomy("evaluate", "--root", own_store, "--model", "api:dry", "--config", settings, "--dry-run")
    line = next(one.split() for one in again.out.splitlines() if one.startswith("evaluation choice"))
    assert line[4:6] == ["0", "0"]


def test_killed_and_resumed_it_pays_for_no_answer_twice(own_store: Path, tmp_path: Path) -> None:
    """What was on the way when it was killed may be asked again: as many as may be at once, and no more."""
    at_once, port, log = 2, tmp_path / "port", tmp_path / "log"
    command = [sys.executable, "-m", "tests.llm.model_server", "--port-file", port, "--log", log]
    command += ["--answer", "tests.model.evaluation.adapters.seeing:slowly"]
    with subprocess.Popen([str(one) for one in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as serving:
        try:
            endpoint = waited(lambda: port.read_text() if port.exists() else "", serving)
            settings = tmp_path / "api.yaml"
            api = f"api: {{endpoint: '{endpoint}', concurrency: {at_once}}}"
            settings.write_text(f"predictions: {{split: train, limit: 40}}\n{api}\n")
            asking = [sys.executable, "-m", "partonomy_data", "evaluate", "--root", str(own_store)]
            asking += ["--model", "api:killed", "--config", str(settings)]
            with subprocess.Popen(asking, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as killed:
                waited(lambda: log.exists() and len(log.read_bytes().splitlines()) >= 12, killed)
                killed.kill()
            before = log.read_bytes().splitlines()
            done = subprocess.run(asking, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert "40 questions" in done.stdout
            lines = log.read_bytes().splitlines()
            assert len(lines) > len(before)
            assert sum(Counter(lines).values()) - len(set(lines)) <= at_once
        finally:
            serving.kill()


def waited(for_what: Any, process: subprocess.Popen[bytes]) -> Any:
    """Waits for a thing that a process does; fails if that ends first."""
    while not (found := for_what()):
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"it ended: {process.stderr.read().decode() if process.stderr else ''}")
    return found


@pytest.mark.parametrize(
    ("outline", "said"),
    [
        ([1], "four numbers"),
        ([1, 2], "four numbers"),
        ([0, 0, 1001, 5], "between 0 and 1000"),
        ([0, -1, 5, 5], "between 0 and 1000"),
    ],
)
def test_an_outline_that_cannot_be_one_is_told_so(outline: list[int], said: str) -> None:
    assert said in (outlines.problem(outline) or "")


def test_outlines_cover_what_they_enclose() -> None:
    left = outlines.mask_of([0, 0, 500, 1000], 10, 20)
    assert left.shape == (10, 20)
    assert left[:, :10].all()
    assert not left[:, 10:].any()
    assert np.array_equal(outlines.mask_of([500, 1000, 0, 0], 10, 20), left), "corners in any order"
    assert np.array_equal(outlines.mask_of([0, 0, 500, 0, 500, 1000, 0, 1000], 10, 20), left)
    for nothing in ([], [0, 0, 0, 0], [1000, 1000, 1000, 1000]):
        assert not outlines.mask_of(nothing, 10, 20).any()


def test_each_phrase_has_a_place_of_its_own() -> None:
    assert briefs.places("a wheel and a wheel", ["wheel", "wheel"]) == [(2, 7), (14, 19)]
    assert briefs.places("a wheel", ["wheel", "wheel"]) == [(2, 7)]
    assert briefs.places("a front wheel", ["front wheel", "wheel"]) == [(2, 13)]
    assert briefs.places("a wheel", ["", "wheel"]) == []
