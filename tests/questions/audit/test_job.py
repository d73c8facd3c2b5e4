"""The command: what it writes and prints, and how it ends."""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from PIL import Image

from benchmarks.leaky_tables import Tables
from partonomy_data.errors import UsageError
from partonomy_data.questions import audit
from partonomy_data.questions.audit import AuditTable, Report, auditing, figure, job, learned, render
from tests.helpers.command import partonomy
from tests.questions.audit.conftest import QUICK

Leaky: TypeAlias = Callable[[str], tuple[Tables, Path]]
Audited: TypeAlias = Callable[[str], tuple[AuditTable, Report]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command has no option for it, and the tests have no time for full training."""
    monkeypatch.setattr(auditing, "AuditSettings", lambda: QUICK)


def test_a_report_is_written_whole(audited: Audited, tmp_path: Path) -> None:
    _, report = audited("edited")
    paths = audit.write(report, tmp_path / "new" / "audit")
    assert [path.name for path in paths] == ["audit.json", "audit.md", "audit.png"]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["audit.json", "audit.md", "audit.png"]
    assert msgspec.convert(json.loads(paths[0].read_text()), Report) == report
    text = paths[1].read_text()
    assert "| learned | **" in text
    assert re.search(r"\| position \| [12]\d\.", text)
    with Image.open(paths[2]) as picture:
        assert picture.width > 1_000
        colors = {color for _, color in picture.convert("RGB").getcolors(1 << 24) or []}
    assert {(0xC1, 0x44, 0x0E), (0x2A, 0x6F, 0x97)} < colors
    first = paths[2].read_bytes()
    assert audit.write(report, tmp_path / "again")[2].read_bytes() == first


def test_the_table_marks_what_is_beyond_chance(audited: Audited) -> None:
    lines = {line.split()[0]: line for line in render.compact(audited("edited")[1]).splitlines() if line}
    assert lines["learned"].count("*") == 7
    assert "*" not in lines["chance"]
    assert "within chance" in render.verdict(audited("grouped")[1])
    assert "beyond chance" in render.verdict(audited("edited")[1])
    assert "*" not in render.compact(audited("grouped")[1])


def test_the_command_audits_a_file_and_says_where_the_report_is_and_ends_with_1_where_balanced_questions_leak(
    leaky: Leaky, tmp_path: Path
) -> None:
    _, folder = leaky("regrouped")
    path, out = folder / "questions" / "questions.parquet", tmp_path / "out"
    done = partonomy("audit", "--root", tmp_path, "--file", path, "--out", out, "--fail")
    assert done.status == 1
    assert "beyond chance" in done.out
    assert "most_similar" in done.out
    assert str(out) in done.out
    assert json.loads((out / "audit.json").read_text())["source"] == str(path)


def test_fail_needs_balanced_questions(audited: Audited) -> None:
    with pytest.raises(UsageError, match="no balanced questions"):
        job.failed(audited("edited")[1])
    assert job.failed(audited("regrouped")[1])
    assert not job.failed(audited("grouped")[1])


def test_a_store_is_audited_into_a_run_of_its_own(demo_store: Path, tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "store"
    shutil.copytree(demo_store, root, ignore=shutil.ignore_patterns("demo", "work"))
    before = set((root / "runs").iterdir())
    done = partonomy("audit", "--root", root)
    if done.status == 2:
        assert "holds no questions" in done.err
        assert len(done.err.splitlines()) == 1
        assert set((root / "runs").iterdir()) == before
        return
    (run,) = set((root / "runs").iterdir()) - before
    assert sorted(path.name for path in (run / "audit").iterdir()) == ["audit.json", "audit.md", "audit.png"]
    assert f"version {(root / 'CURRENT').read_text().strip()}" in done.out


def test_no_store_no_file_no_split_are_one_line_each(leaky: Leaky, tmp_path: Path) -> None:
    _, folder = leaky("grouped")
    for options in (
        ["--root", tmp_path / "nowhere"],
        ["--root", tmp_path, "--file", tmp_path / "nowhere.json"],
        ["--root", tmp_path, "--file", folder, "--split", "weekend"],
    ):
        done = partonomy("audit", *options)
        assert (done.status, done.out, len(done.err.splitlines())) == (2, "", 1)


@pytest.mark.parametrize(("module", "require"), [("sklearn", learned.require), ("matplotlib", figure.require)])
def test_what_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, require: Callable[[], None]
) -> None:
    real = builtins.__import__

    def absent(name: str, *arguments: Any, **options: Any) -> Any:
        if name.split(".")[0] == module:
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(UsageError, match=r"partonomy-data\[audit\]"):
        require()


@pytest.mark.parametrize("wrong", [{"folds": 1}, {"replicates": 5}, {"level": 1.0}, {"iterations": 0}])
def test_settings_that_can_not_be_are_refused(audited: Audited, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        audit.audit(audited("grouped")[0], audit.AuditSettings(**wrong))
