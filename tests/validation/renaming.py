"""A version whose names are made of anything: quotes, signs, other scripts, what has a meaning in a pattern or in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from partonomy_data.questions.nouns import definite, indefinite, plain
from partonomy_data.questions.wording import answer, object_answer
from tests.validation.damage import damaged, read
from tests.validation.staged import Row, Staged

HOSTILE: Final = [
    "wh'eel",
    'say "cheese"',
    "100% {}",
    "{0}",
    "back\\slash",
    "c++",
    "a|b",
    "[x]*",
    "^$",
    "naïve café",
    "e\u0301clair",
    "轮子",
    "🛞👨‍👩‍👧",
    "tab\there",
    "new\nline",
    "semi; DROP TABLE parts --",
    "$1 ${x}",
    "(open",
    "\u202eright to left",
    "NULL",
    "a / b",
]
#: Table → its columns with names of parts, and of objects.
_PARTS: Final = {
    "parts": ["part_category"],
    "part_evidence": ["part_category"],
    "part_categories": ["part_category"],
    "part_graph": ["part_category"],
    "part_relations": ["part_a", "part_b"],
    "plausibility": ["part_category"],
}
_OBJECTS: Final = {
    "objects": ["object_category"],
    "object_categories": ["object_category", "supercategory"],
    "category_graph": ["child", "parent"],
    "part_graph": ["object_category"],
    "plausibility": ["object_category"],
}


def renamed(staged: Staged) -> None:
    """Gives the most frequent names of parts and of objects hostile ones, wherever they occur."""
    parts, objects = (_names(staged, kind) for kind in ("part", "object"))
    for tables, new in ((_PARTS, parts), (_OBJECTS, objects)):
        for table, columns in tables.items():
            _rename(staged, table, columns, new)
    phrases = {plain(old): plain(name) for old, name in parts.items()}
    damaged(staged.folder, "question_masks", lambda rows: _each(rows, lambda row: _masks(row, parts, phrases)))
    things = {row["object_id"]: row["object_category"] for row in read(staged.folder, "objects").to_pylist()}
    damaged(
        staged.folder,
        "questions",
        lambda rows: _each(rows, lambda row: _question(row, parts, phrases, objects, things)),
    )


def _names(staged: Staged, kind: str) -> dict[str, str]:
    """Name → the new one."""
    rows = staged.rows(f"{kind}_categories")
    count = "n_parts" if kind == "part" else "n_objects"
    frequent = sorted(rows, key=lambda row: -int(row[count]))[: len(HOSTILE)]
    return {row[f"{kind}_category"]: new for row, new in zip(frequent, HOSTILE, strict=True)}


def _rename(staged: Staged, table: str, columns: list[str], new: Mapping[str, str]) -> None:
    damaged(
        staged.folder,
        table,
        lambda rows: _each(rows, lambda row: row | {name: new.get(row[name], row[name]) for name in columns}),
    )


def _each(rows: pa.Table, change: object) -> pa.Table:
    assert callable(change)
    return pa.Table.from_pylist([change(row) for row in rows.to_pylist()], rows.schema)


def _masks(row: Row, parts: Mapping[str, str], phrases: Mapping[str, str]) -> Row:
    shared = row["contrast_part"]
    return row | {
        "part_category": parts.get(row["part_category"], row["part_category"]),
        "contrast_part": parts.get(shared, shared),
        "phrase": phrases.get(row["phrase"], row["phrase"]),
    }


def _question(
    row: Row,
    parts: Mapping[str, str],
    phrases: Mapping[str, str],
    objects: Mapping[str, str],
    things: Mapping[str, str],
) -> Row:
    text = row["question"]
    for other in row["contrast_categories"]:
        text = text.replace(indefinite(other), indefinite(objects.get(other, other)))
    if row["names_object"]:
        own = things[row["object_id"]]
        old = next((name for name, new in objects.items() if new == own), own)
        text = text.replace(definite(old), definite(own))
    return row | {
        "question": text,
        "contrast_categories": [objects.get(other, other) for other in row["contrast_categories"]],
        "choices": [_choice(row, choice, parts, phrases) for choice in row["choices"]],
        "object_choices": row["object_choices"] and [_object(choice, objects) for choice in row["object_choices"]],
    }


def _choice(row: Row, choice: Row, parts: Mapping[str, str], phrases: Mapping[str, str]) -> Row:
    said = [(choice["text"][span["start"] : span["end"]], span["part"]) for span in choice["spans"]]
    text, spans = answer(
        row["wording"], [(phrases.get(phrase, phrase), parts.get(part, part)) for phrase, part in said]
    )
    return choice | {
        "text": text,
        "parts": [parts.get(part, part) for part in choice["parts"]],
        "spans": [{"start": start, "end": end, "part": part} for start, end, part in spans],
        "edits": [
            edit | {name: parts.get(edit[name], edit[name]) for name in ("part", "replacement")}
            for edit in choice["edits"]
        ],
    }


def _object(choice: Row, objects: Mapping[str, str]) -> Row:
    new = objects.get(choice["object_category"], choice["object_category"])
    return choice | {"object_category": new, "text": object_answer("object/unnamed/0", new)}
