"""Publishing into a bucket: whole or not at all, taken up where it was left, and never over somebody else's work."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import partonomy_data
from partonomy_data import StoreError
from partonomy_data.store import manifest, rollback, verify, versions
from partonomy_data.store.layout import Layout
from partonomy_data.store.lock import build_lock
from partonomy_data.store.pointer import read_current
from partonomy_data.store.remote import pointer, state
from partonomy_data.store.remote import upload as uploading
from partonomy_data.store.remote.bucket import Bucket
from partonomy_data.store.remote.saying import NotMet
from tests.store.conftest import publish_tables
from tests.store.remote.conftest import Remote
from tests.store.remote.server import Server

#: Objects that a version of the small store has beside its manifest: a file for each table, and the card.
TABLE_FILES = 16


def in_bucket(remote: Remote) -> dict[str, bytes]:
    """Every object of the store, but for the one that only probes."""
    bucket = remote.bucket
    return {
        f"versions/{path}": bucket.get(f"versions/{path}").body
        for path in bucket.listing("versions")
        if f"versions/{path}" != pointer.PROBE
    }


def on_disk(folder: Path) -> dict[str, bytes]:
    """Every file under `versions/`."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.glob("versions/**/*")
        if path.is_file()
    }


def test_the_bucket_has_the_bytes_of_the_state_folder(remote: Remote) -> None:
    first, second = remote.publish(0), remote.publish(1)
    assert in_bucket(remote) == on_disk(remote.state)
    assert remote.current() == second == read_current(remote.state)
    assert [info.parent for info in versions(remote.address)] == [None, first]
    assert verify(remote.address) == verify(remote.address, first) == []


def test_what_a_version_shares_with_the_one_before_is_copied_by_the_server(remote: Remote, server: Server) -> None:
    remote.publish(0)
    server.control()
    remote.publish(1)
    counts = server.control()
    assert counts["copied"] == TABLE_FILES - 1, "all but the parts"
    assert counts["PUT"] == 1 + 3 + 3, "the parts, card, Croissant and manifest, CURRENT and the probes"


def test_a_version_that_is_there_is_not_uploaded_again(remote: Remote, server: Server) -> None:
    version = remote.publish(0)
    server.control()
    assert remote.publish(0) == version
    counts = server.control()
    assert counts["PUT"] == 2, "the probes"
    assert "copied" not in counts


@pytest.mark.parametrize(
    "harm", ["missing", *(pytest.param(one, marks=pytest.mark.soak) for one in ("short", "other"))]
)
def test_publishing_again_mends_what_is_damaged(remote: Remote, harm: str) -> None:
    version = remote.publish(0)
    path = f"versions/{version}/parts/0.parquet"
    content = remote.bucket.get(path).body
    if harm == "missing":
        remote.delete(path)
    else:
        remote.put(path, b"short" if harm == "short" else content[:-1] + b"?")
    assert len(verify(remote.address)) == 1
    remote.publish(0)
    assert verify(remote.address) == []
    assert remote.bucket.get(path).body == content


def test_servers_that_tell_no_checksums_are_read_from_instead(remote: Remote, server: Server) -> None:
    server.control(checksums=False)
    version = remote.publish(0)
    assert verify(remote.address) == []
    content = remote.bucket.get(f"versions/{version}/parts/0.parquet").body
    remote.put(f"versions/{version}/parts/0.parquet", content[:-1] + b"?")
    assert verify(remote.address) == ["parts/0.parquet has another content than published"]


def test_servers_that_heed_no_conditions_are_refused_before_a_build(remote: Remote, server: Server) -> None:
    server.control(conditions=False)
    with pytest.raises(StoreError, match="knows no conditional writes"):
        remote.publish(0)
    assert not Layout(remote.state).versions.exists()
    assert list(remote.bucket.listing("versions")) == [pointer.PROBE.removeprefix("versions/")]


def test_of_two_publishers_the_later_loses_nothing_but_the_pointer(remote: Remote, tmp_path: Path) -> None:
    """The one builds upon what the other has not published yet."""
    first = remote.publish(0)
    mine = state.local(remote.address, remote.state)
    with build_lock(mine):
        state.begin(mine)
        theirs = remote.publish(1, folder=tmp_path / "other")
        with pytest.raises(StoreError) as told:
            publish_tables(mine, 2)
    line = str(told.value)
    assert "\n" not in line
    assert f"CURRENT was moved to version {theirs} by somebody else" in line
    assert remote.current() == theirs
    (lost,) = {info.version for info in versions(remote.address)} - {first, theirs}
    assert lost in line
    assert verify(remote.address, lost) == []
    assert read_current(mine) == first, "the state folder is as it was before"
    rollback(remote.address, lost)
    assert remote.current() == lost


def test_who_lost_follows_on_the_other_the_next_time(remote: Remote, tmp_path: Path) -> None:
    remote.publish(0)
    mine = state.local(remote.address, remote.state)
    with build_lock(mine):
        state.begin(mine)
        theirs = remote.publish(1, folder=tmp_path / "other")
        with pytest.raises(StoreError):
            publish_tables(mine, 2)
    version = remote.publish(2)
    assert remote.current() == version == read_current(mine)
    assert manifest.listed(mine, version).content["parent"] == theirs
    assert verify(remote.address) == []


def test_a_pointer_moved_between_the_look_at_it_and_the_write_is_not_overwritten(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.publish(0)
    mine = state.local(remote.address, remote.state)
    with build_lock(mine):
        state.begin(mine)
        get, theirs = Bucket.get, []

        def watched(self: Bucket, path: str) -> object:
            found = get(self, path)
            if path == pointer.CURRENT and not theirs:
                theirs.append("")
                theirs[0] = remote.publish(1, folder=tmp_path / "other")
            return found

        monkeypatch.setattr(Bucket, "get", watched)
        with pytest.raises(StoreError, match="by somebody else"):
            publish_tables(mine, 2)
    assert remote.current() == theirs[0]


def test_two_first_publishers_do_not_overwrite_each_other(remote: Remote, tmp_path: Path) -> None:
    mine = state.local(remote.address, remote.state)
    with build_lock(mine):
        state.begin(mine)
        theirs = remote.publish(1, folder=tmp_path / "other")
        with pytest.raises(StoreError, match="by somebody else"):
            publish_tables(mine, 0)
    assert remote.current() == theirs


def test_two_who_publish_the_same_both_succeed(remote: Remote, tmp_path: Path) -> None:
    mine = state.local(remote.address, remote.state)
    with build_lock(mine):
        state.begin(mine)
        theirs = remote.publish(0, folder=tmp_path / "other")
        assert publish_tables(mine, 0) == theirs
    assert remote.current() == theirs


def test_an_answer_that_was_lost_is_no_lost_race(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that repeats its request finds its own write in the way."""
    remote.publish(0)
    put = Bucket.put

    def lost(self: Bucket, path: str, *arguments: object, **options: object) -> None:
        put(self, path, *arguments, **options)  # type: ignore[arg-type]
        if path == pointer.CURRENT:
            raise NotMet

    monkeypatch.setattr(Bucket, "put", lost)
    assert remote.current() != (version := remote.publish(1))
    assert remote.current() == version


def test_a_manifest_comes_last(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every request, whatever has a manifest is whole, and CURRENT names what has one."""
    remote.publish(0)
    put, seen = Bucket.put, []

    def watched(self: Bucket, path: str, *arguments: object, **options: object) -> None:
        put(self, path, *arguments, **options)  # type: ignore[arg-type]
        assert all(not info.damage for info in versions(remote.address))
        assert verify(remote.address) == []
        seen.append(path)

    monkeypatch.setattr(Bucket, "put", watched)
    version = remote.publish(1)
    assert seen[-2:] == [f"versions/{version}/manifest.json", "CURRENT"]


def test_a_run_table_of_another_publisher_is_taken_with_its_manifest(remote: Remote, tmp_path: Path) -> None:
    """Versions of one name may differ in `llm_calls`: the first one's stays, whole."""
    version = remote.publish(0)
    there = on_disk(remote.state)
    other = tmp_path / "other"
    shutil.copytree(remote.state, other)
    folder = other / "versions" / version
    content = json.loads((folder / "manifest.json").read_bytes())
    (entry,) = [one for one in content["files"] if one["path"].startswith("llm_calls")]
    entry["sha256"] = "0" * 64
    (folder / "manifest.json").chmod(0o644)
    (folder / "manifest.json").write_text(json.dumps(content))
    uploading.upload(remote.bucket, folder, manifest.listed(other, version), {})
    assert in_bucket(remote) == there


def test_what_does_not_stay_as_uploaded_is_told(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Bucket.put

    def garbled(self: Bucket, path: str, *arguments: object, **options: object) -> None:
        put(self, path, *arguments, **options)  # type: ignore[arg-type]
        if path.endswith("parts/0.parquet"):
            remote.put(path, b"garbled")

    monkeypatch.setattr(Bucket, "put", garbled)
    with pytest.raises(StoreError, match="doesn't stay as it was uploaded"):
        remote.publish(0)
    assert pointer.read(remote.bucket) is None


def test_a_local_store_knows_nothing_of_it(tmp_path: Path) -> None:
    publish_tables(tmp_path / "store")
    state.begin(tmp_path / "store")
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == [
        "CURRENT",
        "catalog.duckdb",
        "versions",
        "work",
    ]
    assert partonomy_data.open(tmp_path / "store").folder.is_dir()
