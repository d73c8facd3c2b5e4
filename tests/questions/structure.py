"""What must hold of any store's questions, whatever is in the pictures: slow, plain checks of the published tables."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import partonomy_data
from tests.questions.oracle import ancestors_of
from tests.questions.world_truth import KINDS

Row = dict[str, Any]

CONTRASTS = {"intersection": 1, "difference": 1, "contrast": 2}
TWO_TURNS = ("part_to_whole", "whole_to_part")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that must not be."""

    rule: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables that the checks read, as rows."""

    questions: list[Row]
    masks: dict[str, dict[str, list[str]]]
    """question_id → part category → part ids."""
    instances: dict[tuple[str, str], list[str]]
    """(object_id, part category) → part ids."""
    objects: dict[str, Row]
    images: dict[str, Row]
    splits: dict[str, Row]
    ancestors: dict[str, frozenset[str]]


def tables_of(root: Path) -> Tables:
    """Reads a store."""
    with partonomy_data.open(root) as store:
        masks: dict[str, dict[str, list[str]]] = defaultdict(dict)
        for row in store.table("question_masks").to_pylist():
            assert row["part_category"] not in masks[row["question_id"]]
            masks[row["question_id"]][row["part_category"]] = row["part_ids"]
        instances: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in store.table("parts", ["part_id", "object_id", "part_category"]).to_pylist():
            instances[row["object_id"], row["part_category"]].append(row["part_id"])
        plain = ["object_id", "image_id", "source", "object_category", "bbox", "merged"]
        return Tables(
            store.table("questions").to_pylist(),
            dict(masks),
            dict(instances),
            {row["object_id"]: row for row in store.table("objects", plain).to_pylist()},
            {row["image_id"]: row for row in store.table("images", ["image_id", "width", "height"]).to_pylist()},
            {row["image_id"]: row for row in store.table("splits").to_pylist()},
            ancestors_of(store),
        )


def faults_of(root: Path) -> list[Fault]:
    """All faults of a store's questions."""
    return faults(tables_of(root))


def faults(tables: Tables) -> list[Fault]:
    """All faults, question by question, then block by block, then photograph by photograph."""
    found = [
        fault
        for row in tables.questions
        for check in (choices, spans, masks, contrasts, pointing, two_turns)
        for fault in check(row, tables)
    ]
    for check in (blocks, object_blocks, photographs, positions):
        found += check(tables)
    return found


def choices(row: Row, tables: Tables) -> Iterator[Fault]:
    """One right choice, all different, none empty, chance told."""
    where, given = row["question_id"], row["choices"]
    right = [place for place, choice in enumerate(given) if choice["is_correct"]]
    if right != [row["correct_index"]]:
        yield Fault("one_right_choice", where, f"{right} are right, correct_index is {row['correct_index']}")
    if len({frozenset(choice["parts"]) for choice in given}) < len(given):
        yield Fault("choices_differ", where, "two choices list the same parts")
    if len({choice["text"] for choice in given}) < len(given):
        yield Fault("choices_differ", where, "two choices read the same")
    if any(not choice["parts"] or len(set(choice["parts"])) < len(choice["parts"]) for choice in given):
        yield Fault("choice_is_a_list", where, "a choice is empty or names a part twice")
    if not 2 <= len(given) <= 9 or not math.isclose(row["chance"], 1 / len(given), rel_tol=1e-6):
        yield Fault("chance", where, f"{row['chance']} with {len(given)} choices")
    thing = tables.objects[row["object_id"]]
    if (thing["image_id"], thing["source"], thing["merged"]) != (row["image_id"], row["source"], False):
        yield Fault("object", where, "its object is another photograph's, or stands for several")


def spans(row: Row, tables: Tables) -> Iterator[Fault]:
    """Spans spell their parts, in order, and one for each."""
    for choice in row["choices"]:
        text, end = choice["text"], 0
        if Counter(span["part"] for span in choice["spans"]) != Counter(choice["parts"]):
            yield Fault("spans_are_the_parts", row["question_id"], text)
        for span in choice["spans"]:
            phrase = text[span["start"] : span["end"]]
            if not end <= span["start"] < span["end"] <= len(text):
                yield Fault("spans_in_order", row["question_id"], text)
            if not names(phrase, span["part"]):
                yield Fault("spans_spell", row["question_id"], f"{phrase!r} for {span['part']!r}")
            end = span["end"]


def names(phrase: str, part: str) -> bool:
    """Whether a phrase is the part's name, or a broader one: its last words, or its plain kind."""
    spelled = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", part).split())
    return phrase in (part, spelled) or spelled.endswith(f" {phrase}") or KINDS.get(part) == phrase


def masks(row: Row, tables: Tables) -> Iterator[Fault]:
    """Each part of the right choice has all its instances' ids, and no other part has any."""
    parts = row["choices"][row["correct_index"]]["parts"]
    found = tables.masks.get(row["question_id"], {})
    if set(found) != set(parts):
        yield Fault("question_masks", row["question_id"], f"{sorted(found)} for {sorted(parts)}")
    for part, ids in found.items():
        if sorted(ids) != sorted(tables.instances.get((row["object_id"], part), [])) or len(set(ids)) < len(ids):
            yield Fault("question_masks", row["question_id"], f"{part!r} has {ids}")


def contrasts(row: Row, tables: Tables) -> Iterator[Fault]:
    """As many other categories as the type names; never the object itself, nor a broader or narrower name of it."""
    own = tables.objects[row["object_id"]]["object_category"]
    named = row["contrast_categories"]
    if len(set(named)) != CONTRASTS.get(row["question_type"], 0) or len(set(named)) != len(named):
        yield Fault("contrasts", row["question_id"], f"{row['question_type']} names {named}")
    for other in named:
        if other == own or other in tables.ancestors.get(own, ()) or own in tables.ancestors.get(other, ()):
            yield Fault("compared_with_itself", row["question_id"], f"{own!r} with {other!r}")
    # What is called "part" or "x" is named by every question, or by the name of another.
    if not row["names_object"] and own != "part" and not any(re.search(rf"\b{re.escape(own)}\b", one) for one in named):
        text = row["question"]
        for other in sorted(named, key=len, reverse=True):
            text = text.replace(other, "")
        if re.search(rf"\b{re.escape(own)}\b", text):
            yield Fault("object_is_not_named", row["question_id"], row["question"])


def pointing(row: Row, tables: Tables) -> Iterator[Fault]:
    """The object is the only one that the question could mean, or the region holds it."""
    thing, image, region = tables.objects[row["object_id"]], tables.images[row["image_id"]], row["region"]
    if (region is None) != (row["referent"] == "unique"):
        yield Fault("region", row["question_id"], f"{row['referent']} with region {region}")
    elif region is not None:
        x, y, w, h = region
        bx, by, bw, bh = thing["bbox"]
        inside = x <= bx + 1 and y <= by + 1 and x + w >= bx + bw - 1 and y + h >= by + bh - 1
        if not inside or x < 0 or y < 0 or x + w > image["width"] + 0.5 or y + h > image["height"] + 0.5:
            yield Fault("region", row["question_id"], f"{region} for an object at {thing['bbox']}")
    if row["referent"] == "box" and row["split"] != "train":
        yield Fault("region", row["question_id"], "a drawn box in an evaluation split")


def two_turns(row: Row, tables: Tables) -> Iterator[Fault]:
    """Object questions where the type has two turns, with one right choice, and never with the object named."""
    wanted = row["question_type"] in TWO_TURNS
    filled = [
        row[name] is not None
        for name in ("object_question", "object_choices", "correct_object_index", "object_balanced")
    ]
    if filled != [wanted] * 4 or (wanted and row["names_object"]):
        yield Fault("two_turns", row["question_id"], f"{row['question_type']}: {filled}")
    elif wanted:
        given = row["object_choices"]
        right = [place for place, choice in enumerate(given) if choice["is_correct"]]
        own = tables.objects[row["object_id"]]["object_category"]
        if right != [row["correct_object_index"]] or given[right[0]]["object_category"] != own:
            yield Fault("one_right_object", row["question_id"], f"{right} are right")
        if len({choice["text"] for choice in given}) < len(given):
            yield Fault("choices_differ", row["question_id"], "two objects read the same")


def blocks(tables: Tables) -> Iterator[Fault]:
    """A block is one text, the same choices in one order, each right once, in different photographs of one group."""
    members: dict[str, list[Row]] = defaultdict(list)
    for row in tables.questions:
        if (row["block_id"] is None) != (row["group_id"] is None) or (row["balanced"] and row["block_id"] is None):
            yield Fault("balanced_is_in_a_block", row["question_id"], f"{row['balanced']}, {row['block_id']}")
        if row["block_id"] is not None:
            members[row["block_id"]].append(row)
    alike = (
        "question",
        "question_type",
        "names_object",
        "contrast_categories",
        "split",
        "source",
        "group_id",
        "referent",
    )
    for block, rows in members.items():
        for name in alike:
            if any(row[name] != rows[0][name] for row in rows):
                yield Fault("block_is_alike", block, f"{name} differs")
        if any([one["text"] for one in row["choices"]] != [one["text"] for one in rows[0]["choices"]] for row in rows):
            yield Fault("block_is_alike", block, "choices differ")
        # Whoever is told the object knows something of its parts, unless all of the block are of one category.
        told = {tables.objects[row["object_id"]]["object_category"] for row in rows}
        fair = rows[0]["question_type"] != "whole_to_part" or len(told) == 1
        if any(row["balanced"] != fair for row in rows):
            yield Fault("balanced_is_in_a_block", block, f"{sorted(told)}")
        if sorted(row["correct_index"] for row in rows) != list(range(len(rows[0]["choices"]))):
            yield Fault("each_choice_right_once", block, str([row["correct_index"] for row in rows]))
        if len({tables.splits[row["image_id"]]["cluster"] for row in rows}) < len(rows):
            yield Fault("different_photographs", block, "two members are one photograph")


def object_blocks(tables: Tables) -> Iterator[Fault]:
    """Where object questions are balanced, each of the objects that stand together to choose from is right equally often."""
    right: dict[tuple[str, str, frozenset[str]], Counter[str]] = defaultdict(Counter)
    for row in tables.questions:
        if row["object_balanced"]:
            given = [choice["object_category"] for choice in row["object_choices"]]
            right[row["split"], row["question_type"], frozenset(given)][given[row["correct_object_index"]]] += 1
    for (split, question_type, offered), counts in right.items():
        if len({counts[name] for name in offered}) > 1:
            yield Fault(
                "objects_balanced", f"{split} {question_type}", str({name: counts[name] for name in sorted(offered)})
            )


def photographs(tables: Tables) -> Iterator[Fault]:
    """One split for each cluster; in evaluation one object, one group, and the object named always or never."""
    by_cluster: dict[str, list[Row]] = defaultdict(list)
    for row in tables.questions:
        assigned = tables.splits[row["image_id"]]
        by_cluster[assigned["cluster"]].append(row)
        if row["split"] != assigned["split"]:
            yield Fault("split", row["question_id"], f"{row['split']}, its photograph is in {assigned['split']}")
    for cluster, rows in by_cluster.items():
        if len({row["split"] for row in rows}) > 1:
            yield Fault("cluster_in_one_split", cluster, str({row["split"] for row in rows}))
        if rows[0]["split"] == "train":
            continue
        for name in ("object_id", "group_id", "names_object"):
            if len({row[name] for row in rows}) > 1:
                yield Fault(
                    "one_group_for_a_photograph", cluster, f"{name}: {sorted({str(row[name]) for row in rows})}"
                )
        if len({(row["question_type"], tuple(row["contrast_categories"])) for row in rows}) < len(rows):
            yield Fault("asked_once", cluster, "the same question twice")
    if len({row["question_id"] for row in tables.questions}) < len(tables.questions):
        yield Fault("question_id", "questions", "an id is there twice")


def positions(tables: Tables) -> Iterator[Fault]:
    """Where the right choice stands is chance: exactly in blocks, nearly elsewhere (five standard deviations)."""
    for balanced in (True, False):
        for length in range(2, 10):
            rows = [row for row in tables.questions if row["balanced"] == balanced and len(row["choices"]) == length]
            seen = Counter(row["correct_index"] for row in rows)
            expected = len(rows) / length
            allowed = 0 if balanced else 5 * math.sqrt(expected * (1 - 1 / length))
            for place in range(length):
                if abs(seen[place] - expected) > allowed + 1e-9:
                    yield Fault(
                        "positions", f"{length} choices, balanced {balanced}", f"{place}: {seen[place]} of {len(rows)}"
                    )
