"""Questions with the same text and the same choices: each of its photographs makes another of the choices right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from partonomy_data.questions import keyed, truth
from partonomy_data.questions.arrays import Instances, Ints
from partonomy_data.questions.asks import Ask
from partonomy_data.questions.context import Context
from partonomy_data.questions.settings import OBJECT_FIRST, TWO_TURNS
from partonomy_data.questions.truth import Bools, Sets
from partonomy_data.questions.units import ObjectQuestion, Unit


@dataclass(frozen=True, slots=True)
class Block:
    """Questions that `rows.Builder` makes rows of."""

    unit: str
    """Key of those that are asked together: ids of questions begin with it."""
    question_type: str
    names_object: bool
    category: str
    """The object category that the question names; empty where it names none."""
    contrasts: tuple[str, ...]
    rows: Ints
    """The instances that it is asked about."""
    parts: tuple[str, ...]
    choices: Bools
    """(choices, parts), in the order in which they are offered."""
    right: Ints
    """Of each instance, the place of its right choice."""
    groups: tuple[str, ...]
    """Of each instance, its group's key; none where there is no group."""
    verified: bool
    referent: str
    object_question: ObjectQuestion | None
    mixed: bool = False
    """Whether the members of a group are of several categories."""

    @property
    def balanced(self) -> bool:
        """Whether each choice is right equally often, whatever is known by then.

        After a true first turn that is the object's category: in a group of several it tells some members' parts apart.
        """
        return bool(self.groups) and not (self.mixed and self.question_type == OBJECT_FIRST)


def blocks(instances: Instances, context: Context, unit: Unit) -> Iterator[Block]:
    """The blocks of a unit, one for each question that it is asked."""
    rows = np.concatenate([group.rows for group in unit.groups])
    visible = np.concatenate([sets.visible for sets in unit.sets])
    group = unit.groups[0]
    known = bool(instances.known[rows].all())
    doubts = instances.all_doubts(group.rows, unit.sets[0]) if group.across and known else None
    for ask in unit.asks:
        answers = visible & ask.mask
        choices, right = _choices(answers, unit.key, ask)
        yield Block(
            unit=unit.key,
            question_type=ask.question_type,
            names_object=group.names_object,
            category=str(instances.categories[rows[0]]) if group.names_object else "",
            contrasts=ask.contrasts,
            rows=rows,
            parts=unit.sets[0].parts,
            choices=choices,
            right=right,
            groups=tuple(one.key for one in unit.groups for _ in one.rows),
            verified=known and ask.curated and (doubts is None or _surely(doubts, ask)),
            referent=trained_referent(context, group.crop, unit.key),
            object_question=_object_question(unit, ask),
            mixed=unit.mixed(instances),
        )


def _surely(doubts: Sets, ask: Ask) -> bool:
    """Whether each member's answer is wrong for every other, whatever the latter may show beside what is known of it."""
    differ = truth.distinct(doubts.visible & ask.mask, doubts.doubt & ask.mask, doubts.related)
    return bool((differ | np.eye(len(differ), dtype=bool)).all())


def _object_question(unit: Unit, ask: Ask) -> ObjectQuestion | None:
    """The unit's object question, offering its categories in an order of the type's own."""
    if unit.object_question is None or ask.question_type not in TWO_TURNS:
        return None
    offered = keyed.shuffled(unit.object_question.categories, unit.key, ask.question_type, "objects")
    return replace(unit.object_question, categories=tuple(offered))


def _choices(answers: Bools, key: str, ask: Ask) -> tuple[Bools, Ints]:
    """The different answers in keyed order, and which of them is right for each row.

    All members see the same order: with an order of its own each, that the right places differ within the block would
    tell something of where they are.
    """
    codes = truth.codes(answers)
    first = sorted({code: row for row, code in enumerate(codes)}.items())
    order = keyed.permutation(len(first), key, ask.question_type, *ask.contrasts)
    place = {first[at][0]: shown for shown, at in enumerate(order)}
    return answers[[first[at][1] for at in order]], np.array([place[code] for code in codes], np.int64)


def trained_referent(context: Context, crop: bool, key: str) -> str:
    """How a training question points at an object that isn't the only one: half of them by a drawn box."""
    if not crop:
        return "unique"
    return "box" if not context.evaluation and keyed.number(key, "referent") & 1 else "crop"
