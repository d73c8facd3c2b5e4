"""Gives every photograph its split. See docs/splits.md for the rules, and the modules beside this one for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from partonomy_data.splits import dealing, identity, unseen
from partonomy_data.splits.dealing import EVALUATION, NONE, TEST, TRAIN
from partonomy_data.splits.identity import Photographs
from partonomy_data.splits.settings import SPLITS, SplitSettings
from partonomy_data.splits.shown import Ints, Mask, Shown
from partonomy_data.splits.shown import shown as read_shown
from partonomy_data.splits.unseen import Chosen, HeldOut
from partonomy_data.taxonomy.algebra import PartRelations
from schemas.tables import schema

#: Why an image is in its split; what each means is in the description of the column.
REASONS: Final = (
    "source",
    "evaluation_only",
    "cluster",
    "keyed",
    "few",
    "first",
    "unseen_object",
    "unseen_part",
    "unseen_pair",
)
_CODE: Final = {reason: i for i, reason in enumerate(REASONS)}


@dataclass(frozen=True, slots=True)
class Assignment:
    """The split of every image."""

    table: pa.Table
    """The rows of the table `splits`, by image_id."""
    held_out: HeldOut
    """What no photograph of `train` and `val` shows."""


def assign(
    images: pa.Table,
    labels: pa.Table,
    relations: PartRelations,
    parents: Mapping[str, frozenset[str]],
    settings: SplitSettings,
) -> Assignment:
    """Puts every image into a split, all images of one photograph into the same.

    `images` has image_id, source, source_split, photograph, sha256, phash (uint64), the last three nullable. `labels`
    has the distinct (image_id, object_category, part_category or null) of what is annotated. `relations` are those
    between part names, whatever their confidence, and `parents` the direct parents of each object category. Rows may
    be in any order. Takes time and memory linear in the rows, but for sorting.

    Raises UsageError for settings that can't be, ValueError if an image_id is there twice or `labels` has one that
    `images` doesn't.
    """
    settings.checked()
    if pc.count_distinct(images["image_id"]).as_py() != images.num_rows:
        raise ValueError("an image_id is there twice")
    photographs = identity.photographs(images, settings)
    shown = read_shown(images, labels, photographs, relations)
    own = dealing.own_splits(images, settings)
    said = dealing.by_source(own, photographs.of, len(photographs))
    split, reason = _drawn(shown, photographs, said, settings)
    deciding = said != EVALUATION
    chosen, held_out = unseen.choose(shown, deciding, deciding & (split == TRAIN), parents, settings)
    thing = _set_apart(shown, chosen, deciding, split, reason)
    _lead(shown, photographs, said, split, reason)
    return Assignment(_table(images, photographs, own, said, split, reason, thing), held_out)


def _drawn(shown: Shown, photographs: Photographs, said: Ints, settings: SplitSettings) -> tuple[Ints, Ints]:
    """The split of each photograph before anything is held out, and the reason."""
    undecided = said == NONE
    drawn, few = dealing.dealt(shown.of_object, shown.objects, undecided, photographs.draw, settings)
    split = np.where(undecided, drawn, np.where(said == EVALUATION, TEST, said))
    reason = np.where(undecided, np.where(few, _CODE["few"], _CODE["keyed"]), _CODE["source"])
    _lead(shown, photographs, said, split, reason)
    return split, reason


def _lead(shown: Shown, photographs: Photographs, said: Ints, split: Ints, reason: Ints) -> None:
    """Puts the first undecided photograph of each category, of those that are in no unseen split, into train."""
    eligible = (said == NONE) & (split <= TEST)
    moved = dealing.first_of_each(shown.of_object, eligible, photographs.draw) & (split != TRAIN)
    split[moved] = TRAIN
    reason[moved] = _CODE["first"]


def _set_apart(shown: Shown, chosen: Chosen, deciding: Mask, split: Ints, reason: Ints) -> pa.Array:
    """Moves photographs that show what is held out to the splits for it; the thing that moved each, or null."""
    families = chosen.families[shown.family_of]
    firsts = (
        ("object", shown.of_object.first(chosen.objects), shown.objects),
        ("part", shown.of_part.first(families), shown.parts),
        ("pair", shown.of_pair.first(chosen.pairs), _pair_names(shown, chosen)),
    )
    names: list[str] = []
    which = np.full(len(split), -1, dtype=np.int64)
    free = deciding.copy()
    for kind, first, own_names in firsts:
        moved = free & (first >= 0)
        split[moved] = SPLITS.index(f"test_unseen_{kind}")
        reason[moved] = _CODE[f"unseen_{kind}"]
        which[moved] = first[moved] + len(names)
        names += own_names
        free &= ~moved
    return pa.array(names, pa.string()).take(pa.array(which, mask=which < 0))


def _pair_names(shown: Shown, chosen: Chosen) -> list[str]:
    """`object: part` for the pairs chosen, by the first name of the part's family that is seen on the object."""
    return [
        f"{shown.objects[thing]}: {_seen_as(shown, thing, family)}" if taken else ""
        for (thing, family), taken in zip(shown.pairs, chosen.pairs.tolist(), strict=True)
    ]


def _seen_as(shown: Shown, thing: int, family: int) -> str:
    return next(name for name in shown.families[family] if (shown.objects[thing], name) in shown.named_pairs)


def _table(
    images: pa.Table, photographs: Photographs, own: Ints, said: Ints, split: Ints, reason: Ints, thing: pa.Array
) -> pa.Table:
    """The rows of `splits`; what decides on a photograph is told apart from what its other images decide."""
    of = photographs.of
    why = reason[of]
    by_source = why == _CODE["source"]
    why[by_source & (own != said[of])] = _CODE["cluster"]
    why[by_source & (own == split[of])] = _CODE["source"]
    why[by_source & (own == EVALUATION)] = _CODE["evaluation_only"]
    columns = {
        "image_id": images["image_id"],
        "source": images["source"],
        "cluster": photographs.names.take(pa.array(of)),
        "split": pa.array(SPLITS, pa.string()).take(pa.array(split[of])),
        "reason": pa.array(REASONS, pa.string()).take(pa.array(why)),
        "held_out": thing.take(pa.array(of)),
    }
    return pa.table(columns).cast(schema("splits")).sort_by("image_id")
