"""Which pairs of part names are worth a look: those that may be the same, or one broader than the other.

No pair is looked at but those that an index (`pairing`) brings together, so the work grows with the names, not with
their pairs:

    head       names with the same head noun: "control panel", "door panel"
    word       names with any other word in common: "gear case", "drive gear"
    compound   a head noun that ends with another: "mainsail", "sail"
    spelling   names one letter apart
    near       heads that are on one line of `near_words.yaml`: "grip", "handle"
    siblings   parts of sibling categories that no object has both of, and that are found beside the same parts
    similar    what a function given by the caller finds, embeddings for example

Each gives a strength from 0 to 1; together they rank the candidates. A pair that a sure judge has settled is none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import pyarrow as pa

from partonomy_data.taxonomy import pairing
from partonomy_data.taxonomy.judges import Judgement, placement
from partonomy_data.taxonomy.pairing import Found, Pair, Words, ordered
from partonomy_data.taxonomy.relations import SURE

Similar: TypeAlias = Callable[[Sequence[str]], Iterable[tuple[str, str, float]]]

#: The most candidates; the weakest of more are left out.
MOST: Final = 12_000
#: Least strength of a candidate.
LEAST: Final = 0.1
#: Object categories that are named with each part.
CONTEXTS: Final = 3
#: Judges whose word is not asked about again.
_SETTLE: Final = frozenset({"override", "curated", "exact", "lexical"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two part names that may be related; part_a before part_b."""

    part_a: str
    part_b: str
    why: tuple[str, ...]
    """What brought them together, sorted; see the module."""
    contexts_a: tuple[str, ...]
    """Some object categories that have the part, sorted."""
    contexts_b: tuple[str, ...]


def candidates(
    part_graph: pa.Table, category_graph: pa.Table, judged: Collection[Judgement], similar: Similar | None = None
) -> list[Candidate]:
    """The pairs of parts of `part_graph` that are worth a look, the most promising first, at most MOST.

    `judged` is what the rules say (`relations.judge`). What override, curated, exact or lexical judgements settle is
    left out, and so is what surely follows from them. `similar` may bring in others: called once with all names, it
    gives pairs of them with a strength from 0 to 1. The order of rows has no influence.
    """
    wholes: dict[str, set[str]] = defaultdict(set)
    for category, part in _columns(part_graph, "object_category", "part_category"):
        wholes[part].add(category)
    settled = {
        ordered(one.part_a, one.part_b)
        for one in judged
        if one.method in _SETTLE or (one.method == "closure" and one.confidence >= SURE and one.call_id is None)
    }
    found = evidence(part_graph, category_graph, similar)
    ranked = sorted((-_together(why.values()), pair) for pair, why in found.items() if pair not in settled)
    return [
        Candidate(*pair, tuple(sorted(found[pair])), *(tuple(sorted(wholes[name])[:CONTEXTS]) for name in pair))
        for strength, pair in ranked[:MOST]
        if -strength >= LEAST
    ]


def evidence(
    part_graph: pa.Table, category_graph: pa.Table, similar: Similar | None = None
) -> dict[Pair, dict[str, float]]:
    """All pairs that an index brings together, with what did so and how strongly it speaks; not ranked, not cut."""
    wholes: dict[str, set[str]] = defaultdict(set)
    for category, part in _columns(part_graph, "object_category", "part_category"):
        wholes[part].add(category)
    words = {name: pairing.words_of(name) for name in sorted(wholes)}
    found: dict[Pair, dict[str, float]] = defaultdict(dict)

    def add(pairs: Iterable[tuple[Pair, float]], why: str) -> None:
        for pair, strength in pairs:
            if not _rivals(*pair):
                found[pair][why] = max(strength, found[pair].get(why, 0.0))

    add(pairing.same_head(words), "head")
    add(pairing.same_word(words), "word")
    add(pairing.compounds(words), "compound")
    add(pairing.misspelled(words), "spelling")
    parents = _parents(wholes, category_graph)
    add(pairing.near(words, {part: set().union(*(parents[one] for one in wholes[part])) for part in wholes}), "near")
    add(pairing.siblings(wholes, parents), "siblings")
    if similar is not None:
        add(_told(similar(list(words)), words), "similar")
    return dict(found)


def _columns(table: pa.Table, *names: str) -> Iterator[tuple[str, ...]]:
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def _together(strengths: Iterable[float]) -> float:
    """The strength of all evidence together: 1 if any is, and none counts twice."""
    doubt = 1.0
    for strength in sorted(strengths):
        doubt *= 1.0 - strength
    return round(1.0 - doubt, 6)


def _rivals(a: str, b: str) -> bool:
    """Whether the names differ in side, place or number alone, each having its own: two of one part, never the same."""
    (places_a, thing_a), (places_b, thing_b) = placement(a), placement(b)
    return thing_a == thing_b and not (set(places_a) <= set(places_b) or set(places_b) <= set(places_a))


def _parents(wholes: Mapping[str, Collection[str]], category_graph: pa.Table) -> dict[str, set[str]]:
    """Each object category that has a part → itself and its direct parents."""
    parents = {category: {category} for categories in wholes.values() for category in categories}
    for child, parent in _columns(category_graph, "child", "parent"):
        if child in parents:
            parents[child].add(parent)
    return parents


def _told(pairs: Iterable[tuple[str, str, float]], words: Words) -> Found:
    for a, b, strength in pairs:
        if a not in words or b not in words:
            raise ValueError(f"`similar` gave a name that it wasn't given: {a if a not in words else b!r}")
        if a != b and strength > 0:
            yield ordered(a, b), min(float(strength), 1.0)
