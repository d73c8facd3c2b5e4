"""The indexes that bring names of parts together, each with how strongly it speaks for a relation; see `blocking`.

All take the words of the names (`words_of`, the head noun last), and give pairs (a before b in the alphabet) with a
strength from 0 to 1; a pair may come several times. An index entry with many names doesn't give all their pairs, but
those of each name with the shortest, and with the ones that end most like it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from itertools import combinations
from typing import Final, TypeAlias

import msgspec

from partonomy_data.taxonomy.inflection import singular
from partonomy_data.taxonomy.lexicon import lexicon, read_yaml
from partonomy_data.taxonomy.words import without_qualifier

Pair: TypeAlias = tuple[str, str]
Words: TypeAlias = Mapping[str, tuple[str, ...]]
Found: TypeAlias = Iterator[tuple[Pair, float]]

#: Names of an index entry of which all pairs are looked at; of a larger one, so many of the shortest and nearest.
_SMALL: Final = 48
_SHORTEST: Final = 8
_NEAREST: Final = 16
#: Parts that are found beside a part, from which on that says nothing about their place.
_ANYWHERE: Final = 64
#: What near words count whose objects are of no kind in common.
_STRANGE: Final = 0.7
#: Letters of a name from which on another letter may be an error.
_LONG: Final = 5
#: Heads that say little, beside the vague ones of the lexicon.
_SAYS_LITTLE: Final = frozenset({"assembly", "component", "device", "equipment", "mechanism", "module", "unit"})
_JOINING: Final = frozenset({"a", "an", "and", "at", "for", "from", "in", "of", "on", "or", "the", "to", "with"})


class NearWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `near_words.yaml` and `kind_words.yaml` list; the files say what they are for."""

    near: tuple[tuple[str, ...], ...]
    kinds: dict[str, tuple[str, ...]]


@cache
def near_words() -> NearWords:
    """The word lists, read on first use. Raises msgspec.ValidationError if one was edited into another shape."""
    lists = {"near": read_yaml("near_words.yaml"), "kinds": read_yaml("kind_words.yaml")}
    return msgspec.convert(lists, NearWords)


@cache
def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in the singular, its head last: "row of windows" is a "window row" here."""
    tokens = without_qualifier(name).split()
    at = next((place for place, token in enumerate(tokens) if place and token in ("of", "with", "for")), len(tokens))
    tokens = tokens[at + 1 :] + tokens[:at]
    if len(tokens) > 1 and tokens[-1].isdecimal():
        tokens = [tokens[-1], *tokens[:-1]]
    kept = tuple(singular(token.removesuffix("'s")) for token in tokens if token not in _JOINING)
    return kept or (name,)


def ordered(a: str, b: str) -> Pair:
    """The two names, the first in the alphabet first."""
    return (a, b) if a < b else (b, a)


def _alike(a: Collection[str], b: Collection[str]) -> float:
    """The share of words in common; 0 for none at all."""
    one, other = set(a), set(b)
    return len(one & other) / len(one | other) if one or other else 0.0


def _pairs(names: Collection[str], words: Words) -> Iterator[Pair]:
    """Pairs of the names of an index entry: all of them if they are few."""
    if len(names) <= _SMALL:
        yield from (ordered(a, b) for a, b in combinations(sorted(names), 2))
        return
    short = sorted(names, key=lambda name: (len(words[name]), name))[:_SHORTEST]
    ends = sorted(names, key=lambda name: (words[name][::-1], name))
    yield from {ordered(a, b) for a in short for b in names if a != b}
    yield from (ordered(a, b) for i, a in enumerate(ends) for b in ends[i + 1 : i + 1 + _NEAREST])


def same_head(words: Words) -> Found:
    """Names with the same head noun: the stronger, the more of their words are the same."""
    heads: dict[str, list[str]] = defaultdict(list)
    for name, own in words.items():
        heads[own[-1]].append(name)
    for names in heads.values():
        for a, b in _pairs(names, words):
            yield (a, b), 0.5 + 0.45 * _alike(words[a], words[b])


def same_word(words: Words) -> Found:
    """Names with another word in common, one that says more than side, place or number."""
    index: dict[str, list[str]] = defaultdict(list)
    for name, own in words.items():
        for word in set(own):
            if word not in lexicon().positions and not word.isdecimal():
                index[word].append(name)
    for names in index.values():
        for a, b in _pairs(names, words):
            if words[a][-1] != words[b][-1]:
                yield (a, b), 0.1 + 0.45 * _alike(words[a], words[b])


def compounds(words: Words) -> Found:
    """A head noun of one piece that ends with another head noun: "tailboom" and "boom"."""
    heads: dict[str, set[str]] = defaultdict(set)
    for name, own in words.items():
        heads[own[-1]].add(name)
    for head, names in heads.items():
        for cut in range(3, len(head) - 2):
            others = heads.get(head[cut:], set())
            for a, b in _pairs(names | others, words) if others else ():
                if (a in others) != (b in others):
                    rest = len(words[a]) + len(words[b]) - 2
                    yield (a, b), 0.7 if not rest else 0.15 + 0.3 * _alike(words[a][:-1], words[b][:-1])


def misspelled(words: Words) -> Found:
    """Names that are equal when each loses at most one letter, spaces set aside; another number is no slip."""
    index: dict[str, set[str]] = defaultdict(set)
    for name in words:
        letters = "".join(filter(str.isalnum, name))
        if len(letters) >= _LONG:
            index[letters].add(name)
            for at, letter in enumerate(letters):
                if not letter.isdecimal():
                    index[letters[:at] + letters[at + 1 :]].add(name)
    for names in index.values():
        for a, b in _pairs(names, words):
            yield (a, b), 0.4 if min(len(a), len(b)) <= 2 * _LONG else 0.8


@cache
def _lines() -> Mapping[str, tuple[tuple[str, bool], ...]]:
    """Word → the lines that it is on, and whether it is the word of the line's left side."""
    found: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for number, line in enumerate(near_words().near):
        for word in line:
            found[word].append((f"near/{number}", True))
    for kind, line in near_words().kinds.items():
        found[kind].append((f"kind/{kind}", True))
        for word in line:
            found[word].append((f"kind/{kind}", False))
    return {word: tuple(dict.fromkeys(lines)) for word, lines in found.items()}


def _ends(own: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a name is looked up by, with the words before: its last three words, two and one.

    A head that says little leaves it to the word before: a "seating area" is looked up as a "seat" too.
    """
    for n in range(min(3, len(own)), 0, -1):
        yield " ".join(own[-n:]), own[:-n]
    if len(own) > 1 and (own[-1] in lexicon().vague_heads or own[-1] in _SAYS_LITTLE):
        word = own[-2].removesuffix("ing") if len(own[-2]) > 6 else own[-2]
        for end in dict.fromkeys((own[-2], word)):
            yield end, own[:-2]


def near(words: Words, kinds: Mapping[str, set[str]]) -> Found:
    """Names whose ends are on one line; `kinds` are those of the objects that have the part."""
    members: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    left: set[tuple[str, str]] = set()
    for name, own in words.items():
        for end, before in _ends(own):
            for line, any_pair in _lines().get(end, ()):
                members[line].setdefault(name, before)
                if any_pair:
                    left.add((line, name))
    lines: Counter[Pair] = Counter()
    best: dict[Pair, float] = {}
    for line, rest in members.items():
        for a, b in _pairs(rest, words):
            if words[a][-1] != words[b][-1] and ((line, a) in left or (line, b) in left):
                bare = (not rest[a]) + (not rest[b])
                strength = (0.15 + 0.5 * _alike(rest[a], rest[b]), 0.35, 0.8)[bare]
                best[a, b] = max(strength, best.get((a, b), 0.0))
                lines[a, b] += 1
    for (a, b), strength in best.items():
        strange = kinds[a].isdisjoint(kinds[b])
        yield (a, b), (strength + 0.05 * min(lines[a, b] - 1, 2)) * (_STRANGE if strange else 1.0)


def siblings(wholes: Mapping[str, Collection[str]], parents: Mapping[str, set[str]]) -> Found:
    """Parts of sibling categories that are never in one object, the stronger the more parts they are both beside."""
    parts_of: dict[str, set[str]] = defaultdict(set)
    for part, categories in wholes.items():
        for category in categories:
            parts_of[category].add(part)
    beside: dict[str, set[str]] = defaultdict(set)
    index: dict[Pair, set[str]] = defaultdict(set)
    for category, parts in parts_of.items():
        if len(parts) <= _ANYWHERE:
            for part in parts:
                others = parts - {part}
                beside[part] |= others
                for parent in parents[category] - {category}:
                    index[parent, part] |= others
    for names in index.values():
        if len(names) <= _ANYWHERE:
            for a, b in combinations(sorted(names), 2):
                if b not in beside[a] and set(wholes[a]).isdisjoint(wholes[b]):
                    yield (a, b), 0.4 * _alike(beside[a], beside[b])
