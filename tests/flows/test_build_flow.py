"""The build as a Prefect flow, in a temporary server."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting
from tests.flows.serving import database, environment
from tests.helpers import paco

pytestmark = pytest.mark.timeout(600)


def test_the_flow_publishes_what_the_library_does(
    tmp_path: Path, once: Callable[[str, Callable[[Path], None]], Path]
) -> None:
    home = shutil.copytree(database(once), tmp_path / "home")
    source = paco.write(tmp_path / "paco")
    expected = partonomy_data.build(
        tmp_path / "library", BuildConfig(sources={"paco": SourceSetting(str(source))}, workers=1)
    )
    command = [sys.executable, "-m", "partonomy_data", "build", "--root", str(tmp_path / "flow")]
    command += ["--source", f"paco={source}", "--workers", "1", "--runner", "prefect"]
    done = subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"published: version {expected.version}" in done.stdout
    # Nobody waits at a temporary server, so that the version is still to be announced to one where somebody does.
    assert "there is no Prefect server to tell of version" in done.stdout + done.stderr
    assert not (tmp_path / "flow" / "work" / "emitted").exists()


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_shards_may_be_done_by_a_cluster(tmp_path: Path) -> None:
    """By workers of this machine; what is not there is refused in a line."""
    pytest.importorskip("distributed")
    source = paco.write(tmp_path / "paco")
    expected = partonomy_data.build(
        tmp_path / "library", BuildConfig(sources={"paco": SourceSetting(str(source))}, workers=1)
    )
    script = (
        "import sys\n"
        "from flows.build import build_partonomy\n"
        "if __name__ == '__main__':\n"
        "    for number, cluster in enumerate(sys.argv[3:]):\n"
        "        given = {'root': f'{sys.argv[2]}-{number}', 'sources': {'paco': sys.argv[1]}, 'workers': 1}\n"
        "        print(build_partonomy(**given, dask=cluster, return_state=True).message)\n"
    )
    (tmp_path / "run.py").write_text(script)
    clusters = ["local", "tcp://127.0.0.1:9"]
    command = [sys.executable, tmp_path / "run.py", source, tmp_path / "flow", *clusters]
    done = subprocess.run(command, env=environment(tmp_path / "home"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made, refused = done.stdout.splitlines()
    assert made == f"published: version {expected.version}"
    assert "the Dask cluster at tcp://127.0.0.1:9: no scheduler answers" in refused
