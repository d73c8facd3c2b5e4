"""LLaVA's JSON: for each photograph questions and answers in turn, without masks.

Each answer is a sample, with the turns before it. The sign for the photograph in the first question is taken away, as each family
has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from model.data.others.rows import Left, Photograph, row
from partonomy_data.photographs import decoding

_ASKS, _ANSWERS = ("human", "user"), ("gpt", "assistant")


class _Said(msgspec.Struct):
    speaker: str = msgspec.field(name="from")
    value: str


class Conversation(msgspec.Struct):
    """One of a file's."""

    id: int | str
    conversations: list[_Said]
    image: str | None = None


def rows(
    name: str, content: Sequence[Conversation], images: Path, stamp: Callable[[str], str | None], left: Left
) -> Iterator[Mapping[str, Any]]:
    """A row for each answer. `stamp` tells a photograph's file by its `uri`; None where it isn't there."""
    for place, one in enumerate(content):
        if one.image is None:
            left.out("conversations without a photograph", str(one.id))
            continue
        there = stamp(one.image)
        if there is None:
            left.out("conversations whose photograph isn't there", str(one.id))
            continue
        turns = _turns(one.conversations)
        if not turns:
            left.out("conversations that don't go question, answer, question, answer", str(one.id))
            continue
        try:
            with Image.open(images / one.image, formats=decoding.FORMATS) as file:  # reads its head alone
                width, height = file.size
        except decoding.DAMAGE:
            left.out("conversations whose photograph can't be read", str(one.id))
            continue
        photograph = Photograph(one.image, width, height, there)
        for number, (question, answer) in enumerate(turns):
            # Ids are not always different: the place in the file is.
            yield row(name, f"{place}/{one.id}/{number}", photograph, question, answer, history=turns[:number])


def _turns(said: Sequence[_Said]) -> list[tuple[str, str]]:
    """Questions with their answers; none where they don't alternate, or one is empty."""
    asked, answered = said[::2], said[1::2]
    right = len(asked) == len(answered) and all(
        first.speaker in _ASKS and second.speaker in _ANSWERS for first, second in zip(asked, answered, strict=True)
    )
    if not right:
        return []
    texts = [
        (first.value.replace("<image>", "").strip(), second.value.strip())
        for first, second in zip(asked, answered, strict=True)
    ]
    return texts if all(question and answer for question, answer in texts) else []


def read(path: Path) -> list[Conversation]:
    """A file. Raises what msgspec and the file system raise."""
    return msgspec.json.decode(path.read_bytes(), type=list[Conversation])
