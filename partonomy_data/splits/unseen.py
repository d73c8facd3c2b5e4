"""Things that training never sees: object categories, parts, and pairs of an object category and a part.

Each is chosen by the hash of its own name, so that a name more in the vocabulary doesn't reshuffle the others. What
could not be told apart from something else is held out with it or not at all: a category is a candidate if no broader
or narrower one has photographs, a part stands for its whole family of related names. A part is held out only if the
categories that it is seen on remain in training, and a pair only if its category and its part both do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from partonomy_data.splits import keyed
from partonomy_data.splits.settings import SplitSettings
from partonomy_data.splits.shown import Codes, Incidence, Ints, Mask, Shown, isolated


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The names of what no photograph of `train` and `val` shows."""

    objects: frozenset[str] = frozenset()
    """Object categories, with all narrower ones."""
    parts: frozenset[str] = frozenset()
    """Part names, with all their relatives."""
    pairs: frozenset[tuple[str, str]] = frozenset()
    """(object category, part name) as seen in photographs, the part with all its relatives on that object."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which things are held out, by position in `Shown`."""

    objects: Mask
    families: Mask
    pairs: Mask

    def names(self, shown: Shown, below: Mapping[str, frozenset[str]]) -> HeldOut:
        """Their names; `below` gives the narrower names of the object categories chosen."""
        objects = [shown.objects[i] for i in np.flatnonzero(self.objects)]
        pairs: set[tuple[str, str]] = set()
        for i in np.flatnonzero(self.pairs):
            thing, family = shown.pairs[i]
            pairs |= {(shown.objects[thing], part) for part in shown.families[family]} & shown.named_pairs
        return HeldOut(
            frozenset(objects).union(*(below.get(name, frozenset()) for name in objects)),
            frozenset(name for i in np.flatnonzero(self.families) for name in shown.families[i]),
            frozenset(pairs),
        )


def choose(
    shown: Shown, deciding: Mask, training: Mask, parents: Mapping[str, frozenset[str]], settings: SplitSettings
) -> tuple[Chosen, HeldOut]:
    """Chooses what is held out.

    `deciding` are the photographs that are counted, `training` those of them that would train; both (n_photographs,).
    """
    counts = _Counts(deciding, training, settings)
    used = frozenset(shown.objects[i] for i in np.flatnonzero(shown.of_object.count(deciding)))
    alone = isolated(used, parents)
    is_alone = np.array([name in alone for name in shown.objects], dtype=bool)

    names = shown.objects
    able = counts.candidates(shown.of_object) & is_alone
    objects = _draw(able, settings.unseen_objects, lambda i: (settings.seed, "unseen object", names[i]))
    left = _Left(shown, training & ~shown.of_object.showing(objects), settings.fewest_photographs)

    seen_on = _by_family(shown)
    able = counts.candidates(shown.of_family)
    families = _draw(
        able,
        settings.unseen_parts,
        lambda i: (settings.seed, "unseen part", shown.families[i][0]),
        lambda i: left.withdraw(shown.of_family.photographs(i), left.common(seen_on[i]), []),
    )

    able = counts.candidates(shown.of_pair) & np.array([is_alone[thing] for thing, _ in shown.pairs], dtype=bool)
    pairs = _draw(
        able,
        settings.unseen_pairs,
        lambda i: (settings.seed, "unseen pair", names[shown.pairs[i][0]], shown.families[shown.pairs[i][1]][0]),
        lambda i: left.withdraw(shown.of_pair.photographs(i), [shown.pairs[i][0]], [shown.pairs[i][1]]),
    )
    chosen = Chosen(objects, families, pairs)
    return chosen, chosen.names(shown, alone)


def _by_family(shown: Shown) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in shown.families]
    for thing, family in shown.pairs:
        found[family].append(thing)
    return found


def _draw(
    able: Mask,
    share: float,
    key: Callable[[int], tuple[object, ...]],
    admit: Callable[[int], bool] = lambda i: True,
) -> Mask:
    """Those of the candidates whose keyed number is under `share`, and that are admitted when their turn comes.

    Turns go by the keyed numbers. If there would be none, it is the first one that is admitted.
    """
    taken = np.zeros(len(able), dtype=bool)
    if share <= 0:
        return taken
    for number, i in sorted((keyed.fraction(*key(int(i))), int(i)) for i in np.flatnonzero(able)):
        if number >= share and taken.any():
            break
        taken[i] = admit(i)
    return taken


@dataclass(frozen=True, slots=True)
class _Counts:
    """Which things are seen neither too often nor too seldom."""

    deciding: Mask
    training: Mask
    settings: SplitSettings

    def candidates(self, things: Incidence) -> Mask:
        """Whether each thing could be held out, by the number of its photographs, some of which would train.

        The share is taken of the next lower power of two, so that a photograph more or less seldom moves the limit. It
        is `few` at least, unless there are hardly ten times as many photographs: of so few, none is given away.
        """
        n = int(self.deciding.sum())
        share = self.settings.most_photographs * (1 << (n.bit_length() - 1) if n else 0)
        count = things.count(self.deciding)
        enough = count >= self.settings.fewest_photographs
        most = max(share, self.settings.few) if n >= 10 * self.settings.few else share
        return enough & (count <= most) & (things.count(self.training) > 0)


@dataclass(slots=True)
class _Left:
    """What remains in training while parts and pairs are taken out of it."""

    shown: Shown
    training: Mask
    least: int
    objects: Ints = field(init=False)
    """Photographs left of each object category, and of each family of parts."""
    families: Ints = field(init=False)
    kept_objects: Mask = field(init=False)
    """Those that must stay, on account of what was taken out."""
    kept_families: Mask = field(init=False)

    def __post_init__(self) -> None:
        self.training = self.training.copy()
        self.objects = self.shown.of_object.count(self.training)
        self.families = self.shown.of_family.count(self.training)
        self.kept_objects = np.zeros(len(self.objects), dtype=bool)
        self.kept_families = np.zeros(len(self.families), dtype=bool)

    def common(self, objects: Sequence[int]) -> list[int]:
        """Those of the object categories that have the least number of photographs left."""
        return [i for i in objects if self.objects[i] >= self.least]

    def withdraw(self, photographs: Codes, objects: Sequence[int], families: Sequence[int]) -> bool:
        """Takes the photographs out if all that must stay does, these object categories and families included.

        Says whether it did; not if none of them is left to take out.
        """
        gone = photographs[self.training[photographs]]
        if not len(gone):
            return False
        objects_left = self.objects - self.shown.of_object.tally(gone)
        families_left = self.families - self.shown.of_family.tally(gone)
        kept_objects, kept_families = self.kept_objects.copy(), self.kept_families.copy()
        kept_objects[list(objects)] = True
        kept_families[list(families)] = True
        if (objects_left[kept_objects] < self.least).any() or (families_left[kept_families] < self.least).any():
            return False
        self.objects, self.families = objects_left, families_left
        self.kept_objects, self.kept_families = kept_objects, kept_families
        self.training[gone] = False
        return True
