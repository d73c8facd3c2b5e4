"""A refresh does nothing if nothing has changed, redoes what has, equals a build from scratch, and outlives a failing source."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import partonomy_data
from partonomy_data import SourceError, UsageError
from partonomy_data.ingest import seen, shard
from partonomy_data.pipeline import refreshing
from tests.pipeline.kept_store import refreshed
from tests.questions.changed_sources import config, files, remove_partonomy

SOURCES = ("partonomy", "pascal_part")


def photograph(store: Path) -> Path:
    """A photograph of Pascal-Part."""
    return min((store.parent / "sources" / "pascal_part").rglob("*.jpg"))


def test_nothing_has_changed(store: Path) -> None:
    status = refreshing.status(store)
    assert not status.changed
    assert status.version == (store / "CURRENT").read_text().strip()
    assert not refreshing.status(store, verify=True).changed


def test_a_file_that_was_only_touched_has_not_changed(store: Path) -> None:
    os.utime(photograph(store))
    annotation = min((store.parent / "sources" / "pascal_part").rglob("*.mat"))
    copy = annotation.with_suffix(".copy")
    shutil.copy(annotation, copy)
    copy.replace(annotation)
    assert not refreshing.status(store).changed


def test_content_that_changed_behind_an_unchanged_time_is_found_by_verifying(store: Path) -> None:
    path = photograph(store)
    stat = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as file:  # the same inode, size and, below, time
        file.write(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert not refreshing.status(store).changed
    (reason,) = refreshing.status(store, verify=True).reasons
    assert reason == f"pascal_part: 1 changed (JPEGImages/{path.name})"


def test_what_has_changed_is_told_and_the_refresh_equals_a_build_from_scratch(store: Path) -> None:
    sources = store.parent / "sources"
    path = photograph(store)
    changed = bytearray(path.read_bytes())
    changed += b"\0"
    path.unlink()
    path.write_bytes(changed)
    gone = min((sources / "partonomy").rglob("*.jpg")).relative_to(sources / "partonomy").as_posix()
    remove_partonomy(sources, gone)
    (sources / "partonomy" / "notes.txt").write_text("hello")
    reasons = refreshing.status(store).reasons
    assert f"pascal_part: 1 changed (JPEGImages/{path.name})" in reasons
    assert any(reason.startswith("partonomy: 1 new (notes.txt)") for reason in reasons)
    assert any(reason.startswith("partonomy: ") and " gone (" in reason for reason in reasons)
    done = refreshed(store)
    scratch = partonomy_data.build(store.parent / "scratch", config(sources, SOURCES))
    assert done.version == scratch.version
    assert files(store) == files(store.parent / "scratch")
    assert not refreshing.status(store).changed
    with partonomy_data.open(store) as opened:
        assert gone.rsplit("/", 1)[-1] not in opened.table("images", ["file_name"])["file_name"].to_pylist()


def test_unchanged_shards_are_not_even_read(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    real = shard.reader
    monkeypatch.setattr(shard, "reader", lambda name: read.append(name) or real(name))
    path = photograph(store)
    path.unlink()
    done = refreshed(store)
    assert read == ["pascal_part"]
    assert done.rules["pascal_part"]["photograph_missing"] == 1
    read.clear()
    shutil.copy(min(path.parent.iterdir()), path)
    refreshed(store)
    assert read == ["pascal_part"]


def test_a_photograph_that_comes_is_taken_up(store: Path) -> None:
    path = photograph(store)
    content = path.read_bytes()
    path.unlink()
    without = refreshed(store)
    path.write_bytes(content)
    again = refreshed(store)
    assert without.version != again.version
    assert again.rules["pascal_part"].get("photograph_missing", 0) == 0


def test_a_source_that_fails_leaves_the_refresh_of_the_others_intact(store: Path) -> None:
    sources = store.parent / "sources"
    before = files(store)
    (sources / "pascal_part").rename(sources / "elsewhere")
    gone = min((sources / "partonomy").rglob("*.jpg")).relative_to(sources / "partonomy").as_posix()
    remove_partonomy(sources, gone)
    done = refreshed(store)
    assert set(done.kept_sources) == {"pascal_part"}
    assert "there is no such file or folder" in done.warnings()[0]
    now = files(store)
    images = {path: digest for path, digest in before.items() if path.startswith("images/source=pascal_part")}
    assert images
    assert images.items() <= now.items()
    assert now != before
    assert refreshing.status(store).changed  # it is tried again
    (sources / "elsewhere").rename(sources / "pascal_part")
    again = refreshed(store)
    assert not again.kept_sources
    assert again.version == done.version  # that it was kept changes nothing in the data
    assert not refreshing.status(store).changed


def test_where_all_sources_fail_nothing_is_published(store: Path) -> None:
    current = (store / "CURRENT").read_text()
    shutil.rmtree(store.parent / "sources")
    with pytest.raises(SourceError, match="there is no such file or folder"):
        refreshed(store)
    assert (store / "CURRENT").read_text() == current


def test_a_source_of_which_nothing_is_kept_is_an_end(store: Path) -> None:
    shutil.rmtree(store / "work" / "shards")
    shutil.rmtree(store.parent / "sources" / "pascal_part")
    with pytest.raises(SourceError, match="pascal_part"):
        refreshed(store)


def test_without_its_memory_a_refresh_builds(store: Path) -> None:
    shutil.rmtree(store / "work")
    assert refreshing.status(store).reasons == ["what the last build saw is not remembered"]
    version = (store / "CURRENT").read_text().strip()
    assert refreshed(store).version == version
    assert not refreshing.status(store).changed


def test_changed_settings_and_the_files_that_they_name_call_for_a_build(store: Path, tmp_path: Path) -> None:
    listed = tmp_path / "exclude.txt"
    listed.write_text("")
    wanted = config(store.parent / "sources", SOURCES, exclude=str(listed))
    partonomy_data.build(store, wanted)
    assert not refreshing.status(store).changed
    listed.write_text("obj_0000000000000000\n")
    assert refreshing.status(store).reasons == ["the settings, or a file that they name, have changed"]


def test_a_rollback_is_not_undone_and_a_damaged_version_is(store: Path) -> None:
    first = (store / "CURRENT").read_text().strip()
    photograph(store).unlink()
    refreshed(store)
    partonomy_data.store.rollback(store, first)
    assert not refreshing.status(store).changed
    parts = next((store / "versions" / first / "parts").rglob("*.parquet"))
    parts.unlink()
    (reason,) = refreshing.status(store).reasons
    assert reason.startswith("the current version is damaged")


def test_there_must_be_something_to_refresh(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing was built here yet"):
        refreshing.status(tmp_path)


def test_what_is_known_of_a_shard_is_a_hint_that_may_be_damaged(store: Path) -> None:
    for path in (store / "work" / "shards").glob(f"*{seen.SUFFIX}"):
        path.write_bytes(b"{")
    (store / "work" / "last" / "last.json").unlink()
    version = (store / "CURRENT").read_text().strip()
    assert refreshed(store).version == version
