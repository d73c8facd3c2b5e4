"""Training questions about instances that no group has a place for.

Their wrong choices are the true answers of the nearest other instances of their bucket, filled up with edits of the
right one. Nothing makes them as likely as the right one: such questions are not balanced, serve for training alone,
and the audit shows how far they can be guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from partonomy_data.questions import buckets, keyed, truth
from partonomy_data.questions.arrays import Instances, Ints
from partonomy_data.questions.asks import Ask, choose
from partonomy_data.questions.blocks import Block, trained_referent
from partonomy_data.questions.context import Context
from partonomy_data.questions.contrasts import contrasts
from partonomy_data.questions.grouping import contrasts_of
from partonomy_data.questions.instances import ONLY_ONE, SEVERAL
from partonomy_data.questions.settings import TWO_TURNS
from partonomy_data.questions.truth import Bools, Sets

#: Candidates for wrong choices that are looked at, the nearest first.
_LOOKED_AT: Final = 32


def ungrouped(instances: Instances, context: Context, rows: Ints) -> Iterator[tuple[str, Iterator[Block]]]:
    """The questions about the instances `rows`: for each bucket its key and its blocks, in the order of the keys."""
    found: list[tuple[str, str, Ints]] = []
    for category in sorted(set(instances.categories[rows])):
        pool = rows[instances.categories[rows] == category]
        for bucket in buckets.cut(buckets.bits_of([instances.hashes[row] for row in pool])):
            key = keyed.hexdigest(context.settings.seed, "alone", context.source, context.split, category, bucket.bits)
            found.append((key, category, pool[bucket.members]))
    for key, category, some in sorted(found, key=lambda one: one[:2]):
        yield key, _of_bucket(instances, context, category, some, key)


def _of_bucket(instances: Instances, context: Context, category: str, rows: Ints, unit: str) -> Iterator[Block]:
    sets = instances.sets(rows)
    for place in range(len(rows)):
        yield from _about(instances, context, category, rows, sets, place, unit)


def _about(
    instances: Instances, context: Context, category: str, rows: Ints, sets: Sets, place: int, unit: str
) -> Iterator[Block]:
    row = rows[[place]]
    object_id = str(instances.table["object_id"][int(row[0])])
    key = keyed.hexdigest(context.settings.seed, "alone", object_id)
    named = bool(keyed.number(key, "names") & 1)
    standing = instances.standing[row[0]]
    crop = standing == SEVERAL or (standing == ONLY_ONE and not named)
    names = contrasts_of(context, [category], [category])
    alone = Sets(sets.parts, sets.visible[[place]], sets.doubt[[place]], sets.related)
    asks = choose([alone], contrasts(names, context.claims, sets.parts), named, key, context.settings.max_questions)
    for ask in asks:
        if ask.question_type in TWO_TURNS or ask.question_type not in context.settings.types:
            continue
        wrong = _wrong(sets, place, ask, context.settings.choices - 1, key)
        if len(wrong) < 2:
            continue
        answers = np.concatenate([(sets.visible[[place]] & ask.mask), wrong])
        order = np.array(keyed.permutation(len(answers), key, ask.question_type, *ask.contrasts))
        yield Block(
            unit=unit,
            question_type=ask.question_type,
            names_object=named,
            category=category if named else "",
            contrasts=ask.contrasts,
            rows=row,
            parts=sets.parts,
            choices=answers[order],
            right=np.flatnonzero(order == 0),
            groups=(),
            verified=bool(instances.known[row[0]]) and ask.curated,
            referent=trained_referent(context, crop, key),
            object_question=None,
        )


def _wrong(sets: Sets, place: int, ask: Ask, most: int, key: str) -> Bools:
    """Wrong choices for one instance: all surely wrong, and no two of them the same list."""
    own = sets.visible[place] & ask.mask
    others = sets.visible & ask.mask
    others = others[sorted({code: row for row, code in enumerate(truth.codes(others))}.values())]
    candidates = np.concatenate([others, _edited(own, ask.mask)])
    from_others = np.arange(len(candidates)) < len(others)
    distance = np.maximum((candidates & ~own).sum(axis=1), (own & ~candidates).sum(axis=1))
    random = np.array([keyed.number(key, *ask.contrasts, code) for code in truth.codes(candidates)], np.uint64)
    nearest = np.lexsort((random, distance, ~from_others))[:_LOOKED_AT]
    together = np.concatenate([own[None], candidates[nearest]])
    doubt = np.zeros_like(together)
    doubt[0] = sets.doubt[place] & ask.mask
    differ = truth.distinct(together, doubt, sets.related)
    chosen = [0]
    for at in range(1, len(together)):
        if len(chosen) <= most and differ[at, chosen].all():
            chosen.append(at)
    return np.asarray(together[chosen[1:]])


def _edited(own: Bools, mask: Bools) -> Bools:
    """The set with one part left out, one put in, or one replaced."""
    inside, outside = np.flatnonzero(own), np.flatnonzero(mask & ~own)
    made = []
    for gone in (None, *inside):
        for new in (None, *outside):
            one = own.copy()
            if gone is not None:
                one[gone] = False
            if new is not None:
                one[new] = True
            if one.any() and not (one == own).all():
                made.append(one)
    return np.array(made, bool).reshape(-1, len(own))
