"""`scripts/serve` as a user starts it, on a port and with a state of its own, and what tests ask of it over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import psutil
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName, LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun, Log

T = TypeVar("T")

PROJECT = Path(__file__).resolve().parents[2]
#: The work pool that `scripts/serve` starts a worker of.
POOL = "partonomy"

#: Runs a script that heeds Ctrl-C, as one does that is started in a terminal, wherever the tests are started.
_AT_TERMINAL = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)
SERVE = (sys.executable, "-c", _AT_TERMINAL, str(PROJECT / "scripts" / "serve"))


def environment(home: Path, **more: str) -> dict[str, str]:
    """A Prefect of its own, which touches nothing of the user's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "PARTONOMY_"))}
    return {
        **kept,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "240",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **more,
    }


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(look: Callable[[], T | None], what: str, seconds: float = 180, pause: float = 0.25) -> T:
    """What `look` finds, as soon as it finds something. Fails if that takes longer than it may."""
    end, never = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        never.wait(pause)
    raise AssertionError(f"{what}: not within {seconds} s")


def processes_of(home: Path) -> dict[int, str]:
    """Process id → command line, of all processes whose Prefect is the one in `home`."""
    found = {}
    for process in psutil.process_iter():
        try:
            if process.environ().get("PREFECT_HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = " ".join(process.cmdline())
        except psutil.Error:
            continue  # gone meanwhile, or somebody else's
    return found


def database(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The folder of a Prefect that has its database, and nothing in it: to make one takes a server fifteen seconds. Read only."""

    def make(home: Path) -> None:
        upgrade = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
        subprocess.run(upgrade, env=environment(home), check=True, capture_output=True)

    return once("prefect", make)


@dataclass(frozen=True)
class Hook:
    """A webhook on this machine, and what it was sent."""

    url: str
    bodies: list[dict[str, Any]]


@contextmanager
def hook() -> Iterator[Hook]:
    """A webhook that takes JSON."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Hook(f"http://127.0.0.1:{server.server_port}/failed", bodies)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Served:
    """A server with a worker, as `make serve` starts them."""

    env: Mapping[str, str]
    client: SyncPrefectClient
    hook: Hook
    log: Path

    @property
    def api(self) -> str:
        """The address of the server's API."""
        return self.env["PREFECT_API_URL"]

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Runs a Python module (`prefect`, `partonomy_data`) with arguments, as a user in another terminal would."""
        return subprocess.run(
            [sys.executable, "-m", *map(str, arguments)], env=self.env, capture_output=True, text=True, check=False
        )

    def start(self, deployment: str, **parameters: Any) -> FlowRun:
        """Makes a run of a deployment."""
        found = self.client.read_deployment_by_name(deployment)
        return self.client.create_flow_run_from_deployment(found.id, parameters=parameters)

    @contextmanager
    def beginning_nothing(self) -> Iterator[None]:
        """Nothing that is to be run begins meanwhile: for runs that are called off once they were looked at."""
        self.client.update_work_pool(POOL, WorkPoolUpdate(is_paused=True))
        try:
            yield
        finally:
            self.client.update_work_pool(POOL, WorkPoolUpdate(is_paused=False))

    def called_off(self, runs: Iterable[FlowRun]) -> None:
        """Makes as if these runs, which have not begun, had never been asked for."""
        for run in runs:
            self.client.delete_flow_run(run.id)

    def begun(self, run: FlowRun) -> None:
        """Waits until a run has begun."""
        until(lambda: self.client.read_flow_run(run.id).start_time, f"the beginning of a run ({run.name})")

    def runs(self, deployment: str, **parameters: Any) -> list[FlowRun]:
        """The runs of a deployment that have these parameters, oldest first."""
        name = DeploymentFilter(name=DeploymentFilterName(any_=[deployment.partition("/")[2]]))
        found = self.client.read_flow_runs(deployment_filter=name)
        mine = [run for run in found if parameters.items() <= run.parameters.items()]
        return sorted(mine, key=lambda run: run.created)

    def ended(self, run: FlowRun) -> FlowRun:
        """The run once it has ended."""

        def look() -> FlowRun | None:
            now = self.client.read_flow_run(run.id)
            return now if now.state is not None and now.state.is_final() else None

        return until(look, f"the end of a run ({run.name})")

    def logged(self, run: FlowRun) -> list[Log]:
        """What a run logged."""
        return self.client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])))


@contextmanager
def served(folder: Path, made: Path) -> Iterator[Served]:
    """Starts a server and a worker, waits until they are ready, and stops them as Ctrl-C does. Nothing may be left.

    The server begins with the database of `made`.
    """
    port, home, log = free_port(), folder / "prefect", folder / "serve.log"
    shutil.copytree(made, home)
    with hook() as told:
        env = environment(
            home,
            PORT=str(port),
            PREFECT_API_URL=f"http://127.0.0.1:{port}/api",
            PREFECT_WORKER_QUERY_SECONDS="1",
            PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS="2",
            PARTONOMY_NOTIFY_URL=told.url,
            PARTONOMY_EXPLORER_URL="http://127.0.0.1:4000/explorer",
        )
        with log.open("wb") as out:
            process = subprocess.Popen(SERVE, env=env, stdout=out, stderr=subprocess.STDOUT)
        try:
            until(lambda: b"\nReady." in log.read_bytes() or process.poll() is not None, "the start of the server")
            assert process.poll() is None, log.read_text(errors="replace")
            with SyncPrefectClient(env["PREFECT_API_URL"]) as client:
                yield Served(env, client, told, log)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                for one in processes_of(home):
                    os.kill(one, signal.SIGKILL)
                process.wait()
                raise
        assert process.returncode == 0
        assert processes_of(home) == {}
