"""The changes of docs/adding-a-question-type.md, made in a copy of the package, give questions of the new type that are true."""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

import partonomy_data
from tests.docs.pages import DOCS, PROJECT, examples

PAGE = DOCS / "adding-a-question-type.md"
#: File → its changes: what stands there, and what is to stand there.
Changes = list[tuple[str, list[tuple[str, str]]]]


def changes() -> Changes:
    """What the page's blocks of `diff` say."""
    found: Changes = []
    for block in examples.blocks(PAGE):
        if block.language == "diff":
            head, *hunks = re.split(r"^@@\n", block.text, flags=re.MULTILINE)
            pairs = [("".join(_side(hunk, "-")), "".join(_side(hunk, "+"))) for hunk in hunks]
            found.append((head.removeprefix("--- ").strip(), pairs))
    return found


def _side(hunk: str, sign: str) -> list[str]:
    """The lines of one side, without their signs; a bare line end is an empty line of both."""
    return [line[1:] or "\n" for line in hunk.splitlines(keepends=True) if line[0] in (sign, " ", "\n")]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, changed as the page says."""
    folder = tmp_path_factory.mktemp("changed")
    for name in ("partonomy_data", "schemas"):
        # Compiled modules come along, which saves seconds; not those that another process is just writing.
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc.*"))
    for name, pairs in changes():
        text = (folder / name).read_text(encoding="utf-8")
        for old, new in pairs:
            assert text.count(old) == 1, f"{name} has not, or not once:\n{old}"
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_new_type_is_asked_and_its_answers_are_true(copy: Path, demo_store: Path) -> None:
    command = [sys.executable, "-m", "partonomy_data", "build", "--root", "store", "--workers", "1"]
    done = examples.run([*command, "--source", f"paco={demo_store / 'demo' / 'paco'}"], copy, PYTHONPATH=str(copy))
    assert done.returncode == 0, done.stderr
    with partonomy_data.open(copy / "store") as store:
        asked = [row for row in store.table("questions").to_pylist() if row["question_type"] == "neither"]
        has = defaultdict(set)
        for row in store.table("part_graph").to_pylist():
            has[row["object_category"]].add(row["part_category"])
        shown = defaultdict(set)
        area: Counter[tuple[str, str]] = Counter()
        for row in store.table("parts").to_pylist():
            area[row["object_id"], row["part_category"]] += row["area"]
        for (object_id, part), pixels in area.items():
            if pixels >= 16:
                shown[object_id].add(part)
    counts = Counter(row["balanced"] for row in asked)
    (table,) = [block.text for block in examples.blocks(PAGE) if block.text.startswith("question_type ")]
    assert [line.split() for line in table.splitlines()[1:]] == [
        ["neither", str(balanced).lower(), str(counts[balanced])] for balanced in (False, True)
    ]
    for row in asked:
        first, second = row["contrast_categories"]
        assert re.search(rf"\b{first} (n?or) .*\b{second}\b", row["question"]), row["question"]
        right = set(row["choices"][row["correct_index"]]["parts"])
        assert right <= shown[row["object_id"]] - has[first] - has[second]
        # What is left out is one's own by the graph, or by a name that means the same.
        assert all(part in right or _called(part, has[first] | has[second]) for part in shown[row["object_id"]])


def _called(part: str, names: set[str]) -> bool:
    """Whether one of the names is the part's, or ends on its last word, or the reverse."""
    return any(name == part or name.endswith(f" {part}") or part.endswith(f" {name}") for name in names)
