"""Train, val and test, before anything is held out: the sources' own splits first, then keyed draws.

A photograph that any source tests on is in test; else one that any source validates on is in val; else one that any
trains on is in train. One that no source puts anywhere is drawn by the hash of its identity, unless it shows an object
category with few such photographs. Those are dealt by systematic sampling: in keyed order, the i-th of n is at
(i + a keyed number under 1) / n, and this place decides instead of the hash. So the shares are kept for each category
as well as whole photographs allow. What decides is the rarest category that a photograph shows.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from partonomy_data.splits import keyed
from partonomy_data.splits.identity import codes, names_of, text
from partonomy_data.splits.settings import SPLITS, SplitSettings
from partonomy_data.splits.shown import Incidence, Mask

#: Positions in SPLITS, and what stands for a photograph that no source decides, and for one that is for evaluation only.
TRAIN, VAL, TEST = (SPLITS.index(name) for name in ("train", "val", "test"))
NONE: Final = -1
EVALUATION: Final = len(SPLITS)

Splits = NDArray[np.int64]


def own_splits(images: pa.Table, settings: SplitSettings) -> Splits:
    """What each image's source says of it: a position in SPLITS, NONE or EVALUATION; shape (images,).

    `source_split` is read by how it begins (`train`, `val`, `test`, and so `train_whole`); `dev` is val.
    """
    names = names_of(text(images["source_split"]))
    says = np.array([*map(_read, names.to_pylist()), NONE], dtype=np.int64)
    own = says[codes(text(images["source_split"]), names)]
    sources = names_of(text(images["source"]))
    only = np.array([name in settings.evaluation_only for name in sources.to_pylist()] + [False])
    own[only[codes(text(images["source"]), sources)]] = EVALUATION
    return own


def _read(source_split: str) -> int:
    beginnings = {"train": TRAIN, "val": VAL, "dev": VAL, "test": TEST}
    return next((split for start, split in beginnings.items() if source_split.startswith(start)), NONE)


def by_source(own: Splits, photograph: NDArray[np.int64], n_photographs: int) -> Splits:
    """What the sources together say of each photograph; shape (n_photographs,)."""
    said = np.full(n_photographs, NONE, dtype=np.int64)
    np.maximum.at(said, photograph, own)
    return said


def dealt(
    objects: Incidence, names: list[str], undecided: Mask, draw: NDArray[np.uint64], settings: SplitSettings
) -> tuple[Splits, Mask]:
    """The splits of the undecided photographs, and which of them were dealt by a category with few of them.

    Both of shape (n_photographs,); what stands at decided ones means nothing. The first photograph of a category in
    the order of `draw` is not yet sure to be in train: see `first_of_each`.
    """
    place = draw / 2.0**64
    rows = np.flatnonzero(undecided[objects.photograph])
    photograph, thing = objects.photograph[rows], objects.thing[rows]
    total = np.bincount(thing, minlength=objects.n_things)
    few = np.zeros(objects.n_photographs, dtype=bool)
    if len(rows):
        order = np.lexsort((photograph, draw[photograph], thing))
        position = np.empty(len(rows), dtype=np.int64)
        position[order] = np.arange(len(rows)) - (np.cumsum(total) - total)[thing[order]]
        rarest = np.lexsort((thing, total[thing], photograph))
        rarest = rarest[np.unique(photograph[rarest], return_index=True)[1]]
        rarest = rarest[total[thing[rarest]] < settings.few]
        some = np.unique(thing[rarest])
        offset = np.zeros(objects.n_things)
        offset[some] = [keyed.fraction(settings.seed, "deal", names[i]) for i in some]
        few[photograph[rarest]] = True
        place[photograph[rarest]] = (position[rarest] + offset[thing[rarest]]) / total[thing[rarest]]
    splits = np.where(place < 1 - settings.val - settings.test, TRAIN, np.where(place < 1 - settings.val, TEST, VAL))
    return splits, few


def first_of_each(objects: Incidence, eligible: Mask, draw: NDArray[np.uint64]) -> Mask:
    """For each object category the eligible photograph with the smallest `draw`; shape (n_photographs,).

    They train, so that no category is in val and test alone.
    """
    rows = np.flatnonzero(eligible[objects.photograph])
    photograph, thing = objects.photograph[rows], objects.thing[rows]
    order = np.lexsort((photograph, draw[photograph], thing))
    leads = np.zeros(objects.n_photographs, dtype=bool)
    leads[photograph[order[np.unique(thing[order], return_index=True)[1]]]] = True
    return leads
