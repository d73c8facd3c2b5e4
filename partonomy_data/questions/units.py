"""Groups that are asked together: what they are asked, and which objects the object question offers.

Groups of sibling categories whose members show the same part sets make a unit. All its photographs get the same
questions, with the same choices, and the same object question, which offers their categories. So every pair of a
category and a part set occurs once: neither all that is written about a photograph, nor the true answer to its first
turn, tells anything of the second. A group without such partners is a unit of its own; its object question offers
sibling categories, and is marked as not balanced. In a group across categories where each category occurs once, the
object question alone is balanced, but after the true parts it is not; nor are the parts after the true object.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from partonomy_data.questions import keyed
from partonomy_data.questions.arrays import Instances
from partonomy_data.questions.asks import Ask, choose
from partonomy_data.questions.context import Context
from partonomy_data.questions.contrasts import contrasts
from partonomy_data.questions.grouping import Group
from partonomy_data.questions.settings import TWO_TURNS
from partonomy_data.questions.truth import Sets

#: Units are formed among groups whose keys begin alike, so that a changed group changes few others.
_CELLS = 8


@dataclass(frozen=True, slots=True)
class ObjectQuestion:
    """The object question of a unit's two-turn questions."""

    categories: tuple[str, ...]
    """What it offers."""
    first_balanced: bool
    """Whether it is balanced as a first turn (`whole_to_part`)."""
    second_balanced: bool
    """Whether it is after the true parts (`part_to_whole`)."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Groups that get the same questions."""

    key: str
    groups: tuple[Group, ...]
    sets: tuple[Sets, ...]
    """Of each group; over the same parts."""
    asks: tuple[Ask, ...]
    object_question: ObjectQuestion | None

    def mixed(self, instances: Instances) -> bool:
        """Whether a group of it has members of several categories."""
        return any(len(set(instances.categories[group.rows])) > 1 for group in self.groups if group.across)


def units(instances: Instances, context: Context, groups: Sequence[Group]) -> list[Unit]:
    """All units of a shard, in the order of their keys."""
    found = [_unit(instances, context, together) for together in _together(instances, context, groups)]
    return sorted(found, key=lambda unit: unit.key)


def _together(instances: Instances, context: Context, groups: Sequence[Group]) -> Iterable[tuple[Group, ...]]:
    """The groups of each unit: of one category each, and with the same part sets."""
    alike: dict[object, dict[str, list[Group]]] = defaultdict(lambda: defaultdict(list))
    for group in sorted(groups, key=lambda one: one.key):
        if group.names_object or group.across:
            yield (group,)
            continue
        sets = instances.sets(group.rows)
        cell = int(group.key[:8], 16) % _CELLS if len(groups) > 16 * _CELLS else 0
        category = str(instances.categories[group.rows[0]])
        alike[cell, group.crop, len(group.rows), _signature(sets)][category].append(group)
    for same in alike.values():
        yield from _matched(instances, context, same)


def _signature(sets: Sets) -> tuple[object, ...]:
    rows = sorted(tuple(np.array(sets.parts, object)[row]) for row in sets.visible)
    return tuple(rows)


def _matched(instances: Instances, context: Context, same: dict[str, list[Group]]) -> Iterable[tuple[Group, ...]]:
    """Takes one group each of up to as many categories as a question has choices, while there are three or more."""
    waiting = {category: list(reversed(groups)) for category, groups in sorted(same.items())}
    while True:
        ready = sorted((c for c in waiting if waiting[c]), key=lambda c: (-len(waiting[c]), waiting[c][-1].key))
        chosen: list[str] = []
        for category in ready:
            if len(chosen) < context.settings.choices and _offered_together(
                instances, context, waiting, category, chosen
            ):
                chosen.append(category)
        if len(chosen) < 3:
            break
        yield tuple(waiting[category].pop() for category in chosen)
    for groups in waiting.values():
        for group in groups:
            yield (group,)


def _offered_together(
    instances: Instances, context: Context, waiting: dict[str, list[Group]], category: str, chosen: Sequence[str]
) -> bool:
    """Whether no photograph of one category shows another, and none is a kind of another."""
    if not set(chosen).isdisjoint(context.relatives.get(category, ())):
        return False
    here = _shown(instances, [waiting[category][-1]])
    others = _shown(instances, [waiting[one][-1] for one in chosen])
    return category not in others and here.isdisjoint(chosen)


def _shown(instances: Instances, groups: Iterable[Group]) -> set[str]:
    """The object categories that are annotated in the groups' photographs."""
    return instances.shown(int(row) for group in groups for row in group.rows)


def _unit(instances: Instances, context: Context, groups: tuple[Group, ...]) -> Unit:
    key = groups[0].key if len(groups) == 1 else keyed.hexdigest("unit", *(group.key for group in groups))
    sets = tuple(instances.sets(group.rows, across=group.across) for group in groups)
    categories = sorted({str(instances.categories[row]) for group in groups for row in group.rows})
    barred = set(categories).union(*(context.relatives.get(one, ()) for one in categories))
    names = [name for name in groups[0].contrasts if name not in barred]
    possible = contrasts(names, context.claims, sets[0].parts)
    asked = choose(sets, possible, groups[0].names_object, key, context.settings.max_questions)
    question = None
    if not groups[0].names_object:
        compared = {name for ask in asked for name in ask.contrasts}
        question = _object_question(instances, context, groups, categories, compared, key)
    types = [kind for kind in context.settings.types if question is not None or kind not in TWO_TURNS]
    return Unit(key, groups, sets, tuple(ask for ask in asked if ask.question_type in types), question)


def _object_question(
    instances: Instances,
    context: Context,
    groups: tuple[Group, ...],
    categories: list[str],
    compared: Collection[str],
    key: str,
) -> ObjectQuestion | None:
    """What the unit's object question offers; None where no wrong object can be offered for sure.

    A category that the unit is compared with is none of them: it can't be the object.
    """
    if len(groups) > 1:
        return ObjectQuestion(tuple(categories), True, True)
    if len(categories) == len(groups[0].rows):
        return ObjectQuestion(tuple(categories), True, False)
    gone = _shown(instances, groups).union(compared, categories)
    gone = gone.union(*(context.relatives.get(one, ()) for one in gone))
    others: list[str] = []
    for one in (one for category in categories for one in _near(context, category, key)):
        if one not in gone and one not in others and set(others).isdisjoint(context.relatives.get(one, ())):
            others.append(one)
    offered = [*categories, *others[: max(0, context.settings.choices - len(categories))]]
    return ObjectQuestion(tuple(offered), False, False) if len(offered) > 2 else None


def _near(context: Context, category: str, key: str) -> list[str]:
    """Categories that may be offered beside it: its siblings in keyed order, then its cousins."""
    siblings = context.siblings.get(category, [])
    return keyed.shuffled(siblings, key, "objects") + context.cousins[category]
