"""What the tests of questions share: a demo world's truth, and stores built once."""

from __future__ import annotations

from pathlib import Path

import pytest

import partonomy_data
from tests.questions import oracle, world_truth


@pytest.fixture(scope="session")
def demo_truth(demo_store: Path) -> world_truth.WorldTruth:
    """The truth of the small demo world, by published ids."""
    with partonomy_data.open(demo_store) as store:
        return world_truth.read(store, demo_store / "demo" / "truth")


@pytest.fixture(scope="session")
def demo_judge(demo_truth: world_truth.WorldTruth) -> oracle.Judge:
    """The judge of the small demo world."""
    return oracle.Judge(demo_truth)
