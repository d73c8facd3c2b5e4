"""Does a model know, or guess? Blocks of questions that are all right, and questions that agree with their paraphrases.

Both look at several questions together, after each was answered by itself. They take questions as they come, and forget a block
when it is complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from model.evaluation.checking import Checked
from model.evaluation.choices import taken
from model.evaluation.slices import Slice


@dataclass(slots=True)
class _Open:
    seen: int
    right: bool
    slices: Sequence[Slice]


@dataclass
class Blocks:
    """Blocks of which some questions were seen. A block has as many questions as its questions have choices.

    A blind chooser gets exactly one question of a block right, and so never a block.
    """

    open: dict[str, _Open] = field(default_factory=dict)

    def add(self, checked: Checked, slices: Sequence[Slice]) -> tuple[bool, Sequence[Slice]] | None:
        """Counts a question. If it is its block's last: whether all are right, and the slices that all of them are in."""
        truth = checked.truth
        if truth.block is None:
            return None
        block = self.open.setdefault(truth.block, _Open(0, True, slices))
        block.seen += 1
        block.right &= taken(checked) == truth.correct
        if block.slices is not slices:
            block.slices = [one for one in block.slices if one in slices]
        if block.seen < len(truth.choices):
            return None
        del self.open[truth.block]
        return block.right, block.slices


@dataclass
class Paraphrases:
    """What was chosen in each set of questions that are reworded from one, by the text of the choice."""

    chosen: dict[str, Counter[tuple[str, ...] | None]] = field(default_factory=dict)

    def add(self, checked: Checked) -> tuple[int, int]:
        """Counts a question: with how many of its set so far it agrees, and how many there are.

        Choices are the same if they name the same parts. One that wasn't taken, or tied, agrees with none. Summed over
        the questions, these are pairs, in whatever order the questions come.
        """
        truth = checked.truth
        if truth.paraphrases is None:
            return 0, 0
        before = self.chosen.setdefault(truth.paraphrases, Counter())
        number = taken(checked)
        choice = None if number is None else tuple(sorted(truth.choices[number].parts))
        agreeing, pairs = (0 if choice is None else before[choice]), before.total()
        before[choice] += 1
        return agreeing, pairs
