"""Categories and parts of any number, whose names mean nothing."""

from __future__ import annotations

from typing import Final

from benchmarks.simulated_chance import whole_numbers
from benchmarks.simulated_design import Design
from partonomy_data.sources.records import ObjectName, PartName, Vocabulary
from partonomy_data.taxonomy.words import BadName, normalise

#: Categories of a made-up super-category, and how many of its categories a part of it is in, at the mean.
_KIND_SIZE: Final = 8
_CONSONANTS: Final = "bdfgklmnprtv"
_VOWELS: Final = "aeiou"
_ADJECTIVES: Final = ("upper", "lower", "inner", "outer", "main", "rear", "spare", "outermost", "folding", "hidden")


def made_up(categories: int, parts: int, instances: int, *, parts_each: int = 6, seed: int = 0) -> Design:
    """Categories in super-categories of eight, whose names mean nothing; `parts` names in all, `parts_each` at the mean.

    Categories of one super-category share parts, so that they can be compared. A third of the parts are named after
    another with an adjective before it ("upper balom", "balom"). Categories are as common as in a long tail.
    """
    kinds = max(1, categories // _KIND_SIZE)
    words = _words(kinds + categories + parts)
    of_kind, own, bare = words[:kinds], words[kinds : kinds + categories], words[kinds + categories :]
    names = [
        f"{_ADJECTIVES[place // 3 % len(_ADJECTIVES)]} {bare[place - 1]}" if place % 3 == 2 else bare[place]
        for place in range(parts)
    ]
    pools: list[list[str]] = [names[kind::kinds] for kind in range(kinds)]
    for kind, pool in enumerate(pools):
        further = whole_numbers(seed, f"pool/{kind}", parts, 2 * parts_each)
        pool += sorted({names[place] for place in further} - set(pool))[: max(0, 2 * parts_each - len(pool))]
    objects, declared = [], []
    for place, name in enumerate(own):
        kind = place % kinds
        objects.append(ObjectName(key=name, source_category=name, name=name, parents=(of_kind[kind],)))
        spread = int(whole_numbers(seed, f"parts of {name}", 2 * parts_each - 1, 1)[0]) + 1
        chosen = _dealt(pools[kind], place // kinds, max(2, spread), f"{seed}/{name}")
        declared += [
            PartName(key=f"{name}:{part}", object_key=name, source_category=part, name=part) for part in chosen
        ]
    weights = tuple(1.0 / (place + 5) ** 0.8 for place in range(categories))
    vocabulary = Vocabulary(tuple(objects), tuple(declared), curated=True)
    return Design(
        "made_up", vocabulary, weights, instances * 10 // 16, "", further_objects=0.6, same_again=0.3, annotated=0.95
    )


def _dealt(pool: list[str], turn: int, wanted: int, key: str) -> list[str]:
    """Some parts of a pool: the ones whose turn it is, so that each is dealt to somebody, and others by chance."""
    wanted = min(wanted, len(pool))
    first = [part for place, part in enumerate(pool) if place % _KIND_SIZE == turn % _KIND_SIZE]
    order = whole_numbers(0, key, 1 << 30, len(pool))
    rest = [part for _, part in sorted(zip(order.tolist(), pool, strict=True)) if part not in first]
    return (first + rest)[: max(wanted, len(first))]


def _words(n: int) -> list[str]:
    """`n` pronounceable words of two syllables and a consonant, which canonical spelling leaves as they are."""
    syllables = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]
    total = len(syllables) ** 2 * 3
    found: list[str] = []
    for place in range(total):
        # A step without a common divisor with `total` reaches every word once, far from the last.
        first, rest = divmod(place * 7_919 % total, len(syllables) * 3)
        word = syllables[first] + syllables[rest // 3] + "lmk"[rest % 3]
        if _unchanged(word):
            found.append(word)
        if len(found) == n:
            return found
    raise ValueError(f"there are only {len(found)} words for {n} names")


def _unchanged(word: str) -> bool:
    try:
        return normalise(word) == word
    except BadName:
        return False
