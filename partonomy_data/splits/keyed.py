"""Numbers that depend on nothing but what they are for: hashes of a seed, a purpose and a name."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def fraction(*of: object) -> float:
    """A number in [0, 1) for the values' texts."""
    return _number("\0".join(map(str, of))) / 2**64


def numbers(names: pa.StringArray, *of: object) -> NDArray[np.uint64]:
    """For each name a number from 0 to 2**64 - 1, by the texts of `of` and the name; shape (n,)."""
    head = "\0".join(map(str, (*of, "")))
    return np.fromiter((_number(head + name) for some in batches(names) for name in some), np.uint64, len(names))


def batches(names: pa.StringArray, length: int = 1 << 16) -> Iterator[list[str]]:
    """The names as lists of at most so many, as a list of all takes several times the memory of the array."""
    for start in range(0, len(names), length):
        yield names.slice(start, length).to_pylist()


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
