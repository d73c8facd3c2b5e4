"""Instances, contexts and taxonomies made by hand, small enough to work out what must come of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from partonomy_data.questions.arrays import Instances, arrays
from partonomy_data.questions.claims import Claim
from partonomy_data.questions.context import Context
from partonomy_data.questions.instances import INSTANCES, SOLE
from partonomy_data.questions.kinds import Kinds
from partonomy_data.questions.settings import QuestionSettings
from schemas.tables import schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """An object instance that may be asked about."""

    name: str
    """Its object_id."""
    visible: tuple[str, ...]
    tiny: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    category: str = "car"
    photograph: str = ""
    """Its cluster; a photograph of its own where empty."""
    beside: tuple[str, ...] = ()
    """Other categories that are annotated in the photograph."""
    standing: int = SOLE
    box: tuple[float, float, float, float] = (10, 20, 30, 40)
    image: tuple[int, int] = (100, 100)
    size: float = -4.0
    truncated: bool = False
    known: bool = True

    def masks(self) -> list[tuple[str, str]]:
        """(part, mask id): one for each visible part, and one more for parts whose names have an even length."""
        return [(part, f"{self.name}:{part}:{i}") for part in sorted(self.visible) for i in range(2 - len(part) % 2)]

    def row(self) -> dict[str, Any]:
        """With the schema INSTANCES."""
        masks = self.masks()
        return {
            "object_id": self.name,
            "image_id": f"img_{self.photograph or self.name}",
            "source": "paco",
            "object_category": self.category,
            "standing": self.standing,
            "present": sorted({self.category, *self.beside}),
            "bbox": list(self.box),
            "width": self.image[0],
            "height": self.image[1],
            "size": self.size,
            "truncated": self.truncated,
            "known": self.known,
            "visible": sorted(self.visible),
            "tiny": sorted(self.tiny),
            "absent": sorted(self.absent),
            "mask_parts": [part for part, _ in masks],
            "mask_ids": [mask for _, mask in masks],
        }


def instances_of(things: Iterable[Thing], related: Iterable[tuple[str, str]] = (), seed: int = 0) -> Instances:
    """The things in the order of their names, with the pairs of parts that are `related`."""
    ordered = sorted(things, key=lambda one: one.name)
    parts = tuple(sorted({part for one in ordered for part in (*one.visible, *one.tiny, *one.absent)}))
    matrix = np.eye(len(parts), dtype=bool)
    for a, b in related:
        if a in parts and b in parts:
            matrix[parts.index(a), parts.index(b)] = matrix[parts.index(b), parts.index(a)] = True
    table = pa.Table.from_pylist([one.row() for one in ordered], schema=INSTANCES)
    clusters = pa.array([one.photograph or one.name for one in ordered], pa.string())
    return arrays(table, parts, matrix, clusters, seed)


def context_of(
    *,
    contrasts: Mapping[str, Sequence[str]] | None = None,
    claims: Mapping[str, Claim] | None = None,
    siblings: Mapping[str, Sequence[str]] | None = None,
    cousins: Mapping[str, Sequence[str]] | None = None,
    relatives: Mapping[str, Sequence[str]] | None = None,
    split: str = "train",
    categories: Iterable[str] = (),
    **settings: Any,
) -> Context:
    """The context of a shard; what isn't given is empty, for each of `categories`."""

    def lists(given: Mapping[str, Sequence[str]] | None) -> dict[str, list[str]]:
        return {**{one: [] for one in sorted(categories)}, **{key: list(of) for key, of in (given or {}).items()}}

    return Context(
        source="paco",
        split=split,
        family="thing",
        settings=QuestionSettings(**settings).checked(),
        related={},
        contrasts=lists(contrasts),
        claims=dict(claims or {}),
        siblings=lists(siblings),
        cousins=lists(cousins),
        relatives=lists(relatives),
    )


def claim(
    shared: Iterable[str] | Mapping[str, str] = (),
    *,
    heads: Mapping[str, str] | None = None,
    unsettled: Iterable[str] = (),
    curated: bool = True,
) -> Claim:
    """What may be said of a category that has `shared`, under the same names unless it is a mapping."""
    own = dict(shared) if isinstance(shared, Mapping) else {part: part for part in shared}
    return Claim(shared=own, heads=dict(heads or {}), unsettled=frozenset(unsettled), curated=curated)


def graph_of(has: Mapping[str, Iterable[str]], sources: Mapping[str, Sequence[str]] | None = None) -> pa.Table:
    """The table `part_graph`: category → parts; the source is paco where none is given."""
    rows = [
        {
            "object_category": category,
            "part_category": part,
            "n_objects": 1,
            "n_with_part": 1,
            "frequency": 1.0,
            "sources": list((sources or {}).get(category, ["paco"])),
            "evidence": "annotated",
        }
        for category in sorted(has)
        for part in sorted(has[category])
    ]
    return pa.Table.from_pylist(rows, schema=schema("part_graph"))


def relations_of(pairs: Iterable[tuple[str, str, str, float]]) -> pa.Table:
    """The table `part_relations`: (part, relation, other part, confidence), as rules say it."""
    rows = [
        {"part_a": a, "part_b": b, "relation": relation, "method": "lexical", "confidence": sure, "call_id": None}
        for a, relation, b, sure in pairs
    ]
    return pa.Table.from_pylist(rows, schema=schema("part_relations"))


def verdicts_of(verdicts: Mapping[tuple[str, str], str]) -> pa.Table:
    """The table `plausibility`: (category, part) → verdict, as a source says it."""
    rows = [
        {
            "object_category": category,
            "part_category": part,
            "verdict": verdict,
            "method": "source",
            "confidence": 1.0,
            "call_id": None,
        }
        for (category, part), verdict in sorted(verdicts.items())
    ]
    return pa.Table.from_pylist(rows, schema=schema("plausibility"))


def kinds_of(parents: Mapping[str, Iterable[str]]) -> Kinds:
    """Category → its parents."""
    rows = [
        {"child": child, "parent": parent, "source": "paco"}
        for child in sorted(parents)
        for parent in sorted(parents[child])
    ]
    return Kinds.of_table(pa.Table.from_pylist(rows, schema=schema("category_graph")))
