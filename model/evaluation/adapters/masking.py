"""Baselines that make masks: from the object alone, from where parts lay in `train`, or from what they looked like.

They answer by chance; their masks are what counts. All know the object's box, some its mask, and none where its parts are. What
they reach with the true answer given is how far a part's name and the object's place lead by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from model.evaluation.adapters.baselines import Random
from model.evaluation.adapters.facts import GRID, Bitmap, Fact, Seen, facts, from_grid, seen, to_grid
from model.evaluation.asking import Asked, Part, Said
from model.evaluation.questions import Posed
from partonomy_data.photographs.places import Photographs
from partonomy_data.store.reader import Store

#: Objects of `train` that are looked at, at most.
MOST: Final = 4_000
#: Bins of red, green and blue, each.
_SHADES: Final = 8
Box = tuple[int, int, int, int]


class Way(Protocol):
    """How a part is found."""

    def mask(self, part: str, fact: Fact, posed: Posed) -> Bitmap:
        """The part's mask (h, w) in the whole photograph."""
        ...


class Masking(Random):
    """Chance's choices, with masks made in some way for the parts that an answer names."""

    def __init__(self, name: str, store: Store, way: Way) -> None:
        super().__init__()
        self.name = name
        self._store, self._way = store, way
        self._posed: dict[str, Posed] = {}
        self._facts: dict[str, Fact] = {}

    def told(self, posed: Sequence[Posed]) -> None:
        """What is about to be asked."""
        self._posed = {one.question_id: one for one in posed}
        self._facts = facts(self._store, list(self._posed))

    def segment(
        self, asked: Sequence[Asked], answers: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]
    ) -> list[Said | None]:
        """Masks of the parts that a given choice names."""
        return [
            self._said(one.question_id, text, wanted) for one, text, wanted in zip(asked, answers, spans, strict=True)
        ]

    def say(self, asked: Sequence[Asked]) -> list[Said | None]:
        """A choice by chance, with masks of what it names."""
        texts = [one.choices[self.number(one) % len(one.choices)] for one in asked]
        return [self._said(one.question_id, text, None) for one, text in zip(asked, texts, strict=True)]

    def _said(self, name: str, text: str, wanted: Sequence[tuple[int, int]] | None) -> Said:
        posed, fact = self._posed[name], self._facts[name]
        named = {(start, end): part for start, end, part in fact.choices[text]}
        view = posed.turns["parts"].view
        parts = []
        for place in named if wanted is None else wanted:
            mask = self._way.mask(named[place], fact, posed)
            parts.append(Part(*place, view.of(mask.astype(np.uint8)).astype(bool), 0.5))
        return Said(text, tuple(parts))


class WholeObject:
    """The object's own mask, whatever the part."""

    def mask(self, part: str, fact: Fact, posed: Posed) -> Bitmap:
        """The same for each part."""
        return fact.mask


class MeanLocation:
    """Where the part lies in the boxes of `train`'s objects of the same category, of all objects if none has it there."""

    def __init__(self, store: Store, seed: int = 0) -> None:
        self._sums: dict[tuple[str | None, str], tuple[NDArray[np.float64], int]] = {}
        for one in seen(store, MOST, seed):
            for part, bitmap in one.parts.items():
                for key in ((one.row["object_category"], part), (None, part)):
                    total, n = self._sums.get(key, (np.zeros((GRID, GRID)), 0))
                    self._sums[key] = total + to_grid(bitmap, one.box), n + 1

    def mask(self, part: str, fact: Fact, posed: Posed) -> Bitmap:
        """The likeliest cells, as many as the part has on average; the whole box for a part that `train` doesn't show."""
        found = self._sums.get((fact.object_category, part)) or self._sums.get((None, part))
        if found is None:
            return from_grid(np.ones((1, 1), bool), fact.box, *fact.mask.shape)
        share = found[0] / found[1]
        return from_grid(likeliest(share, share.sum()), fact.box, *fact.mask.shape)


class Nearest:
    """The part's mask in the object of `train` that looks most alike, carried over from box to box."""

    def __init__(self, store: Store, photographs: Photographs, seed: int = 0) -> None:
        self._looks: dict[str, list[NDArray[np.float64]]] = {}
        self._grids: dict[str, list[Bitmap]] = {}
        for one in seen(store, MOST, seed):
            look = descriptor(_open(photographs, one), one.box)
            for part, bitmap in one.parts.items():
                self._looks.setdefault(part, []).append(look)
                self._grids.setdefault(part, []).append(to_grid(bitmap, one.box))

    def mask(self, part: str, fact: Fact, posed: Posed) -> Bitmap:
        """That of the nearest object with the part; the whole box if none has it."""
        if part not in self._looks:
            return from_grid(np.ones((1, 1), bool), fact.box, *fact.mask.shape)
        away = np.linalg.norm(np.stack(self._looks[part]) - descriptor(*_viewed(fact, posed)), axis=1)
        return from_grid(self._grids[part][int(away.argmin())], fact.box, *fact.mask.shape)


class Color:
    """The largest piece of the object that has the part's colors, as `train` shows them."""

    def __init__(self, store: Store, photographs: Photographs, seed: int = 0) -> None:
        self._of_part: dict[str, NDArray[np.float64]] = {}
        self._all = np.zeros(_SHADES**3)
        self._share: dict[str, tuple[float, int]] = {}
        for one in seen(store, MOST, seed):
            pixels, box = np.asarray(_open(photographs, one)), one.box
            inside = _shades(pixels[box[1] : box[3], box[0] : box[2]])
            self._all += np.bincount(inside.ravel(), minlength=_SHADES**3)
            for part, bitmap in one.parts.items():
                own = np.bincount(_shades(pixels)[bitmap], minlength=_SHADES**3)
                self._of_part[part] = self._of_part.get(part, np.zeros(_SHADES**3)) + own
                total, n = self._share.get(part, (0.0, 0))
                self._share[part] = total + bitmap.sum() / inside.size, n + 1

    def mask(self, part: str, fact: Fact, posed: Posed) -> Bitmap:
        """Its likeliest pixels inside the object, as many as it has on average, and of them the largest connected piece."""
        if part not in self._of_part:
            return fact.mask
        image, (left, top, right, bottom) = _viewed(fact, posed)
        shades = _shades(np.asarray(image)[top:bottom, left:right])
        share = (self._of_part[part] / (self._all + 1.0))[shades]
        x, y = fact.box[0], fact.box[1]
        inside = fact.mask[y : y + shades.shape[0], x : x + shades.shape[1]]
        total, n = self._share[part]
        chosen = likeliest(np.where(inside, share, -1.0), total / n * shades.size) & inside
        pieces, count = ndimage.label(chosen)
        whole = np.zeros(fact.mask.shape, bool)
        if count:
            largest = 1 + int(np.bincount(pieces.ravel())[1:].argmax())
            whole[y : y + shades.shape[0], x : x + shades.shape[1]] = pieces == largest
        return whole


def likeliest(share: NDArray[np.float64], number: float) -> Bitmap:
    """Of an array of shares, the highest, about so many; one at the least."""
    flat = share.ravel()
    kept = min(max(1, round(number)), flat.size)
    chosen = np.zeros(flat.size, bool)
    chosen[np.argsort(-flat, kind="stable")[:kept]] = True
    return chosen.reshape(share.shape)


def descriptor(image: Image.Image, box: Box) -> NDArray[np.float64]:
    """Colors and edges in a box: means of 4 by 4 cells, and how strong edges are in 8 directions there; float64 (176,)."""
    small = np.asarray(image.crop(box).resize((32, 32), Image.Resampling.BILINEAR), np.float64) / 255
    color = small.reshape(4, 8, 4, 8, 3).mean(axis=(1, 3))
    down, right = np.gradient(small.mean(axis=2))
    strength, turn = np.hypot(down, right), (np.arctan2(down, right) / np.pi + 1) * 4
    edges = np.stack([np.where(turn.astype(int) % 8 == one, strength, 0) for one in range(8)], axis=2)
    edges = edges.reshape(4, 8, 4, 8, 8).mean(axis=(1, 3))
    return np.concatenate([color.ravel(), 4 * edges.ravel()])


def _viewed(fact: Fact, posed: Posed) -> tuple[Image.Image, Box]:
    """What is shown, and the object's box in it."""
    view = posed.turns["parts"].view
    left, top, right, bottom = fact.box
    x, y = max(left - view.left, 0), max(top - view.top, 0)
    box = (
        x,
        y,
        max(min(right - view.left, view.image.width), x + 1),
        max(min(bottom - view.top, view.image.height), y + 1),
    )
    return view.image, box


def _open(photographs: Photographs, one: Seen) -> Image.Image:
    row = one.row
    return photographs.open(row["source"], row["uri"], row["width"], row["height"], transposed=bool(row["transposed"]))


def _shades(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(…, 3) to (…): the bin of each pixel's color."""
    bins = pixels.astype(np.int64) * _SHADES // 256
    return np.asarray((bins[..., 0] * _SHADES + bins[..., 1]) * _SHADES + bins[..., 2])
