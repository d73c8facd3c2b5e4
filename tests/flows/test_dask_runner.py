"""The build on a Dask cluster: the bytes of the local runner, whatever befalls its workers; refusals in one line."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

pytest.importorskip("distributed")

from distributed import Client, LocalCluster
from distributed.diagnostics.plugin import SchedulerPlugin

import partonomy_data
from flows import dask as runner
from flows.spread import Spread, Terms, at_work, terms
from partonomy_data import BuildConfig, SourceSetting
from partonomy_data.errors import PartonomyError, SourceError, UsageError
from partonomy_data.pipeline.progress import Silent
from partonomy_data.pipeline.workers import pool
from partonomy_data.runners import find
from partonomy_data.sources import buckets
from tests.helpers import paco
from tests.pipeline.test_build import content, many

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("partonomy_data", "schemas", "flows")
#: The command line with small shards, so that a build has many of them to be stopped between.
SCRIPT = (
    "from partonomy_data.sources import buckets\n"
    "buckets.PHOTOGRAPHS_PER_SHARD = 10\n"
    "from partonomy_data.cli import main\n"
    "if __name__ == '__main__':\n"
    "    main()\n"
)

pytestmark = [
    pytest.mark.timeout(600),
    # Pipes of processes that were killed: distributed leaves them to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def started(workers: int, **settings: Any) -> LocalCluster:
    """A cluster that is there before the build and after it, as one of several machines is."""
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        memory_limit=0,
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        silence_logs=logging.CRITICAL,
        **settings,
    )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with started(2, local_directory=str(tmp_path_factory.mktemp("dask"))) as running:
        yield running
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # see above: no later test is to be told of it
        gc.collect()


@pytest.fixture(scope="module")
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster, set_as_default=False) as made:
        yield made


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "PHOTOGRAPHS_PER_SHARD", 10)
    monkeypatch.setenv("PARTONOMY_DATA_DOCS", "0")
    monkeypatch.delenv(runner.ADDRESS, raising=False)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paco.write(tmp_path_factory.mktemp("source") / "paco", many(120))


@pytest.fixture(scope="module")
def expected(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the local runner publishes of it, from some sixteen shards."""
    root = tmp_path_factory.mktemp("expected")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "PHOTOGRAPHS_PER_SHARD", 10)
        partonomy_data.build(root, config(source, workers=1))
    return content(root)


def config(source: Path, **more: Any) -> BuildConfig:
    return BuildConfig(sources={"paco": SourceSetting(str(source))}, **more)


class Calls(SchedulerPlugin):
    """Which calls the workers have made, by function, and which were taken from a worker before they were done."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()

    def transition(self, key: Any, start: str, finish: str, *_: Any, **__: Any) -> None:
        name = str(key).partition("-")[0]
        if finish == "memory":
            self.made[name] += 1
        elif start == "processing" and finish != "erred":
            self.taken[name] += 1


@pytest.fixture
def calls(cluster: LocalCluster) -> Iterator[Calls]:
    """The calls of this test."""
    assert cluster.scheduler is not None
    plugin = Calls()
    cluster.scheduler.add_plugin(plugin, name="calls")
    yield plugin
    cluster.scheduler.remove_plugin("calls")


class Once(Silent):
    """Does something when the first shard of a source is done."""

    def __init__(self, do: Callable[[], None]) -> None:
        self._do: Callable[[], None] | None = do
        self._reading = False

    def stage(self, name: str, steps: int) -> None:
        self._reading = name.startswith("reading")

    def advance(self, steps: int = 1) -> None:
        if self._reading and self._do is not None:
            do, self._do = self._do, None
            do()


def test_a_cluster_publishes_the_bytes_of_the_local_runner(
    tmp_path: Path, source: Path, expected: dict[str, str], cluster: LocalCluster, calls: Calls
) -> None:
    assert runner.run(tmp_path, config(source), address=cluster.scheduler_address).new
    assert content(tmp_path) == expected
    assert calls.made["ingest"] == 16
    assert calls.made["make"] >= 1
    assert not (tmp_path / "work" / "dask").exists()


def wait_for_both(client: Client) -> None:
    """Until the worker that was killed has been started again, for the tests that come."""
    while client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.workers)) < 2:
        client.run(os.getpid)


def test_a_killed_worker_s_shards_are_done_by_another(
    tmp_path: Path, source: Path, expected: dict[str, str], cluster: LocalCluster, client: Client, calls: Calls
) -> None:
    def kill() -> None:
        os.kill(max(client.run(os.getpid).values()), signal.SIGKILL)

    runner.run(tmp_path, config(source), Once(kill), address=cluster.scheduler_address)
    assert content(tmp_path) == expected
    assert calls.taken["ingest"] >= 1, "the worker was at no shard: the test shows nothing"
    wait_for_both(client)


def test_an_interrupted_build_leaves_the_cluster_at_rest_and_is_taken_up_again(
    tmp_path: Path, source: Path, expected: dict[str, str], cluster: LocalCluster, client: Client
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run(tmp_path, config(source), Once(interrupt), address=cluster.scheduler_address)
    assert not any(client.run(at_work, "ingest-").values())
    assert not (tmp_path / "CURRENT").exists()
    runner.run(tmp_path, config(source), address=cluster.scheduler_address)
    assert content(tmp_path) == expected


@pytest.fixture
def spread(tmp_path: Path, client: Client) -> Spread:
    return Spread(client, terms(tmp_path, {"partonomy_data"}, [str(tmp_path)]))


def _refuse(what: str) -> None:
    raise SourceError(what, where="/data/paco.json: line 3", mend="Fetch the file again")


def test_errors_arrive_as_they_were_raised(spread: Spread) -> None:
    error = spread.submit(_refuse, "ends early").exception(60)
    assert type(error) is SourceError
    assert (error.what, error.where, error.mend) == ("ends early", "/data/paco.json: line 3", "Fetch the file again")
    assert str(error) == "/data/paco.json: line 3: ends early. Fetch the file again."
    gone = spread.submit(os.stat, "/no/such/file").exception(60)
    assert isinstance(gone, FileNotFoundError)
    assert gone.filename == "/no/such/file"


def test_a_call_that_ends_every_worker_is_given_up(spread: Spread, cluster: LocalCluster, client: Client) -> None:
    assert cluster.scheduler is not None
    tries, cluster.scheduler.allowed_failures = cluster.scheduler.allowed_failures, 0
    try:
        error = spread.submit(os._exit, 1).exception(60)
    finally:
        cluster.scheduler.allowed_failures = tries
    assert type(error) is PartonomyError
    assert "out of memory" in str(error)
    wait_for_both(client)


@pytest.mark.soak
def test_a_failing_shard_ends_the_build_as_it_does_locally(
    tmp_path: Path, source: Path, expected: dict[str, str], cluster: LocalCluster
) -> None:
    """What a source was split into goes away before the shards read it, as on a disk that fails."""

    class Losing(Silent):
        def __init__(self, root: Path) -> None:
            self._root = root

        def stage(self, name: str, steps: int) -> None:
            if name.startswith("reading"):
                shutil.rmtree(self._root / "work" / "spool")

    there = partial(runner.run, address=cluster.scheduler_address)
    for run in (partial(partonomy_data.build, executors=pool), there):
        root = tmp_path / str(run is there)
        with pytest.raises(FileNotFoundError) as raised:
            run(root, config(source, workers=1), Losing(root))
        assert raised.value.strerror == "No such file or directory"
        assert str(root / "work" / "spool") in str(raised.value.filename)
        assert not (root / "CURRENT").exists()
        run(root, config(source, workers=1))
        assert content(root) == expected


def one_line(call: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as raised:
        call()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_an_address_where_nobody_is_is_refused(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PATIENCE", 1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for address in (f"tcp://127.0.0.1:{port}", "nonsense://127.0.0.1:1"):
        monkeypatch.setenv(runner.ADDRESS, address)
        line = one_line(lambda: runner.run(tmp_path, config(source)))
        assert line.startswith(f"the Dask cluster at {address}: no scheduler answers. Check PARTONOMY_DASK_ADDRESS")


def test_a_cluster_without_workers_is_refused(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PATIENCE", 1)
    with started(0, processes=False, protocol="tcp") as empty:
        line = one_line(lambda: runner.run(tmp_path, config(source), address=empty.scheduler_address))
    assert "it has no workers" in line


@pytest.fixture
def asked(tmp_path: Path) -> Terms:
    return terms(tmp_path, {"partonomy_data"}, [str(tmp_path)])


def test_workers_that_do_not_see_the_store_or_a_source_are_refused(
    tmp_path: Path, asked: Terms, client: Client
) -> None:
    client.wait_for_workers(2)  # one that an earlier test ended may still be on its way back
    runner.check(client, asked)
    elsewhere = msgspec.structs.replace(asked, probe=str(tmp_path / "elsewhere" / "probe"))
    line = one_line(lambda: runner.check(client, elsewhere))
    assert f"does not see the store's folder {tmp_path / 'elsewhere'} (2 of 2 workers)" in line
    Path(asked.probe).write_text("another build's")
    assert "does not see the store's folder" in one_line(lambda: runner.check(client, asked))
    Path(asked.probe).write_text(asked.build)
    unseen = msgspec.structs.replace(asked, folders=("/no/such/source",))
    assert "does not see the source /no/such/source" in one_line(lambda: runner.check(client, unseen))


def test_a_worker_that_comes_later_is_refused_at_its_first_shard(client: Client, asked: Terms) -> None:
    late = Spread(client, msgspec.structs.replace(asked, code={**asked.code, "partonomy_data": "of another version"}))
    error = late.submit(os.getpid).exception(60)
    assert isinstance(error, UsageError)
    assert "a worker of the Dask cluster has other code of partonomy_data" in str(error)


@pytest.mark.parametrize(
    ("change", "says"),
    [("changed", "has other code of"), ("missing", "No module named 'flows.spread'")],
)
def test_a_worker_with_other_code_is_refused(tmp_path: Path, asked: Terms, change: str, says: str) -> None:
    other = tmp_path / "other"
    for name in PACKAGES:
        shutil.copytree(PROJECT / name, other / name, ignore=shutil.ignore_patterns("__pycache__"))
    if change == "missing":
        shutil.rmtree(other / "flows")
        (other / "flows.py").touch()
    else:
        with (other / "flows" / "spread.py").open("a") as file:
            file.write("# another version\n")
    with started(0, processes=False, protocol="tcp") as cluster, Client(cluster, set_as_default=False) as client:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address, "--no-nanny"]
        command += ["--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path / "scratch")]
        worker = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": str(other)}, cwd=tmp_path, stderr=subprocess.DEVNULL
        )
        try:
            client.wait_for_workers(1, timeout=120)
            assert says in one_line(lambda: runner.check(client, asked))
        finally:
            worker.terminate()
            worker.wait(60)


def command(tmp_path: Path, source: Path) -> list[str]:
    script = tmp_path / "small_shards.py"
    script.write_text(SCRIPT)
    options = ["build", "--root", str(tmp_path / "store"), "--source", f"paco={source}", "--workers", "2"]
    return [sys.executable, str(script), *options, "--runner", "dask"]


def test_without_an_address_a_cluster_is_started_and_ended(
    tmp_path: Path, source: Path, expected: dict[str, str]
) -> None:
    (tmp_path / "here").mkdir()
    done = subprocess.run(command(tmp_path, source), cwd=tmp_path / "here", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "store") == expected
    stages = [line.partition(":")[0] for line in done.stderr.splitlines() if not line.startswith("note: ")]
    assert stages[:2] == ["looking at the sources", "reading paco"]
    assert stages[-1] == "publishing", "somebody else wrote to the terminal"
    assert list((tmp_path / "here").iterdir()) == []
    assert not (tmp_path / "store" / "work" / "dask").exists()


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.soak, id="interrupted"),
        pytest.param(signal.SIGKILL, id="killed"),
    ],
)
def test_a_build_that_is_stopped_leaves_no_process_behind(tmp_path: Path, source: Path, how: signal.Signals) -> None:
    process = subprocess.Popen(
        command(tmp_path, source), stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=tmp_path
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith("looking at the sources"), first
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    if how is signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does
    else:
        os.kill(process.pid, how)
    rest = process.stderr.read()
    process.wait(120)
    assert psutil.wait_procs(workers, timeout=60)[1] == []
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert rest.splitlines()[-1] == "partonomy: interrupted; what is published is whole"
        assert len(rest.splitlines()) <= 2, rest
        assert not (tmp_path / "store" / "work" / "dask").exists()


def test_without_its_libraries_the_runner_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name in ("flows.dask", "flows.spread")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "pip install 'partonomy-data[dask]'" in one_line(lambda: find("dask"))
