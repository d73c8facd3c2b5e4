"""`partonomy fetch` as a user runs it: killed, interrupted, on a full disk, without a licence, and wrongly."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.fetch.conftest import CONTENT, Site, sha256, zipped
from tests.helpers.command import partonomy

#: Longest file that a process may write, as `ulimit -f` says it.
LIMIT = 600_000
LIMITED = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT})); "


def own_catalogue(site: Site, name: str, path: Path) -> Path:
    """A catalogue file with what is served under `name`."""
    entry = {
        "url": f"{site.server.url}/{name}",
        "what": "a thing",
        "sha256": sha256(site.server.files[name].content),
        "checksum_from": "the tests",
    }
    licence = {"name": "L", "url": "https://example.org", "covers": "all", "terms": "Be kind."}
    path.write_text(yaml.safe_dump({"thing": {"title": "A thing", "licences": [licence], "files": [entry]}}))
    return path


def arguments(site: Site, path: Path) -> list[str]:
    return ["fetch", "thing", "--to", str(site.home), "--catalogue", str(path), "--accept-licence"]


def test_what_was_killed_goes_on_where_it_was(site: Site, tmp_path: Path) -> None:
    served = site.serve("thing.bin", CONTENT, hold_at=700_000)
    command = arguments(site, own_catalogue(site, "thing.bin", tmp_path / "own.yaml"))
    part = site.beside("thing.bin.part")
    with subprocess.Popen([sys.executable, "-m", "partonomy_data", *command], stderr=subprocess.DEVNULL) as process:
        try:
            assert served.reached.wait(60)
            turn = threading.Event()
            for _ in range(6000):
                if part.exists() and part.stat().st_size == 700_000:
                    break
                turn.wait(0.01)
        finally:
            process.kill()
    served.go.set()
    assert part.stat().st_size == 700_000, "what has come is on disk at once"
    served.hold_at = None
    done = partonomy(*command)
    assert done.status == 0, done.err
    assert site.server.starts == [None, 700_000]
    assert site.tree() == {"thing.bin": CONTENT}


def test_an_interrupt_is_said_in_one_line(site: Site, tmp_path: Path) -> None:
    served = site.serve("thing.bin", CONTENT, hold_at=700_000)
    command = arguments(site, own_catalogue(site, "thing.bin", tmp_path / "own.yaml"))
    started = [sys.executable, "-m", "partonomy_data", *command]
    with subprocess.Popen(started, stderr=subprocess.PIPE, text=True) as process:
        assert served.reached.wait(60)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "partonomy: interrupted; run it again to go on from there"
    assert "Traceback" not in said


def test_a_full_disk_is_said_in_one_line_and_what_has_come_is_kept(site: Site, tmp_path: Path) -> None:
    site.serve("thing.bin", CONTENT)
    command = arguments(site, own_catalogue(site, "thing.bin", tmp_path / "own.yaml"))
    main = f"import sys; {LIMITED} sys.argv[0] = 'partonomy'; from partonomy_data.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", main, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("partonomy: ")]
    assert line.startswith(f"partonomy: {site.beside('thing.bin.part')}: the disk is full")
    assert "What has come is kept. Free some room, and run it again." in line
    assert "Traceback" not in done.stderr
    assert site.beside("thing.bin.part").stat().st_size == LIMIT
    assert partonomy(*command).status == 0
    assert site.server.starts == [None, LIMIT]
    assert site.tree() == {"thing.bin": CONTENT}


def test_a_disk_that_fills_up_while_unpacking_keeps_the_download(site: Site, tmp_path: Path) -> None:
    site.serve("thing.zip", zipped({"large.txt": bytes(2 * LIMIT)}))
    command = arguments(site, own_catalogue(site, "thing.zip", tmp_path / "own.yaml"))
    main = f"import sys; {LIMITED} sys.argv[0] = 'partonomy'; from partonomy_data.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", main, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the disk is full" in done.stderr
    assert "The download is kept." in done.stderr
    assert site.tree() == {}
    assert partonomy(*command).status == 0
    assert len(site.server.asked) == 1, "it is not downloaded twice"
    assert site.tree() == {"large.txt": bytes(2 * LIMIT)}


def test_what_no_program_may_get_is_told_step_by_step(tmp_path: Path) -> None:
    done = partonomy("fetch", "partonomy", "--to", tmp_path / "p")
    assert done.status == 2
    assert "https://huggingface.co/datasets/partonomy/partonomy-core" in done.out
    assert f"--local-dir {tmp_path / 'p'}" in done.out
    assert done.err.splitlines() == [
        f"partonomy: {tmp_path / 'p'}: partonomy can't be fetched by a program. Do what is said above."
    ]
    (tmp_path / "p" / "masks" / "boats--canoe").mkdir(parents=True)
    done = partonomy("fetch", "partonomy", "--to", tmp_path / "p")
    assert (done.status, done.out) == (0, f"partonomy build --source partonomy={tmp_path / 'p'}\n")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (("coco", "--to", "x"), "nothing is known of a source 'coco'. Known are paco, partimagenet"),
        (("paco",), "no folder is named. Write partonomy fetch paco --to DIR."),
        (("paco", "--to", "x", "--only", "train.zip"), "no file is called 'train.zip'. Did you mean train2017.zip."),
        (("paco", "--to", "x"), "the licences of paco aren't accepted, and nothing was fetched."),
        (
            ("paco", "--to", "x", "--accept-licence", "--from", "ftp://h/"),
            "--from 'ftp://h/' is no http or https address.",
        ),
    ],
)
def test_wrong_use_is_said_in_one_line(
    given: tuple[str, ...], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    done = partonomy("fetch", *given)
    assert done.status == 2
    assert len([one for one in done.err.splitlines() if one.startswith("partonomy: ")]) == 1
    assert line in done.err


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 2)])
def test_on_a_terminal_the_licence_is_shown_and_asked_for(
    answer: str, status: int, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        isatty: Callable[[], bool] = staticmethod(lambda: True)  # type: ignore[assignment]

    site.serve("thing.bin", CONTENT)
    command = arguments(site, own_catalogue(site, "thing.bin", tmp_path / "own.yaml"))[:-1]
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    done = partonomy(*command)
    assert done.status == status
    assert "L (all): https://example.org\n    Be kind.\nDo you accept these terms?" in done.err
    assert bool(site.server.asked) == (status == 0)
