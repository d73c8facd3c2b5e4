"""The flows on a real server with a worker, over HTTP: one server for all tests of this module, started by `scripts/serve`."""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

import partonomy_data
from flows import events
from partonomy_data import BuildConfig, SourceSetting
from partonomy_data.store.lock import build_lock
from partonomy_data.validation.settings import ValidationSettings
from tests.flows.serving import PROJECT, SERVE, Served, database, environment, free_port, processes_of, served, until
from tests.helpers import paco
from tests.helpers.command import partonomy
from tests.helpers.stores import linked

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

BUILD, REFRESH = "build-partonomy/default", "refresh-partonomy/weekly"
TRAIN, EVALUATE = "train-plum/on-publish", "evaluate-plum/on-train"


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, once: Callable[[str, Callable[[Path], None]], Path]
) -> Iterator[Served]:
    """A server and a worker as `make serve` starts them."""
    with served(tmp_path_factory.mktemp("served"), database(once)) as found:
        yield found


@pytest.fixture(scope="module")
def built(server: Served, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FlowRun]:
    """A store that the deployment has built of a small source, as the command line starts it, and the run."""
    folder = tmp_path_factory.mktemp("built").resolve()
    source, root = paco.write(folder / "paco"), folder / "store"
    run = ["prefect", "deployment", "run", BUILD, "--watch", "-p", f"root={root}", "-p", "workers=1"]
    run += ["-p", f'sources={{"paco": "{source}"}}', "-p", 'validation={"data_docs": false}']
    done = server.command(*run)
    assert done.returncode == 0, done.stdout + done.stderr + server.log.read_text(errors="replace")[-3000:]
    return root, server.runs(BUILD, root=str(root))[0]


def current(root: Path) -> str:
    return (root / "CURRENT").read_text().strip()


def artifacts(server: Served, run: FlowRun) -> dict[str, Any]:
    """What the run left to be looked at: key → content."""
    mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
    return {one.key: one.data for one in server.client.read_artifacts(artifact_filter=mine) if one.key}


def line_of(run: FlowRun) -> str:
    """How a run ended, in one line."""
    assert run.state is not None
    assert run.state.message is not None
    assert "\n" not in run.state.message
    return f"{run.state.name}: {run.state.message}"


def test_a_deployment_builds_a_store_and_reports_it(server: Served, built: tuple[Path, FlowRun]) -> None:
    root, run = built
    with partonomy_data.open(root) as store:
        assert len(store.table("parts")) == 3
    assert line_of(run) == f"Completed: published: version {current(root)}"
    found = artifacts(server, run)
    assert f"Published: version `{current(root)}`" in found["build-report"]
    assert "| paco | parts | 3 | 0 | 3 | 0 |" in found["build-report"]
    assert '{"table": "parts", "rows": 3, "before": null}' in found["rows-by-table"]
    assert "(http://127.0.0.1:4000/explorer)" in found["explorer"]
    with urllib.request.urlopen(server.api.removesuffix("/api"), timeout=30) as page:
        assert b"<html" in page.read()


def test_publishing_starts_a_training_that_says_in_one_line_what_it_lacks(
    server: Served, built: tuple[Path, FlowRun]
) -> None:
    root, _ = built
    (run,) = until(lambda: server.runs(TRAIN, root=str(root)), "a training")
    assert run.parameters["version"] == current(root)
    run = server.ended(run)
    assert line_of(run).startswith("Failed: paco/http://images.cocodataset.org/")
    assert "this photograph was not on disk when the version was built" in line_of(run)
    assert not [one for one in server.logged(run) if "Traceback" in one.message]
    sent = until(lambda: [one for one in server.hook.bodies if one["flow_run_id"] == str(run.id)], "a notification")
    assert sent[0]["flow"] == "train-plum"
    assert f"{sent[0]['state']}: {sent[0]['message']}" == line_of(run)


def test_telling_again_of_a_version_starts_a_training_only_if_that_is_forced(
    server: Served, built: tuple[Path, FlowRun]
) -> None:
    root, _ = built
    until(lambda: server.runs(TRAIN, root=str(root)), "a training")
    publish = ["publish", "--root", root]
    with server.beginning_nothing(), temporary_settings({PREFECT_API_URL: server.api}):
        assert "was announced before" in partonomy(*publish).out
        assert "nothing new for http" in partonomy(*publish, "--re-emit").out
        (root / "work" / "emitted" / current(root)).unlink()  # as if the run had ended before it could note it
        assert "nothing new for http" in partonomy(*publish).out
        assert "told http" in partonomy(*publish, "--force").out
        until(lambda: len(server.runs(TRAIN, root=str(root))) > 1, "a second training")
        _, *more = server.runs(TRAIN, root=str(root), version=current(root))
        assert len(more) == 1
        server.called_off(more)


def test_a_refresh_finds_nothing_changed_and_announces_what_was_not(server: Served, tmp_path: Path) -> None:
    root = tmp_path.resolve() / "store"
    sources = {"paco": SourceSetting(str(paco.write(tmp_path / "paco")))}
    config = BuildConfig(sources=sources, workers=1, validation=ValidationSettings(data_docs=False))
    version = partonomy_data.build(root, config).version
    assert not (root / "work" / "emitted").exists()  # whoever builds without Prefect tells nobody
    run = server.start(REFRESH, root=str(root))
    server.begun(run)
    with server.beginning_nothing():
        run = server.ended(run)
        assert line_of(run) == f"Completed: nothing has changed: version {version} is up to date"
        (training,) = until(lambda: server.runs(TRAIN, root=str(root)), "a training")
        assert training.parameters["version"] == version
        server.called_off([training])
    assert (root / "work" / "emitted" / version).is_file()


@pytest.mark.soak
def test_a_trained_model_starts_its_evaluation_with_parameters_of_the_right_types(
    server: Served, tmp_path: Path
) -> None:
    version, model = "1234567890123456", "12e5"  # which are text, whatever they look like
    with temporary_settings({PREFECT_API_URL: server.api}):
        told = events.model_trained(tmp_path, version, model)
        assert events.send(told)
    (run,) = until(lambda: server.runs(EVALUATE, version=version), "an evaluation")
    assert (run.parameters["root"], run.parameters["model_id"]) == (str(tmp_path.resolve()), model)
    assert line_of(server.ended(run)).startswith(f"Failed: {tmp_path.resolve()}")


def test_a_published_version_is_trained_on_and_the_model_measured_and_its_results_can_be_queried(
    server: Served, demo_store: Path, tmp_path: Path
) -> None:
    root, training, evaluation = (
        linked(demo_store, tmp_path / "store").resolve(),
        tmp_path / "t.yaml",
        tmp_path / "e.yaml",
    )
    training.write_text(
        "model: {backbone: 'shipped:tiny/lmm', sam: 'shipped:tiny/sam_tiny.safetensors', sam_size: tiny_conv,"
        " spans: {heads: 4}, feedback: {heads: 4}, losses: {kl: 0}, trainable: {language: all}}\n"
        "optimisation: {batch: 2, at_once: 2, steps: 2}\nvalidation: null\ntrackers: []\n"
    )
    evaluation.write_text("predictions: {limit: 4}\nlongest: 16\n")
    with asking_for(server, TRAIN, config=str(training)), asking_for(server, EVALUATE, config=str(evaluation)):
        with temporary_settings({PREFECT_API_URL: server.api}):
            partonomy("publish", "--root", root, "--force")
        (run,) = until(lambda: server.runs(TRAIN, root=str(root)), "a training")
        told = line_of(server.ended(run))
        assert told.startswith("Completed: trained plum-"), told
        (run,) = until(lambda: server.runs(EVALUATE, root=str(root)), "an evaluation")
        told = line_of(server.ended(run))
    assert told.startswith("Completed: evaluated plum-"), told
    assert "accuracy" in artifacts(server, run)["evaluation-report"]
    with partonomy_data.open(root) as store:
        sql = "SELECT model_id, version, n FROM evaluations WHERE metric = 'accuracy' AND question_type = 'all' AND slice = 'all'"
        assert store.sql(sql).fetchall() == [(run.parameters["model_id"], current(root), 4)]
        assert store.sql("SELECT count(DISTINCT question_id) FROM predictions").fetchall() == [(4,)]


@contextmanager
def asking_for(server: Served, deployment: str, **parameters: str) -> Iterator[None]:
    """Other values of a deployment's parameters, for as long as that."""
    found = server.client.read_deployment_by_name(deployment)
    server.client.update_deployment(found.id, DeploymentUpdate(parameters={**found.parameters, **parameters}))
    try:
        yield
    finally:
        server.client.update_deployment(found.id, DeploymentUpdate(parameters=found.parameters))


def test_a_refresh_is_scheduled_weekly(server: Served) -> None:
    (schedule,) = server.client.read_deployment_by_name(REFRESH).schedules
    assert schedule.active
    assert (schedule.schedule.cron, schedule.schedule.timezone) == ("0 3 * * 0", "UTC")

    def scheduled() -> list[datetime]:
        runs = [run for run in server.runs(REFRESH) if run.auto_scheduled]
        return [run.expected_start_time for run in runs if run.expected_start_time]

    assert {f"{time:%a %H:%M %Z}" for time in until(scheduled, "a scheduled run")} == {"Sun 03:00 UTC"}


def test_wrong_parameters_are_refused_before_there_is_a_run(server: Served, tmp_path: Path) -> None:
    wrong = ["-p", f"root={tmp_path}", "-p", 'questions={"types": ["identifikation"]}']
    done = server.command("prefect", "deployment", "run", BUILD, *wrong)
    assert done.returncode == 1
    assert "'identifikation' is not one of ['identification', " in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout + done.stderr
    assert server.runs(BUILD, root=str(tmp_path)) == []


def test_a_command_that_lets_a_flow_build_refuses_a_missing_source_in_one_line(server: Served, tmp_path: Path) -> None:
    source = ["--source", f"paco={tmp_path / 'none'}", "--workers", 1]
    done = server.command("partonomy_data", "build", "--root", tmp_path / "flow", *source, "--runner", "prefect")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("partonomy: ")]
    assert "there is no such file or folder" in line
    assert "Traceback" not in done.stderr


def test_a_store_that_is_being_built_is_refused_in_one_line(server: Served, built: tuple[Path, FlowRun]) -> None:
    root, before = built
    with build_lock(root):
        run = server.ended(server.start(BUILD, **before.parameters))
    line = line_of(run)
    assert line.startswith(f"Failed: {root}: another build is running (process {os.getpid()} on ")
    assert not [one for one in server.logged(run) if "Traceback" in one.message]


@pytest.mark.soak
def test_a_second_build_waits_and_takes_up_what_a_killed_one_had_finished(
    server: Served, built: tuple[Path, FlowRun], tmp_path: Path
) -> None:
    root, (there, run) = tmp_path.resolve() / "store", built
    given = {**run.parameters, "root": str(root)}

    def state(run: FlowRun) -> str:
        now = server.client.read_flow_run(run.id).state
        return now.name if now is not None and now.name else ""

    first = server.start(BUILD, **given)
    until(lambda: state(first) not in ("Scheduled", "Late"), "a run that is begun")
    second = server.start(BUILD, **given)
    until(lambda: state(second) == "AwaitingConcurrencySlot", "a run that waits for its turn")
    until(lambda: any((root / "work" / "shards").glob("*/result.json")), "a finished shard", pause=0.01)
    process = server.client.read_flow_run(first.id).infrastructure_pid
    assert process is not None
    os.kill(int(process), signal.SIGKILL)
    server.ended(first)
    assert state(first) == "Crashed"
    done = server.ended(second)
    assert line_of(done) == f"Completed: published: version {current(there)}"
    assert current(root) == current(there)


def test_the_template_of_the_failure_automation_is_taken_as_it_is(server: Served) -> None:
    before = {one.id for one in server.client.read_automations()}
    done = server.command("prefect", "automation", "create", "--from-file", PROJECT / "flows/automations/failure.yaml")
    assert done.returncode == 0, done.stdout
    made = [one for one in server.client.read_automations() if one.id not in before]
    assert [one.name for one in made] == ["partonomy-failure"]
    server.client.delete_automation(made[0].id)


def test_a_port_that_is_taken_is_said_in_one_line(server: Served, tmp_path: Path) -> None:
    port = server.env["PORT"]
    done = subprocess.run(
        SERVE,
        env=environment(tmp_path, PORT=port),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"port {port} is taken; name another: PORT=4300 make serve\n"


def test_a_server_that_is_stopped_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    home = tmp_path / "prefect"
    process = subprocess.Popen(
        SERVE,
        env=environment(home, PORT=str(free_port())),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: any("server start" in one for one in processes_of(home).values()), "a process of the server")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert processes_of(home) == {}
