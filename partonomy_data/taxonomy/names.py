"""The categories of all sources → canonical names, with nothing merged that differs.

What counts as *the same name*: two spellings that `normalise` makes equal, that is, equal but for case, separators
(spaces, underscores, hyphens), listed typing errors, American spelling, and number. The same name in two sources is
the same category (the car of PACO and of Pascal-Part), and in one source it is one part name. These stay apart:

* names that differ by a qualifier in parentheses: it is dropped only if no other name is left the same, save the
  qualifiers that merely gloss the ordinary meaning ("car (automobile)"), which don't keep two sources apart;
* two object categories that one source declares: told apart by their supercategory in parentheses, or a number;
* object names of two sources whose supercategories are different kinds of things (the crane that flies).

Each of these is reported, and so is each merger of two part names of one object ("armrest", "armrests"). What a
source's names become depends on the other sources only where parentheses are needed.

The is-a pairs are those that the sources declare, and a curated table's above them (`taxonomy.kinds`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from partonomy_data.sources.records import Rejected, Vocabulary
from partonomy_data.taxonomy import kinds
from partonomy_data.taxonomy.categories import CURATED, Edge, acyclic
from partonomy_data.taxonomy.object_names import ancestors, is_a, object_names
from partonomy_data.taxonomy.overrides import Overrides
from partonomy_data.taxonomy.qualifiers import normalise_all, sense, senses, without_needless
from partonomy_data.taxonomy.reports import CATEGORY_CYCLE, PART_NAMES_MERGED, RULES, NameReport
from partonomy_data.taxonomy.words import BadName, normalise, trace

__all__ = [
    "RULES",
    "BadName",
    "CanonicalPart",
    "NameReport",
    "Names",
    "SourceNames",
    "build",
    "normalise",
    "normalise_all",
    "trace",
]


@dataclass(frozen=True, slots=True)
class CanonicalPart:
    """A part category of one source, by its canonical name."""

    part_category: str
    object_category: str
    full_name: str
    """With side and position ("left front leg"); equal to `part_category` where the source has none."""
    source_category: str
    side: str | None = None
    position: str | None = None
    ordinal: int | None = None


@dataclass(frozen=True, slots=True)
class SourceNames:
    """The canonical names of one source. A key that is missing had a bad name (see `Names.rejected`)."""

    objects: Mapping[str, str]
    """`ObjectName.key` → canonical object category."""
    parts: Mapping[str, CanonicalPart]
    """`PartName.key` → canonical part."""
    rejected: tuple[Rejected, ...] = ()
    """Categories with a bad name, for quarantine; their rows have no canonical category."""


@dataclass(frozen=True, slots=True)
class Names:
    """The canonical names of all sources, and the is-a pairs between object categories."""

    sources: Mapping[str, SourceNames]
    edges: tuple[Edge, ...]
    """(child, parent, source), sorted; acyclic. The source is CURATED where none declares the pair."""
    supercategory: Mapping[str, str]
    """Object category → its nearest parent, a source's own if one has any; missing where it has none."""
    reports: tuple[NameReport, ...]
    rejected: tuple[Rejected, ...]
    """The rejected categories of all sources, in the order of the sources."""


def build(vocabularies: Mapping[str, Vocabulary], overrides: Overrides | None = None) -> Names:
    """The canonical names of `vocabularies` (by source).

    Raises ValueError if a part refers to an object that its source doesn't declare.
    """
    chosen = overrides or Overrides()
    reports: list[NameReport] = []
    rejected: dict[str, list[Rejected]] = {source: [] for source in sorted(vocabularies)}
    objects = object_names(vocabularies, chosen, reports, rejected)
    parts = _part_names(vocabularies, chosen, rejected)
    sources = {
        source: SourceNames(
            objects[source],
            _canonical_parts(source, vocabularies[source], objects[source], parts[source], reports),
            tuple(rejected[source]),
        )
        for source in sorted(vocabularies)
    }
    declared = _edges(vocabularies, objects)
    kept, dropped = acyclic([*declared, *kinds.edges(_in_use(objects, declared))])
    edges = kinds.without_implied(kept)
    reports += [
        NameReport(source, CATEGORY_CYCLE.name, (child, parent), (child, parent)) for child, parent, source in dropped
    ]
    return Names(
        sources=sources,
        edges=edges,
        supercategory=_supercategories(objects, edges),
        reports=tuple(sorted(reports)),
        rejected=tuple(row for rows in rejected.values() for row in rows),
    )


def _part_names(
    vocabularies: Mapping[str, Vocabulary], overrides: Overrides, rejected: dict[str, list[Rejected]]
) -> dict[str, dict[str, str]]:
    """Source → part key → canonical name."""
    given: dict[str, dict[str, str]] = {source: {} for source in sorted(vocabularies)}
    full: dict[str, dict[str, str]] = {source: {} for source in given}
    for source in given:
        for part in vocabularies[source].parts:
            spellings = (part.key, part.source_category, part.full_name, part.name)
            override = overrides.canonical(source, "part", *spellings)
            if override is not None:
                given[source][part.key] = override
                continue
            try:
                full[source][part.key] = normalise(part.name)
            except BadName as error:
                rejected[source].append(
                    Rejected(table="part_categories", row_id=part.key, rule=error.rule, reason=error.reason)
                )
    everywhere = senses(names.values() for names in full.values())
    return {source: {**without_needless(full[source], everywhere), **given[source]} for source in given}


def _canonical_parts(
    source: str,
    vocabulary: Vocabulary,
    objects: Mapping[str, str],
    names: Mapping[str, str],
    reports: list[NameReport],
) -> dict[str, CanonicalPart]:
    declared = {one.key for one in vocabulary.objects}
    out: dict[str, CanonicalPart] = {}
    spellings: dict[tuple[str, str], set[str]] = defaultdict(set)
    for part in vocabulary.parts:
        if part.object_key not in declared:
            raise ValueError(f"{source}: part {part.key!r} refers to the unknown object {part.object_key!r}")
        if part.key not in names or part.object_key not in objects:
            continue
        name = names[part.key]
        spellings[part.object_key, name].add(part.name)
        out[part.key] = CanonicalPart(
            part_category=name,
            object_category=objects[part.object_key],
            full_name=_full_name(part.full_name, name),
            source_category=part.source_category,
            side=part.side,
            position=part.position,
            ordinal=part.ordinal,
        )
    for (key, name), spelled in sorted(spellings.items()):
        if len(spelled) > 1:
            merged = (objects[key], name)
            reports.append(NameReport(source, PART_NAMES_MERGED.name, merged, tuple(sorted(spelled))))
    return out


def _full_name(full_name: str, otherwise: str) -> str:
    try:
        return normalise(full_name) if full_name else otherwise
    except BadName:
        return otherwise


def _edges(vocabularies: Mapping[str, Vocabulary], objects: Mapping[str, Mapping[str, str]]) -> list[Edge]:
    """All is-a pairs that the sources declare, by canonical name."""
    edges: list[Edge] = []
    for source in sorted(vocabularies):
        named = _by_plain_name(vocabularies[source], objects[source])
        for one in vocabularies[source].objects:
            if one.key in objects[source]:
                chain = [objects[source][one.key], *(named.get(name, sense(name)) for name in ancestors(one))]
                edges += [(child, parent, source) for child, parent in pairwise(chain)]
        for child, parent in is_a(vocabularies[source]):
            edges.append((named.get(child, sense(child)), named.get(parent, sense(parent)), source))
    return [edge for edge in edges if edge[0] != edge[1]]


def _in_use(objects: Mapping[str, Mapping[str, str]], edges: Iterable[Edge]) -> set[str]:
    """The object categories of all sources, and all that `edges` name."""
    categories = {name for names in objects.values() for name in names.values()}
    return categories | {name for child, parent, _ in edges for name in (child, parent)}


def _by_plain_name(vocabulary: Vocabulary, objects: Mapping[str, str]) -> dict[str, str]:
    """Name in plain words → canonical name. A name that two categories share stands for neither, and is left out."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in vocabulary.objects:
        if one.key in objects:
            try:
                found[normalise(one.name)].add(objects[one.key])
            except BadName:
                continue
    return {name: min(canonical) for name, canonical in found.items() if len(canonical) == 1}


def _supercategories(
    objects: Mapping[str, Mapping[str, str]],
    edges: Iterable[Edge],
) -> dict[str, str]:
    """Object category → its nearest parent, by the first source (in the order of names) that has one, else curated."""
    parents: dict[str, list[tuple[bool, str, str]]] = defaultdict(list)
    for child, parent, source in edges:
        parents[child].append((source == CURATED, source, parent))
    declared = sorted({name for names in objects.values() for name in names.values()})
    return {name: min(parents[name])[-1] for name in declared if name in parents}
