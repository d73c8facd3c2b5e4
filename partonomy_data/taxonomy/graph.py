"""The taxonomy tables, from the counts of all shards and the vocabularies of all sources.

`part_graph` says which object category has which part. A pair is there if a photograph shows it (evidence `annotated`),
or if a source's authors declare it (`curated`: PACO's 456 pairs, PARTONOMY's graph). Its `n_objects` are the instances
of the object category in the sources that declare or show the pair: a source that doesn't label wings has nothing to
say on how many birds have some. A pair that a source declares without vouching for it, and that no photograph shows, is
left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from partonomy_data.sources.records import Vocabulary
from partonomy_data.taxonomy import relations
from partonomy_data.taxonomy.counts import Summary, merge, summarise
from partonomy_data.taxonomy.names import Names
from partonomy_data.taxonomy.overrides import Overrides
from schemas.tables import schema

__all__ = ["Summary", "merge", "summarise", "tables"]

Pair = tuple[str, str]


@dataclass(slots=True)
class _Facts:
    """What is known of the categories, keyed by source and canonical name."""

    objects: Counter[Pair] = field(default_factory=Counter)
    images: Counter[Pair] = field(default_factory=Counter)
    parts: Counter[Pair] = field(default_factory=Counter)
    with_part: dict[Pair, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """(object, part) → source → objects with the part"""
    declared: dict[Pair, set[str]] = field(default_factory=lambda: defaultdict(set))
    """(object, part) → sources that declare the pair"""
    vouched: set[Pair] = field(default_factory=set)
    """Pairs that a source's authors chose."""


def tables(
    summaries: Iterable[Summary],
    vocabularies: Mapping[str, Vocabulary],
    names: Names,
    overrides: Overrides | None = None,
) -> dict[str, pa.Table]:
    """The six taxonomy tables by name, each with its schema, sorted by its key.

    They are object_categories, part_categories, part_graph, category_graph, part_relations, and plausibility as far as
    the sources alone give it: `annotated` for a pair that is seen, `plausible` for one that is only declared.
    Raises UsageError if the overrides contradict one another.
    """
    facts = _facts(merge(summaries).counts, vocabularies, names)
    graph = _part_graph(facts)
    part_names = sorted({part for _, part in facts.parts} | {row["part_category"] for row in graph})
    return {
        "object_categories": _table("object_categories", _object_categories(facts, names, vocabularies)),
        "part_categories": _table("part_categories", _part_categories(facts, graph, part_names)),
        "part_graph": _table("part_graph", graph),
        "category_graph": _table(
            "category_graph", [{"child": c, "parent": p, "source": s} for c, p, s in sorted(names.edges)]
        ),
        "part_relations": relations.table(part_names, overrides),
        "plausibility": _table("plausibility", _plausibility(graph)),
    }


def _facts(counts: pa.Table, vocabularies: Mapping[str, Vocabulary], names: Names) -> _Facts:
    facts = _Facts()
    for source in sorted(vocabularies):
        known = names.sources[source]
        for category in known.objects.values():
            facts.objects[source, category] += 0
        for part in known.parts.values():
            pair = (part.object_category, part.part_category)
            facts.parts[source, part.part_category] += 0
            facts.declared[pair].add(source)
            if vocabularies[source].curated:
                facts.vouched.add(pair)
    for row in counts.to_pylist():
        source, category, part = row["source"], row["object_category"], row["part_category"]
        if part is None:
            facts.objects[source, category] += row["n_objects"]
            facts.images[source, category] += row["n_images"]
            continue
        facts.parts[source, part] += row["n_parts"]
        if category is not None:
            facts.with_part[category, part][source] += row["n_with_part"]
    return facts


def _part_graph(facts: _Facts) -> list[dict[str, Any]]:
    rows = []
    for pair in sorted({*facts.declared, *facts.with_part}):
        seen = facts.with_part.get(pair, Counter())
        n_with_part = sum(seen.values())
        if not n_with_part and pair not in facts.vouched:
            continue
        sources = sorted({*seen, *facts.declared.get(pair, ())})
        n_objects = sum(facts.objects[source, pair[0]] for source in sources)
        rows.append(
            {
                "object_category": pair[0],
                "part_category": pair[1],
                "n_objects": n_objects,
                "n_with_part": n_with_part,
                "frequency": n_with_part / n_objects if n_objects else 0.0,
                "sources": sources,
                "evidence": "annotated" if n_with_part else "curated",
            }
        )
    return rows


def _object_categories(facts: _Facts, names: Names, vocabularies: Mapping[str, Vocabulary]) -> list[dict[str, Any]]:
    sources = _sources_of(facts.objects)
    spelled: dict[str, set[str]] = defaultdict(set)
    for source, vocabulary in vocabularies.items():
        for one in vocabulary.objects:
            if one.key in names.sources[source].objects:
                spelled[names.sources[source].objects[one.key]].add(f"{source}:{one.source_category}")
    return [
        {
            "object_category": category,
            "supercategory": names.supercategory.get(category),
            "sources": sources[category],
            "source_categories": sorted(spelled[category]),
            "n_objects": sum(facts.objects[source, category] for source in sources[category]),
            "n_images": sum(facts.images[source, category] for source in sources[category]),
        }
        for category in sorted(sources)
    ]


def _part_categories(
    facts: _Facts, graph: Iterable[Mapping[str, Any]], part_names: Iterable[str]
) -> list[dict[str, Any]]:
    sources = _sources_of(facts.parts)
    wholes = Counter(row["part_category"] for row in graph)
    return [
        {
            "part_category": part,
            "sources": sources[part],
            "n_parts": sum(facts.parts[source, part] for source in sources[part]),
            "n_object_categories": wholes[part],
        }
        for part in part_names
    ]


def _sources_of(counts: Iterable[Pair]) -> dict[str, list[str]]:
    """Category → the sources that have it, sorted."""
    found: dict[str, set[str]] = defaultdict(set)
    for source, category in counts:
        found[category].add(source)
    return {category: sorted(sources) for category, sources in found.items()}


def _plausibility(graph: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "object_category": row["object_category"],
            "part_category": row["part_category"],
            "verdict": "annotated" if row["evidence"] == "annotated" else "plausible",
            "method": "source",
            "confidence": 1.0,
            "call_id": None,
        }
        for row in graph
    ]


def _table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema(name))
