"""PLUM: choices by likelihood, masks under given spans, and answers of its own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from model.evaluation.asking import Asked, Chosen, Part, Said
from model.plum import answering, marking
from model.plum.answering import Answer, Look
from model.plum.model import Plum

#: Views that are kept: those of the questions that are asked together.
_LOOKS: Final = 64


class PlumModel:
    """A trained PLUM. Each view is looked at once for all that is asked about it."""

    def __init__(self, name: str, plum: Plum, longest: int = 128) -> None:
        """`longest`: tokens of an answer in its own words."""
        self.name = name
        self._plum, self._longest = plum.eval(), longest
        self._looks: OrderedDict[str, Look] = OrderedDict()

    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        """By the sum of the log-likelihoods of a choice's tokens, and by the masks of its parts if the settings ask for it
        (`PlumConfig.grounding`); None where two have the highest score.

        A model with [SEG] tokens writes one after each part that it names, so its choices have them too; their likelihood, and
        their number, is part of a choice's.
        """
        found: list[Chosen | None] = []
        texts = [self._written(one) for one in asked]
        spans = [one.spans or ((),) * len(one.choices) for one in asked]
        for scores in answering.score_choices(self._plum, self._seen(asked), texts, spans):
            sums = [score.total for score in scores]
            best = [place for place, value in enumerate(sums) if value == max(sums)]
            lengths = tuple(score.tokens for score in scores)
            found.append(Chosen(best[0] if len(best) == 1 else None, tuple(sums), lengths))
        return found

    def _written(self, one: Asked) -> tuple[str, ...]:
        """The choices as the model would write them."""
        if self._plum.config.marking != "seg_token" or not one.spans:
            return one.choices
        return tuple(marking.mark(text, spans)[0] for text, spans in zip(one.choices, one.spans, strict=True))

    def segment(
        self, asked: Sequence[Asked], answers: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]
    ) -> list[Said | None]:
        """Masks for given spans."""
        made = answering.segment_spans(self._plum, self._seen(asked), answers, spans)
        found: list[Said | None] = []
        for answer, wanted in zip(made, spans, strict=True):
            by_place = {(one.start, one.end): one for one in answer.named}
            parts = [Part(*place, by_place[place].mask, by_place[place].iou) for place in wanted]
            found.append(Said(answer.text, tuple(parts)))
        return found

    def tag(self, asked: Sequence[Asked], answers: Sequence[str]) -> list[tuple[tuple[int, int], ...] | None]:
        """Those that the span extractor tags; None for a model with [SEG] tokens, which marks only what it writes."""
        if self._plum.config.marking == "seg_token":
            return [None] * len(asked)
        made = answering.segment_spans(self._plum, self._seen(asked), answers)
        return [tuple((part.start, part.end) for part in one.named) for one in made]

    def say(self, asked: Sequence[Asked]) -> list[Said | None]:
        """The likeliest tokens, one after the other."""
        return [_said(one) for one in answering.generate(self._plum, self._seen(asked), self._longest)]

    def _seen(self, asked: Sequence[Asked]) -> list[answering.Asked]:
        new = {one.view_id: one.image for one in asked if one.view_id not in self._looks}
        self._looks.update(zip(new, answering.look(self._plum, list(new.values())), strict=True))
        for one in asked:
            self._looks.move_to_end(one.view_id)
        seen = [answering.Asked(self._looks[one.view_id], one.question, one.history) for one in asked]
        while len(self._looks) > _LOOKS:
            self._looks.popitem(last=False)
        return seen


def _said(answer: Answer) -> Said:
    return Said(answer.text, tuple(Part(one.start, one.end, one.mask, one.iou) for one in answer.named))
