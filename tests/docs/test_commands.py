"""The commands and the Python that the pages show do what the pages say."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

import partonomy_data
from tests.docs.pages import DOCS, README, examples

PAGES = [README, *sorted(DOCS.glob("*.md"))]
BLOCKS = [block for page in PAGES for block in examples.blocks(page)]
#: Languages of blocks that somebody would copy and run.
RUNNABLE = ("console", "sh", "bash", "python")


def plain(line: str) -> list[str]:
    """A line's words without what differs from run to run: numbers, names of versions, the ends of columns."""
    return re.sub(r"\b[0-9a-f]{16}\b|[0-9][0-9.,:-]*", "0", line).split()


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(b.status is not None for b in examples.blocks(page))],
    ids=lambda page: page.name,
)
def test_examples_of_a_page_run_and_print_what_is_shown(page: Path, workplace: Path) -> None:
    examples.write_files(page, workplace)
    for block in examples.blocks(page):
        if block.status is None:
            continue
        if block.language == "python":
            done = examples.run([sys.executable, "-W", "error", "-c", block.text], workplace)
            assert done.returncode == block.status, f"{block.name}: {done.stderr}"
            continue
        assert examples.commands(block), f"{block.name}: no command in it"
        for command in examples.commands(block):
            done = examples.run(command.line, workplace)
            assert done.returncode == block.status, f"{block.name}: {command.line}: {done.stderr}"
            assert "Traceback" not in done.stderr
            printed = examples.printed(done, workplace).splitlines()
            shown = command.shown.splitlines()
            assert bool(printed) == bool(shown), f"{block.name}: {command.line} printed {printed}"
            assert not shown or plain(printed[0]) == plain(shown[0]), f"{block.name}: {command.line}"


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language in RUNNABLE], ids=lambda block: block.name)
def test_what_can_be_run_is_run_or_says_why_not(block: Any) -> None:
    note = block.note
    whole_example = block.page.name == "adding-a-source.md" and block.language == "python"
    assert whole_example or block.status is not None or re.match(r"not run( here)?: \S", note), note


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "sql"], ids=lambda block: block.name)
def test_all_sql_of_the_pages_runs(block: Any, demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        assert store.select(block.text).rows.num_rows


def test_blocks_are_told_apart(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n\n```sql\nSELECT 0\n```\n\nNot its answer:\n\n```text\ny\n```\n\n"
        "<!-- run: ends with 2 -->\n```console\n$ one \\\n  more\nout\n$ two\n```\n\n"
        "## B\n\n```sql\nSELECT 1\n```\n\n```text\nx\n```\n\n"
        "<!-- file: a.yaml -->\n```yaml\na: 1\n```\n\n<!-- elsewhere -->\n\n```python\npass\n```\n"
    )
    _, _, console, sql, text, file, python = examples.blocks(page)
    assert [(c.line, c.shown) for c in examples.commands(console)] == [
        ("one \\\n  more", "out\n"),
        ("two", ""),
    ]
    assert (console.status, console.heading, console.line, sql.heading) == (2, "A", 15, "B")
    assert examples.queries(page) == [(sql, text)]
    assert (file.file, file.status, python.note, python.status) == ("a.yaml", None, "", None)
    assert page.read_text()[file.start :].startswith("a: 1\n```")
    examples.write_files(page, tmp_path)
    assert (tmp_path / "a.yaml").read_text() == "a: 1\n"
