"""Questions to be damaged, and how they and their choices get other values with all that goes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from partonomy_data.questions.wording import answer
from tests.validation.damage import damaged, setting
from tests.validation.staged import Row, block_of, questions


def alone(folder: Path, wanted: Callable[[Row], bool] = lambda row: True, **values: Any) -> Row:
    """A question for training that is in no block, and has several parts to name."""
    values = {"split": "train", "block_id": None, "question_type": "identification"} | values
    return next(row for row in questions(folder, **values) if len(right_of(row)["parts"]) > 1 and wanted(row))


def right_of(row: Row) -> Row:
    """The correct choice."""
    right: Row = row["choices"][row["correct_index"]]
    return right


def set_values(folder: Path, row: Row, **values: Any) -> set[str]:
    """Gives a question these values, and returns its name."""
    damaged(folder, "questions", setting(row, **values))
    return {row["question_id"]}


def set_choice(folder: Path, row: Row, place: int, **values: Any) -> set[str]:
    """Gives a choice of a question these values."""
    choices = list(row["choices"])
    choices[place] = choices[place] | values
    return set_values(folder, row, choices=choices)


def wrong_place(row: Row) -> int:
    """The place of the first wrong choice."""
    return int(row["correct_index"] == 0)


def written(row: Row, lists: Sequence[Sequence[str]], right: int) -> Row:
    """A question's columns with these choices, written as all are, and with all that goes with them."""
    choices = []
    for place, parts in enumerate(lists):
        text, spans = answer(row["wording"], [(part, part) for part in parts])
        choices.append(
            {
                "text": text,
                "parts": list(parts),
                "spans": [{"start": start, "end": end, "part": part} for start, end, part in spans],
                "is_correct": place == right,
                "edits": edits(lists[right], parts),
            }
        )
    return {"choices": choices, "correct_index": right, "chance": 1 / len(lists)}


def edits(mine: Sequence[str], theirs: Sequence[str]) -> list[Row]:
    """What makes one list of parts the other."""
    gone = [{"op": "delete", "part": part, "replacement": None} for part in mine if part not in theirs]
    return gone + [{"op": "add", "part": part, "replacement": None} for part in theirs if part not in mine]


def lists_of(row: Row) -> list[list[str]]:
    """The parts of each choice."""
    return [list(choice["parts"]) for choice in row["choices"]]


def a_block(folder: Path, **values: Any) -> list[Row]:
    """The questions of a block for training."""
    return block_of(folder, next(questions(folder, **{"split": "train", "balanced": True} | values)))


def compared_with(row: Row) -> str:
    """The first category that a question compares its object with."""
    return str(row["contrast_categories"][0])
