"""The examples in the pages: what they are, and what they print.

    python docs/examples.py        runs them all on the small demo world, and writes what they print into the pages

A block of SQL that a `text` block follows is a query with its answer. A `console` block holds commands (`$ …`) with what
they print. Commands and Python marked `<!-- run -->` (or `<!-- run: ends with 2 -->`) are run by this script and by the
tests, page by page, in a folder with the demo store in `demo/` and $PARTONOMY_ROOT naming it; others say why they aren't
(`<!-- not run: … -->`). A block marked `<!-- file: NAME -->` is a file in that folder.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PAGES = (DOCS.parent / "README.md", *sorted(DOCS.glob("*.md")))
_BLOCK = re.compile(
    r"^(?:<!-- (?P<note>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    """Line of the page that the block's text begins at, from 1."""
    start: int
    """Place of its text in the page, in characters."""
    language: str
    text: str
    note: str
    """What the comment right before it says; empty without one."""
    heading: str

    @property
    def name(self) -> str:
        """Page and line, for test names and messages."""
        return f"{self.page.name}:{self.line}"

    @property
    def status(self) -> int | None:
        """The exit status that it should end with; None if it isn't marked to be run."""
        found = re.fullmatch(r"run(?:: ends with (\d+))?", self.note)
        return int(found[1] or 0) if found else None

    @property
    def file(self) -> str | None:
        """The name of the file that it is, if it is one."""
        return self.note.removeprefix("file: ") if self.note.startswith("file: ") else None


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a console block, and what the page says that it prints."""

    line: str
    shown: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        start = match.start("text")
        headings = re.findall(r"^#+ (.*)$", text[: match.start()], re.MULTILINE)
        line = text.count("\n", 0, start) + 1
        note, language = match["note"] or "", match["language"]
        found.append(Block(page, line, start, language, match["text"], note, headings[-1] if headings else ""))
    return found


def queries(page: Path) -> list[tuple[Block, Block]]:
    """Each block of SQL that a block of text follows, with nothing between them, with that."""
    text = page.read_text(encoding="utf-8")
    return [
        (sql, answer)
        for sql, answer in pairwise(blocks(page))
        if (sql.language, answer.language) == ("sql", "text")
        and not text[sql.start + len(sql.text) : answer.start].replace("```text", "").replace("```", "").strip()
    ]


def commands(block: Block) -> list[Command]:
    """The commands of a console block: lines after `$ `, with those that a backslash joins to them."""
    found: list[Command] = []
    for piece in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        lines = piece.splitlines(keepends=True)
        end = next(i for i, line in enumerate(lines) if not line.endswith("\\\n")) + 1
        found.append(Command("".join(lines[:end]).strip(), "".join(lines[end:])))
    return found


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with the project's commands on the path and none of the user's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PARTONOMY_", "PYTEST_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    # Great Expectations' pages take some ten seconds a build, and no example shows them.
    own = {"PARTONOMY_ROOT": "demo", "PARTONOMY_DATA_DOCS": "0"}
    return {**kept, "PATH": path, "COLUMNS": "110", **own, **more}


def run(command: str | list[str], cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A shell's line, or a program with its arguments, run in a folder; its output as text."""
    shell = isinstance(command, str)
    return subprocess.run(
        command,
        shell=shell,
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def printed(done: subprocess.CompletedProcess[str], folder: Path) -> str:
    """What a command prints, as a page shows it: its results, or its error, without this machine's folder."""
    return (done.stderr if done.returncode else done.stdout).replace(str(folder.resolve()), "/home/you")


def write_files(page: Path, folder: Path) -> None:
    """Writes the files that a page shows."""
    for block in blocks(page):
        if block.file is not None:
            (folder / block.file).write_text(block.text, encoding="utf-8")


def refresh(page: Path, folder: Path) -> None:
    """Writes what a page's examples print into the page; they run in `folder`, which holds the store `demo`."""
    import partonomy_data
    from partonomy_data import store

    write_files(page, folder)
    changes: list[tuple[int, int, str]] = []
    with partonomy_data.open(folder / "demo") as opened:
        for sql, text in queries(page):
            answer = store.render(opened.select(sql.text), "table", width=110).decode()
            changes.append((text.start, len(text.text), answer))
    for block in blocks(page):
        if block.status is not None and block.language == "python":
            _checked(run([sys.executable, "-c", block.text], folder), block.status, block.name)
        elif block.status is not None:
            played = [(command.line, run(command.line, folder)) for command in commands(block)]
            shown = [f"$ {line}\n{printed(_checked(done, block.status, line), folder)}" for line, done in played]
            changes.append((block.start, len(block.text), "".join(shown)))
    content = page.read_text(encoding="utf-8")
    for start, length, new in sorted(changes, reverse=True):
        content = content[:start] + new + content[start + length :]
    page.write_text(content, encoding="utf-8")


def _checked(done: subprocess.CompletedProcess[str], status: int, what: str) -> subprocess.CompletedProcess[str]:
    if done.returncode != status:
        raise SystemExit(f"{what} ended with {done.returncode}, not {status}: {done.stderr.strip()}")
    return done


def main() -> None:
    """Draws and builds the small demo world, and refreshes all pages, each with a store of its own."""
    from partonomy_data import relink

    with tempfile.TemporaryDirectory() as made:
        _checked(run("partonomy demo --no-train --workers 1", Path(made)), 0, "partonomy demo")
        for page in PAGES:
            if not queries(page) and all(block.status is None for block in blocks(page)):
                continue
            with tempfile.TemporaryDirectory() as folder:
                shutil.copytree(Path(made, "demo"), Path(folder, "demo"), ignore=shutil.ignore_patterns("work"))
                relink(Path(folder, "demo"))
                refresh(page, Path(folder))
            print(f"refreshed {page.relative_to(DOCS.parent)}")


if __name__ == "__main__":
    main()
