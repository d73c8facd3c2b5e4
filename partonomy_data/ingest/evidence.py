"""What is known of every part in every object: `present`, `absent` or `unknown`, and why.

For each object there is a row for each part that its source's vocabulary gives its category. A part with a mask is
present. One without is absent where the source says so (a negative label, or labels that are exhaustive), and else
unknown. Several of a source's categories may be one canonical part (the left and the right wheel): it is present if one
of them is, absent only if all of them are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from partonomy_data.ingest import unclear
from partonomy_data.ingest.labels import Labels
from partonomy_data.ingest.placing import Placed

STATUSES = ("unknown", "absent", "present")
_UNKNOWN, _ABSENT, _PRESENT = range(3)
REASONS = ("unannotated", "exhaustive_label", "annotated", "negative_label", "implausible", "verified")
_UNANNOTATED, _EXHAUSTIVE, _ANNOTATED = range(3)


def evidence(placed: Placed, labels: Labels, source: str) -> pa.Table:
    """The rows of `part_evidence` for the objects that stay, by object_id and part_category."""
    gathered = placed.gathered
    order = sorted((i for i, stays in enumerate(placed.object_stays) if stays), key=lambda i: gathered.object_ids[i])
    categories = [labels.object(gathered.objects[i].category).parts for i in order]
    lengths = np.array([len(parts) for parts in categories], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    start_of = dict(zip(order, starts.tolist(), strict=False))
    local = {key: {part: n for n, part in enumerate(label.parts)} for key, label in labels.objects.items()}

    def row(i: int, part: str) -> int:
        return int(start_of[i]) + local[gathered.objects[i].category][part]

    exhaustive = np.array([gathered.objects[i].exhaustive for i in order], dtype=bool)
    status = np.where(np.repeat(exhaustive, lengths), _ABSENT, _UNKNOWN).astype(np.int8)
    why = np.where(np.repeat(exhaustive, lengths), _EXHAUSTIVE, _UNANNOTATED).astype(np.int8)
    _say_absent(placed, labels, status, why, row)
    for i, key in placed.unclear:
        if i in start_of:
            at = [row(i, part) for part in unclear.meant(gathered.objects[i].category, key, labels)]
            status[at], why[at] = _UNKNOWN, _UNANNOTATED
    seen = [
        row(i, labels.part(gathered.parts[j].category).part_category)
        for j, i in enumerate(placed.part_object)
        if i >= 0
    ]
    status[seen], why[seen] = _PRESENT, _ANNOTATED
    return _table([gathered.object_ids[i] for i in order], categories, lengths, status, why, source)


def _say_absent(
    placed: Placed, labels: Labels, status: NDArray[np.int8], why: NDArray[np.int8], row: Callable[[int, str], int]
) -> None:
    """Applies what readers say beyond masks, where it holds for all of the source's categories of a canonical part."""
    gathered = placed.gathered
    variants: Counter[tuple[str, str]] = Counter(
        (label.object_key, label.part_category) for label in labels.parts.values()
    )
    of_key = {
        (place_of, thing.key): i
        for i, (place_of, thing) in enumerate(zip(gathered.object_photo, gathered.objects, strict=True))
        if placed.object_stays[i]
    }
    for place_of, photo in enumerate(gathered.photos):
        told: dict[tuple[int, str], list[str]] = defaultdict(list)
        for record in photo.evidence:
            i = of_key.get((place_of, record.object_key))
            if i is not None and record.status == "absent":
                told[i, labels.part(record.part).part_category].append(record.why)
        for (i, part), reasons in told.items():
            if len(reasons) == variants[gathered.objects[i].category, part]:
                at = row(i, part)
                status[at], why[at] = _ABSENT, REASONS.index(min(reasons))


def _table(
    object_ids: list[str],
    categories: list[tuple[str, ...]],
    lengths: NDArray[np.int64],
    status: NDArray[np.int8],
    why: NDArray[np.int8],
    source: str,
) -> pa.Table:
    names = sorted({part for parts in categories for part in parts})
    code_of = {name: code for code, name in enumerate(names)}
    codes_of = {parts: [code_of[part] for part in parts] for parts in set(categories)}
    codes = np.fromiter((code for parts in categories for code in codes_of[parts]), np.int32, int(lengths.sum()))
    owners = pa.DictionaryArray.from_arrays(
        np.repeat(np.arange(len(object_ids), dtype=np.int32), lengths), pa.array(object_ids, pa.string())
    )
    return pa.table(
        {
            "object_id": owners.cast(pa.string()),
            "part_category": _decoded(codes, names),
            "status": _decoded(status, STATUSES),
            "why": _decoded(why, REASONS),
            "source": pa.repeat(pa.scalar(source), len(codes)),
        }
    )


def _decoded(codes: NDArray[np.int32] | NDArray[np.int8], values: tuple[str, ...] | list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(values, pa.string())).cast(pa.string())
