"""From blocks to the rows of `questions` and `question_masks`.

Texts are worded once for each choice of a block, and edits once for each pair of its choices; the questions of the
block refer to them, and Arrow copies them into the rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import compress
from typing import Any

import numpy as np
import pyarrow as pa

from partonomy_data.questions import keyed, wording
from partonomy_data.questions.arrays import Instances
from partonomy_data.questions.bank import Bank
from partonomy_data.questions.blocks import Block
from partonomy_data.questions.context import Context
from partonomy_data.questions.regions import widened
from schemas.tables import schema


@dataclass(slots=True)
class _Lists:
    """Lists of structs under construction: the fields' values one after another, and where each list ends."""

    values: tuple[list[Any], ...]
    ends: list[int] = field(default_factory=lambda: [0])

    def __len__(self) -> int:
        return len(self.ends) - 1

    def close(self) -> None:
        """The list ends here."""
        self.ends.append(len(self.values[0]))

    def array(self, kind: pa.DataType) -> pa.ListArray:
        """As lists of type `kind`: of structs with the values as fields, or of plain values."""
        element = kind.value_type
        if pa.types.is_struct(element):
            fields = [element.field(i) for i in range(element.num_fields)]
            arrays = [pa.array(values, one.type) for values, one in zip(self.values, fields, strict=True)]
            inner: pa.Array = pa.StructArray.from_arrays(arrays, fields=fields)
        else:
            inner = pa.array(self.values[0], element)
        return pa.ListArray.from_arrays(pa.array(self.ends, pa.int32()), inner, type=kind)


class Builder:
    """Gathers blocks, and gives their rows in batches."""

    def __init__(self, instances: Instances, context: Context) -> None:
        self._instances = instances
        self._context = context
        self._bank = Bank.extended(context.templates)
        self._generator = generator_version()
        self._kinds = {one.name: one.type for one in schema("questions")}
        self._clear()

    def _clear(self) -> None:
        # By choice of a block, and by pair of its choices.
        self._texts: list[str] = []
        self._parts, self._spans, self._edits = _Lists(([],)), _Lists(([], [], [])), _Lists(([], [], []))
        self._known_edits: dict[tuple[tuple[str, ...], tuple[str, ...]], int] = {}
        # By question.
        self._columns: dict[str, list[Any]] = defaultdict(list)
        self._rows: list[int] = []
        self._lengths: list[int] = []
        self._object_choices, self._picked_objects = _Lists(([], [], [])), list[int]()
        # By choice of a question.
        self._picked: list[int] = []
        self._picked_edits: list[int] = []
        self._correct: list[bool] = []
        # By part that a right choice names.
        self._masks: tuple[list[Any], ...] = ([], [], [], [], [])
        self._places: dict[int, dict[str, int]] = {}

    def __len__(self) -> int:
        """Questions that wait to be taken."""
        return len(self._rows)

    def add(self, block: Block) -> None:
        """Adds the questions of a block."""
        text, worded = wording.question(
            block.question_type,
            block.names_object,
            block.category,
            block.contrasts,
            f"{block.unit}{block.contrasts}",
            boxed=block.referent == "box",
            bank=self._bank,
        )
        lists = [list(compress(block.parts, choice)) for choice in block.choices.tolist()]
        phrases = self._phrases(block, lists)
        first, k, n = len(self._texts), len(lists), len(block.rows)
        for parts in lists:
            self._add_choice(parts, phrases, worded)
        edits = self._add_edits(lists)
        right = block.right.tolist()
        for place in right:
            self._picked += range(first, first + k)
            self._picked_edits += edits[place]
            correct = [False] * k
            correct[place] = True
            self._correct += correct
        self._lengths += [k] * n
        rows = block.rows.tolist()
        self._rows += rows
        ids = self._add_columns(block, text, worded)
        self._add_object_question(block, rows)
        for row, place, question_id in zip(rows, right, ids, strict=True):
            self._add_masks(block, row, lists[place], question_id, phrases)

    def _phrases(self, block: Block, lists: Sequence[Sequence[str]]) -> dict[str, str]:
        """What the choices call each part: the contrast category's name where it is broader, unless two would be one."""
        if block.question_type not in ("intersection", "contrast"):
            return {}
        heads = self._context.claims[block.contrasts[0]].heads
        if heads.keys().isdisjoint(block.parts):
            return {}
        used = sorted({part for parts in lists for part in parts})
        named = [heads.get(part, part) for part in used]
        return {part: name for part, name in zip(used, named, strict=True) if name != part and named.count(name) == 1}

    def _add_choice(self, parts: list[str], phrases: Mapping[str, str], worded: str) -> None:
        text, spans = wording.answer(worded, [(phrases.get(part, part), part) for part in parts], bank=self._bank)
        self._texts.append(text)
        self._parts.values[0].extend(parts)
        self._parts.close()
        starts, ends, named = self._spans.values
        for start, end, part in spans:
            starts.append(start)
            ends.append(end)
            named.append(part)
        self._spans.close()

    def _add_edits(self, lists: Sequence[Sequence[str]]) -> list[list[int]]:
        """Where to find what turns each choice into each other one; other blocks of the group share it."""
        keys = [tuple(one) for one in lists]
        return [[self._edit(mine, theirs) for theirs in keys] for mine in keys]

    def _edit(self, mine: tuple[str, ...], theirs: tuple[str, ...]) -> int:
        place = self._known_edits.get((mine, theirs))
        if place is not None:
            return place
        gone = [part for part in mine if part not in theirs]
        new = [part for part in theirs if part not in mine]
        replaced, n_gone, n_new = min(len(gone), len(new)), len(gone), len(new)
        ops, parts, replacements = self._edits.values
        ops += ["replace"] * replaced + ["delete"] * (n_gone - replaced) + ["add"] * (n_new - replaced)
        parts += gone + new[replaced:]
        replacements += new[:replaced] + [None] * (n_gone + n_new - 2 * replaced)
        self._edits.close()
        place = self._known_edits[mine, theirs] = len(self._edits) - 1
        return place

    def _add_columns(self, block: Block, text: str, worded: str) -> list[str]:
        """Adds the plain columns, and returns the questions' ids."""
        n = len(block.rows)
        what = (block.question_type, *block.contrasts)
        ids = [
            f"qst_{block.unit[:12]}{keyed.hexdigest(object_id, *what, size=5)}"
            for object_id in self._instances.ids[block.rows]
        ]
        block_ids = {group: f"blk_{keyed.hexdigest(group, *what)}" for group in set(block.groups)}
        columns = self._columns
        columns["question_id"] += ids
        columns["correct_index"] += block.right.tolist()
        columns["group_id"] += [f"grp_{group}" for group in block.groups] or [None] * n
        columns["block_id"] += [block_ids[group] for group in block.groups] or [None] * n
        for name, value in (
            ("question_type", block.question_type),
            ("names_object", block.names_object),
            ("contrast_categories", block.contrasts),
            ("question", text),
            ("referent", block.referent),
            ("balanced", block.balanced),
            ("chance", 1 / len(block.choices)),
            ("evidence", "verified" if block.verified else "unverified"),
            ("wording", worded),
        ):
            columns[name] += [value] * n
        return ids

    def _add_object_question(self, block: Block, rows: Sequence[int]) -> None:
        columns, asked, n = self._columns, block.object_question, len(rows)
        if asked is None:
            for name in ("object_question", "correct_object_index", "object_balanced"):
                columns[name] += [None] * n
            self._picked_objects += [-1] * n
            return
        text, worded = wording.object_question(
            f"{block.unit}{block.question_type}", boxed=block.referent == "box", bank=self._bank
        )
        answers = [wording.object_answer(worded, category, bank=self._bank) for category in asked.categories]
        places: dict[str, int] = {}
        texts, categories, flags = self._object_choices.values
        for place, own in enumerate(asked.categories):
            places[own] = len(self._object_choices)
            texts += answers
            categories += asked.categories
            flags += [other == place for other in range(len(answers))]
            self._object_choices.close()
        own_categories = [str(self._instances.categories[row]) for row in rows]
        self._picked_objects += [places[own] for own in own_categories]
        first = block.question_type == "whole_to_part"
        columns["object_question"] += [text] * n
        columns["correct_object_index"] += [asked.categories.index(own) for own in own_categories]
        columns["object_balanced"] += [asked.first_balanced if first else asked.second_balanced] * n

    def _add_masks(
        self, block: Block, row: int, parts: Sequence[str], question_id: str, phrases: Mapping[str, str]
    ) -> None:
        places = self._places.get(row)
        if places is None:
            places = self._places[row] = self._instances.visible_places(row)
        shared = self._context.claims[block.contrasts[0]].shared if block.contrasts else {}
        ids, named, phrased, contrasts, picked = self._masks
        ids += [question_id] * len(parts)
        named += parts
        phrased += [phrases.get(part, part) for part in parts]
        contrasts += [shared.get(part) for part in parts]
        picked += [places[part] for part in parts]

    def take(self) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """The rows of `questions` and of `question_masks` that were added since the last time."""
        batch = self._questions()
        ids, parts, phrases, contrasts, picked = self._masks
        mask_rows = pa.RecordBatch.from_pydict(
            {
                "question_id": pa.array(ids, pa.string()),
                "part_category": pa.array(parts, pa.string()),
                "phrase": pa.array(phrases, pa.string()),
                "contrast_part": pa.array(contrasts, pa.string()),
                "part_ids": self._instances.masks.take(pa.array(picked, pa.int64())),
            }
        )
        self._clear()
        return batch, mask_rows

    def _questions(self) -> pa.RecordBatch:
        rows = pa.array(self._rows, pa.int64())
        table = self._instances.table
        columns: dict[str, pa.Array] = {
            name: pa.array(values, self._kinds[name]) for name, values in self._columns.items()
        }
        for name in ("image_id", "object_id", "source"):
            columns[name] = table[name].take(rows).combine_chunks()
        n = len(self._rows)
        columns["split"] = pa.repeat(pa.scalar(self._context.split), n)
        columns["generator_version"] = pa.repeat(pa.scalar(self._generator), n)
        columns["choices"] = self._choices()
        picked = pa.array([None if place < 0 else place for place in self._picked_objects], pa.int64())
        columns["object_choices"] = self._object_choices.array(self._kinds["object_choices"]).take(picked)
        columns["region"] = self._regions(rows)
        return pa.RecordBatch.from_pydict({name: columns[name] for name in schema("questions").names})

    def _choices(self) -> pa.ListArray:
        kind = self._kinds["choices"]
        element = kind.value_type
        picked = pa.array(self._picked, pa.int64())
        fields = [element.field(i) for i in range(element.num_fields)]
        of = {
            "text": pa.array(self._texts, pa.string()).take(picked),
            "parts": self._parts.array(element.field("parts").type).take(picked),
            "spans": self._spans.array(element.field("spans").type).take(picked),
            "is_correct": pa.array(self._correct, pa.bool_()),
            "edits": self._edits.array(element.field("edits").type).take(pa.array(self._picked_edits, pa.int64())),
        }
        values = pa.StructArray.from_arrays([of[one.name] for one in fields], fields=fields)
        offsets = np.concatenate([[0], np.cumsum(self._lengths)]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), values, type=kind)

    def _regions(self, rows: pa.Array) -> pa.Array:
        table = self._instances.table
        boxes = np.asarray(table["bbox"].take(rows).combine_chunks().flatten()).reshape(-1, 4)
        sizes = [np.asarray(table[name].take(rows).combine_chunks()) for name in ("width", "height")]
        referent = np.array(self._columns["referent"], object)
        regions = np.where((referent == "crop")[:, None], widened(boxes, *sizes), boxes).astype(np.float32)
        kind = self._kinds["region"]
        return pa.FixedSizeListArray.from_arrays(
            pa.array(regions.ravel(), pa.float32()), type=kind, mask=pa.array(referent == "unique", pa.bool_())
        )


def generator_version() -> str:
    """Name and version of what makes the questions."""
    try:
        return f"partonomy-data {version('partonomy-data')}"
    except PackageNotFoundError:
        return "partonomy-data 0+unknown"
