"""Embeddings as text: their directions come back, and what has none is refused."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from partonomy_data.llm.vectors import packed, unpacked


@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e3, 1e3, width=16)))
def test_a_direction_comes_back(vector: np.ndarray[Any, Any]) -> None:
    length = np.linalg.norm(vector)
    if length == 0:
        with pytest.raises(ValueError, match="no vector with a direction"):
            packed(vector.tolist())
    else:
        np.testing.assert_allclose(unpacked(packed(vector.tolist())), vector / length, atol=1e-3)


@pytest.mark.parametrize("vector", [[], [[1.0]], [float("nan")], [float("inf"), 1.0], ["x"], [None], [0.0, 0.0]])
def test_what_is_no_vector_is_refused(vector: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        packed(vector)


@pytest.mark.parametrize(
    "text",
    ["", "?", "AAA", base64.b64encode(b"\x00\x00").decode(), base64.b64encode(np.array([np.nan], "<f2")).decode()],
)
def test_what_holds_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64|direction|buffer"):
        unpacked(text)
