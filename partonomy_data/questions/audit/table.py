"""A question table as numbers: what an attacker may read, and, apart from it, the answers.

Strings are replaced by codes or hashes and the parts of all choices lie in one flat array, so that a million questions
with five choices take some hundred megabytes. Choices are padded to the table's largest number K of choices: choice `j`
of question `i` has the flat index `i * K + j`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the store says of each question's object and photograph; float32 (n,), nan where unknown."""

    log_area: NDArray[np.float32]
    """Logarithm of the object's area over the photograph's."""
    truncated: NDArray[np.float32]
    """1 where the object's box touches the photograph's border, else 0."""
    log_region: NDArray[np.float32]
    """Logarithm of the region's area over the photograph's; 0 where the question has no region."""
    log_pixels: NDArray[np.float32]
    """Logarithm of the photograph's number of pixels."""

    @property
    def known(self) -> bool:
        """Whether anything is known of any object's size."""
        return bool(np.isfinite(self.log_area).any())


@dataclass(frozen=True, slots=True)
class Questions:
    """What can be read without the image and without the answers. Arrays are (n,) unless said otherwise."""

    count: Ints
    """Number of choices."""
    part_start: Ints
    """(n * K + 1,): the parts of flat choice `c` are `part[part_start[c]:part_start[c + 1]]`, ascending, each once."""
    part: Codes
    text_length: Codes
    """(n, K): characters of a choice."""
    text_hash: Hashes
    """(n, K)"""
    set_hash: Hashes
    """(n, K): equal for equal sets of parts."""
    image: Codes
    subject: Codes
    """Questions of one photograph and object have the same code and lie side by side."""
    group: Codes
    """-1 where it has none."""
    block: Codes
    """-1 where it has none."""
    text: Codes
    """Equal for equal texts of questions."""
    source: Codes
    split: Codes
    type: Codes
    names_object: Bools
    category: Codes
    """The object's category where the question names it, else -1."""
    contrast_start: Ints
    """(n + 1,)"""
    contrast: Codes
    object_count: Ints
    """Number of object choices; 0 where there is no object question."""
    object_choice: Codes
    """(n, L): category of each object choice; -1 beyond the last."""
    metadata: Metadata
    shape: NDArray[np.float32]
    """(n, f): of the region log(w / h) and log(w * h), its middle as shares of the photograph's sides, log of its share of
    the area, and which of left, top, right and bottom are cut off; nan without a region."""
    parts: tuple[str, ...]
    categories: tuple[str, ...]
    sources: tuple[str, ...]
    splits: tuple[str, ...]
    types: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.count)

    @property
    def width(self) -> int:
        """K: the number of choices that all questions are padded to."""
        return int(self.text_length.shape[1])

    @property
    def valid(self) -> Bools:
        """(n, K): which choices there are."""
        return np.asarray(np.arange(self.width) < self.count[:, None])

    @property
    def set_size(self) -> Ints:
        """(n, K): number of parts of each choice."""
        return np.asarray(np.diff(self.part_start).reshape(len(self), self.width))

    def slice(self, start: int, stop: int) -> Questions:
        """Questions `start` to `stop`, sharing memory."""
        width = self.width
        first, last = self.part_start[start * width], self.part_start[stop * width]
        named, until = self.contrast_start[start], self.contrast_start[stop]
        rows = {
            field.name: getattr(self, field.name)[start:stop] for field in fields(self) if field.name not in _NOT_ROWS
        }
        return replace(
            self,
            **rows,
            part_start=self.part_start[start * width : stop * width + 1] - first,
            part=self.part[first:last],
            contrast_start=self.contrast_start[start : stop + 1] - named,
            contrast=self.contrast[named:until],
            metadata=Metadata(*(getattr(self.metadata, f.name)[start:stop] for f in fields(Metadata))),
        )

    def mentions(self) -> tuple[Ints, Ints]:
        """(m,) each: the flat choice and the part of every part named in a choice."""
        return np.repeat(np.arange(len(self.part_start) - 1), np.diff(self.part_start)), self.part.astype(np.int64)


_NOT_ROWS = frozenset(
    [
        "part_start",
        "part",
        "contrast_start",
        "contrast",
        "metadata",
        "parts",
        "categories",
        "sources",
        "splits",
        "types",
    ]
)


@dataclass(frozen=True, slots=True)
class Answers:
    """What an attacker must not read of the questions that it answers. Arrays are (n,)."""

    correct: Ints
    object_correct: Ints
    """-1 where there is no object question."""
    category: Codes
    """The object's true category; -1 where unknown."""

    def slice(self, start: int, stop: int) -> Answers:
        """Rows `start` to `stop`."""
        return Answers(self.correct[start:stop], self.object_correct[start:stop], self.category[start:stop])


@dataclass(frozen=True, slots=True)
class AuditTable:
    """Questions, their answers, and what the audit sorts its results by. Arrays are (n,)."""

    questions: Questions
    answers: Answers
    unit: Codes
    """What is resampled and cross-fitted as a whole: the group, else the block, else the photograph."""
    unit_hash: Hashes
    """(units,): a hash of each unit's id."""
    photograph: Hashes
    """Identity of the photograph across sources where it is known, else of the image."""
    balanced: Bools
    object_balanced: Bools
    evidence: Codes
    evidences: tuple[str, ...]
    declared: NDArray[np.float32]
    """The table's own column `chance`; nan where it has none."""

    def __len__(self) -> int:
        return len(self.questions)


def chunks(questions: Questions, most: int = 10_000) -> list[tuple[int, int]]:
    """Ranges of questions that cover all, cut between subjects, of about `most` questions or fewer if these are wide."""
    n, width = len(questions), questions.width
    step = max(64, min(most, 25 * most // (width * width)))
    ends = np.flatnonzero(np.diff(questions.subject, append=-1) != 0) + 1
    ranges, start = [], 0
    while start < n:
        place = int(np.searchsorted(ends, start + step, side="right"))
        stop = int(ends[max(place - 1, 0)])
        if stop <= start:
            stop = int(ends[place])
        ranges.append((start, stop))
        start = stop
    return ranges
