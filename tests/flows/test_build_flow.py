"""The build as a Prefect flow: in a temporary server, and deployed to a real server with a worker, over HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting
from tests.helpers import paco

PROJECT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.timeout(600)


def environment(home: Path, **more: str) -> dict[str, str]:
    """A Prefect of its own, which touches nothing of the user's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    return {
        **kept,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "240",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **more,
    }


def test_the_flow_publishes_what_the_library_does(tmp_path: Path) -> None:
    source = paco.write(tmp_path / "paco")
    expected = partonomy_data.build(
        tmp_path / "library", BuildConfig(sources={"paco": SourceSetting(str(source))}, workers=1)
    )
    command = [sys.executable, "-m", "partonomy_data", "build", "--root", str(tmp_path / "flow")]
    command += ["--source", f"paco={source}", "--workers", "1", "--runner", "prefect"]
    done = subprocess.run(command, env=environment(tmp_path / "home"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"published: version {expected.version}" in done.stdout
    wrong = [*command[:-5], f"paco={tmp_path / 'none'}", *command[-4:]]
    refused = subprocess.run(wrong, env=environment(tmp_path / "home"), capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("partonomy: ")]
    assert "there is no such file or folder" in line
    assert "Traceback" not in refused.stderr


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A server and a worker as `make serve` starts them; the environment that reaches them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = environment(tmp_path / "home", PORT=str(port), PREFECT_API_URL=f"http://127.0.0.1:{port}/api")
    log = (tmp_path / "serve.log").open("wb")
    process = subprocess.Popen(
        [str(PROJECT / "scripts" / "serve")], env=env, stdout=log, stderr=log, start_new_session=True
    )
    try:
        yield env
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            log.close()


def wait_for_deployment(env: dict[str, str]) -> None:
    """Asks the server for the deployment until it is there (the command itself takes a second or two)."""
    look = [sys.executable, "-m", "prefect", "deployment", "inspect", "build-partonomy/default"]
    for _ in range(100):
        if subprocess.run(look, env=env, capture_output=True, check=False).returncode == 0:
            return
    pytest.fail("the deployment did not appear")


def test_a_deployment_run_on_a_server_builds_a_store(tmp_path: Path, server: dict[str, str]) -> None:
    wait_for_deployment(server)
    source = paco.write(tmp_path / "paco")
    run = [sys.executable, "-m", "prefect", "deployment", "run", "build-partonomy/default", "--watch"]
    run += ["-p", f"root={tmp_path / 'store'}", "-p", f'sources={{"paco": "{source}"}}', "-p", "workers=1"]
    done = subprocess.run(run, env=server, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        done.stdout + done.stderr + (tmp_path / "serve.log").read_text(errors="replace")[-3000:]
    )
    with partonomy_data.open(tmp_path / "store") as store:
        assert len(store.table("parts")) == 3
    look = [sys.executable, "-m", "prefect", "artifact", "inspect", "build-report"]
    report = subprocess.run(look, env=server, capture_output=True, text=True, check=True).stdout
    assert "Published: version" in report
    assert "| paco | parts |" in report
