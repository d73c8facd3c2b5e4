"""Reads MATLAB 5 files that one can't trust: their structure is checked in full before scipy's C code sees them.

`scipy.io.loadmat` takes sizes and types as a file states them; a few changed bytes end the process with a
segmentation fault, or ask for gigabytes. So the file is inflated here, up to a limit, each element is checked against
the bytes that hold it, and `loadmat` gets the one variable that was asked for, no longer compressed (which is also
quicker: nearly all the time goes into inflating, and that is done once).

Format: "MAT-File Format" (MathWorks), level 5: a header of 128 bytes, then elements of a type, a size and data.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What one variable may come to when inflated: some 1,300 masks of a VOC photograph. Real ones come to 10 MB or less.
INFLATED_LIMIT = 256 << 20
_FILE_LIMIT = INFLATED_LIMIT + 4096
_HEADER = 128
_DEEPEST = 8

_MATRIX, _COMPRESSED = 14, 15
_INT8, _INT32, _UINT32 = 1, 5, 6
#: Bytes of one number of each numeric element type (miINT8 … miUINT64).
_NUMBER = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
#: Encodings of the element types that may hold text.
_TEXT = {1: "ascii", 2: "ascii", 4: "utf-16", 16: "utf-8", 17: "utf-16"}
_CELL, _STRUCT, _CHAR = 1, 2, 4
_NUMERIC = range(6, 16)
_COMPLEX = 0x0800
_REFUSED = {3: "a MATLAB object", 5: "a sparse matrix", 16: "a function", 17: "an opaque object"}


class MatFileError(Exception):
    """A file that can't be used. `rule` names the rule that it broke, `reason` says how."""

    def __init__(self, rule: str, reason: str) -> None:
        self.rule, self.reason = rule, reason
        super().__init__(f"{rule}: {reason}")


def variable(path: Path, name: str) -> Any:
    """The variable `name` of a MATLAB 5 file, as `scipy.io.loadmat` gives it.

    Structs, cells, text and real numbers are admitted. Raises MatFileError: `mat_unreadable` (not a MATLAB 5 file, cut
    off, damaged, too large), `mat_version_73` (HDF5 inside), `anno_missing` (no variable of that name).
    """
    from scipy.io import loadmat  # imported here, since it takes a third of a second

    header, matrix = _checked(_bytes(path), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return loadmat(io.BytesIO(header + matrix))[name]
        except Exception as error:
            raise MatFileError("mat_unreadable", f"scipy can't read it: {error}") from error


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _FILE_LIMIT:
            raise MatFileError("mat_unreadable", f"it has {size:,} bytes, more than any annotation")
        return path.read_bytes()
    except OSError as error:
        raise MatFileError("mat_unreadable", f"it can't be read ({error.strerror})") from error


def _checked(data: bytes, name: str) -> tuple[bytes, bytes]:
    """The header, and the checked element that holds the variable, inflated."""
    if not data:
        raise MatFileError("mat_unreadable", "it is empty")
    if data.startswith(b"\x89HDF\r\n\x1a\n") or data[:128].startswith(b"MATLAB 7.3"):
        raise MatFileError("mat_version_73", "it is of MATLAB 7.3 (HDF5); MATLAB's save -v7 writes what can be read")
    mark = data[124:_HEADER]
    if mark not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise MatFileError("mat_unreadable", "it is not a MATLAB 5 file")
    order = "<" if mark.endswith(b"IM") else ">"
    for matrix in _variables(data, order):
        if _Check(matrix, order).name() == name:
            _Check(matrix, order).matrix()
            return data[:_HEADER], matrix
    raise MatFileError("anno_missing", f"it has no variable called {name}")


def _variables(data: bytes, order: str) -> Iterator[bytes]:
    """The matrix elements of a file, inflated, each with its tag."""
    at = _HEADER
    while at < len(data):
        if len(data) - at < 8:
            raise MatFileError("mat_unreadable", "it is cut off")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        end = at + 8 + size
        if end > len(data):
            raise MatFileError("mat_unreadable", f"it is cut off: {end:,} bytes are announced, {len(data):,} there")
        if kind == _COMPRESSED:
            yield _inflated(data[at + 8 : end])
        elif kind == _MATRIX:
            yield data[at:end]
        else:
            raise MatFileError("mat_unreadable", f"it holds an element of type {kind} among its variables")
        at = end


def _inflated(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        matrix = stream.decompress(data, INFLATED_LIMIT)
        if not stream.eof and stream.decompress(stream.unconsumed_tail, 1):
            raise MatFileError("mat_unreadable", f"it inflates to more than {INFLATED_LIMIT:,} bytes")
    except zlib.error as error:
        raise MatFileError("mat_unreadable", f"its compressed data is damaged ({error})") from error
    if not stream.eof:
        raise MatFileError("mat_unreadable", "its compressed data is cut off")
    return matrix


@dataclass(slots=True)
class _Check:
    """Walks one matrix element and compares each size with the bytes that are there."""

    data: bytes
    order: str
    at: int = 0

    def name(self) -> str:
        """The name of the variable at the start of `data`."""
        end = self._matrix_end()
        self.at += 8
        for _ in range(2):
            self._element(end)
        _, start, size = self._element(end)
        return self.data[start : start + size].decode("latin-1")

    def matrix(self, depth: int = 0) -> None:
        """Checks the matrix at `at`, and all within it, and moves behind it."""
        if depth > _DEEPEST:
            self._fail("it is nested too deeply")
        end = self._matrix_end()
        self.at += 8
        if self.at == end and depth:  # what MATLAB writes for a field that was never set
            return
        kind, flags = self._flags(end)
        shape = self._shape(end)
        self._text(end)
        if kind in _NUMERIC:
            self._numbers(end, shape, flags)
        elif kind == _CHAR:
            self._characters(end, shape)
        elif kind == _STRUCT:
            self._fields(end, shape, depth)
        elif kind == _CELL:
            self._values(end, math.prod(shape), depth)
        else:
            self._fail(f"it holds {_REFUSED.get(kind, f'an array of class {kind}')}")
        if self.at != end:
            self._fail("an element is larger than what it holds")

    def _fail(self, reason: str) -> None:
        raise MatFileError("mat_unreadable", f"{reason} (byte {self.at:,} when inflated)")

    def _matrix_end(self) -> int:
        """Where the matrix at `at` ends; its tag is at most as long as what is left."""
        if len(self.data) - self.at < 8:
            self._fail("it is cut off")
        kind, size = struct.unpack_from(f"{self.order}II", self.data, self.at)
        end = self.at + 8 + int(size)
        if kind != _MATRIX or end > len(self.data):
            self._fail("an element is not the matrix that it should be")
        return end

    def _element(self, end: int) -> tuple[int, int, int]:
        """Type, start and size in bytes of the data element at `at`; moves behind it."""
        if end - self.at < 8:
            self._fail("it is cut off")
        kind, size = struct.unpack_from(f"{self.order}II", self.data, self.at)
        if kind >> 16:  # a small element: type, size and up to 4 bytes of data in 8 bytes
            kind, size, start = kind & 0xFFFF, kind >> 16, self.at + 4
            if size > 4:
                self._fail("a small element is not small")
            self.at += 8
        else:
            start = self.at + 8
            self.at = start + size + -size % 8
        if self.at > end:
            self._fail("an element reaches beyond the one that holds it")
        return kind, start, size

    def _flags(self, end: int) -> tuple[int, int]:
        kind, start, size = self._element(end)
        if kind != _UINT32 or size != 8:
            self._fail("an array has no flags")
        (flags,) = struct.unpack_from(f"{self.order}I", self.data, start)
        return flags & 0xFF, flags

    def _shape(self, end: int) -> tuple[int, ...]:
        kind, start, size = self._element(end)
        if kind != _INT32 or size % 4 or not 8 <= size <= 32 * 4:
            self._fail("an array has no shape")
        shape: tuple[int, ...] = struct.unpack_from(f"{self.order}{size // 4}i", self.data, start)
        if min(shape) < 0 or max(shape) > INFLATED_LIMIT:
            self._fail(f"an array has the shape {shape}")
        return shape

    def _text(self, end: int) -> bytes:
        kind, start, size = self._element(end)
        if kind != _INT8:
            self._fail("an array has no name")
        return self.data[start : start + size]

    def _numbers(self, end: int, shape: tuple[int, ...], flags: int) -> None:
        if flags & _COMPLEX:
            self._fail("it holds complex numbers")
        kind, _, size = self._element(end)
        if kind not in _NUMBER or math.prod(shape) * _NUMBER[kind] != size:
            self._fail(f"an array of the shape {shape} has {size:,} bytes")

    def _characters(self, end: int, shape: tuple[int, ...]) -> None:
        kind, start, size = self._element(end)
        if kind not in _TEXT:
            self._fail("text is in no known encoding")
        encoding = _TEXT[kind]
        if encoding == "utf-16":
            encoding = "utf-16-le" if self.order == "<" else "utf-16-be"
        try:
            text = self.data[start : start + size].decode(encoding)
        except UnicodeDecodeError:
            text = ""
        if len(text) != math.prod(shape) or "\0" in text:
            self._fail(f"text of the shape {shape} has {size:,} bytes")

    def _fields(self, end: int, shape: tuple[int, ...], depth: int) -> None:
        kind, start, size = self._element(end)
        if kind != _INT32 or size != 4:
            self._fail("a struct doesn't say how long its field names are")
        (length,) = struct.unpack_from(f"{self.order}i", self.data, start)
        names = self._text(end)
        if not 1 <= length <= 64 or len(names) % length:
            self._fail(f"a struct has field names of {length} bytes each in {len(names)}")
        fields = {names[i : i + length].split(b"\0")[0] for i in range(0, len(names), length)}
        n_fields = len(names) // length
        if len(fields) != n_fields or b"" in fields or any(not field.isascii() for field in fields):
            self._fail("a struct has two fields of one name, or one without")
        if not n_fields and math.prod(shape) > 1:
            self._fail(f"a struct of the shape {shape} has no fields")
        self._values(end, math.prod(shape) * n_fields, depth)

    def _values(self, end: int, count: int, depth: int) -> None:
        if count * 8 > end - self.at:
            self._fail(f"{count:,} values are announced, and can't be there")
        for _ in range(count):
            self.matrix(depth + 1)
            if self.at > end:
                self._fail("a value reaches beyond the array that holds it")
