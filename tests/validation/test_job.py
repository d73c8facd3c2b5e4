"""Validating staged and published versions: what is raised, written, and left behind."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from partonomy_data.errors import StoreError
from partonomy_data.validation import data_docs
from partonomy_data.validation.job import REPORT, ValidationError, n_rules, validate_published, validate_staged
from partonomy_data.validation.running import run
from partonomy_data.validation.settings import ValidationSettings
from partonomy_data.validation.subject import opened
from tests.helpers.command import partonomy
from tests.validation.damage import damaged, dropping, first, setting
from tests.validation.mutations_of_files import OF_FILES
from tests.validation.mutations_of_tables import OF_TABLES
from tests.validation.staged import Once, Staged, current, overwritten, two_sources, two_sources_in_few_files

_QUICK = ValidationSettings(data_docs=False, blind_questions=0)
_SHARD = "source=paco/000-of-001.parquet"


@pytest.fixture
def staged(once: Once, tmp_path: Path) -> Staged:
    return Staged.of(two_sources_in_few_files(once), tmp_path)


@pytest.fixture
def published(once: Once, tmp_path: Path) -> Path:
    """The root of a store of one's own with one version."""
    source, root = two_sources(once), tmp_path / "published"
    shutil.copytree(source / "versions", root / "versions")
    shutil.copy(source / "CURRENT", root / "CURRENT")
    return root


# Staged


def test_the_error_is_one_line_that_says_what_is_broken_and_where_to_read_more(staged: Staged) -> None:
    row = first(staged.folder, "images")
    damaged(staged.folder, "images", setting(row, uri="../odd\n\x1b[31mname"))
    with pytest.raises(ValidationError) as raised:
        staged.validate()
    line = str(raised.value)
    assert line.isprintable()
    assert line.startswith(
        f"nothing was published, as rules are broken: images.uri_stays_inside: 1 row: {row['image_id']}"
    )
    folder = staged.root / "runs" / "one" / "validation"
    assert line.endswith(f"All of it: {folder}")
    assert json.loads((folder / REPORT).read_text())["success"] is False


def test_a_file_that_is_damaged_is_told_before_what_follows_from_it(staged: Staged) -> None:
    overwritten(staged.folder / "images" / _SHARD, b"PAR1")
    with pytest.raises(ValidationError, match=rf"broken: version\.files_readable: 1 row: images/{_SHARD} .*more rules"):
        staged.validate()


def test_progress_is_told_once_for_each_rule(staged: Staged) -> None:
    steps = []
    validate_staged(
        staged.root,
        staged.folder,
        staged.manifest,
        _QUICK,
        folder=staged.root / "report",
        threads=1,
        told=lambda: steps.append(1),
    )
    assert len(steps) == n_rules()


def test_a_warning_blocks_nothing_and_is_told(staged: Staged) -> None:
    damaged(staged.folder, "plausibility", lambda rows: rows.take([1, 0, *range(2, len(rows))]))
    checked = staged.validate()
    assert [one.rule for one in checked.validation.warnings] == ["files_sorted"]
    assert checked.validation.success
    assert checked.manifest == staged.manifest


def test_what_moved_since_the_version_before_is_a_warning(staged: Staged, published: Path) -> None:
    staged.root = published
    rows = staged.rows("questions")
    damaged(
        staged.folder, "questions", lambda table: table.filter([row["split"] == "train" for row in table.to_pylist()])
    )
    damaged(
        staged.folder,
        "question_masks",
        lambda table: table.slice(0, 0) if _of_testing(table.to_pylist(), rows) else table,
    )
    left = len(staged.rows("questions"))
    staged.manifest["questions"] |= {"questions": left}
    checked = staged.validate(drift=0.001)
    assert {one.rule for one in checked.validation.warnings} >= {"splits_unmoved", "question_sources_unmoved"}
    assert staged.validate(drift=1.0).validation.failures == []


def _of_testing(masks: list[dict[str, Any]], rows: list[dict[str, Any]]) -> bool:
    testing = {row["question_id"] for row in rows if row["split"] == "test"}
    return any(mask["question_id"] in testing for mask in masks)


def test_a_damaged_version_before_is_nothing_to_compare_with(staged: Staged, published: Path) -> None:
    staged.root = published
    overwritten(current(published) / "manifest.json", b"{")
    assert staged.validate().validation.failures == []


def test_what_was_spilled_is_gone_afterwards(staged: Staged) -> None:
    staged.validate()
    assert list((staged.root / "work").iterdir()) == []
    (staged.folder / "notes.txt").write_text("")
    with pytest.raises(ValidationError):
        staged.validate()
    assert list((staged.root / "work").iterdir()) == []


def test_a_store_that_cannot_be_written_to_is_validated_elsewhere(staged: Staged) -> None:
    (staged.root / "work").write_text("no folder")
    assert staged.validate().validation.success


def test_validations_beside_each_other_do_not_meet(published: Path, tmp_path: Path) -> None:
    def one(number: int) -> bool:
        settings = ValidationSettings(data_docs=False)
        came_to, _ = validate_published(published, settings=settings, folder=tmp_path / str(number))
        return came_to.success

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(one, range(3))) == [True] * 3


# Published


def _cut(path: Path) -> None:
    overwritten(path, path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    overwritten(path, bytes(content))


def _other_rows(path: Path) -> None:
    """The same again, but for a row: what a rule may not notice."""
    folder = path.parents[2]
    damaged(folder, path.parts[-3], dropping(first(folder, path.parts[-3])))


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (_cut, "bytes, not"),
        (_flip, "it has another content"),
        (Path.unlink, "it is missing"),
        (_other_rows, "bytes, not"),
    ],
    ids=["cut short", "flipped", "removed", "rewritten"],
)
def test_a_published_file_that_is_not_as_it_was_is_named(
    published: Path, tmp_path: Path, change: Any, how: str
) -> None:
    name = f"attributes/{_SHARD}"
    change(current(published) / name)
    came_to, outcomes = validate_published(published, settings=_QUICK, folder=tmp_path / "report")
    failure = came_to.failures[0]
    assert (failure.table, failure.rule, failure.level, failure.rows) == (
        "version",
        "files_as_published",
        "critical",
        [name],
    )
    assert how in str(failure.reasons[0])
    assert not came_to.success
    assert came_to.rules == len(outcomes) + 1
    assert json.loads((tmp_path / "report" / REPORT).read_text())["failures"][0]["rows"] == [name]


def test_every_file_that_changed_is_named(published: Path) -> None:
    names = sorted(path.relative_to(current(published)).as_posix() for path in current(published).rglob("*.parquet"))[
        :3
    ]
    for name, change in zip(names, (_flip, _cut, Path.unlink), strict=True):
        change(current(published) / name)
    came_to, _ = validate_published(published, settings=_QUICK)
    assert came_to.failures[0].rows == names


def test_a_published_version_is_good(published: Path) -> None:
    came_to, outcomes = validate_published(published, settings=_QUICK)
    assert (came_to.success, came_to.failures, came_to.rules) == (True, [], len(outcomes) + 1)


def test_there_is_no_such_version(published: Path) -> None:
    with pytest.raises(StoreError, match="there is no version 0123456789abcdef"):
        validate_published(published, "0123456789abcdef")


def test_a_version_whose_manifest_is_damaged_cannot_be_compared_with_it(published: Path) -> None:
    overwritten(current(published) / "manifest.json", b"{")
    with pytest.raises(StoreError, match="is not JSON"):
        validate_published(published)


# The command


def test_the_command_names_the_file_and_ends_with_1(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTONOMY_DATA_DOCS", "0")
    good = partonomy("validate", "--root", published, "--format", "json", "--out", tmp_path / "good")
    assert (good.status, json.loads(good.out)["success"], json.loads(good.out)["failures"]) == (0, True, [])
    name = f"parts/{_SHARD}"
    _cut(current(published) / name)
    done = partonomy("validate", "--root", published, "--format", "json", "--out", tmp_path / "report")
    assert done.status == 1
    said = json.loads(done.out)
    assert said["success"] is False
    told = said["failures"][0]
    assert (told["rule"], told["table"], told["n"], told["rows"]) == ("files_as_published", "version", 1, [name])
    assert json.loads((tmp_path / "report" / REPORT).read_text()) == said
    text = partonomy("validate", "--root", published, "--out", tmp_path / "text")
    assert text.status == 1
    assert f"critical  version.files_as_published: 1 row: {name}" in text.out


def test_the_command_refuses_another_format(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTONOMY_DATA_DOCS", "0")
    done = partonomy("validate", "--root", published, "--format", "yaml", "--out", tmp_path / "report")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "--format 'yaml' is not known" in done.err


# Great Expectations

_DAMAGES = {one.name: one for one in (*OF_FILES.kinds, *OF_TABLES.kinds)}


@pytest.mark.skipif(not data_docs.available(), reason="needs great_expectations")
@pytest.mark.parametrize(
    "name",
    [
        "a file is cut short",
        "photographs that are alike are in two splits",
        pytest.param("a box is shifted", marks=pytest.mark.soak),
        pytest.param("rows are out of order", marks=pytest.mark.soak),
    ],
)
def test_great_expectations_counts_the_same(staged: Staged, tmp_path: Path, name: str) -> None:
    _DAMAGES[name].damage(staged.folder)
    with opened(staged.folder, staged.manifest, _QUICK, spill_to=tmp_path / "spill", threads=1) as subject:
        outcomes = run(subject)
    assert any(one.failed for one in outcomes)
    assert data_docs.disagreements(outcomes, data_docs.write(outcomes, tmp_path / "pages", title=name)) == []
