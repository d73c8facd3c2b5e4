"""Embeddings as they are kept in the answer store: directions, as text in replies of JSON."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def packed(vector: Sequence[Any]) -> str:
    """A vector of any length, as text: float16, little-endian, in base64, brought to length 1.

    Raises ValueError or TypeError for what is no list of finite numbers, or has no direction.
    """
    numbers = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(numbers)) if numbers.ndim == 1 else 0.0
    if not np.isfinite(length) or length == 0:
        raise ValueError("this is no vector with a direction")
    return base64.b64encode((numbers / length).astype("<f2").tobytes()).decode()


def unpacked(text: str) -> Floats:
    """The vector of a text, float64 (dimensions,). Raises ValueError for a text that holds none with a direction."""
    try:
        vector = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f2").astype(np.float64)
    except binascii.Error as error:
        raise ValueError(f"this is no base64 ({error})") from error
    if not np.isfinite(vector).all() or not vector.any():
        raise ValueError("this is no vector with a direction")
    return vector
