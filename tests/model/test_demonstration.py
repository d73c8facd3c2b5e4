"""The end of the demo: a short training from the package's own weights, and what is told of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from model import demonstration
from partonomy_data import cli_model
from partonomy_data.store.layout import Layout
from tests.helpers.stores import linked


@pytest.fixture(scope="module")
def root(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return linked(demo_store, tmp_path_factory.mktemp("demonstrated") / "store")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstration, "STEPS", 4)
    monkeypatch.setattr(demonstration, "QUESTIONS", 6)


@pytest.mark.soak  # `make demo` does it
def test_it_trains_measures_and_says_where_the_pictures_are(root: Path) -> None:
    told = demonstration.demonstrate(root)
    (model,) = re.findall(r"^trained: (plum-\w+) for 4 steps", told)
    assert (Layout(root).models / model / "config.json").is_file()
    (steps,) = re.findall(r"^  step +(.*)$", told, re.MULTILINE)
    (losses,) = re.findall(r"^  loss +(.*)$", told, re.MULTILINE)
    assert steps.split() == ["1", "2", "3", "4"]
    assert len(losses.split()) == 4
    assert demonstration.sources(root) == ()
    assert "on 6 questions about photographs that it never saw, of a source that none of its training is of:" in told
    for what in ("the right choice", "by chance", "part names", "masks of the true answer's parts"):
        assert re.search(rf"{what}.* +[01]\.\d\d$", told, re.MULTILINE), what
    (page,) = re.findall(r"with their masks: (.*\.html)$", told, re.MULTILINE)
    assert "data:image/jpeg" in Path(page).read_text()


def test_without_its_libraries_the_demo_goes_on_and_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_model, "entry_points", lambda **_: [])
    told = cli_model.demonstrate(root)
    assert told.startswith("no model is trained: `partonomy demonstrate` needs its package")
    assert "partonomy-data[model]" in told
