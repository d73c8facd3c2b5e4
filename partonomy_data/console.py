"""What a person at a terminal sees: a progress bar on stderr, results on stdout, errors in one line."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partonomy_data.pipeline.runs import BuildReport


class Bar:
    """A progress bar on stderr where that is a terminal; else a plain line at the start and end of each stage."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._live = self._console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._live,
        )
        self._task = self._progress.add_task("", start=False, visible=False)
        self._name, self._started, self._steps = "", time.monotonic(), 0

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._end()
        self._progress.stop()

    def stage(self, name: str, steps: int) -> None:
        """See pipeline.progress.Progress."""
        self._end()
        self._name, self._started, self._steps = name, time.monotonic(), steps
        self._task = self._progress.add_task(name, total=steps)

    def advance(self, steps: int = 1) -> None:
        """See pipeline.progress.Progress."""
        self._progress.advance(self._task, steps)

    def note(self, line: str) -> None:
        """See pipeline.progress.Progress."""
        self._console.print(line, markup=False)

    def _end(self) -> None:
        if self._name and not self._live:
            self._console.print(f"{self._name}: done in {time.monotonic() - self._started:.1f} s", markup=False)
        self._name = ""


def summary(done: BuildReport, root: str) -> str:
    """What a build came to, as a few lines of text."""
    lines = [f"{'published' if done.new else 'unchanged'}: version {done.version} in {root}", ""]
    lines.append(f"{'source':<16}{'images':>10}{'objects':>10}{'parts':>10}{'quarantined':>13}")
    for source, tables in done.counts.items():
        lost = sum(one.quarantined for one in tables.values())
        numbers = (tables["images"].out, tables["objects"].out, tables["parts"].out)
        lines.append(f"{source:<16}" + "".join(f"{n:>10,}" for n in numbers) + f"{lost:>13,}")
    lines += ["", f"{done.questions:,} questions" if done.questions else "no questions"]
    if done.validation is not None:
        kept = done.validation.rules - len(done.validation.failures)
        lines.append(f"{kept} of {done.validation.rules} rules are kept (runs/{done.run_id}/validation)")
    lines.append("")
    if done.language_model:
        from partonomy_data.llm.ledger import text

        lines += [text(done.language_model), *done.judged, ""]
    lines += [f"took {sum(done.seconds.values()):.1f} s; every row is accounted for (runs/{done.run_id}/run.json)"]
    return "\n".join(lines)


def fail(line: str, status: int) -> None:
    """Prints one line on stderr and ends the process."""
    print(f"partonomy: {line}", file=sys.stderr)
    raise SystemExit(status)
