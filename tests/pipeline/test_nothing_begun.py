"""What can't be built leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceError, SourceSetting, UsageError
from tests.helpers import paco
from tests.helpers.command import partonomy


def test_no_store_is_begun_for_a_source_that_is_not_there(tmp_path: Path) -> None:
    there = SourceSetting(str(paco.write(tmp_path / "paco")))
    config = BuildConfig(sources={"paco": there, "partonomy": SourceSetting(str(tmp_path / "gone"))}, workers=1)
    with pytest.raises(SourceError, match=r"partonomy: .*gone: there is no such file or folder"):
        partonomy_data.build(tmp_path / "store", config)
    assert not (tmp_path / "store").exists()


def test_nor_by_the_command(tmp_path: Path) -> None:
    done = partonomy("build", "--root", tmp_path / "store", "--source", f"paco={tmp_path / 'gone'}")
    assert done.status == 2
    assert "there is no such file or folder. Check the path given to --source" in done.err
    assert not (tmp_path / "store").exists()


def test_nor_for_settings_that_can_not_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        partonomy_data.build(tmp_path / "store", BuildConfig(sources={}))
    assert not (tmp_path / "store").exists()
