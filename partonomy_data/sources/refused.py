"""What can still be read of the rows that a COCO-like piece lost: which photograph's, of which category, of which object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from partonomy_data.sources.records import Rejected


class Lost(msgspec.Struct, frozen=True, gc=False):
    """A row of `annotations` that is in quarantine; None where it holds no whole number."""

    id: int | None = None
    category_id: int | None = None
    obj_ann_id: int | None = None


class _Row(msgspec.Struct, gc=False):
    image_id: int
    id: Any = None
    category_id: Any = None
    obj_ann_id: Any = None


def by_image(rejected: Iterable[Rejected]) -> dict[int, list[Lost]]:
    """The rows that `coco_json.read_piece` rejected, by image_id; those that don't tell theirs are left out."""
    decoder = msgspec.json.Decoder(_Row)
    found: dict[int, list[Lost]] = defaultdict(list)
    for one in rejected:
        try:
            row = decoder.decode(one.row)
        except (msgspec.MsgspecError, TypeError):
            # Cut off or no text: nothing says whose it was.
            continue
        found[row.image_id].append(Lost(*(_whole(value) for value in (row.id, row.category_id, row.obj_ann_id))))
    return found


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None
