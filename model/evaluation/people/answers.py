"""What a person answered on a sheet, read from the file that it saved; and the person as what is measured."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from model.evaluation.asking import Asked, ChoosesOnly, Chosen
from model.evaluation.people.sheet import FORMAT, Sheet
from model.evaluation.questions import Turned
from model.plum.errors import ModelError

T = TypeVar("T")

_MEND: Final = "Name the file that the page saved"
_RATER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Answer(msgspec.Struct, frozen=True):
    """A choice."""

    question_id: str
    turn: Literal["parts", "object"]
    choice: int
    """Its place, as they were shown."""
    key: Literal["right", "wrong", "unsure"] | None = None
    """What was said of the key."""
    seconds: float | None = None


class Answers(msgspec.Struct, frozen=True):
    """All of a person's on a sheet."""

    sheet: Sheet
    rater: str
    answers: list[Answer]

    @property
    def name(self) -> str:
        """Of the person among models."""
        return f"human-{self.rater}"

    @property
    def by_turn(self) -> Mapping[tuple[str, str], Answer]:
        """(question, turn) → answer."""
        return {(one.question_id, one.turn): one for one in self.answers}


class _Format(msgspec.Struct, frozen=True):
    format: int


class _File(msgspec.Struct, frozen=True):
    """What is the same in files of all formats."""

    sheet: _Format


def read(path: Path) -> Answers:
    """A file that a sheet saved. Raises ModelError for another one, and for one of a sheet in an older format."""
    if (given := format_of(path)) != FORMAT:
        raise ModelError(
            f"its sheet is of format {given}, and this reads format {FORMAT}",
            where=str(path),
            mend="Write the sheet again (partonomy evaluate --model human), and have it answered",
        )
    found = _decoded(path, Answers)
    if not _RATER.fullmatch(found.rater):
        raise ModelError(f"{found.rater!r} is no name", where=str(path), mend="Use letters, digits and dashes")
    if len(found.by_turn) < len(found.answers):
        raise ModelError("a question is answered twice", where=str(path), mend=_MEND)
    return found


def format_of(path: Path) -> int:
    """The format of the sheet that saved a file. Raises ModelError for another file."""
    return _decoded(path, _File).sheet.format


def _decoded(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise ModelError(f"it can't be read: {error.strerror}", where=str(path), mend=_MEND) from error
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(
            f"it holds no answers of a sheet: {str(error) or 'it is nested too deeply'}", where=str(path), mend=_MEND
        ) from error


class Human(ChoosesOnly):
    """A person. What wasn't on the sheet isn't known: masks, and second turns that follow a wrong first answer."""

    def __init__(self, answers: Answers, firsts: Mapping[str, tuple[Turned, str]]) -> None:
        """`firsts`: question → which of its turns comes first, and the true answer to it."""
        self.name = answers.name
        self.digest = hashlib.sha256(msgspec.json.encode(answers)).hexdigest()
        self._said, self._firsts = answers.by_turn, firsts

    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        """As on the sheet."""
        return [self._choice(one) for one in asked]

    def _choice(self, one: Asked) -> Chosen | None:
        turn, truth = self._firsts[one.question_id]
        if one.history:
            turn = "object" if turn == "parts" else "parts"
            if one.history[-1].answer != truth:
                return None
        said = self._said.get((one.question_id, turn))
        if said is None:
            return None
        if not 0 <= said.choice < len(one.choices):
            raise ModelError(f"choice {said.choice} of {one.question_id} is none", mend=_MEND)
        return Chosen(said.choice)
