"""Which parts of simulated objects are to be seen, and how large: what a blind guesser could learn something from.

An object is seen from the front, the side, the back or from close by; some parts go with some of these views. A part
shows less often the rarer it is in its category, less the smaller it would be, and not where the
image's border cuts it off. So sets of visible parts hang together, some are typical, and a small or cut object has few
parts: as in photographs, and so that shortcuts would pay if the questions let them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks import simulated_chance as chance
from benchmarks.simulated_chance import Floats, Words
from benchmarks.simulated_design import Design
from partonomy_data.taxonomy.names import SourceNames

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Seen from the front, the side, the back, close by: how often.
_VIEWS: Final = np.cumsum([0.35, 0.35, 0.15, 0.15])
CLOSE: Final = 3
#: A part is not to be seen at all with fewer pixels than this, and seen half of the time with so many (log2), give or take.
_FEWEST_PIXELS: Final = 4
_HALF_SEEN: Final = 7.5
_GIVE_OR_TAKE: Final = 1.0
#: width, height
_SIZES: Final = np.array([(640, 480), (640, 480), (480, 640), (500, 375), (640, 427)])


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of object and part of a design, by canonical name: those of object `c` are `starts[c]` to `starts[c+1]`.

    Within an object they are sorted by the part's name. The parameters have a row for each pair.
    """

    keys: tuple[str, ...]
    """Of each object, what the source calls it."""
    categories: NDArray[np.object_]
    """Its canonical name."""
    starts: Ints
    parts: tuple[str, ...]
    """All part names, sorted."""
    code: Ints
    """Place of the pair's part in `parts`."""
    log_odds: Floats
    """(pairs, views): log odds that the part shows."""
    share: Floats
    """Share of the object's area that it takes, at the median."""
    place: Floats
    """(pairs, 2): where in the object it lies, from 0 to 1 along x and y."""
    most_masks: Ints


def pairs(design: Design, names: SourceNames, seed: int) -> Pairs:
    """The pairs that a design's vocabulary declares, with parameters that depend on the seed and the two names alone."""
    declared: dict[str, set[str]] = defaultdict(set)
    for part in design.vocabulary.parts:
        if part.key in names.parts:
            declared[part.object_key].add(names.parts[part.key].part_category)
    keys = tuple(one.key for one in design.vocabulary.objects if one.key in names.objects)
    categories = [names.objects[one] for one in keys]
    flat = [(category, part) for own, category in zip(keys, categories, strict=True) for part in sorted(declared[own])]
    every = tuple(sorted({part for _, part in flat}))
    at = {part: place for place, part in enumerate(every)}
    item = chance.keys(f"{category}\0{part}" for category, part in flat)
    views = np.arange(len(_VIEWS))
    odds = design.commonness + 1.4 * chance.normal(seed, "odds", item)[:, None]
    odds = odds + 1.2 * chance.normal(seed, "view", item[:, None], views)
    odds[chance.uniform(seed, "impossible", item) < design.impossible] = -20.0
    share = np.exp(-2.5 + 1.2 * chance.normal(seed, "share", item))
    several = np.array([1, 1, 1, 2, 2, 4])[(chance.uniform(seed, "several", item) * 6).astype(int)]
    return Pairs(
        keys=keys,
        categories=np.array(categories, object),
        starts=np.concatenate([[0], np.cumsum([len(declared[one]) for one in keys])]).astype(np.int64),
        parts=every,
        code=np.array([at[part] for _, part in flat], np.int64),
        log_odds=odds,
        share=np.clip(share, 0.002, 0.6),
        place=np.stack([chance.uniform(seed, axis, item) for axis in ("x", "y")], axis=1),
        most_masks=np.ones(len(flat), np.int64) if design.one_mask else several.astype(np.int64),
    )


def image_sizes(seed: int, photographs: Words) -> Ints:
    """(photographs, 2): width and height in pixels."""
    return np.asarray(_SIZES[(chance.uniform(seed, "image size", photographs) * len(_SIZES)).astype(int)])


@dataclass(frozen=True, slots=True)
class Objects:
    """Some objects; arrays have a row for each."""

    item: Words
    """A whole number for each, which its random numbers depend on."""
    view: Ints
    full_area: Floats
    """Pixels that it would take if nothing were cut off."""
    cut: Floats
    """Share that lies beyond the image's border."""
    side: Ints
    """Which border: left, top, right, bottom."""
    box: Floats
    """(objects, 4): x, y, width, height in pixels."""

    @property
    def area(self) -> Ints:
        """Pixels that it takes."""
        return np.maximum(self.full_area * (1 - self.cut), 1).astype(np.int64)


def objects(seed: int, item: Words, sizes: Ints, mean_size: float) -> Objects:
    """The geometry of objects in images of `sizes` (objects, 2). `mean_size`: log2 of the share of the image, at the mean."""
    view = np.searchsorted(_VIEWS, chance.uniform(seed, "view", item)).clip(0, len(_VIEWS) - 1)
    close = view == CLOSE
    image = sizes.prod(axis=1).astype(np.float64)
    log_share = mean_size + 1.9 * chance.normal(seed, "size", item) + 2.0 * close
    full = image * np.exp2(np.clip(log_share, -11, -0.1))
    often = np.clip(0.08 + 0.5 * full / image + 0.3 * close, 0, 0.9)
    cut = np.where(
        chance.uniform(seed, "is cut", item) < often, 0.05 + 0.6 * chance.uniform(seed, "cut", item) ** 2, 0.0
    )
    side = (chance.uniform(seed, "side", item) * 4).astype(np.int64)
    return Objects(item, view, full, cut, side, _boxes(seed, item, sizes, full * (1 - cut), cut, side))


def _boxes(seed: int, item: Words, sizes: Ints, area: Floats, cut: Floats, side: Ints) -> Floats:
    """Boxes that hold the visible area at a fill of two thirds, at the border that cuts the object, else off all of them."""
    aspect = np.exp(0.4 * chance.normal(seed, "aspect", item))
    limits = np.maximum(sizes.astype(np.float64) - 4, 4)
    width = np.clip(np.sqrt(area * 1.5 * aspect), 2, limits[:, 0])
    height = np.clip(area * 1.5 / width, 2, limits[:, 1])
    x = 2 + chance.uniform(seed, "box x", item) * (limits[:, 0] - width)
    y = 2 + chance.uniform(seed, "box y", item) * (limits[:, 1] - height)
    touches = cut > 0
    x = np.where(touches & (side == 0), 0, np.where(touches & (side == 2), sizes[:, 0] - width, x))
    y = np.where(touches & (side == 1), 0, np.where(touches & (side == 3), sizes[:, 1] - height, y))
    return np.asarray(np.stack([x, y, width, height], axis=1).round(1))


@dataclass(frozen=True, slots=True)
class Seen:
    """The declared parts of some objects; arrays have a row for each object and part of its category, in their order."""

    owner: Ints
    """Row of the object."""
    pair: Ints
    pixels: Ints
    """What is to be seen of it; 0 if nothing."""


def seen(seed: int, things: Objects, category: Ints, known: Pairs) -> Seen:
    """What is to be seen of the parts of each object. `category`: the object's place in `known.keys`."""
    lengths = known.starts[category + 1] - known.starts[category]
    owner = np.repeat(np.arange(len(category)), lengths)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    pair = known.starts[category][owner] + offset
    item, code = things.item[owner], known.code[pair]
    # What stands before an object hides many of its parts at once.
    odds = known.log_odds[pair, things.view[owner]] + 0.8 * chance.normal(seed, "hidden", things.item)[owner]
    pixels = things.full_area[owner] * known.share[pair] * np.exp(0.4 * chance.normal(seed, "pixels", item, code))
    side = things.side[owner]
    along = known.place[pair, side % 2]
    from_border = np.where(side < 2, along, 1 - along)
    pixels = pixels * np.clip((from_border - things.cut[owner]) / 0.15 + 0.5 * (things.cut[owner] == 0), 0, 1)
    whole = np.minimum(pixels, things.area[owner]).astype(np.int64)
    clear = 1 / (1 + np.exp((_HALF_SEEN - np.log2(np.maximum(whole, 1))) / _GIVE_OR_TAKE))
    shows = chance.uniform(seed, "shows", item, code) < clear / (1 + np.exp(-odds))
    return Seen(owner, pair, np.where(shows & (whole >= _FEWEST_PIXELS), whole, 0))
