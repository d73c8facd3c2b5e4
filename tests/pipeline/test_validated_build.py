"""A build validates what it is about to publish: bad questions go to quarantine, and all else keeps the store as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting, pipeline
from partonomy_data.console import summary
from partonomy_data.pipeline.assemble import Assembled
from partonomy_data.pipeline.progress import Progress
from partonomy_data.pipeline.reading import Finished
from partonomy_data.provenance.explaining import explain
from partonomy_data.validation.job import REPORT, ValidationError
from partonomy_data.validation.settings import ValidationSettings
from tests.helpers import paco
from tests.helpers.command import partonomy
from tests.validation.damage import damaged, first, setting
from tests.validation.staged import block_of, names, questions

Damage = Callable[[Path], None]


@pytest.fixture
def damaging(monkeypatch: pytest.MonkeyPatch) -> Callable[[Damage | None], None]:
    """`damaging(damage)`: builds have their staged tables damaged after the questions are made, before they are checked."""
    original = pipeline.pose

    def use(damage: Damage | None) -> None:
        def pose(finished: Finished, assembled: Assembled, executor: Executor, progress: Progress) -> Assembled:
            posed = original(finished, assembled, executor, progress)
            if damage is not None:
                damage(posed.staged)
            return posed

        monkeypatch.setattr(pipeline, "pose", pose)

    return use


@pytest.fixture(autouse=True)
def without_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTONOMY_DATA_DOCS", "0")


def config(folder: Path, **settings: Any) -> BuildConfig:
    return BuildConfig(sources={"paco": SourceSetting(str(folder))}, workers=1, **settings)


def reports(root: Path) -> list[dict[str, Any]]:
    """The reports of validations, by run."""
    return [json.loads(path.read_text()) for path in sorted((root / "runs").glob(f"*/validation/{REPORT}"))]


def state(root: Path) -> Mapping[str, Any]:
    """What readers of a store see."""
    folder = root / "versions"
    files = {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    return {"current": (root / "CURRENT").read_text(), "files": files}


# Blocked


def larger(staged: Path) -> None:
    """A part says that it has a pixel more than its mask."""
    row = first(staged, "parts")
    damaged(staged, "parts", setting(row, area=row["area"] + 1))


def test_what_breaks_a_rule_is_not_published(tmp_path: Path, damaging: Callable[[Damage | None], None]) -> None:
    root = tmp_path / "store"
    first_one = partonomy_data.build(root, config(paco.write(tmp_path / "paco")))
    before = state(root)
    data = paco.content()
    data["annotations"][1]["segmentation"] = paco.rle(41, 15, 8, 10)
    source = paco.write(tmp_path / "paco", data)
    damaging(larger)
    with pytest.raises(
        ValidationError, match=r"parts\.area_of_mask: 1 row: prt_[0-9a-f]{16} \(area is \d+, its mask's \d+\)"
    ):
        partonomy_data.build(root, config(source))
    assert state(root) == before
    *_, failed = reports(root)
    assert failed["success"] is False
    assert [(one["table"], one["rule"]) for one in failed["failures"]] == [("parts", "area_of_mask")]
    # What was finished is kept: without the damage it is published, and the version before is its parent.
    damaging(None)
    done = partonomy_data.build(root, config(source))
    assert done.new
    assert done.version != first_one.version
    assert done.validation is not None
    assert done.validation.success


def test_the_command_ends_with_1_and_says_what_is_broken_on_one_line(
    tmp_path: Path, damaging: Callable[[Damage | None], None]
) -> None:
    root, source = tmp_path / "store", paco.write(tmp_path / "paco")
    damaging(larger)
    done = partonomy("build", "--root", root, "--source", f"paco={source}", "--workers", 1)
    assert (done.status, done.out) == (1, "")
    (line,) = (line for line in done.err.splitlines() if line.startswith("partonomy: "))
    assert "nothing was published, as rules are broken: parts.area_of_mask: 1 row" in line
    assert done.err.rstrip().endswith(line)
    (folder,) = root.glob("runs/*/validation")
    assert line.endswith(f"All of it: {folder}")
    assert not (root / "CURRENT").exists()
    assert not (root / "versions").exists()


def test_a_file_that_cannot_be_read_any_more_is_not_published(
    tmp_path: Path, damaging: Callable[[Damage | None], None]
) -> None:
    def cut(staged: Path) -> None:
        path = staged / "objects" / "source=paco" / "000-of-001.parquet"
        content = path.read_bytes()
        path.unlink()  # the finished shard, which it is a link to, is whole
        path.write_bytes(content[:-20])

    damaging(cut)
    with pytest.raises(
        ValidationError, match=r"broken: version\.files_readable: 1 row: objects/source=paco/000-of-001\.parquet"
    ):
        partonomy_data.build(tmp_path / "store", config(paco.write(tmp_path / "paco")))


# Quarantine


@pytest.fixture(scope="module")
def source(demo_store: Path) -> Path:
    """PACO's photographs of the small demo world."""
    return demo_store / "demo" / "paco"


def test_a_bad_question_leaves_with_its_block_and_the_rest_is_published(
    tmp_path: Path, source: Path, damaging: Callable[[Damage | None], None]
) -> None:
    root = tmp_path / "store"
    left_out: list[set[str]] = []

    def wrong(staged: Path) -> None:
        row = next(questions(staged, balanced=True, split="train", question_type="identification"))
        left_out.append(names(block_of(staged, row)))
        damaged(staged, "questions", setting(row, chance=0.9))

    damaging(wrong)
    done = partonomy_data.build(root, config(source, validation=ValidationSettings(data_docs=False)))
    (block,) = left_out
    said = f"{len(block)} questions broke a rule, or shared a block with one that did; see the table quarantine"
    assert done.warnings() == [said]
    assert done.validation is not None
    assert (done.validation.success, done.validation.quarantined) == (True, len(block))
    assert f"{done.questions:,} questions" in summary(done, str(root))

    with partonomy_data.open(root) as store:
        asked = store.questions().to_pylist()
        assert len(asked) == done.questions
        assert not names(asked) & block
        rejected = [row for row in store.table("quarantine").to_pylist() if row["table_name"] == "questions"]
        assert {row["row_id"] for row in rejected} == block
        assert sorted(row["rule"] for row in rejected) == ["block_quarantined"] * (len(block) - 1) + [
            "chance_is_of_choices"
        ]
        manifest = store.manifest
        why = explain(store, min(block))
    assert why.kind == "quarantined"
    assert manifest["questions"]["quarantined"] == len(block)
    assert manifest["questions"]["questions"] == done.questions
    one = manifest["counts"]["paco"]["questions"]
    assert one["in"] + one["derived"] == one["out"] + one["quarantined"] == done.questions + len(block)
    assert manifest["rules"]["paco"]["chance_is_of_choices"] == 1
    # What was published keeps all rules, and is the same again.
    checked = partonomy("validate", "--root", root, "--out", tmp_path / "report")
    assert checked.status == 0, checked.out
    again = partonomy_data.build(root, config(source, validation=ValidationSettings(data_docs=False)))
    assert (again.new, again.version) == (False, done.version)
    assert again.validation is not None
    assert (again.validation.since, again.validation.quarantined) == (done.version, len(block))
    assert again.validation.judged["questions.chance_is_of_choices"] == 0  # what is left is what the version has
    # Without the damage the block is there.
    damaging(None)
    mended = partonomy_data.build(root, config(source, validation=ValidationSettings(data_docs=False)))
    assert mended.questions == done.questions + len(block)
    assert mended.warnings() == []
    assert mended.validation is not None
    assert mended.validation.since == done.version


# What has changed


def test_a_build_judges_what_has_changed_unless_all_is_to_be_verified_or_nothing_is_known(tmp_path: Path) -> None:
    root, source = tmp_path / "store", paco.write(tmp_path / "paco")

    def since(**settings: Any) -> str | None:
        done = partonomy_data.build(root, config(source, **settings))
        assert done.validation is not None
        assert done.validation.success
        return done.validation.since

    assert since() is None
    version = (root / "CURRENT").read_text().strip()
    assert since() == version
    assert since(verify=True) is None
    assert since() == version  # a build that verifies all is one to go by
    shutil.rmtree(root / "work")
    assert since() is None
    told = partonomy("validate", "--root", root, "--format", "json", "--out", tmp_path / "report")
    assert (json.loads(told.out)["since"], json.loads(told.out)["judged"]) == (None, {})
