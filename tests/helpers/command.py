"""The command line as a user runs it, in this process: status, stdout, stderr."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest.mock import patch

from partonomy_data import cli


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


class _Stdout(io.TextIOWrapper):
    """Text and bytes both, as the real one takes."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def text(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


def partonomy(*arguments: object) -> Outcome:
    """Runs `partonomy` with these arguments. Anything that isn't an orderly exit is raised."""
    out, err = _Stdout(), _Stdout()
    with (
        patch.object(sys, "argv", ["partonomy", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return Outcome(status, out.text(), err.text())
