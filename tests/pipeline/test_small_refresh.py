"""A refresh of what changes little: without planning, reading or asking again, and with what a build from scratch gives."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec
import pytest
from PIL import Image

import partonomy_data
from partonomy_data import SourceError, splits
from partonomy_data.ingest import shard
from partonomy_data.pipeline import refreshing, steps
from partonomy_data.questions import pieces
from partonomy_data.questions import shard as question_shard
from tests.pipeline.kept_store import refreshed
from tests.questions.changed_sources import change_json, config, files

SOURCES = ("paco",)


class Work:
    """What is done of all that a refresh may do without."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        for module, name in (
            (steps, "plan_anew"),
            (shard, "reader"),
            (splits, "assign"),
            (splits, "leakage"),
            (pieces, "instances"),
            (question_shard, "_write"),
        ):
            patch.setattr(module, name, self._noted(name, getattr(module, name)))

    def _noted(self, name: str, real: object) -> object:
        def call(*given: object, **named: object) -> object:
            self.done.append(name)
            return real(*given, **named)  # type: ignore[operator]

        return call


def equals_a_build_from_scratch(store: Path, patch: pytest.MonkeyPatch) -> None:
    patch.undo()
    patch.setenv("PARTONOMY_DATA_DOCS", "0")
    scratch = store.parent / "scratch"
    partonomy_data.build(scratch, config(store.parent / "sources", SOURCES))
    assert files(store) == files(scratch)
    now, then = (
        json.loads((one / "versions" / (one / "CURRENT").read_text().strip() / "manifest.json").read_text())
        for one in (store, scratch)
    )
    assert {**now, "parent": None} == {**then, "parent": None}


def photograph(store: Path) -> Path:
    with partonomy_data.open(store) as opened:
        uri = opened.sql("SELECT uri FROM images ORDER BY image_id").fetchall()[0][0]
    return store.parent / "sources" / "paco" / str(uri)


def test_a_photograph_saved_anew_is_neither_planned_nor_read_nor_asked_about_again(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photograph(store)
    path.write_bytes(path.read_bytes() + b"1")
    work = Work(monkeypatch)
    refreshed(store)
    assert set(work.done) == {"instances"}
    equals_a_build_from_scratch(store, monkeypatch)


def test_a_photograph_that_looks_another_way_has_splits_found_anew(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photograph(store)
    with Image.open(path) as image:
        turned = image.transpose(Image.Transpose.ROTATE_180)
    turned.save(path, "JPEG")
    work = Work(monkeypatch)
    refreshed(store)
    assert {"assign", "leakage"} <= set(work.done)
    assert not {"plan_anew", "reader"} & set(work.done)
    equals_a_build_from_scratch(store, monkeypatch)


def test_a_copy_of_another_photograph_shares_its_split(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with partonomy_data.open(store) as opened:
        rows = opened.sql(
            "SELECT uri, width, height, split FROM images JOIN splits USING (image_id) ORDER BY image_id"
        ).fetchall()
    one, two = next((a[0], b[0]) for a in rows for b in rows if a[1:3] == b[1:3] and a[3] == "train" != b[3])
    root = store.parent / "sources" / "paco"
    (root / one).write_bytes((root / two).read_bytes())
    refreshed(store)
    with partonomy_data.open(store) as opened:
        now = dict(opened.sql("SELECT uri, split FROM images JOIN splits USING (image_id)").fetchall())
    assert now[one] == now[two]
    equals_a_build_from_scratch(store, monkeypatch)


def test_a_photograph_that_can_not_be_read_any_more_has_its_shard_planned_and_read(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph(store).write_bytes(b"no photograph")
    work = Work(monkeypatch)
    done = refreshed(store)
    assert done.rules["paco"]["photograph_unreadable"] == 1
    assert work.done.count("plan_anew") == 1
    equals_a_build_from_scratch(store, monkeypatch)


def test_a_photograph_that_is_mended_comes_back(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = photograph(store)
    content = path.read_bytes()
    path.write_bytes(b"no photograph")
    refreshed(store)
    path.write_bytes(content + b"1")
    assert "photograph_unreadable" not in refreshed(store).rules["paco"]
    equals_a_build_from_scratch(store, monkeypatch)


def annotations(store: Path) -> Path:
    return store.parent / "sources" / "paco" / "annotations" / "paco_lvis_v1_train.json"


def test_a_changed_annotation_has_the_source_planned_and_one_shard_of_photographs_gathered(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = annotations(store)
    text = path.read_text()
    found = re.search(r'"segmentation":\[\[([\d.]+),', text)
    assert found is not None
    path.write_text(text[: found.start(1)] + str(float(found[1]) - 40) + text[found.end(1) :])
    work = Work(monkeypatch)
    refreshed(store)
    assert work.done.count("plan_anew") == 1
    assert work.done.count("instances") <= 1
    equals_a_build_from_scratch(store, monkeypatch)


def test_annotations_that_were_only_touched_are_not_planned(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(annotations(store))
    path = photograph(store)
    path.write_bytes(path.read_bytes() + b"1")
    work = Work(monkeypatch)
    refreshed(store)
    assert "plan_anew" not in work.done


def test_annotations_that_changed_behind_an_unchanged_time_are_planned_where_all_is_verified(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = annotations(store)
    stat, text = path.stat(), path.read_text()
    found = re.search(r'"segmentation":\[\[(\d)', text)
    assert found is not None
    path.write_text(text[: found.start(1)] + str(9 - int(found[1])) + text[found.end(1) :])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert not refreshing.status(store).changed
    work = Work(monkeypatch)
    status = refreshing.status(store, verify=True)
    assert status.changed
    partonomy_data.build(store, msgspec.structs.replace(status.config, verify=True))
    assert work.done.count("plan_anew") == 1
    equals_a_build_from_scratch(store, monkeypatch)


def test_a_file_more_is_planned(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = annotations(store)
    second = path.with_name("paco_lvis_v1_val.json")
    if second.exists():
        second.unlink()
    else:
        second.write_bytes(path.read_bytes())
    work = Work(monkeypatch)
    refreshed(store)
    assert work.done.count("plan_anew") == 1
    equals_a_build_from_scratch(store, monkeypatch)


def test_annotations_that_change_between_planning_and_reading_are_told_in_one_line(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph(store).write_bytes(b"no photograph")
    real = steps.plan_anew

    def late(request: object, workspace: object) -> object:
        change_json(annotations(store), lambda content: content["annotations"].pop())
        return real(request, workspace)  # type: ignore[arg-type]

    monkeypatch.setattr(steps, "plan_anew", late)
    status = refreshing.status(store)
    with pytest.raises(SourceError, match="change while they are read"):
        partonomy_data.build(store, status.config)


def test_without_what_was_kept_or_with_it_damaged_the_same_is_built(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photograph(store)
    path.write_bytes(path.read_bytes() + b"1")
    for kept in (
        *(store / "work" / "questions" / "pieces").iterdir(),
        *(store / "work" / "questions" / "placed").iterdir(),
    ):
        content = kept.read_bytes()
        kept.unlink()
        kept.write_bytes(content[: len(content) // 2])
    (store / "work" / "last" / "paco.json").write_text("{}")
    work = Work(monkeypatch)
    refreshed(store)
    assert {"plan_anew", "assign", "leakage"} <= set(work.done)
    assert work.done.count("instances") == len(list((store / "work" / "questions" / "pieces").iterdir()))
    equals_a_build_from_scratch(store, monkeypatch)
