"""A whole build against a real, if very small, language model on this machine: `make test-llm`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import partonomy_data
from tests.helpers.command import partonomy
from tests.questions import oracle, structure

PROJECT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.local_model, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of the model's server."""
    command = [
        sys.executable,
        str(PROJECT / "scripts" / "local_model.py"),
        "--folder",
        str(tmp_path_factory.mktemp("model")),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


def test_a_build_lives_with_whatever_a_small_model_says(endpoint: str, demo_store: Path, tmp_path: Path) -> None:
    root = tmp_path / "store"
    sources = [
        part
        for name in ("paco", "partimagenet", "partonomy", "pascal_part")
        for part in ("--source", f"{name}={demo_store / 'demo' / name}")
    ]
    options = ["--root", root, *sources, "--workers", 1, "--llm-model", "local", "--llm-endpoint", endpoint]
    # Templates are long; a few calls show what comes of them.
    done = partonomy("build", *options, "--llm", "openai", "--budget", "10calls")
    print(done.out)
    assert done.status == 0, done.err
    assert re.search(r"^relations +\d", done.out, re.MULTILINE)
    assert "pairs as the model says" in done.out
    version = (root / "CURRENT").read_text()
    again = partonomy("build", *options, "--llm", "openai", "--budget", "0calls")
    assert f"unchanged: version {version.strip()}" in again.out
    assert not structure.faults_of(root)
    (root / "demo").symlink_to(demo_store / "demo")
    judgement = oracle.judge_store(root)
    assert not judgement.of("verified"), judgement.summary()
    with partonomy_data.open(root) as store:
        calls = store.table("llm_calls")
        assert len(calls) >= 9
        assert set(calls["model"].to_pylist()) == {"local"}
