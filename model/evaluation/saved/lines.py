"""A line of a file of predictions: what a model said to one question. docs/evaluation.md describes it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from model.evaluation.choices import kept
from model.plum.errors import ModelError
from partonomy_data.masks import RleJson, Segmentation

#: Bytes of the longest line: some thousand masks. A file without line ends must not end up in memory.
LONGEST: Final = 64 << 20


class SpanOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Characters [start, end) of a text that name a part."""

    start: int
    end: int
    part: str


class MaskOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part's mask in the whole photograph: run lengths as COCO has them, or polygons in pixels."""

    part: str
    rle: dict[str, Any] | None = None
    polygons: list[list[float]] | None = None
    score: float = 0.0

    def segmentation(self) -> Segmentation | None:
        """What is to be encoded; None for what is neither run lengths nor polygons, or both. Nothing else is checked."""
        if (self.rle is None) == (self.polygons is None):
            return None
        if self.polygons is not None:
            return self.polygons
        try:
            return msgspec.convert(self.rle, RleJson)
        except msgspec.ValidationError:
            return None


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A prediction. All but the question may be left out, and scores 0 where it is."""

    question_id: str
    conditioning: Literal["oracle", "predicted"] | None = None
    chosen: int | None = None
    scores: list[float] | None = None
    tokens: list[int] | None = None
    object_chosen: int | None = None
    object_scores: list[float] | None = None
    text: str | None = None
    spans: list[SpanOf] | None = None
    masks: list[MaskOf] | None = None

    def checked(self, choices: int, objects: int) -> Line:
        """Itself, for a question with so many choices. Raises ModelError for what can't be an answer to it."""
        for name, n, place, scores in (
            ("", choices, self.chosen, self.scores),
            ("object_", objects, self.object_chosen, self.object_scores),
        ):
            if place is not None and not 0 <= place < n:
                raise ModelError(f"`{name}chosen` is {place}, and the question has {n} choices, counted from 0")
            if scores is not None and len(scores) != n:
                raise ModelError(f"`{name}scores` are {len(scores)}, and the question has {n} choices")
            _check_scores(name, place, scores)
        if self.tokens is not None and (len(self.tokens) != choices or not all(0 < n < 2**31 for n in self.tokens)):
            raise ModelError(f"`tokens` are not {choices} lengths")
        if self.tokens is not None and self.scores is None:
            raise ModelError("`tokens` are lengths of what has `scores`, which are not there")
        if any(not 0 <= one.start < one.end <= 2**31 - 1 for one in self.spans or ()):
            raise ModelError("a span ends before it begins")
        return self


def _check_scores(name: str, place: int | None, scores: list[float] | None) -> None:
    """Raises ModelError for a score that can't be kept, and for a choice that isn't the one with the highest score.

    Among several that have it none is taken, whichever is named: a tie is wrong.
    """
    if not scores:
        return
    as_kept = kept(scores)
    if math.inf in as_kept:
        raise ModelError(f"`{name}scores` hold {max(scores)}, which is more than 32 bits can hold")
    if place is not None and as_kept[place] < max(as_kept):
        highest = as_kept.index(max(as_kept))
        raise ModelError(f"`{name}chosen` is {place}, and the highest of `{name}scores` is at {highest}")


@dataclass(frozen=True, slots=True)
class Numbered:
    """A line with its number in the file, from 1 on; `line` is None, and `problem` says why, if it can't be read."""

    number: int
    line: Line | None
    problem: str = ""


def read(path: Path) -> Iterator[Numbered]:
    """The lines of a file, one after the other; blank ones are left out. Raises ModelError if it can't be read."""
    decoder = msgspec.json.Decoder(Line)
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(LONGEST + 1):
                number += 1
                if len(raw) > LONGEST:
                    raise ModelError(
                        f"a line is longer than {LONGEST >> 20} MB",
                        where=f"{path}:{number}",
                        mend="Write a line for each prediction",
                    )
                if text := raw.strip():
                    yield _decoded(decoder, number, text)
    except OSError as error:
        raise ModelError(error.strerror or "can't be read", where=str(path), mend="Check the path") from error


def _decoded(decoder: msgspec.json.Decoder[Line], number: int, text: bytes) -> Numbered:
    try:
        return Numbered(number, decoder.decode(text))
    except (msgspec.DecodeError, RecursionError) as error:
        return Numbered(number, None, str(error) or "it is nested too deeply")
