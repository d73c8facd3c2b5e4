"""Random generators named by what they are for, so that no draw depends on order or on the number of processes."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np


def generator(*key: str | int) -> np.random.Generator:
    """A generator that depends on `key` alone: the seeds, what is drawn for, and the purpose."""
    text = "\x1f".join(str(item) for item in key).encode()
    return np.random.default_rng(int.from_bytes(blake2b(text, digest_size=16, person=b"demo").digest()))
