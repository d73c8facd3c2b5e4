"""Tables with known leaks, and what the audit says of them, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import leaky_tables
from benchmarks.leaky_tables import Tables
from partonomy_data.questions import audit
from partonomy_data.questions.audit import AuditSettings, AuditTable, Report

#: Enough for the attackers to find what there is, in seconds.
QUICK = AuditSettings(folds=3, train_questions=3_000, iterations=40, replicates=1_000)


@pytest.fixture(scope="session")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Tables, Path]]:
    """`leaky("edited")`: the tables of that name, and the folder they are in."""
    world = leaky_tables.world(families=6, per_category=60)
    folder = tmp_path_factory.mktemp("leaky")
    made: dict[str, tuple[Tables, Path]] = {}

    def give(name: str) -> tuple[Tables, Path]:
        if name not in made:
            tables = getattr(leaky_tables, name)(world)
            made[name] = tables, leaky_tables.write(tables, folder / name)
        return made[name]

    return give


@pytest.fixture(scope="session")
def audited(leaky: Callable[[str], tuple[Tables, Path]]) -> Callable[[str], tuple[AuditTable, Report]]:
    """`audited("edited")`: that table as it was loaded, and its report with the settings QUICK."""
    made: dict[str, tuple[AuditTable, Report]] = {}

    def give(name: str) -> tuple[AuditTable, Report]:
        if name not in made:
            table = audit.load(leaky(name)[1])
            made[name] = table, audit.audit(table, QUICK)
        return made[name]

    return give
