"""Questions of general vision-language sets, in their official files, one at a time; rows that can't be used are told, not lost.

POPE      lines of JSON: {"question_id": 1, "image": "COCO_val2014_….jpg", "text": "Is there a …?", "label": "yes"}
TextVQA   {"data": [{"question_id": 1, "image_id": "0a1b…", "question": "…", "answers": ["…", … ten]}]}, version 0.5.1
GQA       {"0123…": {"imageId": "n123", "question": "…", "answer": "…"}}, as testdev_balanced_questions.json
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from model.evaluation.general import json_items
from model.evaluation.general.normalizing import PEOPLE
from model.evaluation.intervals import key_of
from model.plum.errors import ModelError

Format = Literal["pope", "textvqa", "gqa"]
#: Why a row is left out.
Why = Literal["malformed", "no answer", "doubled", "no photograph", "unreadable photograph"]
WHYS: Final[tuple[Why, ...]] = get_args(Why)
#: Bytes of the longest line of POPE's files.
_LONGEST_LINE: Final = 1 << 20
#: Endings of photographs whose names the files give without one.
_ENDINGS: Final = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, slots=True)
class Question:
    """A row that can be asked."""

    question_id: str
    image: Path
    """The photograph's file."""
    text: str
    answers: tuple[str, ...]
    """What is true: `yes` or `no`; what ten people said; one answer."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that can't."""

    where: str
    """Its place in the file, or the question."""
    why: Why
    what: str
    """The same in words."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class _BadRowError(Exception):
    """Why a row can't be used: a `Why`, and words."""

    def __init__(self, why: Why, what: str) -> None:
        self.why, self.what = why, what
        super().__init__(what)


def parsed(name: str) -> tuple[Format, Path]:
    """Format and file of `pope:FILE`, `textvqa:FILE` or `gqa:FILE`. Raises ModelError."""
    given, _, place = name.partition(":")
    form = next((one for one in _ROWS if one == given), None)
    if form is None or not place:
        known = ", ".join(f"{one}:FILE" for one in _ROWS)
        raise ModelError("no general set that is known", where=name, mend=f"Name its format and its file: {known}")
    return form, Path(place).expanduser()


def read(form: Format, path: Path, images: Path) -> Iterator[Question | LeftOut]:
    """All rows of a file, in its order; photographs are looked for in the folder `images`, not opened.

    Of rows with the same id the first stands for it, whatever comes of it. Raises ModelError for a file that can't be read.
    """
    if not images.is_dir():
        raise ModelError("there is no such folder of photographs", where=str(images), mend="Check --images")
    seen: set[int] = set()
    for where, row in _ROWS[form](path):
        try:
            yield _checked(form, row, images, seen)
        except _BadRowError as error:
            yield LeftOut(where, error.why, error.what)


def chosen(rows: Iterator[Question | LeftOut], limit: int | None, seed: int) -> frozenset[str] | None:
    """The ids of at most `limit` questions, those of least key by `seed`: always the same. None: all are."""
    if limit is None:
        return None
    if limit < 1:
        raise ModelError("limit must be at least 1")
    names = (row.question_id for row in rows if isinstance(row, Question))
    return frozenset(heapq.nsmallest(limit, names, key=lambda name: key_of(f"{seed}/{name}")))


def _checked(form: Format, row: Any, images: Path, seen: set[int]) -> Question:
    if isinstance(row, _BadRowError):
        raise row
    if not isinstance(row, Mapping):
        raise _BadRowError("malformed", "it is no object with names")
    fields = _FIELDS[form]
    name = _id(row, fields.name)
    if key_of(name) in seen:
        raise _BadRowError("doubled", f"its id {name[:80]!r} stands in an earlier row")
    seen.add(key_of(name))
    text, answers = _text(row, fields.question), _answers(form, row)
    return Question(name, _photograph(images, _text(row, fields.image), fields.ending), text, answers)


@dataclass(frozen=True, slots=True)
class _Fields:
    """What a format calls what."""

    name: str
    question: str
    image: str
    ending: bool
    """Whether photographs' names stand with their endings."""


#: Where the id of a row is put that the file has outside of it.
_NAME: Final = "its name"
_FIELDS: Final[Mapping[Format, _Fields]] = {
    "pope": _Fields("question_id", "text", "image", ending=True),
    "textvqa": _Fields("question_id", "question", "image_id", ending=False),
    "gqa": _Fields(_NAME, "question", "imageId", ending=False),
}


def _answers(form: Format, row: Mapping[str, Any]) -> tuple[str, ...]:
    if form == "pope":
        if row.get("label") not in ("yes", "no"):
            raise _BadRowError("no answer", f"its label is {str(row.get('label'))[:40]!r}, neither 'yes' nor 'no'")
        return (row["label"],)
    if form == "gqa":
        if not isinstance(row.get("answer"), str) or not row["answer"].strip():
            raise _BadRowError("no answer", "it has no answer")
        return (_sound(row["answer"]),)
    given = row.get("answers")
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given) or not any(map(str.strip, given)):
        raise _BadRowError("no answer", "it has no answers")
    if len(given) != PEOPLE:
        raise _BadRowError("no answer", f"it has {len(given)} answers, and the metric takes {PEOPLE}")
    return tuple(map(_sound, given))


def _id(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise _BadRowError("malformed", f"it has no {field!r}")
    return _sound(str(value))


def _text(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value.strip():
        raise _BadRowError("malformed", f"it has no {field!r}")
    return _sound(value)


def _sound(text: str) -> str:
    """A text that has no halves of characters, as an escape in JSON may be."""
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise _BadRowError("malformed", "it holds half a character")
    return text


def _photograph(images: Path, name: str, ending: bool) -> Path:
    """The file of a photograph, in the folder or below; a link there may lead anywhere, as whoever has the folder made it."""
    out = name.startswith("/") or ".." in Path(name).parts
    for given in () if out else (name,) if ending else tuple(f"{name}{one}" for one in _ENDINGS):
        try:
            if (images / given).is_file():
                return images / given
        except (OSError, ValueError):  # a name that no file can have
            break
    raise _BadRowError("no photograph", f"its photograph {name[:80]!r} is not in {images}")


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    """Number and object of each line that isn't blank."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
                    raise ModelError(
                        f"line {number} is longer than {_LONGEST_LINE} bytes", where=str(path), mend="Name its format"
                    )
                if line.strip():
                    yield f"line {number}", _object(line)
    except OSError as error:
        raise ModelError(f"can't be read: {error.strerror}", where=str(path), mend="Check the path") from error


def _object(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return _BadRowError("malformed", "it is no JSON")


def _items(path: Path) -> Iterator[tuple[str, Any]]:
    for number, row in json_items.pairs(path, "data"):
        yield f"data[{number}]", row


def _named(path: Path) -> Iterator[tuple[str, Any]]:
    for name, row in json_items.pairs(path):
        shown = name[:80] if name.isprintable() else ascii(name[:80])
        yield f"question {shown}", {**row, _NAME: name} if isinstance(row, Mapping) else row


_ROWS: Final[Mapping[Format, Callable[[Path], Iterator[tuple[str, Any]]]]] = {
    "pope": _lines,
    "textvqa": _items,
    "gqa": _named,
}
