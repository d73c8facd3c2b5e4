"""What an audit finds, as plain structures: they are audit.json."""

from __future__ import annotations

from typing import Final

import msgspec

from partonomy_data.questions.audit.settings import AuditSettings

#: Attackers that go by the shape of what is shown: they are reported, and decide nothing.
SHAPES: Final = frozenset({"shape", "object_shape"})


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """How an attacker fared on the questions of one type in one slice."""

    attacker: str
    turn: str
    """`parts`, or `object` for the object question of two-turn types."""
    question_type: str
    """The type, or `all`."""
    slice: str
    """`all`, or a column and its value, such as `source=paco`."""
    accuracy: float
    """Expected accuracy; among choices that it can't tell apart, the attacker draws."""
    chance: float
    """Mean of one over the number of choices."""
    low: float
    """Lower end of the accuracy's own interval."""
    high: float
    family_low: float
    """Lower end of the interval that holds, at the same level, for all rows of the slice together."""
    family_high: float
    n: int
    """Questions."""
    units: int
    """Groups, else blocks, else photographs that they belong to: what is resampled."""
    within_chance: bool
    """Whether the family's interval contains chance."""


class Positions(msgspec.Struct, frozen=True):
    """Where the right choice stands, among questions with the same number of choices."""

    turn: str
    choices: int
    counts: list[int]
    chi_square: float
    p_value: float
    """Probability of at least this chi-square if every position were equally likely, question by question."""


class Lengths(msgspec.Struct, frozen=True):
    """Parts and characters of right and of wrong choices, of one question type."""

    question_type: str
    right_parts: float
    wrong_parts: float
    right_characters: float
    wrong_characters: float
    right_by_parts: list[int]
    """Number of right choices with 0, 1, 2, … parts."""
    wrong_by_parts: list[int]


class Hardness(msgspec.Struct, frozen=True):
    """Edits between the right choice and its nearest wrong one: max(|A \\ B|, |B \\ A|)."""

    questions: str
    """Which: `all`, or `six_or_more_parts` (categories of which right answers name six or more parts); `balanced` and
    `balanced, six_or_more_parts` are the balanced ones among these."""
    question_type: str
    n: int
    by_edits: list[int]
    """Number of questions with 0, 1, 2, … edits."""
    median: float | None


class Excluded(msgspec.Struct, frozen=True):
    """Choices that a rule can exclude without the image."""

    questions: str
    """Which: `all` or `balanced`."""
    empty: int
    """Choices without any part, in questions with others."""
    repeated: int
    """Choices with the same set of parts as another of the question."""
    same_text: int
    """Choices with the same text as another of the question."""
    part_never_right: int
    """Choices with a part that no right answer has for that category and source (for that source, where it isn't named)."""
    choices: int
    """All choices."""


class Blocks(msgspec.Struct, frozen=True):
    """Whether blocks are what they should be."""

    blocks: int
    choices_differ: int
    """Blocks whose questions have not the same choices in the same order."""
    text_differs: int
    """Blocks whose questions have not the same text."""
    not_each_right_once: int
    """Blocks in which some choice is not right exactly once."""
    photograph_repeated: int
    """Blocks with two questions on the same photograph."""


class Leakage(msgspec.Struct, frozen=True):
    """Photographs, and units, whose questions are in more than one split."""

    splits: dict[str, int]
    """Questions by split."""
    photographs: int
    units: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that an audit found."""

    source: str
    """What was audited."""
    n: int
    units: int
    rows: list[Row]
    positions: list[Positions]
    lengths: list[Lengths]
    hardness: list[Hardness]
    excluded: list[Excluded]
    blocks: Blocks
    leakage: Leakage
    declared_chance: float | None
    """Mean of the table's own column `chance`."""
    declared_wrong: int
    """Balanced questions whose declared chance is not one over their number of choices."""
    notes: list[str]
    """Attackers that could not be run, and the like."""
    settings: AuditSettings
    how: str = (
        "accuracy: expected, ties divided evenly. low, high: percentiles of a bootstrap of whole units. "
        "family_low, family_high: the same level for all rows of a slice together (Sidak's correction, Student's t on the "
        "bootstrap's standard error). within_chance: the family's interval contains chance."
    )

    def beyond(self, name: str = "all") -> list[Row]:
        """The rows of the slice `name` that are not within chance, but for attackers that go by the shape of what is shown."""
        return [row for row in self.rows if row.slice == name and not row.within_chance and row.attacker not in SHAPES]
