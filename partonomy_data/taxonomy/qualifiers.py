"""Which names need what they have in parentheses, seen beside all the other names.

A *sense* is a name with its qualifier, save that a qualifier which only glosses the ordinary meaning doesn't count:
"car (automobile)" is the sense "car", "car (railway)" is another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set

from partonomy_data.taxonomy.lexicon import lexicon
from partonomy_data.taxonomy.words import normalise, qualifier, without_qualifier


def normalise_all(names: Iterable[str]) -> dict[str, str]:
    """The canonical name of each of `names`, taken as one vocabulary. Raises BadName for a name without any.

    Two names get the same result exactly if `normalise` makes them the same. A qualifier in parentheses is dropped
    where nothing else in the vocabulary is then called the same.
    """
    full = {name: normalise(name) for name in names}
    shared = by_bare_name(full.values())
    return {name: bare if len(shared[bare := without_qualifier(one)]) == 1 else one for name, one in full.items()}


def by_bare_name(names: Iterable[str]) -> dict[str, set[str]]:
    """Each name without its qualifier → the names with theirs that come down to it."""
    shared: dict[str, set[str]] = defaultdict(set)
    for name in names:
        shared[without_qualifier(name)].add(name)
    return shared


def sense(name: str) -> str:
    """`name` without a qualifier that only glosses its ordinary meaning."""
    bare = without_qualifier(name)
    return bare if qualifier(name) in lexicon().glosses.get(bare, ()) else name


def senses(sources: Iterable[Iterable[str]]) -> dict[str, set[str]]:
    """Bare name → senses, over the full names of all sources."""
    return by_bare_name(sense(name) for names in sources for name in names)


def without_needless(own: Mapping[str, str], everywhere: Mapping[str, Set[str]]) -> dict[str, str]:
    """`own` (key → full name, of one source) with the qualifiers dropped that nothing calls for.

    Within the source any other name that comes down to the same calls for them; in the other sources, of which
    `everywhere` has the senses, another sense does.
    """
    here = by_bare_name(own.values())
    out = {}
    for key, name in own.items():
        bare = without_qualifier(name)
        ordinary = len(everywhere[bare]) == 1 or sense(name) == bare
        out[key] = bare if len(here[bare]) == 1 and ordinary else name
    return out


def qualified(name: str, by: str) -> str:
    """`name` with `by` in parentheses, after the qualifier that it may have; parentheses within are left out."""
    words = [qualifier(name), without_qualifier(by), qualifier(by)]
    return normalise(f"{without_qualifier(name)} ({' '.join(word for word in words if word)})")
