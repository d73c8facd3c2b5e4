"""The commands on a store in a bucket: they publish, refresh, read and check it as one in a folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting, StoreError, provenance
from partonomy_data.pipeline import build
from partonomy_data.pipeline.progress import Silent
from partonomy_data.store import diff_text, render, verify, versions
from partonomy_data.store.remote import pointer
from tests.pipeline.commands import Commands, Done
from tests.pipeline.test_crash_campaign import change, content
from tests.store.remote.conftest import Remote, new_bucket
from tests.store.remote.server import Server

#: What a command that meets a bucket imports, and reads of botocore's descriptions; done once, before any is started.
FIRST = """
import pyarrow.dataset
from partonomy_data.store.remote import address, connecting, copies, history, reading, sides
connecting.connect(address.Address("bucket", ""))
"""


def content_there(remote: Remote, version: str | None = None) -> dict[str, str]:
    """The same of a version in the bucket as `content` of one in a folder."""
    version = version or remote.current()
    folder, found = f"versions/{version}", {"": version}
    for path in sorted(remote.bucket.listing(folder)):
        text = remote.bucket.get(f"{folder}/{path}").body
        if path == "manifest.json":
            text = json.dumps({**json.loads(text), "parent": None}).encode()
        found[path] = hashlib.sha256(text).hexdigest()
    return found


@dataclass(frozen=True)
class Made:
    """A store on S3, and one in a folder that went through the same: two states of a source, one version each."""

    commands: Commands
    source: Path
    local: Path
    remote: Remote
    names: tuple[str, str]

    def run(self, *arguments: object) -> Done:
        """Runs a command on the store on S3."""
        return self.commands.run(*arguments, "--root", self.remote.address)

    def ok(self, *arguments: object) -> str:
        """What such a command prints, which must end well."""
        return self.commands.ok(*arguments, "--root", self.remote.address).out

    def here(self, *arguments: object) -> str:
        """The same of the store in a folder."""
        return self.commands.ok(*arguments, "--root", self.local).out

    def build(self) -> list[object]:
        """The arguments of a build."""
        return ["build", "--source", f"paco={self.source}", "--workers", 1]

    @property
    def state(self) -> list[object]:
        """The option that names the state folder."""
        return ["--state", self.remote.state]


@pytest.fixture(scope="module")
def made(running: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """The two stores, each in the second state."""
    folder = tmp_path_factory.mktemp("builds")
    with Commands(folder / "printed", FIRST) as commands:
        made = Made(commands, folder / "source", folder / "local", new_bucket(folder), ("", ""))
        names = []
        for state, command in enumerate((made.build(), ["refresh"])):
            change(made.source, state)
            made.here(*command)
            out = made.ok(*command, *made.state)
            names.append(made.remote.current())
            assert f"published: version {names[-1]} in {made.remote.address}" in out
        yield Made(commands, made.source, made.local, made.remote, (names[0], names[1]))


def test_a_build_and_a_refresh_publish_what_they_publish_in_a_folder(made: Made) -> None:
    assert [content_there(made.remote, name) for name in made.names] == [
        content(made.local, name) for name in made.names
    ]
    kept = {path.split("/")[0] for path in made.remote.bucket.listing("versions")} - {pointer.PROBE.split("/")[1]}
    assert kept == set(made.names)
    everything = made.remote.client.list_objects_v2(Bucket=made.remote.bucket.address.bucket)["Contents"]
    assert {one["Key"].split("/")[2] for one in everything} == {"CURRENT", "versions"}


def test_nothing_to_refresh_is_told(made: Made) -> None:
    assert made.ok("refresh", *made.state) == (
        f"nothing has changed: version {made.names[1]} in {made.remote.address} is up to date\n"
    )


def test_commands_print_what_they_print_of_a_folder(made: Made) -> None:
    sql = "SELECT object_category, count(*) AS n, sum(area) FROM objects GROUP BY ALL ORDER BY ALL"
    told = diff_text.as_json(partonomy_data.diff(made.local, *made.names, rows=2))
    assert made.ok("diff", *made.names, "--rows", 2, "--format", "json") == told
    with partonomy_data.open(made.local) as here:
        assert made.ok("query", sql, "--format", "csv") == render(here.select(sql), "csv").decode()
        part = here.table("parts", ["part_id"])["part_id"][0].as_py()
        explained = provenance.as_json(provenance.explain(here, part))
    assert made.ok("explain", part, "--format", "json") == explained
    listed = [line.split()[:2] for line in made.ok("versions").splitlines()[1:]]
    assert [line[0] for line in listed] == [made.names[0], "*"]
    with partonomy_data.open(made.remote.address) as there, partonomy_data.open(made.local) as here:
        assert there.questions().equals(here.questions())


def test_validate_looks_at_the_bucket(made: Made) -> None:
    told = json.loads(made.ok("validate", "--format", "json", *made.state))
    assert (told["success"], told["failures"]) == (
        True,
        json.loads(made.here("validate", "--format", "json"))["failures"],
    )


@pytest.mark.parametrize("fresh", [False, True], ids=["from the folder that built it", "from a fresh folder"])
def test_validate_sees_what_is_damaged_in_the_bucket(made: Made, tmp_path: Path, fresh: bool) -> None:
    version = made.remote.current()
    table, other = (
        sorted(path for path in made.remote.bucket.listing(f"versions/{version}") if path.startswith(name))[0]
        for name in ("parts/", "attributes/")
    )
    state = ["--state", tmp_path / "fresh"] if fresh else made.state
    before = {path: made.remote.bucket.get(f"versions/{version}/{path}").body for path in (table, other)}
    made.remote.put(f"versions/{version}/{table}", before[table][:-1] + b"?")
    made.remote.delete(f"versions/{version}/{other}")
    try:
        done = made.run("validate", "--format", "json", *state)
    finally:
        for path, text in before.items():
            made.remote.put(f"versions/{version}/{path}", text)
    assert done.status == 1
    (broken,) = [one for one in json.loads(done.out)["failures"] if one["rule"] == "files_as_published"]
    assert broken["rows"] == sorted([table, other])
    assert sorted(broken["reasons"]) == ["it has another content", "it is missing"]
    assert not list((Path(str(state[1])) / "work").glob("damaged-remote-*"))


@pytest.mark.soak
def test_an_audit_reads_what_is_in_the_bucket(made: Made, tmp_path: Path) -> None:
    there = made.run("audit", "--state", tmp_path / "fresh")
    here = made.commands.run("audit", "--root", made.local)
    assert (there.status, here.status) == (0, 0)
    assert there.out.splitlines()[1:-1] == here.out.splitlines()[1:-1]


def test_another_machine_goes_on_from_there(made: Made, tmp_path: Path) -> None:
    state = ["--state", tmp_path / "other"]
    refused = made.run("refresh", *state)
    assert refused.status == 2
    assert "nothing was built here yet" in refused.line()
    assert made.ok(*made.build(), *state).startswith(f"unchanged: version {made.names[1]}")
    assert verify(tmp_path / "other") == []
    assert "nothing has changed" in made.ok("refresh", *state)


class WhilePublishing(Silent):
    """Does something at the moment at which a build has made its version and is about to publish it."""

    def __init__(self, then: object) -> None:
        self.then = then

    def stage(self, name: str, steps: int) -> None:
        """See pipeline.progress."""
        if name == "publishing":
            self.then()  # type: ignore[operator]


def test_a_build_that_is_overtaken_ends_with_one_line_and_can_be_rolled_back_to(made: Made, tmp_path: Path) -> None:
    remote = new_bucket(tmp_path)
    config = BuildConfig(sources={"paco": SourceSetting(str(made.source))}, workers=1)
    other = WhilePublishing(lambda: remote.publish(1, folder=tmp_path / "other"))
    with pytest.raises(StoreError, match="by somebody else") as told:
        build(remote.address, config, other, state_folder=remote.state)
    (lost,) = [info.version for info in versions(remote.address) if not info.current]
    assert remote.current() in str(told.value)
    assert lost in str(told.value)
    assert not list(remote.state.glob("runs/*/run.json")), "it came to nothing, and nothing says otherwise"
    made.commands.ok("rollback", lost, "--root", remote.address)
    assert remote.current() == lost
    assert verify(remote.address) == []


def test_two_builds_at_once_end_in_one_of_them(made: Made, tmp_path: Path) -> None:
    remote = new_bucket(tmp_path)
    running = []
    for state in (0, 1):
        change(tmp_path / str(state), state)
        arguments = ["build", "--source", f"paco={tmp_path / str(state)}", "--workers", 1, "--root", remote.address]
        running.append(made.commands.start(*arguments, "--state", tmp_path / f"state-{state}"))
    done = [command.wait() for command in running]
    assert 0 in [one.status for one in done]
    for one in done:
        assert one.status == 0 or (one.status == 2 and "by somebody else meanwhile" in one.line())
    assert [info.damage for info in versions(remote.address)] == ["", ""]
    assert remote.current() in made.names
    assert content_there(remote) == content(made.local, remote.current())


def test_prune_takes_the_state_folder_along(made: Made, tmp_path: Path) -> None:
    remote = new_bucket(tmp_path)
    first, second = remote.publish(0), remote.publish(1)
    command = ["prune", "--keep", 1, "--root", remote.address, "--state", remote.state]
    assert made.commands.ok(*command).out == "removed 0 versions\n"
    assert made.commands.ok(*command, "--grace", 0).out == f"removed 1 version: {first}\n"
    assert [info.version for info in versions(remote.address)] == [second]
    assert [info.version for info in versions(remote.state)] == [second]


@pytest.mark.soak
def test_a_build_mends_what_is_damaged_in_the_bucket(made: Made) -> None:
    """Without `work/` as well, which may be deleted between any two commands."""
    shutil.rmtree(made.remote.state / "work")
    folder = f"versions/{made.names[1]}"
    path = next(path for path in made.remote.bucket.listing(folder) if path.endswith(".parquet"))
    made.remote.put(f"{folder}/{path}", b"?")
    made.ok(*made.build(), *made.state)
    assert content_there(made.remote) == content(made.local)
