"""Puts encoded questions together: padded choices, one canonical order, and what the store knows of their objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from partonomy_data.errors import UsageError
from partonomy_data.questions.audit.encode import (
    MOST_OF_SUBJECT,
    Encoder,
    codes_of,
    first_places,
    hash_of,
    mixed,
)
from partonomy_data.questions.audit.table import Answers, AuditTable, Codes, Hashes, Ints, Metadata, Questions


@dataclass(frozen=True, slots=True)
class Known:
    """What the store says of objects and images, by the hash of their ids (sorted)."""

    object_hash: Hashes
    category: list[str]
    box: Any
    """float32 (objects, 4): x, y, width, height in pixels."""
    area: Any
    """float64 (objects,) in pixels."""
    image_hash: Hashes
    size: Any
    """int64 (images, 2): width, height."""
    photograph: Hashes


def assemble(encoder: Encoder, where: str, known: Known | None = None) -> AuditTable:
    """The table of all that the encoder was given; the encoder is used up. Raises UsageError if that is nothing."""
    if not encoder.n:
        raise UsageError(
            "holds no questions", where=where, mend="Build with questions, or name another version or split"
        )
    column = {name: encoder.take(name) for name in list(encoder.pieces[0].columns)}
    count = encoder.take("count")
    width = int(count.max())
    true = _true_category(encoder, column, known)
    names = {name: encoder.names[name].sort() for name in encoder.names}
    for name in ("source", "split", "question_type", "evidence"):
        column[name] = names[name][1][column[name]]
    text_hash, set_hash = (_padded(encoder.take(name), count, width) for name in ("text_hash", "set_hash"))
    type_hash = np.array([hash_of(name) for name in names["question_type"][0]], np.uint64)[column["question_type"]]
    order = _order(column, type_hash, text_hash, set_hash)
    text_hash, set_hash = text_hash[order], set_hash[order]
    text_length = _padded(encoder.take("text_length"), count, width)[order]
    set_size = _padded(encoder.take("set_size"), count, width)
    part = _sorted_lists(names["part"][1][encoder.take("part")], set_size, order)
    set_size = set_size[order].ravel()
    column = {name: values[order] for name, values in column.items()}
    true = names["category"][1][true[order]]
    unit_id = np.where(column["group_id"] != 0, column["group_id"], column["block_id"])
    unit_hash, unit = np.unique(np.where(unit_id != 0, unit_id, column["image_id"]), return_inverse=True)
    questions = Questions(
        count=count[order],
        part_start=first_places(set_size),
        part=_ascending(part, set_size),
        text_length=text_length,
        text_hash=text_hash,
        set_hash=set_hash,
        image=codes_of(column["image_id"]),
        subject=_subjects(column["image_id"], column["object_id"]),
        group=codes_of(column["group_id"], none=True),
        block=codes_of(column["block_id"], none=True),
        text=codes_of(column["question"]),
        source=column["source"],
        split=column["split"],
        type=column["question_type"],
        names_object=column["names_object"],
        category=np.where(column["names_object"], true, -1).astype(np.int32),
        **_categories_named(encoder, names["category"][1], order),
        shape=_shape(column, known),
        metadata=_metadata(column, known),
        parts=names["part"][0],
        categories=names["category"][0],
        sources=names["source"][0],
        splits=names["split"][0],
        types=names["question_type"][0],
    )
    return AuditTable(
        questions=questions,
        answers=Answers(column["correct"], column["object_correct"], true),
        unit=unit.astype(np.int32),
        unit_hash=unit_hash,
        photograph=_photographs(column["image_id"], known),
        balanced=column["balanced"],
        object_balanced=column["object_balanced"],
        evidence=column["evidence"],
        evidences=names["evidence"][0],
        declared=column["declared"],
    )


def _categories_named(encoder: Encoder, code: Codes, order: Ints) -> dict[str, Any]:
    """The contrast categories and the object choices, in order."""
    contrast_count, object_count = encoder.take("contrast_count"), encoder.take("object_count")
    contrast = _sorted_lists(code[encoder.take("contrast")], contrast_count[:, None], order)
    width = max(1, int(object_count.max()))
    return {
        "contrast": contrast,
        "contrast_start": first_places(contrast_count[order]),
        "object_count": object_count[order],
        "object_choice": _padded(code[encoder.take("object_choice")], object_count, width, -1)[order],
    }


def _padded(values: Any, count: Ints, width: int, beyond: int = 0) -> Any:
    """Flat values as (n, width); `beyond` fills what there is not."""
    out = np.full((len(count), width), beyond, values.dtype)
    out[np.arange(width) < count[:, None]] = values
    return out


def _order(column: dict[str, Any], type_hash: Hashes, text_hash: Hashes, set_hash: Hashes) -> Ints:
    """The canonical order: by photograph, object, content."""
    content = mixed(column["question"] + type_hash + column["names_object"].astype(np.uint64))
    for place in range(text_hash.shape[1]):
        content = mixed(content + text_hash[:, place] + mixed(set_hash[:, place]))
    return np.lexsort((column["object_correct"], column["correct"], content, column["object_id"], column["image_id"]))


def _sorted_lists(values: Codes, sizes: Any, order: Ints, step: int = 20_000) -> Codes:
    """Flat lists of questions (`sizes`: (n, lists of a question)) in another order; `step` questions at a time."""
    lengths = sizes.sum(axis=1)
    start = first_places(lengths)
    out = np.empty_like(values)
    done = 0
    for first in range(0, len(order), step):
        rows = order[first : first + step]
        long = lengths[rows]
        place = np.repeat(start[rows] - first_places(long)[:-1], long) + np.arange(int(long.sum()))
        out[done : done + len(place)] = values[place]
        done += len(place)
    return out


def _ascending(part: Codes, sizes: Codes, step: int = 200_000) -> Codes:
    """Each list's parts in ascending order; `sizes` are the lists' lengths."""
    start = first_places(sizes)
    for first in range(0, len(sizes), step):
        last = min(first + step, len(sizes))
        owner = np.repeat(np.arange(last - first, dtype=np.int64), sizes[first:last])
        piece = slice(start[first], start[last])
        part[piece] = (np.sort((owner << 32) | part[piece]) & 0xFFFFFFFF).astype(np.int32)
    return part


def _subjects(image: Hashes, thing: Hashes) -> Codes:
    """Runs of equal photograph and object, cut after every MOST_OF_SUBJECT questions."""
    begins = np.ones(len(image), bool)
    begins[1:] = (image[1:] != image[:-1]) | (thing[1:] != thing[:-1])
    first = np.maximum.accumulate(np.where(begins, np.arange(len(image)), 0))
    begins |= (np.arange(len(image)) - first) % MOST_OF_SUBJECT == 0
    return (np.cumsum(begins) - 1).astype(np.int32)


def _place(wanted: Hashes, known: Hashes) -> tuple[Ints, Any]:
    """Where each hash is in the sorted `known`, and whether it is there."""
    if not len(known):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    place = np.searchsorted(known, wanted).clip(max=len(known) - 1)
    return place, known[place] == wanted


def _true_category(encoder: Encoder, column: dict[str, Any], known: Known | None) -> Codes:
    """Codes (not yet sorted) of the objects' categories: from the questions themselves, else from the objects."""
    own: Codes = column.pop("category")
    if known is None or not len(known.category):
        return own
    import pyarrow as pa

    table = encoder.names["category"].codes(pa.array(known.category, pa.string()))
    place, there = _place(column["object_id"], known.object_hash)
    return np.where((own < 0) & there, table[place], own).astype(np.int32)


def _metadata(column: dict[str, Any], known: Known | None) -> Metadata:
    n = len(column["image_id"])
    region = column.pop("region_area").astype(np.float64)
    if known is None:
        nothing = np.full(n, np.nan, np.float32)
        return Metadata(nothing, nothing, nothing, nothing)
    thing, has_object = _place(column["object_id"], known.object_hash)
    image, has_image = _place(column["image_id"], known.image_hash)
    size = known.size[image] if len(known.size) else np.ones((n, 2), np.int64)
    pixels = np.where(has_image, size.prod(axis=1), np.nan)
    box = known.box[thing] if len(known.box) else np.zeros((n, 4), np.float32)
    area = np.where(has_object, known.area[thing] if len(known.area) else 0.0, np.nan)
    cut = (box[:, :2] <= 1).any(axis=1) | (box[:, :2] + box[:, 2:] >= size - 1).any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_area = np.log(np.maximum(area, 1) / pixels)
        log_region = np.where(np.isfinite(region), np.log(np.maximum(region, 1) / pixels), 0.0)
        log_pixels = np.log(pixels)
    truncated = np.where(has_object & has_image, cut, np.nan)
    return Metadata(*(values.astype(np.float32) for values in (log_area, truncated, log_region, log_pixels)))


def _shape(column: dict[str, Any], known: Known | None) -> Any:
    """float32 (n, 9): see `Questions.shape`; what needs the photograph's size is 0 where that is unknown."""
    box = column.pop("region").astype(np.float64)
    (x, y), (w, h) = box[:, :2].T, np.maximum(box[:, 2:], 1).T
    shape = np.zeros((len(box), 9))
    shape[:, 0], shape[:, 1] = np.log(w / h), np.log(w * h)
    if known is not None and len(known.size):
        place, there = _place(column["image_id"], known.image_hash)
        across, down = known.size[place].T.astype(np.float64)
        shape[:, 2:4] = np.stack([(x + w / 2) / across, (y + h / 2) / down], axis=1)
        shape[:, 4] = np.log(w * h / (across * down))
        shape[:, 5:] = np.stack([x <= 1, y <= 1, x + w >= across - 1, y + h >= down - 1], axis=1)
        shape[~there, 2:] = 0
    shape[~np.isfinite(box).all(axis=1)] = np.nan
    return shape.astype(np.float32)


def _photographs(image: Hashes, known: Known | None) -> Hashes:
    if known is None or not len(known.image_hash):
        return image
    place, there = _place(image, known.image_hash)
    named = known.photograph[place]
    return np.asarray(np.where(there & (named != 0), named, image))
