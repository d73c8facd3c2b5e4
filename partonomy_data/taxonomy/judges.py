"""Rule-based judges of how two part names relate. Each gives judgements of pairs; `taxonomy.relations` weighs them.

    exact      the same letters: "tail boom", "tailboom"                                  same
    lexical    the same words but for number, articles, possessive, order: "front left    same
               wheel", "left front wheel"; "seat of the driver", "driver's seat"
               a word of side, place or rank, or a number, more: "left wing", "line 1"    narrower than "wing", "line"
    curated    `synonyms.yaml`                                                            any
    head_noun  other words more: "rotor blade"                                            narrower than "blade"

Two methods are not judged here but given by the caller (`relations.judge`): `llm`, what a language model says of a
pair whichever way round it is asked, and `llm_unsure`, of which it says one thing one way and another the other.

No judge looks at all pairs: names are looked up by the form that would make them related, so the cost is that of the
names plus that of the judgements. Names with a qualifier in parentheses are left to the curated relations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, permutations
from typing import Final

from partonomy_data.taxonomy.inflection import singular
from partonomy_data.taxonomy.lexicon import lexicon, synonyms

#: From the judge that is believed most to the one that is believed least.
METHODS: Final = ("override", "curated", "exact", "lexical", "llm", "head_noun", "llm_unsure")

EXACT: Final = 0.98
LEXICAL: Final = 0.95
POSITION: Final = 0.9
HEAD_NOUN: Final = 0.7
VAGUE_HEAD: Final = 0.5
DISTINCT: Final = 0.95

_ARTICLES = frozenset({"a", "an", "the"})
_JOINING = frozenset({"of", "with", "without", "for", "from", "and", "or"})


@dataclass(frozen=True, slots=True, order=True)
class Judgement:
    """part_a is `relation` than (as) part_b, says the judge `method`."""

    part_a: str
    part_b: str
    relation: str
    method: str
    confidence: float
    call_id: str | None = field(default=None, compare=False)
    """The language model's call that it rests on, if one does."""


def same_words(parts: Collection[str]) -> Iterator[Judgement]:
    """The judges `exact` and `lexical` on names of the same words: each pair once, part_a before part_b."""
    groups: dict[str, set[str]] = defaultdict(set)
    for name in _plain(parts):
        groups[_loose(name)].add(name)
    for group in groups.values():
        for a, b in combinations(sorted(group), 2):
            exact = _letters(a) == _letters(b)
            yield Judgement(a, b, "same", "exact" if exact else "lexical", EXACT if exact else LEXICAL)


def placed(parts: Collection[str]) -> Iterator[Judgement]:
    """The judge `lexical` on words of side, place and rank, and on numbers: same (another order), or narrower."""
    names: dict[tuple[tuple[str, ...], str], list[str]] = defaultdict(list)
    for name in sorted(_plain(parts)):
        names[placement(name)].append(name)
    for (places, thing), here in names.items():
        for a, b in combinations(here, 2):
            yield Judgement(a, b, "same", "lexical", LEXICAL)
        fewer = {some for n in range(len(places)) for some in combinations(places, n)}
        for wider in sorted(fewer):
            for b in names.get((wider, thing), ()):
                yield from (Judgement(a, b, "narrower", "lexical", POSITION) for a in here)


def same_head(parts: Collection[str]) -> Iterator[Judgement]:
    """The judge `head_noun`: a name is narrower than the longest other name that it ends with."""
    words = lexicon()
    apart = {frozenset((pair.part, pair.than)) for pair in synonyms().distinct}
    known = set(_plain(parts))
    for name in sorted(known):
        tokens = name.split()
        if not _JOINING.isdisjoint(tokens):
            continue
        for i in range(1, len(tokens)):
            head = " ".join(tokens[i:])
            if head in known and frozenset((name, head)) not in apart:
                vague = head in words.vague_heads
                yield Judgement(name, head, "narrower", "head_noun", VAGUE_HEAD if vague else HEAD_NOUN)
                break


def curated(parts: Collection[str]) -> Iterator[Judgement]:
    """The judge `curated`: the relations of `synonyms.yaml` between names that are in use.

    A name that is made of two of the same part ("aerial/antenna", whose words run on) is the same as either.
    """
    known, listed = frozenset(parts), synonyms()
    for group in listed.same:
        double = {f"{a} {b}" for a, b in permutations(group.names, 2)}
        for a, b in combinations(sorted(known.intersection(double.union(group.names))), 2):
            yield Judgement(a, b, "same", "curated", group.confidence)
    for relation, pairs in (("narrower", listed.narrower), ("distinct", listed.distinct)):
        for pair in pairs:
            if pair.part in known and pair.than in known:
                confidence = pair.confidence if relation == "narrower" else DISTINCT
                yield Judgement(pair.part, pair.than, relation, "curated", confidence)


def judgements(parts: Collection[str]) -> list[Judgement]:
    """What all judges say, the most believed first; a pair may occur several times."""
    found = {*curated(parts), *same_words(parts), *placed(parts), *same_head(parts)}
    return sorted(found, key=lambda one: (METHODS.index(one.method), one))


def _plain(parts: Iterable[str]) -> Iterator[str]:
    return (name for name in parts if "(" not in name)


def _letters(name: str) -> str:
    return name.translate({ord(" "): None, ord("-"): None, ord("'"): None})


def _loose(name: str) -> str:
    """The letters of a name's words, each in the singular and without articles; "X of Y" turned round to "Y X"."""
    tokens = [token for token in name.replace("-", " ").split() if token not in _ARTICLES]
    of = tokens.index("of") if tokens.count("of") == 1 else 0
    if 0 < of < len(tokens) - 1 and tokens[of - 1] not in lexicon().quantities:
        tokens = tokens[of + 1 :] + tokens[:of]
    return "".join(singular(token.removesuffix("'s")) for token in tokens) or _letters(name)


def placement(name: str) -> tuple[tuple[str, ...], str]:
    """What the leading words and the number of a name say of side, place and rank, sorted; and the rest of the name."""
    positions: Mapping[str, str] = lexicon().positions
    tokens = name.split()
    start = 0
    while start < len(tokens) - 1 and tokens[start] in positions:
        start += 1
    end = len(tokens) - (len(tokens) - start > 1 and tokens[-1].isdecimal())
    places = {positions[token] for token in tokens[:start]} | {f"#{token}" for token in tokens[end:]}
    return tuple(sorted(places)), " ".join(tokens[start:end])
