"""Items of a large JSON file, one at a time: of the object that it is, or of a list in it.

A file of GQA's may have a million questions. Pairs of an object come as they stand in the file; those with the same name too, of
which a dictionary would silently keep the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TextIO

from model.plum.errors import ModelError

#: Characters that are read at a time.
_CHUNK: Final = 1 << 18
#: Characters of the longest value that is taken for an item: what is longer is another kind of file, or a broken one.
_LONGEST: Final = 1 << 22
_BLANKS: Final = " \t\n\r"
#: What may follow a value; and so many characters are more than what a number may lack that was cut: `.`, `e+`.
_AFTER: Final = (*_BLANKS, ",", "]", "}", ":")
_NUMBER: Final = 8


def pairs(path: Path, inside: str | None = None) -> Iterator[tuple[str, Any]]:
    """Names and values of the object in a file, in its order; or number and item of the list that it has under `inside`.

    Raises ModelError for a file that can't be read, that is no such JSON, or that ends before it should.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = _Text(file)
            yield from _pairs(text) if inside is None else _items(text, inside)
            text.ended()
    except OSError as error:
        raise ModelError(f"can't be read: {error.strerror}", where=str(path), mend="Check the path") from error
    except (_MalformedError, UnicodeDecodeError, RecursionError) as error:
        what = f"is not the JSON that it should be: {error}"
        raise ModelError(what, where=str(path), mend="Get the file again, or name its format as it is") from error


class _MalformedError(Exception):
    """What is wrong with the JSON."""


class _Text:
    """Text that is read as it is needed."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._text, self._place, self._before = file, "", 0, 0
        self._decoder = json.JSONDecoder()

    def take(self, signs: str) -> str:
        """The next character but blanks, one of `signs`."""
        found = self.look()
        if not found or found not in signs:
            told = f"{found!r}" if found else "the file's end"
            raise _MalformedError(
                f"{told} at character {self._before + self._place}, in the place of {' or '.join(signs)}"
            )
        self._place += 1
        return found

    def look(self) -> str:
        """The next character but blanks, which stays; empty at the end."""
        while True:
            while self._place < len(self._text) and self._text[self._place] in _BLANKS:
                self._place += 1
            if self._place < len(self._text) or not self._more():
                return self._text[self._place : self._place + 1]

    def value(self) -> Any:
        """The next value."""
        self.look()
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text, self._place)
            except ValueError as error:  # wrong, or not whole yet
                if len(self._text) - self._place > _LONGEST or not self._more():
                    where = self._before + self._place
                    raise _MalformedError(f"the value at character {where} is malformed, or very long") from error
                continue
            # A number that ends where the text does may go on, or one whose fraction or exponent is not whole yet.
            left = self._text[end : end + _NUMBER]
            if left[:1] in _AFTER or len(left) == _NUMBER or not self._more():
                self._place = end
                return found

    def ended(self) -> None:
        """Raises where anything is left."""
        if self.look():
            raise _MalformedError(f"something follows its end, at character {self._before + self._place}")

    def _more(self) -> bool:
        """Reads on, and forgets what was passed; false at the end."""
        further = self._file.read(_CHUNK)
        if further:
            self._before += self._place
            self._text, self._place = self._text[self._place :] + further, 0
        return bool(further)


def _pairs(text: _Text) -> Iterator[tuple[str, Any]]:
    for name in _names(text):
        yield name, text.value()


def _items(text: _Text, inside: str) -> Iterator[tuple[str, Any]]:
    there = False
    for name in _names(text):
        if name != inside or there:
            text.value()
            continue
        there = True
        text.take("[")
        number = 0
        while not (number == 0 and text.look() == "]"):
            yield str(number), text.value()
            number += 1
            if text.take(",]") == "]":
                break
        else:
            text.take("]")
    if not there:
        raise _MalformedError(f"it has no {inside!r}")


def _names(text: _Text) -> Iterator[str]:
    """The names of an object; whoever takes one reads its value before the next."""
    text.take("{")
    if text.look() == "}":
        text.take("}")
        return
    while True:
        name = text.value()
        if not isinstance(name, str):
            raise _MalformedError(f"{str(name)[:40]!r} stands where a name should")
        text.take(":")
        yield name
        if text.take(",}") == "}":
            return
