"""Staged questions that are worded anew: stand-ins for paraphrases, blocks made by hand, and what must not change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from partonomy_data.questions.admission_paraphrase import Original
from partonomy_data.questions.bank import Proposed, question_slots
from partonomy_data.questions.blocks import Block
from partonomy_data.questions.rows import Builder
from partonomy_data.store import files, parquet
from tests.questions.hand_made import Thing, claim, context_of, instances_of

Row = dict[str, Any]
IN_WORDS = {"question", "choices", "wording"}


def anew(one: Original) -> Proposed:
    """A template that can't be mistaken for any other: its slots in another order, and marks around them."""
    slots = reversed(question_slots(one.question_type))
    question = "Anew: " + " / ".join(f"{{{slot}}}" for slot in slots)
    return Proposed("call_9.p1", one.question_type, question, "Anew: {the_parts} (all).")


def always(some: Sequence[Original]) -> list[Proposed | None]:
    return [anew(one) for one in some]


def paths(staged: Path) -> list[Path]:
    return files.files_under(staged / "questions")


def rows(staged: Path) -> list[Row]:
    return [row for path in paths(staged) for row in pq.read_table(path, partitioning=None).to_pylist()]


def check_only_words_changed(before: Sequence[Row], after: Sequence[Row]) -> None:
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert {name for name in new if new[name] != old[name]} <= IN_WORDS
        for one, other in zip(old["choices"], new["choices"], strict=True):
            assert {name for name in other if other[name] != one[name]} <= {"text", "spans"}
            assert [span["part"] for span in other["spans"]] == [span["part"] for span in one["spans"]]
            assert phrases(other) == phrases(one)


def phrases(choice: Row) -> list[str]:
    return [choice["text"][span["start"] : span["end"]] for span in choice["spans"]]


def check_blocks(found: Sequence[Row]) -> None:
    """The questions of a block have one text, one wording and the same choices."""
    blocks: dict[str, set[Any]] = defaultdict(set)
    for row in found:
        if row["block_id"] is not None:
            choices = tuple(choice["text"] for choice in row["choices"])
            blocks[row["block_id"]].add((row["question"], row["wording"], choices))
    assert all(len(texts) == 1 for texts in blocks.values())


LISTS = [["body", "wing"], ["wing"], ["body", "tail", "wing"]]


def made(folder: Path, **changes: Any) -> Path:
    """One block, staged; parts, categories and the way of pointing as given."""
    lists: list[list[str]] = changes.pop("lists", LISTS)
    parts = tuple(sorted({part for one in lists for part in one}))
    given: dict[str, Any] = {
        "unit": "0123456789abcdef",
        "question_type": "identification",
        "names_object": True,
        "category": "car",
        "contrasts": (),
        "rows": np.arange(len(lists)),
        "parts": parts,
        "choices": np.array([[part in one for part in parts] for one in lists], bool),
        "right": np.arange(len(lists)),
        "groups": ("fedcba9876543210",) * len(lists),
        "verified": True,
        "referent": "unique",
        "object_question": None,
    }
    block = Block(**{**given, **changes})
    things = [
        Thing(name=f"obj_{i}", visible=tuple(sorted(one)), category=block.category or "car")
        for i, one in enumerate(lists)
    ]
    claims = {name: claim(parts) for name in block.contrasts}
    builder = Builder(instances_of(things), context_of(claims=claims))
    builder.add(block)
    questions, _ = builder.take()
    parquet.write(pa.Table.from_batches([questions]), folder / "questions" / "split=train" / "a.parquet", "questions")
    return folder
