"""Texts are read once where they are the same: what stands up to the end of a photograph, for all texts about it.

A text begins with the words before the photograph, and the photograph; for a large model these are most of its tokens. They
are read once for each photograph into a cache, which each text goes on from; gradients flow back through it. Where states are
computed again in the backward pass nothing can be kept, and each text is read whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from model.plum.backbone import Backbone, Picture, Texts


class Look(Protocol):
    """A photograph that a model has looked at."""

    @property
    def picture(self) -> Picture:
        """As the backbone takes it."""

    @property
    def features(self) -> Tensor:
        """(tokens, hidden)."""


@dataclass(frozen=True)
class Shown:
    """P photographs, and which of them each of N texts is about."""

    pictures: Sequence[Picture]
    features: Sequence[Tensor]
    """P of (tokens, hidden)."""
    of: Sequence[int]
    """N."""

    @staticmethod
    def by(looks: Sequence[Look]) -> Shown:
        """From the look at each text's photograph; one that several texts are about is there once."""
        once = {id(look): look for look in looks}
        place = {key: number for number, key in enumerate(once)}
        several = list(once.values())
        return Shown(
            [one.picture for one in several], [one.features for one in several], [place[id(look)] for look in looks]
        )


@dataclass(frozen=True)
class Read:
    """N texts that were read."""

    texts: Texts
    """All of them, whole."""
    states: Tensor
    """(N, T - skipped, hidden): of each text's tokens after its first `skipped` ones, then padding."""
    skipped: Tensor
    """int64 (N,): how many of each text's tokens were read for all of a photograph's texts."""
    cache: Any
    """Keys and values of the texts, to go on from; None where they were read whole and not asked for."""
    seen: Tensor
    """bool (N, C): which places of the cache hold a token."""

    def last(self) -> Tensor:
        """(N, hidden): the state of each text's last token."""
        rows = torch.arange(len(self.states), device=self.states.device)
        return self.states[rows, self.texts.mask.sum(1) - 1 - self.skipped]


def read(
    backbone: Backbone,
    rows: Sequence[Sequence[int]],
    shown: Shown,
    *,
    keep: bool = False,
    until: Sequence[int] | None = None,
) -> Read:
    """Reads N rows of token ids, each about one of the photographs that are `shown`.

    With `keep` there is a cache to go on from. The states of each row's tokens from `until` on (its last one, if not given) are
    never skipped. Raises ModelError for a text that is too long.
    """
    of = shown.of
    texts = backbone.texts(rows, [shown.pictures[number] for number in of])
    openings: dict[tuple[int, tuple[int, ...]], int] = {}
    lengths = []
    opening_of = []
    for row, number, most in zip(rows, of, until or [len(row) - 1 for row in rows], strict=True):
        length = min(_end_of_image(row, backbone.image_token_id), most)
        lengths.append(length)
        opening_of.append(openings.setdefault((number, tuple(row[:length])), len(openings)))
    if backbone.computes_again or len(openings) == len(rows):
        cache = backbone.new_cache() if keep else None
        states = backbone.states(texts, [shown.features[number] for number in of], cache=cache)
        return Read(texts, states, texts.mask.new_zeros(len(rows), dtype=torch.int64), cache, texts.mask)
    firsts = [opening_of.index(number) for number in range(len(openings))]
    openers = _cut(texts, firsts, [0] * len(firsts), [lengths[row] for row in firsts])
    cache = backbone.new_cache()
    backbone.states(openers, [shown.features[of[row]] for row in firsts], cache=cache)
    places = torch.tensor(opening_of, device=texts.ids.device)
    cache.batch_select_indices(places)
    tails = _cut(texts, range(len(rows)), lengths, [len(row) for row in rows])
    states = backbone.states(tails, [], cache=cache, seen=openers.mask[places])
    skipped = torch.tensor(lengths, device=states.device)
    return Read(texts, states, skipped, cache, torch.cat([openers.mask[places], tails.mask], 1))


def _end_of_image(row: Sequence[int], image: int) -> int:
    """How many tokens stand up to the photograph's last one."""
    return len(row) - list(reversed(row)).index(image)


def _cut(texts: Texts, rows: Sequence[int], starts: Sequence[int], ends: Sequence[int]) -> Texts:
    """From some rows the tokens [start, end), padded anew."""
    device = texts.ids.device
    width = max(end - start for start, end in zip(starts, ends, strict=True))
    places = torch.tensor(starts, device=device)[:, None] + torch.arange(width, device=device)
    mask = places < torch.tensor(ends, device=device)[:, None]
    places = places.clamp(max=texts.ids.shape[1] - 1)
    chosen = torch.tensor(list(rows), device=device)
    positions = texts.positions.index_select(-2, chosen)
    return Texts(
        texts.ids[chosen].gather(1, places),
        mask,
        positions.gather(-1, places.expand(*positions.shape[:-1], width)),
    )
