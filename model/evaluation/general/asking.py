"""A model asked the questions of a set, a few at a time: each photograph is decoded once in a batch, and few are in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from PIL import Image

from model.evaluation.adapters.hugging_face import TextModel
from model.evaluation.asking import Asked
from model.evaluation.general.config import PLACE, GeneralConfig
from model.evaluation.general.kept import Kept, Said
from model.evaluation.general.reading import LeftOut, Question
from model.plum.errors import ModelError
from partonomy_data.photographs import decoding

#: Questions that are read ahead, so that those about one photograph come together.
_AHEAD: Final = 1024


@dataclass(frozen=True, slots=True)
class Answered:
    """A question that was asked."""

    question: Question
    text: str | None
    """What the model said; None where it couldn't be asked."""
    refused: str = ""
    """Why it couldn't."""


def ask(
    model: TextModel, rows: Iterable[Question | LeftOut], config: GeneralConfig, kept: Kept
) -> Iterator[Answered | LeftOut]:
    """Every row once, in some order: its answer; or why it is left out, where its photograph can't be read too.

    What was said before is in `kept`, and not asked again; the rest is kept there as soon as it is said.
    """
    given = iter(rows)
    while ahead := list(islice(given, _AHEAD)):
        yield from (row for row in ahead if isinstance(row, LeftOut))
        new: list[Question] = []
        for one in (row for row in ahead if isinstance(row, Question)):
            if (said := kept[one.question_id]) is None:
                new.append(one)
            else:
                yield Answered(one, said.text, said.refused)
        new.sort(key=lambda one: one.image)
        for start in range(0, len(new), config.at_once):
            made = list(_batch(model, new[start : start + config.at_once], config))
            kept.add(
                [Said(one.question.question_id, one.text, one.refused) for one in made if isinstance(one, Answered)]
            )
            yield from made


def _batch(model: TextModel, questions: list[Question], config: GeneralConfig) -> Iterator[Answered | LeftOut]:
    opened: dict[Path, Image.Image | str] = {path: _opened(path) for path in {one.image: None for one in questions}}
    asked: list[tuple[Question, Asked]] = []
    for one in questions:
        image = opened[one.image]
        if isinstance(image, str):
            what = f"its photograph {one.image.name} can't be read: {image}"
            yield LeftOut(f"question {one.question_id}", "unreadable photograph", what)
        else:
            text = config.prompt.replace(PLACE, one.text)
            asked.append((one, Asked(one.question_id, str(one.image), image, text, ())))
    for (one, _), said in zip(asked, model.answers([each for _, each in asked]), strict=True):
        yield Answered(one, None, str(said)) if isinstance(said, ModelError) else Answered(one, said)


def _opened(path: Path) -> Image.Image | str:
    """A photograph, upright, RGB; or why it can't be read."""
    try:
        with Image.open(path, formats=decoding.FORMATS) as file:
            return decoding.upright(file).convert("RGB")
    except decoding.DAMAGE as error:
        return (error.strerror if isinstance(error, OSError) else None) or "it is no image, or damaged"
