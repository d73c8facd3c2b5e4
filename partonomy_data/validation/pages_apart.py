"""The report by Great Expectations, in a process of its own.

To import it takes longer than a refresh takes to find out what has changed, so that it is begun with the build, while others
look at the sources. The process is given what came of each suite as soon as it is known, and is waited for before anything is
published. It ends at once when the one that began it does, however that ended.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from partonomy_data.errors import PartonomyError
from partonomy_data.validation.running import Outcome

_PACKAGES: Final = Path(__file__).resolve().parents[2]


class Pages:
    """A report under way. Make it with `pages`; begin it, give it suite after suite, end it, then wait for it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._asked = False

    def begin(self, folder: Path, title: str) -> None:
        """Says where the report goes, and what it is called."""
        self._tell((folder, title))

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Has the outcomes of a suite counted, and its pages written; again if it was given before."""
        self._tell(list(outcomes))

    def end(self) -> None:
        """Says that all suites were given, so that the first page can be written."""
        self._tell(None)
        self._asked = True

    def wait(self) -> None:
        """Waits until all is written, if anything is under way.

        Raises RuntimeError where Great Expectations fails, and PartonomyError where its process does.
        """
        if not self._asked:
            return
        self._asked = False
        told = self._answer()
        if told is not None:
            raise told

    def _tell(self, what: Any) -> None:
        assert self._process.stdin is not None
        try:
            pickle.dump(what, self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._answer() or self._ended() from None

    def _answer(self) -> Exception | None:
        """What it failed by; None if all is written."""
        assert self._process.stdout is not None
        try:
            kind, text = pickle.load(self._process.stdout)  # noqa: S301 - it was written by this package's own process
        except EOFError:
            return self._ended()
        if kind is OSError:
            return OSError(*text)
        return None if kind is None else RuntimeError(text)

    def _ended(self) -> PartonomyError:
        return PartonomyError(
            f"the process that writes the validation's report ended by itself (exit code {self._process.wait()}); nothing was"
            " published"
        )


@contextmanager
def pages() -> Iterator[Pages]:
    """A process that is ready to write a report as soon as Great Expectations is imported; it is ended with the block."""
    paths = os.pathsep.join([str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
    )
    try:
        yield Pages(process)
    finally:
        process.kill()
        process.wait()
        for pipe in filter(None, (process.stdin, process.stdout)):
            with suppress(BrokenPipeError):  # what it was not told any more
                pipe.close()


def main() -> None:
    """The process: takes a folder and a title, then suites, then None, and answers when all is written."""
    # Ctrl-C is for the one who asked; this process ends when the other one closes its pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not get in between
    told: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(told,), daemon=True).start()
    answer: tuple[Any, Any] = None, None
    try:
        _work(told)
    except OSError as error:
        answer = OSError, (error.errno, error.strerror, error.filename)
    except Exception as error:  # noqa: BLE001 - whoever asked is told, and raises it
        answer = RuntimeError, f"{type(error).__name__}: {error}" if type(error) is not RuntimeError else str(error)
    pickle.dump(answer, out)
    out.flush()
    os._exit(0)


def _listen(told: SimpleQueue[Any]) -> None:
    """Puts what is told into a queue, so that who tells it need not wait; ends the process when nobody is left to tell."""
    while True:
        try:
            told.put(pickle.load(sys.stdin.buffer))  # noqa: S301 - it was written by this package's own process
        except (EOFError, OSError, pickle.UnpicklingError):
            os._exit(1)


def _work(told: SimpleQueue[Any]) -> None:
    from partonomy_data.validation.data_docs import Report, ready

    ready()
    folder, title = told.get()
    report = Report(folder, title=title)
    while (outcomes := told.get()) is not None:
        report.add(outcomes)
    report.close()


if __name__ == "__main__":
    main()
