"""Names of weights that come with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from model import shipped
from model.plum.errors import ModelError


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "weights" / "tiny" / "lmm").mkdir(parents=True)
    (tmp_path / "secret").write_text("not shipped")
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path / "weights")
    return tmp_path


def test_a_shipped_name_is_where_it_lies(weights: Path) -> None:
    assert shipped.located("shipped:tiny/lmm") == str(weights / "weights" / "tiny" / "lmm")


@pytest.mark.parametrize("name", ["llava-hf/llava-1.5-7b-hf", "/somewhere/lmm", "random"])
def test_other_names_stay_as_they_are(name: str) -> None:
    assert shipped.located(name) == name


@pytest.mark.parametrize("name", ["shipped:tiny/sam", "shipped:../secret", "shipped:/etc/passwd"])
def test_what_does_not_come_with_the_package_is_refused_with_what_does(name: str) -> None:
    with pytest.raises(ModelError, match=r"no such weights come with the package.*shipped:tiny/lmm"):
        shipped.located(name)
