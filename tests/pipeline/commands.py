"""`partonomy` commands as processes of their own, that can be killed at any moment.

They are forked from a process that has imported what they need: a command then takes the time of its work, and a kill hits
that instead of the imports.
"""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

#: Reads a request a line, forks a process for it, and tells its number, and later its exit status.
SERVER = """
import importlib, json, os, resource, select, signal, sys
from partonomy_data.sources import buckets
buckets.PHOTOGRAPHS_PER_SHARD = 8
import duckdb, pandas, pyarrow.dataset, pyarrow.feather, rich.progress, scipy.sparse.csgraph, yaml
import partonomy_data.console, partonomy_data.runners
from partonomy_data import pipeline, sources, store
from partonomy_data.cli import main
from partonomy_data.pipeline.code import code_digest
from partonomy_data.questions import shard, stage
from partonomy_data.sources.base import reader
from partonomy_data.validation import command, rules, suites
reader("paco")
rules.checks()
suites.suites()
code_digest()
here = os.environ["COMMANDS"]
children = {}

def killing(at):
    when, _, function = at.partition(" ")
    path, _, name = function.rpartition(".")
    module = importlib.import_module(path)
    real = getattr(module, name)

    def kill(*arguments, **options):
        if when == "after":
            real(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, name, kill)

def run(arguments, out, at, largest):
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{here}/{out}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), stream)
    sys.argv = ["partonomy", *arguments]
    status = 1
    try:
        if at:
            killing(at)
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        import traceback
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

while True:
    for ready in select.select([0, *children], [], [])[0]:
        if ready:
            pid = children.pop(ready)
            os.close(ready)
            print(json.dumps([pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]), flush=True)
            continue
        line = sys.stdin.readline()
        if not line:
            sys.exit()
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            run(*request)
        children[os.pidfd_open(pid)] = pid
        print(json.dumps([pid, None]), flush=True)
"""


@dataclass(frozen=True)
class Done:
    """A command that has ended; the status is negative if a signal ended it."""

    status: int
    out: str
    err: str

    def line(self) -> str:
        """The one line of stderr that says what was wrong; what goes before it tells of progress."""
        lines = self.err.splitlines()
        assert not any(line.startswith(("Traceback", " ")) for line in lines), self.err
        found = [line for line in lines if line.startswith("partonomy: ")]
        assert found == lines[-1:], self.err
        return found[0]


class Commands:
    """Starts commands with small shards; `folder` takes what they print, and `first` is done before. Use it in a `with` block."""

    def __init__(self, folder: Path, first: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._count = folder, 0
        self._ended: dict[int, int] = {}
        environment = {**os.environ, "COMMANDS": str(folder), "PARTONOMY_DATA_DOCS": "0"}
        self._server = subprocess.Popen(
            [sys.executable, "-c", first + SERVER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._requests, self._told, self._held = self._server.stdin, self._server.stdout.fileno(), b""

    def __enter__(self) -> Commands:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._requests.close()
        self._server.kill()
        self._server.wait()
        assert self._server.stdout is not None
        self._server.stdout.close()

    def start(self, *arguments: object, at: str = "", largest: int | None = None) -> Command:
        """Starts `partonomy` with these arguments.

        It kills itself `at` the call of some function ("before module.function", or "after" it), and can write no file of
        more than `largest` bytes.
        """
        self._count += 1
        out = f"{self._count:04d}"
        for kind in (".out", ".err"):  # which a command that is killed at once hasn't made yet
            (self._folder / f"{out}{kind}").touch()
        request = [[str(one) for one in arguments], out, at, largest]
        self._requests.write(json.dumps(request).encode() + b"\n")
        self._requests.flush()
        while True:
            told = self.told(None)
            assert told is not None
            if told[1] is None:
                return Command(self, psutil.Process(told[0]), self._folder / out)
            self._ended[told[0]] = told[1]

    def run(self, *arguments: object, at: str = "", largest: int | None = None) -> Done:
        """Runs `partonomy` with these arguments to its end; see `start`."""
        return self.start(*arguments, at=at, largest=largest).wait()

    def ok(self, *arguments: object) -> Done:
        """The same for one that must end well."""
        done = self.run(*arguments)
        assert done.status == 0, (arguments, done)
        return done

    def ended(self, pid: int, seconds: float | None) -> int | None:
        """The exit status of a command, None if it hasn't ended in so many seconds."""
        while pid not in self._ended:
            told = self.told(seconds)
            if told is None:
                return None
            self._ended[told[0]] = told[1]
        return self._ended[pid]

    def told(self, seconds: float | None) -> Any:
        """What the server tells next, as it stands in a line of JSON; None if nothing in so many seconds."""
        while b"\n" not in self._held:
            if not select.select([self._told], [], [], seconds)[0]:
                return None
            got = os.read(self._told, 65536)
            assert got, "the server of commands has ended"
            self._held += got
        line, _, self._held = self._held.partition(b"\n")
        return json.loads(line)


@dataclass(frozen=True)
class Command:
    """A command that runs."""

    commands: Commands
    process: psutil.Process
    files: Path

    def wait(self) -> Done:
        """Waits until it ends."""
        status = self.commands.ended(self.process.pid, None)
        assert status is not None
        return Done(status, *(self.files.with_suffix(name).read_text() for name in (".out", ".err")))

    def running(self, seconds: float) -> bool:
        """Whether it still runs after so many seconds."""
        return self.commands.ended(self.process.pid, seconds) is None

    def kill(self) -> list[psutil.Process]:
        """kill -9; returns those of its processes that outlive it, for longer than it takes to notice."""
        try:
            below = self.process.children(recursive=True)
            self.process.kill()
        except psutil.NoSuchProcess:
            below = []
        self.wait()
        left = psutil.wait_procs(below, timeout=30)[1]
        return [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def moments(seed: int) -> random.Random:
    """Where the random moments of a campaign come from; the seed is printed, so that a failing one can be had again."""
    print(f"seed {seed}")
    return random.Random(seed)
