"""The small demo world, written once for all tests of it."""

from __future__ import annotations

import gzip
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from partonomy_data import demo

Row = dict[str, Any]


@dataclass(frozen=True)
class Small:
    """The small world with its truth read back."""

    made: demo.DemoWorld
    world: Row
    photographs: dict[str, list[Row]]

    def objects(self, source: str) -> Iterator[tuple[Row, Row]]:
        """Each photograph's line with each of its objects."""
        return ((line, item) for line in self.photographs[source] for item in line["objects"])


@pytest.fixture(scope="session")
def small(demo_store: Path) -> Small:
    made = demo.write(demo_store / "demo", size="small")  # it is there already, so this only tells where
    photographs = {}
    for source in made.sources:
        with gzip.open(made.truth / f"{source}.jsonl.gz", "rt", encoding="utf-8") as file:
            photographs[source] = [json.loads(line) for line in file]
    return Small(made, json.loads((made.truth / "world.json").read_text("utf-8")), photographs)


def dense(rle: Row) -> NDArray[np.bool_]:
    """A mask of the truth as (h, w)."""
    # pycocotools converts its buffer in a way that NumPy 2 warns of.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        decoded: NDArray[np.uint8] = coco_mask.decode(rle)
    return decoded.astype(np.bool_)
