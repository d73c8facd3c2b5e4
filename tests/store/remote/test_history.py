"""Listing, comparing, rolling back and pruning the versions in a bucket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import partonomy_data
from partonomy_data import StoreError
from partonomy_data.store import diff, manifest, prune, rollback, verify, versions
from partonomy_data.store.lock import build_lock
from partonomy_data.store.remote import history, pointer, state
from partonomy_data.store.remote.bucket import Bucket
from partonomy_data.store.remote.pointer import Current, Left
from tests.store.conftest import publish_tables
from tests.store.remote.conftest import Remote


def names(remote: Remote) -> list[str]:
    """The versions in the bucket."""
    return sorted(info.version for info in versions(remote.address))


def test_versions_are_listed_as_in_a_folder(remote: Remote) -> None:
    remote.publish(0)
    remote.publish(1, n_images=4)
    there, here = versions(remote.address), versions(remote.state)
    told = [
        (one.version, one.current, one.parent, one.rows, one.bytes, one.damage, one.schema_version) for one in there
    ]
    assert told == [
        (one.version, one.current, one.parent, one.rows, one.bytes, one.damage, one.schema_version) for one in here
    ]
    assert all(abs(one.created - other.created) < timedelta(seconds=60) for one, other in zip(there, here, strict=True))
    assert all(one.created.tzinfo is UTC for one in there)


def test_damage_is_listed(remote: Remote) -> None:
    first, second, third = (remote.publish(seed) for seed in range(3))
    remote.delete(f"versions/{first}/parts/0.parquet")
    remote.put(f"versions/{second}/manifest.json", b"{")
    damage = {info.version: info.damage for info in versions(remote.address)}
    assert damage[third] == ""
    assert damage[first] == f"version {first} is damaged: parts/0.parquet is missing"
    assert damage[second] == f"version {second} is damaged: manifest.json is not JSON"


def test_differences_are_those_that_the_folder_has(remote: Remote) -> None:
    first, second = remote.publish(0), remote.publish(1, n_images=8)
    assert diff(remote.address, first, second, rows=3) == diff(remote.state, first, second, rows=3)
    assert partonomy_data.diff(remote.address, first, first).same
    path = f"versions/{second}/parts/0.parquet"
    remote.put(path, remote.bucket.get(path).body[:-1] + b"?")
    with pytest.raises(StoreError, match=r"parts/0\.parquet has another content"):
        diff(remote.address, first, second)


def test_a_rollback_needs_a_whole_version(remote: Remote) -> None:
    first, second = remote.publish(0), remote.publish(1)
    remote.delete(f"versions/{first}/parts/0.parquet")
    with pytest.raises(StoreError, match=r"parts/0\.parquet is missing"):
        rollback(remote.address, first)
    with pytest.raises(StoreError, match="there is no version 0123456789abcdef"):
        rollback(remote.address, "0123456789abcdef")
    with pytest.raises(StoreError, match="is not the name of a version"):
        rollback(remote.address, "../x")
    assert remote.current() == second


def test_a_rollback_mends_a_pointer_that_is_none(remote: Remote) -> None:
    version = remote.publish(0)
    remote.put("CURRENT", b"nonsense\n")
    with pytest.raises(StoreError, match="holds 'nonsense', not the name of a version"):
        partonomy_data.open(remote.address)
    assert [info.current for info in versions(remote.address)] == [False]
    rollback(remote.address, version)
    with partonomy_data.open(remote.address) as store:
        assert store.version == version


def test_moves_are_remembered(remote: Remote) -> None:
    first, second = remote.publish(0), remote.publish(1)
    rollback(remote.address, first)
    rollback(remote.address, first)
    found = pointer.require(remote.bucket)
    assert [one.version for one in found.left] == [second, first]
    assert all(abs(one.until - datetime.now(UTC)) < timedelta(minutes=5) for one in found.left)


def test_a_prune_spares_what_was_current_or_uploaded_lately(remote: Remote) -> None:
    first, second, third = (remote.publish(seed) for seed in range(3))
    assert prune(remote.address, 1) == []
    assert names(remote) == sorted([first, second, third])
    assert prune(remote.address, 2, 0) == [first]
    assert names(remote) == sorted([second, third])
    rollback(remote.address, second)
    assert prune(remote.address, 1, 0) == [], "the current one is spared, and the newest is kept"
    assert verify(remote.address) == verify(remote.address, third) == []
    assert {path.split("/")[0] for path in remote.bucket.listing("versions")} - {".conditional-writes"} == {
        second,
        third,
    }


def test_a_prune_spares_what_was_uploaded_lately_though_never_current(remote: Remote, tmp_path: Path) -> None:
    """Somebody is about to make it current, or has been overtaken and may still roll back to it."""
    remote.publish(0)
    mine = state.local(remote.address, remote.state)
    with build_lock(mine):
        state.begin(mine)
        remote.publish(1, folder=tmp_path / "other")
        with pytest.raises(StoreError, match="by somebody else"):
            publish_tables(mine, 2)
    remote.publish(3)
    before = names(remote)
    assert len(before) == 4
    assert prune(remote.address, 1) == []
    assert len(prune(remote.address, 1, 0)) == 3


def current(left: list[Left], since: datetime, now: datetime) -> Current:
    return Current(None, "c" * 16, "", since, now, tuple(left))  # type: ignore[arg-type]


def test_which_versions_were_current_lately() -> None:
    now = datetime(2026, 1, 10, tzinfo=UTC)

    def ago(hours: float) -> datetime:
        return now - timedelta(hours=hours)

    def lately(left: list[Left], since: float) -> list[str]:
        return sorted(history._lately_current(current(left, ago(since), now), ago(24), ["a", "b", "d"]))

    assert lately([Left("a", ago(23)), Left("b", ago(25))], 23) == ["a"]
    assert lately([Left("a", ago(25))], 25) == []
    assert lately([], 25) == [], "nothing but CURRENT has been current since then"
    assert lately([], 23) == ["a", "b", "d"], "moved by another tool, which doesn't say from where"
    many = [Left("a", ago(0.1 * i)) for i in range(pointer.REMEMBERED)]
    assert lately(many, 0.1) == ["a", "b", "d"], "not remembered that far back"


def test_a_prune_removes_what_killed_uploads_left(remote: Remote) -> None:
    version = remote.publish(0)
    remote.put("versions/0123456789abcdef/parts/0.parquet", b"half")
    assert prune(remote.address, 1) == []
    assert "0123456789abcdef/parts/0.parquet" in remote.bucket.listing("versions"), "it may be an upload that runs"
    assert prune(remote.address, 1, 0) == []
    assert "0123456789abcdef/parts/0.parquet" not in remote.bucket.listing("versions")
    assert names(remote) == [version]


def test_a_prune_needs_a_store(remote: Remote) -> None:
    for call in (lambda: prune(remote.address, 1), lambda: versions(remote.address), lambda: verify(remote.address)):
        with pytest.raises(StoreError, match="nothing is published here yet"):
            call()
    with pytest.raises(ValueError, match="keep"):
        prune(remote.address, 0)


def during(monkeypatch: pytest.MonkeyPatch, method: str, when: str, then: Any) -> None:
    """Does something once, right after a request about a path that ends so."""
    real, done = getattr(Bucket, method), []

    def watched(self: Bucket, what: Any, *arguments: Any, **options: Any) -> Any:
        answer = real(self, what, *arguments, **options)
        if not done and any(path.endswith(when) for path in ([what] if isinstance(what, str) else what)):
            done.append(True)
            then()
        return answer

    monkeypatch.setattr(Bucket, method, watched)


def test_a_rollback_to_what_is_being_pruned_wins_or_is_told(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    """It becomes current between the removal of its manifest and of its files: the prune puts the manifest back."""
    first, second = remote.publish(0), remote.publish(1)

    def roll() -> None:
        found = pointer.require(remote.bucket)
        remote.bucket.put("CURRENT", f"{first}\n".encode(), condition={"IfMatch": found.etag})

    during(monkeypatch, "remove", f"{first}/manifest.json", roll)
    assert prune(remote.address, 1, 0) == []
    assert remote.current() == first
    assert verify(remote.address) == []
    assert names(remote) == sorted([first, second])


def test_a_pointer_moved_to_what_a_prune_took_goes_back(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = remote.publish(0), remote.publish(1)
    during(monkeypatch, "put", "CURRENT", lambda: remote.delete(f"versions/{first}/manifest.json"))
    with pytest.raises(StoreError, match="was removed by a prune in this moment"):
        rollback(remote.address, first)
    assert remote.current() == second


def test_a_reader_that_meets_a_moving_pointer_opens_the_new_version(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = remote.publish(0), remote.publish(1)
    rollback(remote.address, first)

    def move() -> None:
        rollback(remote.address, second)
        prune(remote.address, 1, 0)

    during(monkeypatch, "get", "CURRENT", move)
    with partonomy_data.open(remote.address) as store:
        assert store.version == second
        assert store.sql("SELECT count(*) FROM parts").fetchall() == [(27,)]


def test_a_manifest_of_a_newer_tool_is_told(remote: Remote, tmp_path: Path) -> None:
    version = remote.publish(0)
    path = f"versions/{version}/manifest.json"
    number = manifest.SCHEMA_VERSION
    text = remote.bucket.get(path).body.replace(f'"schema_version": {number}'.encode(), b'"schema_version": 99')
    remote.put(path, text)
    with pytest.raises(StoreError, match="made by a newer partonomy-data"):
        partonomy_data.open(remote.address)
