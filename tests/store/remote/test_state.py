"""The state folder: which store it is of, and how it follows what others publish."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from partonomy_data import StoreError, UsageError
from partonomy_data.store import manifest, migrate, rollback, verify
from partonomy_data.store.catalog import shown
from partonomy_data.store.pointer import read_current
from partonomy_data.store.remote import fetch, state
from partonomy_data.store.remote.saying import Damaged
from tests.store.conftest import publish_tables
from tests.store.older import publish_older
from tests.store.remote.conftest import Remote
from tests.store.remote.server import Server
from tests.store.remote.test_publishing import on_disk


def test_a_folder_is_the_state_of_one_store(remote: Remote, tmp_path: Path) -> None:
    folder = state.local(remote.address, remote.state)
    assert folder == remote.state
    assert state.local(remote.address, remote.state) == folder
    assert state.local(Path(remote.address), remote.state) == folder, "pathlib leaves one slash of two"
    assert (str(state.address_in(folder)), state.shown(folder)) == (remote.address, remote.address)
    with pytest.raises(StoreError, match=r"is the state of s3://\S+, not of s3://other/x"):
        state.local("s3://other/x", remote.state)
    publish_tables(tmp_path / "own")
    with pytest.raises(StoreError, match="is a store of its own"):
        state.local(remote.address, tmp_path / "own")
    assert state.local(tmp_path / "own") == tmp_path / "own"
    with pytest.raises(UsageError, match="--state is for a store on S3"):
        state.local(tmp_path / "own", remote.state)
    (folder / state.BINDING).write_text("nonsense")
    with pytest.raises(StoreError, match="names no store on S3"):
        state.address_in(folder)


def test_the_default_is_told_by_the_environment(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PARTONOMY_STATE", raising=False)
    assert state.local(remote.address) == tmp_path / "partonomy-state"
    monkeypatch.setenv("PARTONOMY_STATE", str(tmp_path / "named"))
    assert state.local(remote.address) == tmp_path / "named"


def test_a_fresh_folder_fetches_the_current_version(remote: Remote, tmp_path: Path) -> None:
    remote.publish(0)
    version = remote.publish(1)
    fresh = state.local(remote.address, tmp_path / "fresh")
    state.begin(fresh)
    assert read_current(fresh) == version == shown(fresh)
    assert verify(fresh) == []
    here = {path: content for path, content in on_disk(remote.state).items() if version in path}
    assert on_disk(fresh) == here
    assert not any(os.access(path, os.W_OK) and os.getuid() for path in fresh.glob("versions/*/*/*"))


def test_files_that_are_here_are_not_fetched_again(remote: Remote, tmp_path: Path, server: Server) -> None:
    remote.publish(0)
    other = state.local(remote.address, tmp_path / "other")
    state.follow(other)
    version = remote.publish(1)
    server.control()
    state.follow(other)
    assert server.control()["GET"] == 5, "CURRENT, manifest, the parts, the card, and Croissant"
    assert verify(other, version) == []


def test_a_damaged_file_here_is_not_shared(remote: Remote, tmp_path: Path) -> None:
    first = remote.publish(0)
    other = state.local(remote.address, tmp_path / "other")
    state.follow(other)
    path = other / "versions" / first / "questions" / "0.parquet"
    path.chmod(0o644)
    path.write_bytes(b"?" * path.stat().st_size)
    version = remote.publish(1)
    state.follow(other)
    assert verify(other, version) == []
    rollback(remote.address, first)
    state.follow(other)
    assert verify(other) == []


def test_of_one_version_published_twice_the_one_in_the_bucket_is_taken(remote: Remote, tmp_path: Path) -> None:
    """Two who publish the same agree on the tables, but not on what the manifest says of the run."""
    version = remote.publish(0)
    publish_tables(tmp_path / "own", 1)
    publish_tables(tmp_path / "own", 0)
    (tmp_path / "own" / state.BINDING).write_text(remote.address)
    assert (
        on_disk(tmp_path / "own")[f"versions/{version}/manifest.json"]
        != on_disk(remote.state)[f"versions/{version}/manifest.json"]
    )
    fetch.fetched(remote.bucket, version, tmp_path / "own")
    here = {path: content for path, content in on_disk(tmp_path / "own").items() if version in path}
    assert here == on_disk(remote.state)


def test_it_follows_a_rollback(remote: Remote) -> None:
    first = remote.publish(0)
    remote.publish(1)
    rollback(remote.address, first)
    state.follow(remote.state)
    assert read_current(remote.state) == first
    assert manifest.listed(remote.state, remote.publish(2)).content["parent"] == first


@pytest.mark.parametrize("harm", [b"other", *(pytest.param(one, marks=pytest.mark.soak) for one in (b"short", None))])
def test_what_is_damaged_there_is_not_taken_and_keeps_nobody_from_building(
    remote: Remote, tmp_path: Path, harm: bytes | None
) -> None:
    version = remote.publish(0)
    path = f"versions/{version}/parts/0.parquet"
    content = remote.bucket.get(path).body
    if harm is None:
        remote.delete(path)
    else:
        remote.put(path, content[:-1] + b"?" if harm == b"other" else harm)
    fresh = state.local(remote.address, tmp_path / "fresh")
    with pytest.raises(Damaged, match=r"parts/0\.parquet"):
        fetch.fetched(remote.bucket, version, fresh)
    assert list((fresh / "versions").iterdir()) == []
    state.follow(fresh)
    assert read_current(fresh) is None
    again = remote.publish(0, folder=tmp_path / "fresh")
    assert again == version
    assert verify(remote.address) == []


def test_what_a_killed_fetch_left_is_removed_by_the_next_build(remote: Remote) -> None:
    remote.publish(0)
    left = remote.state / "versions" / "0123456789abcdef.x.tmp"
    left.mkdir()
    remote.publish(0)
    assert not left.exists()


def test_a_version_of_an_older_schema_is_migrated_in_the_bucket(remote: Remote, tmp_path: Path) -> None:
    publish_tables(tmp_path / "older")
    old = publish_older(tmp_path / "older", 2)
    remote.put_folder(tmp_path / "older" / "versions" / old, old)
    folder = state.local(remote.address, remote.state)
    done = migrate(folder)
    assert (done.old, done.new, done.current) == (old, True, True)
    assert remote.current() == done.version == read_current(folder)
    assert verify(remote.address) == verify(remote.address, old) == []
    assert migrate(folder).version == done.version
    rollback(remote.address, old)
    assert migrate(folder, old).version == done.version
    assert remote.current() == done.version, "the old one was current, so that the new one takes its place"


def test_nothing_published_leaves_the_folder_as_it_is(remote: Remote) -> None:
    version = remote.publish(0)
    remote.delete("CURRENT")
    state.follow(remote.state)
    assert read_current(remote.state) == version
    assert remote.publish(0) == version
    assert remote.current() == version
