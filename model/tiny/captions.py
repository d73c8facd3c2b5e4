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


#: A name in a text: its characters [start, end), and the mask (h, w) of what it names.
Named = tuple[int, int, NDArray[np.bool_]]


@dataclass(frozen=True)
class Caption:
    """A question about a scene, and its answer."""

    question: str
    answer: str
    named: tuple[Named, ...] = field(default=(), compare=False)
    """What the answer names and the photograph shows."""
    asked: tuple[Named, ...] = field(default=(), compare=False)
    """What the question names; the mask of what doesn't show is empty."""


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


def absent(subject: Seen, rng: np.random.Generator, own: float = 0.6) -> str:
    """A part that doesn't show: with the chance `own` one that its category has, if any is hidden; else one of others."""
    names = subject.lacking if subject.lacking and rng.random() < own else subject.foreign
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


def _said(
    question: str,
    answer: str,
    asked: Iterable[tuple[str, NDArray[np.bool_]]],
    shown: Iterable[tuple[str, NDArray[np.bool_]]] = (),
) -> Caption:
    """A caption whose question names what is `asked`, and whose answer what is `shown`, in these orders."""
    return Caption(question, answer, _found(answer, shown), _found(question, asked))


def _found(text: str, names: Iterable[tuple[str, NDArray[np.bool_]]]) -> tuple[Named, ...]:
    found, at = [], 0
    for name, mask in names:
        match = re.compile(rf"\b{re.escape(name)}\b").search(text, at)
        assert match is not None, f"{text!r} doesn't name {name!r}"
        at = match.end()
        found.append((match.start(), at, mask))
    return tuple(found)


def _parts(subject: Seen, _: Drawn, rng: np.random.Generator) -> Caption:
    names = [part.name for part in subject.parts]
    whole = (subject.category, subject.mask)
    if not names:
        return _said(f"Describe the {subject.category}.", "Nothing of it shows.", [whole])
    wording = int(rng.integers(3))
    question = (
        f"Describe the {subject.category}.",
        f"What belongs to the {subject.category} here?",
        f"What is seen of the {subject.category}?",
    )
    answer = (f"It shows {listed(names)}.", f"{listed(names).capitalize()}.", f"There is {listed(names)}.")
    return _said(question[wording], answer[wording], [whole], [(part.name, part.mask) for part in subject.parts])


def _at(subject: Seen, drawn: Drawn, rng: np.random.Generator) -> Caption:
    if not subject.parts:
        return _name(subject, drawn, rng)
    place = place_of(subject.parts[int(rng.integers(len(subject.parts)))].mask)
    there = [(part.name, part.mask) for part in subject.parts if place_of(part.mask) == place]
    answer = f"{listed([name for name, _ in there], 'the').capitalize()}."
    return _said(
        f"What is at the {place} of the {subject.category}?", answer, [(subject.category, subject.mask)], there
    )


def _lacking(subject: Seen, drawn: Drawn, rng: np.random.Generator) -> Caption:
    if not subject.lacking:
        return _parts(subject, drawn, rng)
    answer = f"Missing: {', '.join(subject.lacking)}."
    return _said(f"What is missing on the {subject.category}?", answer, [(subject.category, subject.mask)])


def _place(subject: Seen, drawn: Drawn, rng: np.random.Generator) -> Caption:
    if not subject.parts:
        return _name(subject, drawn, rng)
    part = subject.parts[int(rng.integers(len(subject.parts)))]
    named = (part.name, part.mask)
    question = f"Where is the {part.name} of the {subject.category}?"
    answer = f"The {part.name} is at the {place_of(part.mask)}."
    return _said(question, answer, [named, (subject.category, subject.mask)], [named])


def _presence(subject: Seen, _: Drawn, rng: np.random.Generator) -> Caption:
    there = subject.parts
    whole = (subject.category, subject.mask)
    if not there or rng.random() < 0.5:
        name = absent(subject, rng)
        nothing = np.zeros_like(subject.mask)
        question = f"Does the {subject.category} show a {name}?"
        return _said(question, f"No, it shows no {name}.", [whole, (name, nothing)])
    part = there[int(rng.integers(len(there)))]
    named = (part.name, part.mask)
    return _said(
        f"Does the {subject.category} show a {part.name}?", f"Yes, it shows a {part.name}.", [whole, named], [named]
    )


def _name(_: Seen, drawn: Drawn, rng: np.random.Generator) -> Caption:
    """All objects, from left to right."""
    wording = int(rng.integers(2))
    shown = sorted(drawn.objects, key=lambda seen: np.nonzero(seen.mask)[1].mean())
    names = [seen.category for seen in shown]
    return _said(
        ("What is shown?", "What is this called?")[wording],
        (f"{listed(names).capitalize()}.", f"It is {listed(names)}.")[wording],
        [],
        [(seen.category, seen.mask) for seen in shown],
    )
