"""What is said of a scene of invented objects: which parts an object has, which it lacks, and where they are.

The wordings are this module's own; none is one of the questions' templates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.tiny.invented import generator
from model.tiny.scenes import Drawn, Seen

_ACROSS: Final = ("left", "middle", "right")
_DOWN: Final = ("top", "center", "bottom")


@dataclass(frozen=True)
class Caption:
    """A question about a scene, and its answer."""

    question: str
    answer: str
    named: tuple[tuple[int, int, NDArray[np.bool_]], ...] = field(default=(), compare=False)
    """What the answer names and the photograph shows: its characters [start, end), and its mask (h, w)."""


def captions(drawn: Drawn, seed: int, number: int, count: int) -> list[Caption]:
    """So many captions of a scene's subject, drawn by (seed, number); those that say more come later."""
    rng = generator(seed, "captions", number)
    subject = drawn.objects[0]
    kinds = (_place, _presence, _at, _presence, _name, _presence)
    start = int(rng.integers(len(kinds)))
    # What a fresh category lacks can't be known.
    last = (_lacking if drawn.kind == "shared" else _at, _parts)
    said = [*(kinds[(start + place) % len(kinds)] for place in range(max(0, count - 2))), *last[-count:]]
    return [kind(subject, drawn, rng) for kind in said]


def absent(subject: Seen, rng: np.random.Generator) -> str:
    """A part that doesn't show: rather one that its category has than one that only others have."""
    names = subject.lacking if subject.lacking and rng.random() < 0.6 else subject.foreign
    return names[int(rng.integers(len(names)))]


def listed(names: list[str], article: str = "a") -> str:
    """ "a b, an a and a c"."""
    said = [f"{'an' if article == 'a' and name[0] in 'aeiou' else article} {name}" for name in names]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def place_of(mask: NDArray[np.bool_]) -> str:
    """Where a mask's middle lies in the photograph: "top left", "center", "bottom middle"."""
    rows, columns = np.nonzero(mask)
    down = _DOWN[min(2, int(3 * rows.mean() / mask.shape[0]))]
    across = _ACROSS[min(2, int(3 * columns.mean() / mask.shape[1]))]
    return "center" if (down, across) == ("center", "middle") else f"{down} {across}"


def _grounded(question: str, answer: str, shown: Iterable[tuple[str, NDArray[np.bool_]]]) -> Caption:
    """A caption that names what is `shown`, in that order."""
    named, at = [], 0
    for name, mask in shown:
        found = re.compile(rf"\b{re.escape(name)}\b").search(answer, at)
        assert found is not None, f"{answer!r} doesn't name {name!r}"
        at = found.end()
        named.append((found.start(), at, mask))
    return Caption(question, answer, tuple(named))


def _parts(subject: Seen, _: Drawn, rng: np.random.Generator) -> Caption:
    names = [part.name for part in subject.parts]
    if not names:
        return Caption(f"Describe the {subject.category}.", "Nothing of it shows.")
    wording = int(rng.integers(3))
    question = (
        f"Describe the {subject.category}.",
        f"What belongs to the {subject.category} here?",
        "What is seen of it?",
    )
    answer = (f"It shows {listed(names)}.", f"{listed(names).capitalize()}.", f"There is {listed(names)}.")
    return _grounded(question[wording], answer[wording], [(part.name, part.mask) for part in subject.parts])


def _at(subject: Seen, drawn: Drawn, rng: np.random.Generator) -> Caption:
    if not subject.parts:
        return _name(subject, drawn, rng)
    place = place_of(subject.parts[int(rng.integers(len(subject.parts)))].mask)
    there = [(part.name, part.mask) for part in subject.parts if place_of(part.mask) == place]
    answer = f"{listed([name for name, _ in there], 'the').capitalize()}."
    return _grounded(f"What is at the {place} of the {subject.category}?", answer, there)


def _lacking(subject: Seen, drawn: Drawn, rng: np.random.Generator) -> Caption:
    if not subject.lacking:
        return _parts(subject, drawn, rng)
    return Caption(f"What is missing on the {subject.category}?", f"Missing: {', '.join(subject.lacking)}.")


def _place(subject: Seen, drawn: Drawn, rng: np.random.Generator) -> Caption:
    if not subject.parts:
        return _name(subject, drawn, rng)
    part = subject.parts[int(rng.integers(len(subject.parts)))]
    answer = f"The {part.name} is at the {place_of(part.mask)}."
    return _grounded(f"Where is the {part.name}?", answer, [(part.name, part.mask)])


def _presence(subject: Seen, _: Drawn, rng: np.random.Generator) -> Caption:
    there = subject.parts
    if not there or rng.random() < 0.5:
        name = absent(subject, rng)
        return Caption(f"Does the {subject.category} show a {name}?", f"No, it shows no {name}.")
    part = there[int(rng.integers(len(there)))]
    answer = f"Yes, it shows a {part.name}."
    return _grounded(f"Does the {subject.category} show a {part.name}?", answer, [(part.name, part.mask)])


def _name(_: Seen, drawn: Drawn, rng: np.random.Generator) -> Caption:
    """All objects, from left to right."""
    wording = int(rng.integers(2))
    shown = sorted(drawn.objects, key=lambda seen: np.nonzero(seen.mask)[1].mean())
    names = [seen.category for seen in shown]
    return _grounded(
        ("What is shown?", "What is this called?")[wording],
        (f"{listed(names).capitalize()}.", f"It is {listed(names)}.")[wording],
        [(seen.category, seen.mask) for seen in shown],
    )
