"""Lists of parts to choose from: the one that a scene shows, and some that are wrong by a part or two.

To go on with a list asks little of the photograph: most parts that a category has do show. So the language model also learns
which of several lists is right, where what is right and what is wrong differ by what can be seen alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from model.plum import losses, scoring
from model.plum.backbone import Backbone
from model.plum.reading import Shown
from model.tiny.captions import absent, listed
from model.tiny.invented import generator
from model.tiny.language import Heard
from model.tiny.scenes import Drawn, Seen

#: Lists to choose from, at most.
LISTS: Final = 4
_WORDINGS: Final = (
    ("Which parts of the {} are seen?", "{}."),
    ("List what can be seen of the {}.", "It shows {}."),
    ("Say what the {} shows.", "Seen: {}."),
)


@dataclass(frozen=True)
class Lists:
    """A question about a scene, and answers to choose from; the first is right."""

    question: str
    answers: tuple[str, ...]


def lists(drawn: Drawn, seed: int, number: int) -> Lists | None:
    """Of a scene's subject, drawn by (seed, number). None where nothing of it shows."""
    rng = generator(seed, "lists", number)
    subject = drawn.objects[0]
    right = tuple(part.name for part in subject.parts)
    if not right:
        return None
    # That a category never has a part could be known without the photograph, where names are more than outlines.
    own = 1.0 if drawn.kind == "shared" else 0.5
    found = {right: None}
    for _ in range(4 * LISTS):
        if len(found) == LISTS:
            break
        found[_edited(right, subject, own, rng)] = None
    question, answer = _WORDINGS[int(rng.integers(len(_WORDINGS)))]
    return Lists(question.format(subject.category), tuple(answer.format(listed(list(names), "the")) for names in found))


def _edited(right: tuple[str, ...], subject: Seen, own: float, rng: np.random.Generator) -> tuple[str, ...]:
    """A list that is wrong: one that doesn't show instead of one that does, or one too many, or too few. Sorted."""
    kind = rng.random()
    names = set(right)
    if kind < 0.75 and len(right) > 1:
        names.remove(right[int(rng.integers(len(right)))])
    if kind < 0.5 or kind >= 0.75 or len(right) == 1:
        names.add(absent(subject, rng, own))
    return tuple(sorted(names))


def loss_of(backbone: Backbone, heard: Heard, given: Sequence[Lists | None]) -> tuple[Tensor, float]:
    """The loss of choosing, a scene; and how often the right list is the likeliest. `given` has the lists of each scene."""
    asked = [(place, one) for place, one in enumerate(given) if one is not None]
    if not asked:
        return heard.loss.new_zeros(()), 0.0
    prompts = [backbone.renderer.prompt(heard.pictures[place].replacement, one.question) for place, one in asked]
    answers = [
        backbone.renderer.answered(prompt, answer)
        for prompt, (_, one) in zip(prompts, asked, strict=True)
        for answer in one.answers
    ]
    counts = [len(one.answers) for _, one in asked]
    of = torch.repeat_interleave(torch.arange(len(asked)), torch.tensor(counts))
    first = torch.tensor([0, *np.cumsum(counts)[:-1].tolist()])
    shown = Shown(heard.pictures, heard.features, [place for place, _ in asked])
    scores = scoring.log_likelihoods(backbone, prompts, shown, answers, of.tolist())
    with torch.no_grad():
        best = torch.stack([scores[of == number].argmax() for number in range(len(asked))])
    return losses.listwise(scores, of, first) / len(asked), float((best == 0).float().mean())
