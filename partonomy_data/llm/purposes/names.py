"""Names for objects whose raw label, taken by itself, names no thing: "agricultural" among the airplanes.

Which labels are asked about: those of which the reader's name for the object

1. has no word in common with the head nouns of its supercategories ("banana boat" among the boats has one, and stands),
2. and is bare, going by its form: its last word looks like an adjective, a participle or an action ("agricultural",
   "hovering", "navigation"), or is a particle ("pick up"); or its first word says that a noun is still to come ("all
   terrain", "anti submarine"); or it is one word, which serves other names as what comes before their head noun, and
   none as the head ("fire", where there is a "fire boat"),
3. and for which the user has no override.

A name without supercategory is never asked about: there is nothing to complete it with. Most are nouns in their own
right ("canoe"), which a model that aims to please would only make clumsy.

A proposal is admitted if it is the label's own words in their order, completed with words of its supercategories so that
it ends in the noun of one, canonical, and no other name of any source. It becomes an override of the name, which yields to the
user's own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from partonomy_data.llm.brief import Asks, Brief, Item, Unanswered
from partonomy_data.llm.guard import reads_as_a_name
from partonomy_data.sources.records import Vocabulary
from partonomy_data.taxonomy import names as taxonomy_names
from partonomy_data.taxonomy.object_names import ancestors
from partonomy_data.taxonomy.overrides import NameOverride, Overrides, overrides
from partonomy_data.taxonomy.words import BadName, is_plain, normalise, without_qualifier

#: Endings of adjectives, participles and words for actions; the stem before them has so many letters.
_ENDINGS: Final = (
    *("able", "al", "ance", "ary", "ed", "ence", "ent", "ful", "graphy", "ian", "ible", "ic", "ical", "ing", "ious"),
    *("ish", "ity", "ive", "less", "ment", "ory", "ous", "sion", "some", "tion", "ular", "ward"),
)
_STEM: Final = 3
_PARTICLES: Final = frozenset({"down", "in", "off", "on", "out", "over", "up"})
_NOUN_TO_COME: Final = frozenset({"all", "anti", "inter", "mini", "multi", "non", "off", "pre", "trans", "ultra"})

_INSTRUCTIONS: Final = """\
You name kinds of objects for an image dataset. Each item is a raw label: the name that an object has within a category, \
and the categories that it is a kind of, nearest first. Some of these names only say which kind is meant and leave the noun \
out, as "agricultural" among airplanes. Give the name by which the object would be known outside of its category:

- If the name is no noun for such an object by itself, complete it with a noun from its categories: "agricultural" among \
airplanes is an "agricultural airplane", "off road" among vehicles an "off road vehicle".
- If it is a noun for such an object by itself, give it back unchanged: a "canoe" among boats is a "canoe".

Keep all words of the name in their order, and put nothing before them. Add no words but those of the categories, in the \
singular. Lower case, no hyphens or other signs, no article."""


class DisplayName(msgspec.Struct, frozen=True):
    """The answer to one item."""

    name: Annotated[str, msgspec.Meta(description="what the object is called, in lower case and in the singular")]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked about labels, and what came of it. Counts are of names."""

    asked: int
    unreadable: int
    """Not asked: a label that doesn't read as a name."""
    named: int
    unchanged: int
    """The model leaves the name as it is."""
    refused: tuple[str, ...]
    """Answered, and yet not taken up: a line each."""
    unanswered: int


@dataclass(frozen=True, slots=True)
class Named:
    """The user's overrides with those that a model gave rise to behind them."""

    overrides: Overrides
    report: Report


@dataclass(frozen=True, slots=True)
class Label:
    """Objects of one name under the same supercategories."""

    name: str
    """In plain words, canonical."""
    parents: tuple[str, ...]
    """Canonical, nearest first."""
    canonical: frozenset[str]
    """What the rules call them."""
    keys: tuple[tuple[str, str], ...]
    """(source, key)"""


def propose(asks: Asks, vocabularies: Mapping[str, Vocabulary], overrides: Overrides) -> Named:
    """Asks for the names of `labels`, and gives the overrides with those that are admitted.

    A row of an admitted name has the note `llm <call_id>`. Raises as `taxonomy.names.build` does.
    """
    every = labels(vocabularies, overrides)
    readable = [one for one in every if all(map(reads_as_a_name, (one.name, *one.parents)))]
    items = [Item(_id(one), {"name": one.name, "categories": list(one.parents)}) for one in readable]
    outcomes = asks.ask(BRIEF, items) if items else {}
    names = taken(vocabularies, overrides)
    rows: list[NameOverride] = []
    refused: list[str] = []
    counts: Counter[str] = Counter()
    for one, item in zip(readable, items, strict=True):
        outcome = outcomes.get(item.id)
        if outcome is None or isinstance(outcome, Unanswered):
            counts["unanswered"] += 1
            continue
        said = outcome.value.name
        wrong = objection(one.name, one.parents, said)
        if wrong is None and said == one.name:
            counts["unchanged"] += 1
        elif wrong := wrong or _collision(one, said, names):
            refused.append(f"{one.name} ({', '.join(one.parents)}): {said!r} refused: {wrong}")
        else:
            counts["named"] += 1
            names[said] |= one.canonical
            note = f"llm {outcome.call_id}"
            rows += [NameOverride(source, key, said, "object", note) for source, key in one.keys]
    report = Report(
        asked=len(items),
        unreadable=len(every) - len(readable),
        named=counts["named"],
        unchanged=counts["unchanged"],
        refused=tuple(sorted(refused)),
        unanswered=counts["unanswered"],
    )
    return Named(_with(overrides, rows), report)


def labels(vocabularies: Mapping[str, Vocabulary], overrides: Overrides) -> list[Label]:
    """The labels that are asked about, sorted; the module says which."""
    built = taxonomy_names.build(vocabularies, overrides)
    bare = _Bare(vocabularies)
    spelled = {source: _spellings(vocabulary) for source, vocabulary in vocabularies.items()}
    found: dict[tuple[str, tuple[str, ...]], list[tuple[str, str]]] = defaultdict(list)
    for source in sorted(vocabularies):
        for one in sorted(vocabularies[source].objects, key=lambda one: one.key):
            if overrides.canonical(source, "object", one.key, one.source_category, one.name) is not None:
                continue
            # A row of overrides would hold for whatever the source spells like that.
            if one.key not in built.sources[source].objects or spelled[source][one.key] > 1:
                continue
            name, parents = without_qualifier(normalise(one.name)), tuple(ancestors(one))
            if bare.is_bare(name, parents):
                found[name, parents].append((source, one.key))
    out = []
    for (name, parents), keys in sorted(found.items()):
        canonical = frozenset(built.sources[source].objects[key] for source, key in keys)
        out.append(Label(name, parents, canonical, tuple(keys)))
    return out


def taken(vocabularies: Mapping[str, Vocabulary], overrides: Overrides) -> defaultdict[str, frozenset[str]]:
    """Each name of any source, with and without what it has in parentheses → the object categories that have it.

    Names of parts and of supercategories are taken too, by no object category.
    """
    built = taxonomy_names.build(vocabularies, overrides)
    out: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
    for names in built.sources.values():
        for name in names.objects.values():
            out[name] |= {name}
            out[without_qualifier(name)] |= {name}
        for part in names.parts.values():
            out[part.part_category] |= {""}
    for name in {name for child, parent, _ in built.edges for name in (child, parent)}:
        out[name] |= {name}
        out[without_qualifier(name)] |= {name}
    return out


def objection(name: str, parents: Sequence[str], proposed: str) -> str | None:
    """What is wrong with a name proposed for the label `name` below `parents` (both canonical); None if nothing is."""
    if not is_plain(proposed) or not reads_as_a_name(proposed) or "(" in proposed:
        return "a name is a few words in lower case, with single spaces and no signs"
    try:
        canonical = normalise(proposed)
    except BadName as error:
        return error.reason
    if canonical != proposed:
        return f"write it {canonical!r}"
    said, own = proposed.split(), name.split()
    if said[: len(own)] != own:
        return f"the words {name!r} must be kept, in their order and before any other"
    added, of_parents = said[len(own) :], {word for parent in parents for word in parent.split()}
    strange = [word for word in added if word not in of_parents]
    if strange:
        return f"{strange[0]!r} is a word of neither the name nor its categories"
    if added and added[-1] not in {parent.split()[-1] for parent in parents}:
        return "it must end in the noun of one of its categories"
    if len(set(said)) < len(said):
        return "a word stands twice"
    return None


def _collision(one: Label, proposed: str, names: Mapping[str, frozenset[str]]) -> str | None:
    """A name that anything else has would make two things one."""
    others = names.get(proposed, frozenset()) - one.canonical
    return "something else is called that" if others else None


def _check(item: Item, answer: DisplayName) -> str | None:
    return objection(item.shown["name"], item.shown["categories"], answer.name)


#: What is asked of each label.
BRIEF: Final = Brief("names", _INSTRUCTIONS, DisplayName, _check, pack=20, tokens=24)


class _Bare:
    """Tells which names are bare, beside all the names there are."""

    def __init__(self, vocabularies: Mapping[str, Vocabulary]) -> None:
        names = {name for vocabulary in vocabularies.values() for name in _all_names(vocabulary)}
        words = [name.split() for name in names]
        self._modifiers = {some[i] for some in words for i in range(len(some) - 1)}
        self._heads = {some[-1] for some in words if len(some) > 1}

    def is_bare(self, name: str, parents: Sequence[str]) -> bool:
        words = name.split()
        heads = {parent.split()[-1] for parent in parents}
        if not words or not heads or not heads.isdisjoint(words):
            return False
        last = words[-1]
        return (
            last in _PARTICLES
            or words[0] in _NOUN_TO_COME
            or any(last.endswith(ending) and len(last) - len(ending) >= _STEM for ending in _ENDINGS)
            or (len(words) == 1 and last in self._modifiers and last not in self._heads)
        )


def _all_names(vocabulary: Vocabulary) -> Iterable[str]:
    for name in (*(one.name for one in vocabulary.objects), *(one.name for one in vocabulary.parts)):
        try:
            yield without_qualifier(normalise(name))
        except BadName:
            continue


def _spellings(vocabulary: Vocabulary) -> Counter[str]:
    """Spelling → how many objects of the source it is a key, a spelling or a name of."""
    return Counter(spelling for one in vocabulary.objects for spelling in {one.key, one.source_category, one.name})


def _id(one: Label) -> str:
    return " < ".join((one.name, *one.parents))


def _with(user: Overrides, rows: Sequence[NameOverride]) -> Overrides:
    return overrides(user.relations, (*user.names, *rows)) if rows else user
