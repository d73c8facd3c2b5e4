"""Reports that many tests look at: of the demo world with answers and an audit, and of a store whose every name is hostile."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

import partonomy_data
from partonomy_data.questions.audit.report import Blocks, Leakage, Report, Row
from partonomy_data.questions.audit.settings import AuditSettings
from partonomy_data.report import write
from partonomy_data.store import files
from tests.explore.conftest import hostile_rows, publish_rows, write_answers
from tests.helpers.stores import linked
from tests.report.opened import Page, pages

#: Markup, script, quotes, a template, marks that turn text around, a character that pages can't hold, and much of it.
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}/../&amp;\u202e\u0007é漢" + "w" * 300


def attack(
    attacker: str, accuracy: float, slice_: str = "balanced=true", turn: str = "parts", kind: str = "all"
) -> Row:
    """How an attacker fared, chance being a quarter."""
    low, high = accuracy - 0.05, accuracy + 0.05
    return Row(
        attacker=attacker, turn=turn, question_type=kind, slice=slice_, accuracy=accuracy, chance=0.25, low=low, high=high,
        family_low=low, family_high=high, n=215, units=60, within_chance=low <= 0.25 <= high,
    )  # fmt: skip


def audit(source: str) -> Report:
    """An audit as it is written: two attackers within chance, and one that isn't, on questions that aren't balanced."""
    rows = [attack("most_similar", 0.26), attack("learned", 0.24), attack("learned", 0.61, "all")]
    return Report(
        source=source, n=856, units=300, rows=rows, positions=[], lengths=[], hardness=[], excluded=[],
        blocks=Blocks(60, 0, 0, 0, 0), leakage=Leakage({"train": 875}, 0, 0), declared_chance=0.25, declared_wrong=0, notes=[],
        settings=AuditSettings(),
    )  # fmt: skip


def add_audit(root: Path, run: str = "29990101T000000Z-aaaaaa") -> None:
    """Puts an audit of the current version among the store's runs."""
    version = (root / "CURRENT").read_text().strip()
    told = msgspec.to_builtins(audit(f"{root}, version {version}"))
    files.write_json(root / "runs" / run / "audit" / "audit.json", told)


@pytest.fixture(scope="session")
def told_store(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo store with the answers of two models, and an audit."""
    root = linked(demo_store, tmp_path_factory.mktemp("reported") / "store")
    write_answers(root)
    add_audit(root)
    return root


@pytest.fixture(scope="session")
def written(told_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report, with twelve samples and seed 3."""
    out = tmp_path_factory.mktemp("written") / "report"
    write(told_store, out, samples=12, seed=3)
    return out


@pytest.fixture(scope="session")
def shown(written: Path) -> dict[str, Page]:
    """The pages of that report."""
    return pages(written)


@pytest.fixture(scope="session")
def hostile_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of one photograph, whose every name, text and path is hostile, and which is not on disk."""
    root = tmp_path_factory.mktemp("hostile") / "store"
    publish_rows(root, hostile_rows(HOSTILE))
    return root


@pytest.fixture(scope="session")
def version(told_store: Path) -> partonomy_data.Store:
    """The version that `written` is of."""
    return partonomy_data.open(told_store)


def manifest(store: partonomy_data.Store) -> dict[str, object]:
    """A manifest as a value of its own."""
    told: dict[str, object] = json.loads((store.folder / "manifest.json").read_bytes())
    return told
