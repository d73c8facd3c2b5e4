"""From a shard's instances to groups: pools, buckets, groups within each, and groups across siblings of what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from partonomy_data.questions import asks, buckets, groups, keyed, truth
from partonomy_data.questions.arrays import Instances, Ints
from partonomy_data.questions.context import Context
from partonomy_data.questions.contrasts import MOST, contrasts
from partonomy_data.questions.instances import ONLY_ONE, SEVERAL, SOLE
from partonomy_data.questions.settings import OBJECT_FIRST, TWO_TURNS
from partonomy_data.questions.truth import Bools


@dataclass(frozen=True, slots=True)
class Group:
    """Instances whose questions share their choices."""

    rows: Ints
    """Rows of the shard's instances, in the order of their ids."""
    key: str
    """Hash of its members' ids."""
    names_object: bool
    crop: bool
    """Whether the image is cut to the object (else there is no other that the question could mean)."""
    contrasts: tuple[str, ...]
    """The categories that it may be compared with, the nearest first."""
    across: bool = False
    """Whether its members may be of several categories of the family."""


@dataclass(slots=True)
class Coverage:
    """By question type: instances that can be asked, that have a balanced question, and that could have one."""

    askable: Counter[str] = field(default_factory=Counter)
    bound: Counter[str] = field(default_factory=Counter)
    balanced: Counter[str] = field(default_factory=Counter)


def sizes_of(context: Context) -> list[int]:
    """Numbers of members to try, the largest first."""
    return list(range(context.settings.choices, 2, -1))


def group(instances: Instances, context: Context, coverage: Coverage) -> tuple[list[Group], Ints]:
    """All groups of the shard, and the rows of the instances that are in none."""
    found: list[Group] = []
    left: list[Ints] = []
    for standing, category, stratum, pool in _pools(instances, context):
        named = _names(context, standing, stratum)
        names = tuple(contrasts_of(context, [category], barred=[category]))
        for bucket in buckets.cut(buckets.bits_of([instances.hashes[row] for row in pool])):
            rows = pool[bucket.members]
            made = [
                _group(instances, context, members, named, standing, names)
                for members in _in_bucket(instances, context, coverage, rows, names, named, across=False)
            ]
            found += made
            left.append(np.setdiff1d(rows, np.concatenate([one.rows for one in made] or [rows[:0]])))
    rest = np.sort(np.concatenate(left)) if left else np.zeros(0, np.int64)
    across, rest = _across(instances, context, coverage, rest)
    return found + across, rest


def _pools(instances: Instances, context: Context) -> Iterator[tuple[int, str, int, Ints]]:
    """Who may be compared: by standing, category and stratum, the rows."""
    strata = buckets.strata(instances.size, instances.truncated)
    _, categories = np.unique(instances.categories, return_inverse=True)
    order = np.lexsort((strata, categories, instances.standing))
    keys = np.stack([instances.standing[order], categories[order], strata[order]], axis=1)
    starts = np.flatnonzero(np.append(True, (np.diff(keys, axis=0) != 0).any(axis=1)))
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        rows = np.sort(order[start:end])
        yield int(instances.standing[rows[0]]), str(instances.categories[rows[0]]), int(strata[rows[0]]), rows


def _names(context: Context, standing: int, stratum: int) -> bool:
    """Whether the questions of a stratum name the object: the same for all categories of the family."""
    key = (context.settings.seed, "names", context.source, context.split, context.family, standing, stratum)
    return bool(keyed.number(*key) & 1)


def _group(
    instances: Instances,
    context: Context,
    rows: Ints,
    named: bool,
    standing: int,
    names: tuple[str, ...],
    across: bool = False,
) -> Group:
    ids = instances.table["object_id"].take(rows).to_pylist()
    crop = standing == SEVERAL or (standing == ONLY_ONE and not named)
    return Group(rows, keyed.hexdigest(context.settings.seed, "group", *ids), named, crop, names, across)


def _in_bucket(
    instances: Instances,
    context: Context,
    coverage: Coverage,
    rows: Ints,
    names: Sequence[str],
    named: bool,
    across: bool,
) -> list[Ints]:
    """The groups of a bucket, whose contrast categories are `names`."""
    sets = instances.sets(rows, across=across)
    k = asks.largest(sets, sizes_of(context))
    promised = asks.prospects(sets, contrasts(names, context.claims, sets.parts), k)
    candidates = groups.Candidates(
        sets,
        _apart(instances, context, rows, across),
        instances.size[rows],
        np.argsort(np.argsort([instances.hashes[row] for row in rows], kind="stable"), kind="stable"),
    )
    made = groups.form(candidates, [one.answers for one in promised.values() if one.bound], sizes_of(context))
    if not across:
        coverage.askable["identification"] += len(rows)
        if not named:
            coverage.askable.update(dict.fromkeys(TWO_TURNS, len(rows)))
        for kind, one in promised.items():
            coverage.askable[kind] += int(one.askable.sum())
    whole = k * truth.most_groups(truth.counts_of(sets.visible), k)
    coverage.bound.update({"identification": whole, **{kind: one.bound for kind, one in promised.items()}})
    if not named:
        # After the true object, a group across categories isn't balanced.
        coverage.bound.update({kind: whole for kind in TWO_TURNS if not (across and kind == OBJECT_FIRST)})
    return [rows[list(members)] for members in made]


def _apart(instances: Instances, context: Context, rows: Ints, across: bool) -> Bools:
    """Who may be in one group: those of different photographs, and across categories those whose object can't be taken
    for the other's, because it is of the same category, or neither is a kind of the other nor shown in its photograph."""
    photographs = instances.photographs[rows]
    apart: Bools = photographs[:, None] != photographs[None, :]
    if across:
        categories = [str(name) for name in instances.categories[rows]]
        shown = instances.table["present"].take(pa.array(rows)).to_pylist()
        barred = [
            {*names, *context.relatives.get(category, ())} - {category}
            for category, names in zip(categories, shown, strict=True)
        ]
        clear = np.array([[one not in gone for one in categories] for gone in barred], bool)
        apart &= clear & clear.T
    return apart


def _across(instances: Instances, context: Context, coverage: Coverage, left: Ints) -> tuple[list[Group], Ints]:
    """Groups over several categories of the family, from those that their own category has no place for.

    Their questions don't name the object.
    """
    found: list[Group] = []
    strata = buckets.strata(instances.size[left], instances.truncated[left])
    crops = instances.standing[left] != SOLE
    for crop, stratum in sorted({(bool(crop), int(stratum)) for crop, stratum in zip(crops, strata, strict=True)}):
        pool = left[(crops == crop) & (strata == stratum)]
        for bucket in buckets.cut(buckets.bits_of([instances.hashes[row] for row in pool])):
            rows = pool[bucket.members]
            categories = sorted(set(instances.categories[rows]))
            names = tuple(contrasts_of(context, categories, barred=categories))
            made = _in_bucket(instances, context, coverage, rows, names, named=False, across=True)
            standing = SEVERAL if crop else SOLE
            found += [_group(instances, context, members, False, standing, names, across=True) for members in made]
    used = np.concatenate([one.rows for one in found] or [left[:0]])
    return found, np.setdiff1d(left, used)


def contrasts_of(context: Context, categories: Collection[str], barred: Collection[str]) -> list[str]:
    """The contrast categories of several categories, those that are near to one of them first; none of `barred`."""
    place: dict[str, int] = {}
    for category in sorted(categories):
        for at, name in enumerate(context.contrasts.get(category, ())):
            place[name] = min(at, place.get(name, at))
    gone = set(barred).union(*(context.relatives.get(category, ()) for category in categories))
    return sorted(place.keys() - gone, key=lambda name: (place[name], name))[:MOST]
