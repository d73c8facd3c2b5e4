"""The command line: quick to answer, results on stdout, one SELECT and nothing else."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from partonomy_data import doctor
from partonomy_data.cli import main
from tests.helpers import paco
from tests.helpers.command import partonomy


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    source = paco.write(folder / "paco")
    done = partonomy("build", "--root", folder / "store", "--source", f"paco={source}", "--workers", 1)
    assert done.status == 0, done.err
    assert "published: version" in done.out
    return folder / "store"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['partonomy', '--help']\n"
        "from partonomy_data.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'prefect', 'great_expectations', 'duckdb', 'pyarrow', 'numpy', 'scipy', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_command_that_is_interrupted_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: Path) -> list[doctor.Finding]:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "examine", interrupted)
    monkeypatch.setattr(sys, "argv", ["partonomy", "doctor"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "partonomy: interrupted; what is published is whole\n")


def test_query_answers_in_each_format(root: Path) -> None:
    sql = "SELECT part_category, count(*) AS n FROM parts GROUP BY 1 ORDER BY 1"
    assert "(2 rows)" in partonomy("query", sql, "--root", root).out
    as_json = json.loads(partonomy("query", sql, "--root", root, "--format", "json").out)
    assert as_json == [{"part_category": "handle", "n": 2}, {"part_category": "inner rim", "n": 1}]
    rows = list(csv.DictReader(io.StringIO(partonomy("query", sql, "--root", root, "--format", "csv").out)))
    assert rows == [{"part_category": "handle", "n": "2"}, {"part_category": "inner rim", "n": "1"}]
    done = subprocess.run(
        [sys.executable, "-m", "partonomy_data", "query", sql, "--root", str(root), "--format", "parquet"],
        capture_output=True,
        check=True,
    )
    assert pq.read_table(io.BytesIO(done.stdout)).to_pylist() == as_json


@pytest.mark.parametrize("seconds", ["0", "-1", "nan"])
def test_a_query_is_not_stopped_after_no_time(root: Path, seconds: str) -> None:
    done = partonomy("query", "SELECT 1", "--root", root, "--seconds", seconds)
    assert done.status == 2
    assert done.err == f"partonomy: --seconds must be more than 0, not {seconds}.\n"


def test_a_home_folder_is_known_without_a_shell(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root.parent))
    assert partonomy("versions", f"--root=~/{root.name}").status == 0
    monkeypatch.setenv("PARTONOMY_ROOT", f"~/{root.name}")
    assert partonomy("versions").status == 0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "COPY (SELECT 1) TO 'out.csv'",
        "CREATE TABLE t AS SELECT 1",
        "ATTACH 'x.db'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT content FROM read_text('/etc/passwd')",
        "INSTALL httpfs",
        "SET memory_limit = '1GB'",
        "",
    ],
)
def test_query_admits_one_select_that_reads_the_store(root: Path, sql: str) -> None:
    done = partonomy("query", sql, "--root", root)
    assert done.status == 2
    assert done.out == ""
    assert len(done.err.splitlines()) == 1


def test_versions_rollback_prune_and_relink(root: Path, tmp_path: Path) -> None:
    first = (root / "CURRENT").read_text().strip()
    data = paco.content()
    data["annotations"].pop()
    source = paco.write(tmp_path / "paco", data)
    assert partonomy("build", "--root", root, "--source", f"paco={source}", "--workers", 1).status == 0
    second = (root / "CURRENT").read_text().strip()
    listed = partonomy("versions", "--root", root).out
    assert f"* {second}" in listed
    assert f"  {first}" in listed
    assert partonomy("rollback", first, "--root", root).status == 0
    assert (root / "CURRENT").read_text().strip() == first
    assert partonomy("rollback", "0" * 16, "--root", root).status == 2
    assert first in partonomy("relink", "--root", root).out
    assert partonomy("prune", "--root", root, "--keep", 1).out == "removed 0 versions\n"
    assert partonomy("rollback", second, "--root", root).status == 0
    assert partonomy("prune", "--root", root, "--keep", 1).out == f"removed 1 version: {first}\n"


def test_doctor_finds_the_store(root: Path) -> None:
    done = partonomy("doctor", "--root", root)
    assert done.status == 0, done.out
    assert "current" in done.out


def test_version_says_which_is_installed() -> None:
    done = partonomy("--version")
    assert (done.status, done.out) == (0, f"partonomy-data {version('partonomy-data')}\n")


@pytest.mark.parametrize(("option", "value"), [("--paraphrase", "5"), ("--llm-embeddings", "some-model")])
def test_what_only_a_language_model_can_do_needs_one(root: Path, option: str, value: str) -> None:
    done = partonomy("build", "--root", root, "--source", f"paco={root}", option, value)
    assert done.status == 2
    assert done.err.startswith(f"partonomy: {option} ")
    assert done.err.endswith("and none is asked. Name it with --llm.\n")
