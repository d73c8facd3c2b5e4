"""What a model behind a server is told, what an answer of its is, and what makes it one that can be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, TypeVar

import msgspec

from model.evaluation.adapters.outlines import SCALE, problem
from partonomy_data.llm.brief import Brief, Item

T = TypeVar("T", bound=msgspec.Struct)

#: Tokens that an outline of one kind takes, and how many parts are reckoned with.
_TOKENS: Final = {"boxes": 24, "polygons": 120}
_PARTS: Final = 10
_ABOUT: Final = {
    "boxes": "its box as [left, top, right, bottom]",
    "polygons": "its outline as a polygon [x, y, x, y, ...]",
}
_COORDINATES: Final = f" in thousandths of the picture's width and height: 0 is left or top, {SCALE} right or bottom."

_CHOICE: Final = """You see a photograph and a question about an object in it, with lettered choices, one of which is right. \
Earlier questions, where there are any, were about the same object. Answer with the letter of the choice that the photograph \
bears out."""
_ANSWER: Final = """You see a photograph and a question about the visible parts of an object in it. Answer in one plain \
sentence that names all the parts that are asked for, and no others. List the phrases in it that name a part, word for word, and \
for each """
_OUTLINES: Final = """You see a photograph, a question about an object in it, and the right answer. For each of the parts that \
the answer names, in their order, give """


class Letter(msgspec.Struct, frozen=True):
    """A choice."""

    choice: Annotated[str, msgspec.Meta(description="the letter of the right choice")]


class Outlines(msgspec.Struct, frozen=True):
    """Where given parts are."""

    outlines: Annotated[
        list[list[int]], msgspec.Meta(description="one for each part, in their order; [] if it can't be seen")
    ]


class Answer(msgspec.Struct, frozen=True):
    """An answer in the model's own words."""

    answer: Annotated[str, msgspec.Meta(description="one plain sentence")]
    phrases: Annotated[list[str], msgspec.Meta(description="the phrases of the answer that name a part, in its order")]
    outlines: Annotated[list[list[int]], msgspec.Meta(description="one for each phrase, in their order")]


def choice(tokens: int) -> Brief[Letter]:
    """A letter."""

    def check(item: Item, made: Letter) -> str | None:
        letters = list(item.shown["choices"])
        return None if made.choice in letters else f"choice must be one of {', '.join(letters)}"

    return Brief("evaluation choice", _CHOICE, Letter, check, pack=1, tokens=tokens)


def outlines(kind: str, tokens: int) -> Brief[Outlines]:
    """Outlines of given parts."""

    def check(item: Item, made: Outlines) -> str | None:
        n = len(item.shown["parts"])
        if len(made.outlines) != n:
            return f"there are {n} parts, and {len(made.outlines)} outlines"
        return next((told for one in made.outlines if (told := problem(one)) is not None), None)

    told = f"{_OUTLINES}{_ABOUT[kind]}{_COORDINATES}"
    return Brief("evaluation outlines", told, Outlines, check, pack=1, tokens=tokens + _PARTS * _TOKENS[kind])


def answer(kind: str, tokens: int) -> Brief[Answer]:
    """An answer, and outlines of what it names."""

    def check(_: Item, made: Answer) -> str | None:
        if len(made.outlines) != len(made.phrases):
            return f"there are {len(made.phrases)} phrases, and {len(made.outlines)} outlines"
        if len(places(made.answer, made.phrases)) < len(made.phrases):
            return "each phrase must stand in the answer, word for word, and once"
        return next((told for one in made.outlines if (told := problem(one)) is not None), None)

    told = f"{_ANSWER}{_ABOUT[kind]}{_COORDINATES}"
    return Brief("evaluation answer", told, Answer, check, pack=1, tokens=tokens + (_PARTS + 4) * _TOKENS[kind])


def places(text: str, phrases: Sequence[str]) -> list[tuple[int, int]]:
    """Where each phrase stands in the text, no two at one place; as many as are found before one isn't."""
    taken: list[tuple[int, int]] = []
    for phrase in phrases:
        start = text.find(phrase) if phrase.strip() else -1
        while any(start < end and start + len(phrase) > begin for begin, end in taken) and start >= 0:
            start = text.find(phrase, start + 1)
        if start < 0:
            return taken
        taken.append((start, start + len(phrase)))
    return taken
