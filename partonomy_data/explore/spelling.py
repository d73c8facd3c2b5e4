"""The text of a choice, with the phrases in it that name parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def spelled(text: str, spans: Sequence[Mapping[str, Any]], hues: Mapping[str, int]) -> list[dict[str, Any]]:
    """A choice's text in pieces: `text`, and `part` and `hue` where a span names a part; `hue` None where it has no mask.

    Spans that overlap, or leave the text, are passed over: the text is shown whole, whatever they say.
    """
    pieces: list[dict[str, Any]] = []
    place = 0
    for span in sorted(spans, key=lambda span: (span["start"], span["end"])):
        start, end = span["start"], span["end"]
        if not place <= start < end <= len(text):
            continue
        pieces.append({"text": text[place:start], "part": None, "hue": None})
        pieces.append({"text": text[start:end], "part": span["part"], "hue": hues.get(span["part"])})
        place = end
    pieces.append({"text": text[place:], "part": None, "hue": None})
    return [piece for piece in pieces if piece["text"]]
