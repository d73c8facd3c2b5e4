"""What is told of each row, as plain values: a question and what it rests on, a part, an object, a photograph."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from partonomy_data.provenance.lookups import Lookups, Row
from partonomy_data.provenance.origin import annotation
from partonomy_data.rulebook import rules_of

_CALL: Final = re.compile(r"call_[0-9a-f]{16}")
_QUESTION: Final = (
    *("question", "question_type", "names_object", "contrast_categories", "source", "split", "referent", "region"),
    *("evidence", "balanced", "chance", "generator_version"),
)
_IMAGE: Final = (
    *("image_id", "uri", "file_name", "width", "height", "sha256", "phash", "license", "exif_orientation"),
    *("photograph", "source_split"),
)


def question(rows: Lookups, row: Row) -> dict[str, Any]:
    """A question: its choices and how each was made, what words it, and what its truth rests on."""
    image = rows.one("images", "image_id", row["image_id"])
    thing = rows.one("objects", "object_id", row["object_id"])
    named = rows.named_in(row["question_id"])
    parts = rows.parts([part_id for one in named for part_id in one["part_ids"]])
    offered = {part for choice in row["choices"] for part in choice["parts"]}
    offered |= {one["contrast_part"] for one in named if one["contrast_part"]}
    categories = {*row["contrast_categories"], *(c["object_category"] for c in row["object_choices"] or ())}
    categories |= {thing["object_category"]} if thing else set()
    relations, plausibility = rows.relations(offered), rows.plausibility(categories, offered)
    worded_by = _CALL.search(row["wording"])
    call_ids = [one["call_id"] for one in (*relations, *plausibility)] + [worded_by and worded_by[0]]
    return {
        **_chosen(row, _QUESTION),
        "wording": {
            "template": row["wording"],
            "written_by": "a language model" if worded_by else "partonomy-data's bank of templates",
            "call_id": worded_by and worded_by[0],
        },
        "asked_together": _together(rows, row),
        "choices": [_chosen(choice, ("text", "parts", "is_correct", "edits")) for choice in row["choices"]],
        "object_question": _object_question(row),
        "named_parts": [
            {
                **_chosen(one, ("part_category", "phrase", "contrast_part")),
                "parts": [_part(rows, parts.get(part_id), part_id, image) for part_id in one["part_ids"]],
            }
            for one in named
        ],
        "object": _object(rows, thing, row["object_id"], image),
        "image": _image(rows, image, row["image_id"]),
        "part_relations": relations,
        "plausibility": plausibility,
        "llm_calls": rows.calls(call_ids),
    }


def _together(rows: Lookups, row: Row) -> dict[str, Any]:
    asked = rows.asked_with(row["question_id"], ["group_id", "block_id"])
    others = [one for one in asked if one["question_id"] != row["question_id"]]
    group, block = row["group_id"], row["block_id"]
    return {
        "block_id": block,
        "same_block": [one["question_id"] for one in others if block and one["block_id"] == block],
        "group_id": group,
        "same_group": [
            one["question_id"] for one in others if group and one["group_id"] == group and one["block_id"] != block
        ],
    }


def _object_question(row: Row) -> dict[str, Any] | None:
    if row["object_question"] is None:
        return None
    return {
        "question": row["object_question"],
        "balanced": row["object_balanced"],
        "choices": row["object_choices"],
    }


def part(rows: Lookups, row: Row) -> dict[str, Any]:
    """A part, the object that has it, and the photograph."""
    image = rows.one("images", "image_id", row["image_id"])
    thing = rows.one("objects", "object_id", row["object_id"])
    return {
        **_part(rows, row, row["part_id"], image),
        "attributes": _attributes(rows, row["part_id"]),
        "quarantine": _own_quarantine(rows, row, "parts"),
        "object": _object(rows, thing, row["object_id"], image),
        "image": _image(rows, image, row["image_id"]),
    }


def _part(rows: Lookups, row: Row | None, part_id: str, image: Row | None) -> dict[str, Any]:
    if row is None:
        return {"part_id": part_id, "missing": True}
    return {
        **_chosen(row, ("part_id", "object_id", "part_category", "side", "position", "ordinal")),
        "mask": {**_mask(row), **_chosen(row, ("match_method", "match_overlap"))},
        "annotation": annotation(rows.store.manifest, row, image),
        "repairs": repairs(row["source"], row["repairs"]),
    }


def object_(rows: Lookups, row: Row) -> dict[str, Any]:
    """An object, its parts, and the photograph."""
    image = rows.one("images", "image_id", row["image_id"])
    return {
        **_object(rows, row, row["object_id"], image),
        "parts": rows.parts_of(row["object_id"]),
        "attributes": _attributes(rows, row["object_id"]),
        "quarantine": _own_quarantine(rows, row, "objects"),
        "image": _image(rows, image, row["image_id"]),
    }


def _object(rows: Lookups, row: Row | None, object_id: str, image: Row | None) -> dict[str, Any]:
    if row is None:
        return {"object_id": object_id, "missing": True}
    known = "SELECT part_category, status, why FROM part_evidence WHERE object_id = $1 ORDER BY part_category"
    return {
        **_chosen(row, ("object_id", "object_category", "merged", "n_parts")),
        "mask": {**_mask(row), **_chosen(row, ("mask_origin",))},
        "annotation": annotation(rows.store.manifest, row, image),
        "repairs": repairs(row["source"], row["repairs"]),
        "part_evidence": rows.rows(known, object_id),
    }


def image(rows: Lookups, row: Row) -> dict[str, Any]:
    """A photograph, the objects in it, and what of it is in quarantine."""
    things = "SELECT object_id, object_category, n_parts FROM objects WHERE image_id = $1 ORDER BY object_id"
    return {
        **_image(rows, row, row["image_id"]),
        "annotation": annotation(rows.store.manifest, row, row),
        "objects": rows.rows(things, row["image_id"]),
        "quarantine": rows.quarantined_of_image(row["image_id"]),
    }


def _image(rows: Lookups, row: Row | None, image_id: str) -> dict[str, Any]:
    if row is None:
        return {"image_id": image_id, "missing": True}
    split = rows.one("splits", "image_id", image_id)
    return {
        **_chosen(row, _IMAGE),
        "split": split and _chosen(split, ("split", "reason", "held_out", "cluster")),
        "repairs": repairs(row["source"], row["repairs"]),
    }


def quarantined(rows: Lookups, found: Sequence[Row]) -> dict[str, Any]:
    """Rows of quarantine that their source calls alike, and their photograph where that is not in quarantine itself."""
    image_id = found[0]["row_id"].partition("#")[0]
    image = rows.one("images", "image_id", image_id)
    return {
        "rows": [
            {
                **_chosen(row, ("table_name", "row_id", "source", "reason", "row")),
                "rule": _rule(row["source"], row["rule"]),
                "repairs": repairs(row["source"], row["repairs"]),
            }
            for row in found
        ],
        "image": image and _image(rows, image, image_id),
    }


def repairs(source: str, names: Iterable[str] | None) -> list[dict[str, Any]] | None:
    """The rules that were applied to a row, and what they mean; None where that wasn't recorded."""
    if names is None:
        return None
    return [{**_rule(source, name), "times": times} for name, times in sorted(Counter(names).items())]


def _rule(source: str, name: str) -> dict[str, Any]:
    rule = rules_of(source).get(name)
    if rule is None:
        return {"rule": name}
    return {"rule": name, "outcome": rule.outcome, "found": rule.quirk, "done": rule.how}


def _mask(row: Row) -> dict[str, Any]:
    """A mask in numbers; without one, the box alone."""
    size = row["mask_size"]
    return {
        "area": row["area"],
        "share_of_image": row["area"] / (size[0] * size[1]) if size else None,
        "bbox": row["bbox"],
        "height": size and size[0],
        "width": size and size[1],
        "bytes": row["mask_bytes"],
    }


def _attributes(rows: Lookups, annotation_id: str) -> list[Row]:
    return rows.rows(
        "SELECT attribute_type, attribute FROM attributes WHERE annotation_id = $1 ORDER BY ALL", annotation_id
    )


def _own_quarantine(rows: Lookups, row: Row, table: str) -> list[Row]:
    """What the row's own annotation left in quarantine: the mask of an object that was made of its parts instead."""
    found = rows.quarantined(f"{row['image_id']}#{row['source_key']}")
    return [_chosen(one, ("table_name", "rule", "reason", "row")) for one in found if one["table_name"] == table]


def _chosen(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}
