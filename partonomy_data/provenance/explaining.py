"""An id explained, whatever it is the id of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from partonomy_data import ids
from partonomy_data.errors import StoreError
from partonomy_data.provenance import chain
from partonomy_data.provenance.lookups import Lookups, Row
from partonomy_data.store import Store


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a row comes from."""

    id: str
    kind: str
    """`question`, `part`, `object`, `image`, or `quarantined`: a row that could not be used."""
    version: str
    told: Mapping[str, Any]
    """Text, numbers, lists and mappings, by the names that the tables' columns have; None where nothing is known."""


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    table: str
    key: str
    tell: Callable[[Lookups, Row], dict[str, Any]]


#: Beginning of an id → what it is the id of. Photographs have none of these.
_KINDS: Final = {
    "qst_": _Kind("question", "questions", "question_id", chain.question),
    "prt_": _Kind("part", "parts", "part_id", chain.part),
    "obj_": _Kind("object", "objects", "object_id", chain.object_),
}
_IMAGE: Final = _Kind("image", "images", "image_id", chain.image)
#: How many ids that were perhaps meant are listed.
_NEAR: Final = 5


def explain(store: Store, id: str) -> Explanation:
    """Where the question, part, object or photograph called `id` comes from, or why a row of quarantine is there.

    A row of quarantine goes by what its source calls it (`row_id`), or by the id that it would have had. Raises
    StoreError for an unknown id, with those that begin like it.
    """
    rows = Lookups(store)
    kind = _KINDS.get(id[:4], _IMAGE)
    row = rows.one(kind.table, kind.key, id)
    if row is not None:
        return Explanation(id, kind.name, store.version, kind.tell(rows, row))
    found = rows.quarantined(id) or _by_own_id(rows, id, kind)
    if found:
        return Explanation(id, "quarantined", store.version, chain.quarantined(rows, found))
    raise _unknown(rows, id, kind)


def _by_own_id(rows: Lookups, id: str, kind: _Kind) -> list[Row]:
    """The rows of quarantine that would have had this id, were they an object or a part.

    They go by `<image_id>#<key>`, of which the id is a hash; a `#` may be in either.
    """
    if kind.table not in ("objects", "parts"):
        return []
    make = ids.object_id if kind.table == "objects" else ids.part_id
    listed = rows.rows("SELECT DISTINCT row_id FROM quarantine WHERE table_name = $1 ORDER BY row_id", kind.table)
    for row_id in (str(row["row_id"]) for row in listed):
        place = row_id.find("#")
        while place >= 0:
            if make(row_id[:place], row_id[place + 1 :]) == id:
                return [row for row in rows.quarantined(row_id) if row["table_name"] == kind.table]
            place = row_id.find("#", place + 1)
    return []


def _unknown(rows: Lookups, id: str, kind: _Kind) -> StoreError:
    near = rows.beginning(kind.table, kind.key, id, _NEAR + 1) if id else []
    if kind is _IMAGE and id and len(near) <= _NEAR:
        near += [one for one in rows.beginning("quarantine", "row_id", id, _NEAR + 1) if one not in near]
    if near:
        others = " and others" if len(near) > _NEAR else ""
        mend = f"Did you mean {', '.join(near[:_NEAR])}{others}?"
    else:
        mend = (
            "ids of questions begin with qst_, of parts with prt_, of objects with obj_; photographs and rows of quarantine "
            "go by <source>/<name>"
        )
    shown = id if id.isprintable() and id else repr(id)
    what = "row" if kind is _IMAGE else kind.name
    return StoreError(
        f"no {what} has the id {shown}", where=f"{rows.store.root}, version {rows.store.version}", mend=mend
    )
