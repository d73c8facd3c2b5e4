"""Which samples each optimiser step takes: decided by (seed, epoch) alone.

A step's samples don't depend on the number of processes, of threads, or on where a run was stopped. Questions about one view of a
photograph may be kept together, so that its embedding is computed once for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.plum.errors import ModelError

Int64s = NDArray[np.int64]


@dataclass(frozen=True)
class Effective:
    """The batch of an optimiser step, and how it is worked off."""

    samples: int
    """In the whole step."""
    at_once: int
    """In one forward pass of one process."""
    processes: int = 1

    def __post_init__(self) -> None:
        """Raises ModelError where it doesn't come out even."""
        if self.samples < 1 or self.at_once < 1 or self.samples % (self.at_once * self.processes):
            raise ModelError(
                f"a step of {self.samples} samples can't be dealt to {self.processes} processes, {self.at_once} at once",
                mend=f"Set optimisation.batch to a multiple of {self.at_once * self.processes}",
            )

    @classmethod
    def dealt(cls, samples: int, at_once: int, processes: int) -> Effective:
        """A batch with at most so many samples in a forward pass: fewer, where a process's share of the step is smaller."""
        return cls(samples, max(1, min(at_once, samples // processes)), processes)

    @property
    def accumulated(self) -> int:
        """Forward passes of each process in a step."""
        return self.samples // (self.at_once * self.processes)


def epoch_order(
    views: Int64s,
    seed: int,
    epoch: int,
    together: int = 1,
    types: Sequence[str] = (),
    weights: Mapping[str, float] | None = None,
) -> Int64s:
    """int64 (n,): the order of an epoch's samples; a permutation, unless `weights` ask for a mixture.

    `views` (n,) tells which samples share a view: at most `together` of them follow each other. With `weights`, each place in the
    order draws the type of its sample by them, and takes the next of that type, over and over where there are few.
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    shuffled = generator.permutation(len(views))
    order = _kept_together(shuffled, views, together, generator) if together > 1 else shuffled
    if not weights:
        return order
    return _mixed(order, np.asarray(types), weights, generator)


def _kept_together(shuffled: Int64s, views: Int64s, together: int, generator: np.random.Generator) -> Int64s:
    by_view = shuffled[np.argsort(views[shuffled], kind="stable")]
    of = views[by_view]
    starts = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])
    place = np.arange(len(of)) - np.repeat(starts, np.diff(np.r_[starts, len(of)]))
    group = np.cumsum((place % together) == 0) - 1
    rank = generator.permutation(int(group[-1]) + 1) if len(group) else group
    return by_view[np.argsort(rank[group], kind="stable")]


def _mixed(
    order: Int64s, types: NDArray[np.str_], weights: Mapping[str, float], generator: np.random.Generator
) -> Int64s:
    there = [kind for kind, weight in sorted(weights.items()) if weight > 0 and (types == kind).any()]
    share = np.asarray([weights[kind] for kind in there], np.float64)
    drawn = generator.choice(len(there), size=len(order), p=share / share.sum())
    mixed = np.empty(len(order), np.int64)
    of_order = types[order]
    for number, kind in enumerate(there):
        own = order[of_order == kind]
        places = np.flatnonzero(drawn == number)
        mixed[places] = own[np.arange(len(places)) % len(own)]
    return mixed


def steps_of(n: int, effective: Effective) -> int:
    """Optimiser steps of an epoch of n samples; what doesn't fill a step is left to the next epoch's order."""
    found = n // effective.samples
    if not found:
        raise ModelError(
            f"{n} samples don't fill one step of {effective.samples}",
            mend="Lower training.batch, or select more questions",
        )
    return found


def passes(
    order: Int64s,
    lengths: Int64s,
    views: Int64s,
    step: int,
    effective: Effective,
    process: int = 0,
    work: NDArray[np.float64] | None = None,
) -> list[Int64s]:
    """The samples of each forward pass of one process in a step.

    The step's samples are sorted by length before they are cut into passes, so that little is padded; those of one view by their
    longest, so that they stay together. The passes that processes work off side by side are dealt so that each has about the
    same `work`, as the step takes as long as the last of them. `lengths`, `views` and `work` (n,) are of all samples; where
    `work` isn't given, it is the length.
    """
    mine = order[step * effective.samples : (step + 1) * effective.samples]
    _, of = np.unique(views[mine], return_inverse=True)
    longest = np.zeros(len(mine), np.int64)
    np.maximum.at(longest, of, lengths[mine])
    mine = mine[np.lexsort((lengths[mine], of, longest[of]))]
    rounds = mine.reshape(-1, effective.at_once * effective.processes)
    if effective.processes == 1:
        return list(rounds)
    heavy = np.asarray(lengths if work is None else work, np.float64)
    return [_dealt(one, views, heavy, effective)[process] for one in rounds]


def _dealt(samples: Int64s, views: Int64s, work: NDArray[np.float64], effective: Effective) -> list[Int64s]:
    """Samples (processes * at_once,) dealt to the processes, in the order they have.

    View by view, from the one with most work: each goes to the process with the least so far of those with room for all of it.
    Where none has, it is cut.
    """
    _, of = np.unique(views[samples], return_inverse=True)
    total = np.bincount(of, work[samples])
    room, so_far = [effective.at_once] * effective.processes, [0.0] * effective.processes
    taker = np.zeros(len(samples), np.int64)
    for view in np.argsort(-total, kind="stable"):
        left = np.flatnonzero(of == view)
        while len(left):
            fit = [one for one, free in enumerate(room) if free >= len(left)]
            to = min(fit, key=lambda one: so_far[one]) if fit else int(np.argmax(room))
            now, left = left[: room[to]], left[room[to] :]
            taker[now] = to
            room[to] -= len(now)
            so_far[to] += float(work[samples[now]].sum())
    return [samples[taker == process] for process in range(effective.processes)]
