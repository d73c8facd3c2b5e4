"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real samples: $PARTONOMY_SAMPLES, else `shared/data` beside the checkout. Skips where absent."""
    named = os.environ.get("PARTONOMY_SAMPLES")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real samples are not here (set PARTONOMY_SAMPLES to their folder)")
    return folder
