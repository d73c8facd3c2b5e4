"""The folder of a report appears whole, replaces only a report, and is the same for the same version and seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from partonomy_data.errors import UsageError
from partonomy_data.report import write
from partonomy_data.report.folder import made_whole, sign
from tests.helpers.command import partonomy
from tests.report.opened import content, pages

#: Runs the command, and kills it as a page is written, or when the report that was there has been moved away.
KILLED = """
import os, signal, sys
from partonomy_data.report import folder, pages
wanted, left = sys.argv.pop(1), [3]
def killed(*_, **__):
    left[0] -= 1
    if wanted == "rename" or not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
if wanted == "page":
    write, kept = pages._Folder.page, killed
    pages._Folder.page = lambda self, *a, **k: (kept(), write(self, *a, **k))
else:
    folder.fsync_folder = killed
    rename = os.rename
    os.rename = lambda a, b: (rename(a, b), killed() if str(b).endswith("-old") else None)
from partonomy_data.cli import main
sys.argv[0] = "partonomy"
main()
"""


def kill(where: str, root: Path, out: Path, seed: int) -> int:
    command = [sys.executable, "-c", KILLED, where, "report", "--root", str(root), "--out", str(out), "--samples", "1"]
    done = subprocess.run([*command, "--seed", str(seed)], capture_output=True, check=False)
    return done.returncode


def test_equal_version_samples_and_seed_are_equal_bytes(told_store: Path, written: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    command = [sys.executable, "-m", "partonomy_data", "report", "--root", str(told_store), "--out", str(out)]
    done = subprocess.run(
        [*command, "--samples", "12", "--seed", "3"], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )  # fmt: skip
    assert (done.returncode, done.stdout.count("\n")) == (0, 1), done.stderr
    first, second = content(written), content(out)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_another_seed_shows_others_and_the_same_numbers_on_as_many_pages_as_it_takes(
    told_store: Path, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("partonomy_data.report.pages._PER_PAGE", 4)
    write(told_store, tmp_path / "other", samples=6, seed=4)
    first, second = content(written), content(tmp_path / "other")
    differ = {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}
    assert {"photographs.html", "questions.html", "report.json"} <= differ
    for name in ("numbers.html", "taxonomy.html", "checks.html", "results.html", "sources.html"):
        assert second[name] == first[name].replace(b"with seed 3", b"with seed 4"), name
    made = pages(tmp_path / "other")
    assert set(made) - {path.name for path in written.glob("*.html")} == {"photographs-2.html", "questions-2.html"}
    assert made["photographs.html"].source.count("<figure>") == 4
    assert made["photographs-2.html"].source.count("<figure>") == 2
    for name in ("photographs.html", "photographs-2.html"):
        led = [one["href"] for one in made[name].all("a") if str(one.get("href")).startswith("photographs")]
        assert led == ["photographs.html", *["photographs.html", "photographs-2.html"] * 2]


def test_killed_before_it_is_whole_it_leaves_nothing_at_its_place(hostile_store: Path, tmp_path: Path) -> None:
    assert kill("page", hostile_store, tmp_path / "out", 0) == -9
    assert not (tmp_path / "out").exists()
    done = partonomy("report", "--root", hostile_store, "--out", tmp_path / "out", "--samples", 1)
    assert (done.status, str(tmp_path / "out" / "index.html") in done.out) == (0, True)


def test_killed_while_it_replaces_another_it_leaves_that_one_or_none(hostile_store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(hostile_store, out, samples=1)
    before = content(out)
    assert kill("rename", hostile_store, out, 1) == -9
    assert not out.exists()
    assert any(content(path) == before for path in tmp_path.iterdir())
    write(hostile_store, out, samples=1)
    assert content(out) == before


def test_a_report_is_replaced_whole(hostile_store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(hostile_store, out, samples=2)
    (out / "numbers.html").unlink()
    write(hostile_store, out, samples=2, seed=1)
    assert b'"seed": 1' in content(out)["report.json"]
    assert "numbers.html" in content(out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("what", ["files", "file", "link", "foreign", "below a file", "sign of another"])
def test_what_is_no_report_is_refused_in_one_line_and_stays(what: str, hostile_store: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    if what in ("file", "below a file"):
        out.write_text("precious")
    elif what == "link":
        (tmp_path / "target").mkdir()
        out.symlink_to(tmp_path / "target")
    else:
        out.mkdir()
        (out / "precious.txt").write_text("precious")
        if what == "sign of another":
            (out / "report.json").write_text('{"kind": "another", "files": ["precious.txt", "report.json"]}')
        if what == "foreign":
            (out / "precious.txt").unlink()
            write(hostile_store, out, samples=0)
            (out / "assets" / "precious.txt").write_text("precious")
    before = content(tmp_path)
    place = out / "below" if what == "below a file" else out
    done = partonomy("report", "--root", hostile_store, "--out", place)
    assert (done.status, done.err.count("\n")) == (2, 1), done.err
    assert str(out) in done.err
    assert content(tmp_path) == before


def test_an_empty_folder_is_filled(hostile_store: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(hostile_store, tmp_path / "out", samples=0)
    assert (tmp_path / "out" / "index.html").is_file()


def test_a_failure_leaves_the_report_that_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with made_whole(out) as folder:
        (folder / "index.html").write_text("first")
        sign(folder, {})

    def fail() -> None:
        with made_whole(out) as folder:
            (folder / "index.html").write_text("second")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (out / "index.html").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_comes_into_the_folder_meanwhile_is_not_lost(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def made() -> None:
        with made_whole(out) as folder:
            sign(folder, {})
            out.mkdir()
            (out / "mine.txt").write_text("mine")

    with pytest.raises(UsageError, match="is no report"):
        made()
    assert content(tmp_path) == {"out/mine.txt": b"mine"}
